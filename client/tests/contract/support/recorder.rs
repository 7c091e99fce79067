//! A proxy between the tests and the server. It checks every answer against the contract,
//! and changes nothing. `traffic` records what passes.

use super::contract::contract;
use super::traffic;
use http_body_util::{BodyExt, Collected, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, Uri};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use tokio::net::TcpListener;

type Forwarder = Client<HttpConnector, Full<Bytes>>;

/// What is wrong with the answers so far, by the contract.
#[derive(Clone, Default)]
pub struct Objections(Arc<Mutex<Vec<String>>>);

impl Objections {
    fn add(&self, objection: String) {
        self.0.lock().expect("no test panics here").push(objection);
    }

    /// Takes all of them.
    pub fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().expect("no test panics here"))
    }
}

/// Starts a recorder in front of `server`. Returns its address.
pub async fn record(server: SocketAddr, objections: Objections) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("it listens");
    let forwarder = Client::builder(TokioExecutor::new()).build_http();
    tokio::spawn(async move {
        while let Ok((connection, _)) = listener.accept().await {
            let (forwarder, objections) = (forwarder.clone(), objections.clone());
            let forward = service_fn(move |request| {
                pass(server, forwarder.clone(), objections.clone(), request)
            });
            let serving = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(connection), forward);
            tokio::spawn(serving);
        }
    });
    address
}

async fn pass(
    server: SocketAddr,
    forwarder: Forwarder,
    objections: Objections,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, hyper_util::client::legacy::Error> {
    let (mut parts, body) = request.into_parts();
    let (method, path) = (parts.method.clone(), parts.uri.path().to_owned());
    let target = parts.uri.path_and_query().map_or("/", |target| target.as_str()).to_owned();
    parts.uri = format!("http://{server}{target}").parse::<Uri>().expect("the target was a target");
    let body = body.collect().await.map(Collected::to_bytes).unwrap_or_default();
    let sent = traffic::request(&method, &target, &parts.headers, &body);
    let (head, body) =
        forwarder.request(Request::from_parts(parts, Full::new(body))).await?.into_parts();
    let body = body.collect().await.map(Collected::to_bytes).unwrap_or_default();
    traffic::record(&sent, &traffic::response(head.status, &head.headers, &body));
    if method != Method::HEAD
        && let Some(objection) = contract().objection(&method, &path, head.status, &body)
    {
        objections.add(objection);
    }
    Ok(Response::from_parts(head, Full::new(body)))
}
