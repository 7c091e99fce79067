//! What may answer instead of our server: a proxy, or the vendor. It answers as it is told, and
//! keeps what it was asked. It must not imitate our server.

use futures::stream::{self, StreamExt};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Bytes, Frame, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Mutex};
use tokio::net::TcpListener;

/// What it does with a request.
#[derive(Clone)]
pub enum Reply {
    /// Answers this status, with these headers and this body.
    Answer(u16, &'static [(&'static str, &'static str)], &'static str),
    /// Answers 200, and closes the connection after this part of the body.
    BreakOff(&'static str),
    /// Closes the connection.
    Close,
    /// Never answers.
    Hang,
}

/// A listener in place of the server.
#[derive(Clone)]
pub struct StandIn {
    pub url: String,
    replies: Arc<Mutex<VecDeque<Reply>>>,
    requests: Arc<Mutex<Vec<Request<()>>>>,
}

impl StandIn {
    /// Starts it. The last reply is given again and again.
    pub async fn start(replies: impl IntoIterator<Item = Reply>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("it listens"));
        let replies = Arc::new(Mutex::new(replies.into_iter().collect()));
        let this = Self { url, replies, requests: Arc::default() };
        let server = this.clone();
        tokio::spawn(async move {
            while let Ok((connection, _)) = listener.accept().await {
                let server = server.clone();
                let serve = service_fn(move |request| server.clone().reply(request));
                let serving = hyper::server::conn::http1::Builder::new()
                    .serve_connection(TokioIo::new(connection), serve);
                tokio::spawn(serving);
            }
        });
        this
    }

    /// Returns the requests so far, without their bodies.
    pub fn requests(&self) -> Vec<Request<()>> {
        self.requests.lock().expect("no test panics here").clone()
    }

    async fn reply(
        self,
        request: Request<Incoming>,
    ) -> io::Result<Response<BoxBody<Bytes, io::Error>>> {
        self.requests.lock().expect("no test panics here").push(request.map(drop));
        let reply = {
            let mut replies = self.replies.lock().expect("no test panics here");
            let next = replies.pop_front().expect("there is a reply");
            if replies.is_empty() {
                replies.push_back(next.clone());
            }
            next
        };
        match reply {
            Reply::Answer(status, headers, body) => {
                let mut response = Response::builder().status(status);
                for (name, value) in headers {
                    response = response.header(*name, *value);
                }
                let body = Full::from(body).map_err(|never| match never {});
                Ok(response.body(body.boxed()).expect("a response"))
            }
            Reply::BreakOff(part) => {
                let part = Ok(Frame::data(Bytes::from(part)));
                let parts = [part, Err(io::Error::other("the connection is closed"))];
                // The first part leaves while the second one is not ready.
                let parts = stream::iter(parts).then(async |part| {
                    tokio::task::yield_now().await;
                    part
                });
                Ok(Response::new(BoxBody::new(StreamBody::new(parts))))
            }
            Reply::Close => Err(io::Error::other("the connection is closed")),
            Reply::Hang => std::future::pending().await,
        }
    }
}
