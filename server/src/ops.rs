//! The operations listener: whether the process lives, whether it is ready for requests, and its
//! metrics. It is no part of the contract, and needs no credential: keep it where only operators
//! reach it. The text of the metrics is made in `scrape`.

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

/// How many connections there may be. Above that the oldest one is closed, so slow clients keep no
/// others away.
const MAX_CONNECTIONS: usize = 16;

/// How long a connection may take for its one request, from the first byte to the last one.
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(5);

/// How long the database may take to answer.
const READY_TIMEOUT: Duration = Duration::from_secs(1);

/// The pause after a count of the tokens: at least this, and so long that counting takes a hundredth
/// of the time.
const COUNT_PAUSE: (Duration, u32) = (Duration::from_secs(1), 99);

/// What [`State::tokens`] is before the first count.
const NOT_COUNTED: i64 = -1;

/// A running operations listener. Dropping it stops it.
pub struct Ops {
    address: SocketAddr,
    state: Arc<State>,
    #[expect(dead_code, reason = "dropping it stops the tasks")]
    tasks: JoinSet<()>,
}

/// What the answers are made of.
struct State {
    service: Service,
    metrics: Arc<Metrics>,
    log: Log,
    is_stopping: AtomicBool,
    /// How many tokens are live, as the last count has found.
    tokens: AtomicI64,
    /// Is held while the database is asked whether it is ready: one connection is enough for that.
    asking: Mutex<()>,
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
        let (is_stopping, asking) = Default::default();
        let tokens = NOT_COUNTED.into();
        let state = Arc::new(State { service, metrics, log, is_stopping, tokens, asking });
        let mut tasks = JoinSet::new();
        tasks.spawn(accept(listener, Arc::clone(&state)));
        tasks.spawn(count_rows(Arc::clone(&state)));
        Ok(Self { address, state, tasks })
    }

    /// Returns the address that it listens on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers from now on that the server is not ready, so that a load balancer leaves it.
    pub fn begin_stopping(&self) {
        self.state.is_stopping.store(true, Ordering::Relaxed);
    }
}

async fn accept(listener: TcpListener, state: Arc<State>) {
    let mut connections = JoinSet::new();
    let mut handles = VecDeque::new();
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            // The process has too many open files, which ends only with time.
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
    // Nothing is left to be done for a client that is too slow, or that has left.
    let _ = timeout(CONNECTION_TIMEOUT, connection).await;
}

/// Counts the live tokens, and what waits for webhooks, again and again. A count that fails leaves the
/// last one.
async fn count_rows(state: Arc<State>) {
    let (shortest, ratio) = COUNT_PAUSE;
    loop {
        let started = Instant::now();
        let store = state.service.store();
        if let Ok(count) = store.count_live_tokens().await {
            state.tokens.store(count, Ordering::Relaxed);
        }
        let webhooks = async { store.read(View::Statement).await?.webhooks().await };
        for KnownWebhook { name, waiting, set_aside, .. } in webhooks.await.unwrap_or_default() {
            state.metrics.count_webhook(&name, |counts| {
                (counts.waiting, counts.set_aside) = (waiting, set_aside);
            });
        }
        sleep(shortest.max(started.elapsed() * ratio)).await;
    }
}

impl State {
    /// Answers a request. hyper sends no body in answer to HEAD.
    async fn answer(&self, request: &Request<Incoming>) -> Response<Full<Bytes>> {
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

    /// Returns why requests should go to another server, if they should.
    async fn require_ready(&self) -> Result<(), String> {
        if self.is_stopping.load(Ordering::Relaxed) {
            return Err("the server is stopping: send requests to another one".to_owned());
        }
        let asked = async {
            let _asking = self.asking.lock().await;
            self.service.store().require_ready().await
        };
        match timeout(READY_TIMEOUT, asked).await {
            Ok(answer) => answer.map_err(|error| error.to_string()),
            Err(_) => Err(format!("the database did not answer within {READY_TIMEOUT:?}")),
        }
    }

    async fn scrape(&self, headers: &HeaderMap) -> Response<Full<Bytes>> {
        let scrape = Scrape {
            metrics: Arc::clone(&self.metrics),
            service: self.service.clone(),
            is_ready: self.require_ready().await.is_ok(),
            live_tokens: Some(self.tokens.load(Ordering::Relaxed)).filter(|n| *n != NOT_COUNTED),
            lost_log_lines: self.log.lost(),
        };
        let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok());
        let (body, kind) = scrape.text(accept.unwrap_or_default());
        let mut response = text(StatusCode::OK, "");
        *response.body_mut() = body.into();
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
        response
    }
}

/// Answers with a sentence.
fn text(status: StatusCode, sentence: &str) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(format!("{sentence}\n")));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
