//! The operations listener: liveness, readiness and metrics. It is not part of the contract and needs
//! no credential, so bind it to an address that only operators reach. The metrics are written in
//! `scrape`.

mod scrape;

use crate::log::Log;
use crate::metrics::Metrics;
use crate::service::Service;
use crate::store::{KnownWebhook, View};
use anyhow::Context as _;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use scrape::Scrape;
use std::collections::VecDeque;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::{Duration, Instant};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Mutex;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

/// The maximum number of connections. Above it the oldest one is closed, so that slow clients cannot
/// block others.
const MAX_CONNECTIONS: usize = 16;

/// How long a connection may stay open. It serves one request.
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(5);

/// How long the database may take to answer a readiness check.
const READY_TIMEOUT: Duration = Duration::from_secs(1);

/// The pause after a count: a minimum, and a multiple of the time that the count took. So counting
/// takes at most a hundredth of the time.
const COUNT_PAUSE: (Duration, u32) = (Duration::from_secs(1), 99);

/// The value of [`State::tokens`] before the first count.
const NOT_COUNTED: i64 = -1;

/// A running operations listener. Dropping it stops it.
pub struct Ops {
    address: SocketAddr,
    state: Arc<State>,
    #[expect(dead_code, reason = "dropping it stops the tasks")]
    tasks: JoinSet<()>,
}

/// The state that all connections share.
#[derive(Debug)]
struct State {
    service: Service,
    metrics: Arc<Metrics>,
    log: Log,
    is_stopping: AtomicBool,
    /// The number of live tokens, at the last count.
    tokens: AtomicI64,
    /// Serializes the readiness checks, so that they occupy one database connection.
    ready_check: Mutex<()>,
}

impl Ops {
    /// Starts to listen. Port 0 is any free port.
    ///
    /// # Errors
    /// If the address is not available.
    pub async fn start(
        listen: SocketAddr,
        service: Service,
        metrics: Arc<Metrics>,
        log: Log,
    ) -> anyhow::Result<Self> {
        let listener = TcpListener::bind(listen).await.with_context(|| {
            format!("cannot listen on {listen}: choose another address with --ops-listen")
        })?;
        let address = listener.local_addr()?;
        let (is_stopping, ready_check) = (AtomicBool::new(false), Mutex::default());
        let tokens = NOT_COUNTED.into();
        let state = Arc::new(State { service, metrics, log, is_stopping, tokens, ready_check });
        let mut tasks = JoinSet::new();
        tasks.spawn(accept(listener, Arc::clone(&state)));
        tasks.spawn(count_rows(Arc::clone(&state)));
        Ok(Self { address, state, tasks })
    }

    /// Returns the address that it listens on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Makes `/readyz` answer 503 from now on, so that load balancers stop sending requests.
    pub fn begin_stopping(&self) {
        self.state.is_stopping.store(true, Ordering::Relaxed);
    }
}

async fn accept(listener: TcpListener, state: Arc<State>) {
    let mut connections = JoinSet::new();
    let mut handles = VecDeque::new();
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            // Too many files are open. Waits until some of them are closed.
            sleep(CONNECTION_TIMEOUT / 50).await;
            continue;
        };
        while connections.try_join_next().is_some() {}
        handles.retain(|handle: &tokio::task::AbortHandle| !handle.is_finished());
        if handles.len() >= MAX_CONNECTIONS
            && let Some(oldest) = handles.pop_front()
        {
            oldest.abort();
        }
        handles.push_back(connections.spawn(serve(stream, Arc::clone(&state))));
    }
}

/// Answers one request.
async fn serve(stream: TcpStream, state: Arc<State>) {
    let answer = service_fn(|request| {
        let state = Arc::clone(&state);
        async move { Ok::<_, Infallible>(state.answer(&request).await) }
    });
    let mut http = http1::Builder::new();
    let connection = http.keep_alive(false).serve_connection(TokioIo::new(stream), answer);
    // A slow or disconnected client is dropped without an error.
    let _ = timeout(CONNECTION_TIMEOUT, connection).await;
}

/// Counts the live tokens and the deliveries to webhooks, in an endless loop. If a count fails, the
/// previous value stays.
async fn count_rows(state: Arc<State>) {
    let (minimum, factor) = COUNT_PAUSE;
    loop {
        let store = state.service.store();
        // It may have to connect first, and the time for that must not lengthen the pause.
        let _ = store.require_ready().await;
        let started = Instant::now();
        if let Ok(count) = store.count_live_tokens().await {
            state.tokens.store(count, Ordering::Relaxed);
        }
        let webhooks = async { store.read(View::Statement).await?.webhooks().await };
        for KnownWebhook { name, waiting, set_aside, .. } in webhooks.await.unwrap_or_default() {
            state.metrics.count_webhook(&name, |counts| {
                (counts.waiting, counts.set_aside) = (waiting, set_aside);
            });
        }
        sleep(minimum.max(started.elapsed() * factor)).await;
    }
}

impl State {
    /// Answers a request. hyper drops the body of an answer to HEAD.
    async fn answer(self: &Arc<Self>, request: &Request<Incoming>) -> Response<Full<Bytes>> {
        let is_read = [Method::GET, Method::HEAD].contains(request.method());
        match request.uri().path() {
            "/healthz" | "/readyz" | "/metrics" if !is_read => {
                let mut refusal = text(StatusCode::METHOD_NOT_ALLOWED, "use GET or HEAD");
                refusal.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET, HEAD"));
                refusal
            }
            "/healthz" => text(StatusCode::OK, "alive"),
            "/readyz" => match self.require_ready().await {
                Ok(()) => text(StatusCode::OK, "ready"),
                Err(reason) => text(StatusCode::SERVICE_UNAVAILABLE, &reason),
            },
            "/metrics" => self.scrape(request.headers()).await,
            _ => text(StatusCode::NOT_FOUND, "no such path: use /healthz, /readyz or /metrics"),
        }
    }

    /// Fails with the reason if the server is not ready for requests.
    async fn require_ready(&self) -> Result<(), String> {
        if self.is_stopping.load(Ordering::Relaxed) {
            return Err("the server is stopping: send requests to another one".to_owned());
        }
        let check = async {
            let _lock = self.ready_check.lock().await;
            self.service.store().require_ready().await
        };
        match timeout(READY_TIMEOUT, check).await {
            Ok(answer) => answer.map_err(|error| error.to_string()),
            Err(_) => Err(format!("the database did not answer within {READY_TIMEOUT:?}")),
        }
    }

    async fn scrape(self: &Arc<Self>, headers: &HeaderMap) -> Response<Full<Bytes>> {
        let is_ready = self.require_ready().await.is_ok();
        let scrape = Scrape { state: Arc::clone(self), is_ready };
        let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok());
        let (body, kind) = scrape.text(accept.unwrap_or_default());
        let mut response = text(StatusCode::OK, "");
        *response.body_mut() = body.into();
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
        response
    }
}

/// Returns a plain-text answer.
fn text(status: StatusCode, sentence: &str) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(format!("{sentence}\n")));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
