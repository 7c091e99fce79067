//! A receiver of webhooks: it records the requests, and returns the answer that a test sets.

use crate::tls::authority::Pair;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use hmac::{Hmac, KeyInit, Mac};
use http::{HeaderMap, Request, Response, header};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::Value;
use sha2::Sha256;
use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::SystemTime;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio_rustls::TlsAcceptor;

/// A request, and the status that it was answered.
#[derive(Clone, Debug)]
pub struct Received {
    headers: HeaderMap,
    body: String,
    status: u16,
}

#[derive(Default)]
struct State {
    received: Vec<Received>,
    first: VecDeque<u16>,
    status: Option<u16>,
    location: Option<String>,
    refused: Option<String>,
}

/// A running receiver. Dropping it stops it.
pub struct Receiver {
    pub url: String,
    state: Arc<Mutex<State>>,
    _runtime: Runtime,
}

impl Receiver {
    pub fn start() -> Self {
        Self::start_with(None)
    }

    /// Starts one that serves HTTPS with this pair.
    pub fn start_with(pair: Option<&Pair>) -> Self {
        let runtime = Runtime::new().unwrap();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let (scheme, tls) = match pair {
            None => ("http", None),
            Some(pair) => ("https", Some(acceptor(pair))),
        };
        let url = format!("{scheme}://{}/hook", listener.local_addr().unwrap());
        let state = Arc::<Mutex<State>>::default();
        runtime.spawn(serve(listener, tls, Arc::clone(&state)));
        Self { url, state, _runtime: runtime }
    }

    /// Answers this status from now on.
    pub fn answer(&self, status: u16) {
        self.state.lock().unwrap().status = Some(status);
    }

    /// Answers the first requests with these statuses.
    pub fn answer_first(&self, statuses: &[u16]) {
        self.state.lock().unwrap().first.extend(statuses);
    }

    /// Answers 500 to bodies that contain this text, and 200 to others.
    pub fn refuse_bodies_with(&self, text: &str) {
        self.state.lock().unwrap().refused = Some(text.to_owned());
    }

    pub fn redirect_to(&self, url: &str) {
        self.answer(307);
        self.state.lock().unwrap().location = Some(url.to_owned());
    }

    pub fn received(&self) -> Vec<Received> {
        self.state.lock().unwrap().received.clone()
    }

    /// Returns the requests that were answered 200.
    pub fn accepted(&self) -> Vec<Received> {
        self.received().into_iter().filter(|received| received.status == 200).collect()
    }
}

impl Received {
    pub fn header(&self, name: &str) -> &str {
        self.headers[name].to_str().unwrap()
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }

    /// Panics unless the signature is that of this secret.
    pub fn verify(&self, secret: &str) {
        let key = STANDARD.decode(secret.strip_prefix("whsec_").unwrap()).unwrap();
        let (id, timestamp) = (self.header("webhook-id"), self.header("webhook-timestamp"));
        let mut mac = Hmac::<Sha256>::new_from_slice(&key).unwrap();
        mac.update(format!("{id}.{timestamp}.{}", self.body).as_bytes());
        let signature = self.header("webhook-signature").strip_prefix("v1,").unwrap();
        mac.verify_slice(&STANDARD.decode(signature).unwrap()).expect("the signature");
        let age = chrono::DateTime::<chrono::Utc>::from(SystemTime::now()).timestamp()
            - timestamp.parse::<i64>().unwrap();
        assert!((0..300).contains(&age), "{age}");
    }
}

fn acceptor(pair: &Pair) -> TlsAcceptor {
    let certificates = CertificateDer::pem_file_iter(&pair.certificate).unwrap();
    let key = PrivateKeyDer::from_pem_file(&pair.key).unwrap();
    let config = ServerConfig::builder().with_no_client_auth();
    let config = config.with_single_cert(certificates.map(Result::unwrap).collect(), key);
    Arc::new(config.unwrap()).into()
}

async fn serve(listener: TcpListener, tls: Option<TlsAcceptor>, state: Arc<Mutex<State>>) {
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        let (tls, state) = (tls.clone(), Arc::clone(&state));
        let answer = service_fn(move |request| answer(request, Arc::clone(&state)));
        tokio::spawn(async move {
            let http = http1::Builder::new();
            match tls {
                None => http.serve_connection(TokioIo::new(stream), answer).await.unwrap_or(()),
                Some(tls) => {
                    // A client that does not trust the certificate leaves.
                    let Ok(stream) = tls.accept(stream).await else { return };
                    http.serve_connection(TokioIo::new(stream), answer).await.unwrap_or(());
                }
            }
        });
    }
}

async fn answer(
    request: Request<Incoming>,
    state: Arc<Mutex<State>>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let (head, body) = request.into_parts();
    let body = String::from_utf8(body.collect().await.unwrap().to_bytes().to_vec()).unwrap();
    let mut state = state.lock().unwrap();
    let is_refused = state.refused.as_ref().is_some_and(|text| body.contains(text));
    let usual = if is_refused { 500 } else { state.status.unwrap_or(200) };
    let status = state.first.pop_front().unwrap_or(usual);
    state.received.push(Received { headers: head.headers, body, status });
    let mut response = Response::builder().status(status);
    if let Some(location) = &state.location {
        response = response.header(header::LOCATION, location);
    }
    Ok(response.body(Full::default()).unwrap())
}
