//! The front door: every request enters and every response leaves here. It decides nothing about
//! tokens. Start reading at `handle`.
//!
//! dropshot answers two kinds of request before the front door: a path with invalid UTF-8 (`%ff`) or
//! dot segments, and a method that has no route.

mod precondition;
mod routes;
pub mod tls;
mod trace;

pub use routes::{catch_all_routes, dispatcher};

use crate::context::Context;
use crate::error::Error;
use crate::handlers::Shortcut;
use crate::http::BodyRead;
use crate::http::reply::{self, Note};
use crate::token::TokenId;
use dropshot::{HttpError, RawRequest, RequestContext};
use futures::FutureExt;
use http::{HeaderValue, StatusCode, header};
use routes::Dispatch;
use scopeguard::guard;
use slog::{error, info};
use std::borrow::Cow;
use std::net::{IpAddr, SocketAddr};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::task::Poll;
use std::time::Instant;
use trace::Trace;

type Request = hyper::Request<dropshot::Body>;
type Response = hyper::Response<dropshot::Body>;

async fn handle(
    dispatch: Arc<Dispatch>,
    rqctx: RequestContext<Context>,
    request: RawRequest,
) -> Result<Response, HttpError> {
    let mut response = respond(dispatch, rqctx, request.into_inner()).boxed();
    // Most reads from SQLite end here. What has to wait goes on even if the client leaves: a change
    // may be half done, and a connection to the database would be closed.
    match futures::poll!(&mut response) {
        Poll::Ready(response) => Ok(response),
        Poll::Pending => {
            let response = tokio::spawn(response).await;
            Ok(response.unwrap_or_else(|_| broken("the front door panicked")))
        }
    }
}

async fn respond(
    dispatch: Arc<Dispatch>,
    rqctx: RequestContext<Context>,
    mut request: Request,
) -> Response {
    let started = Instant::now();
    let server = Arc::clone(&rqctx.server);
    let (method, peer) = (rqctx.request.method().clone(), rqctx.request.remote_addr());
    let Context { metrics, connections, log, .. } = &server.private;
    let client = server.private.client(&rqctx.request);
    let (request_id, body_read) = (rqctx.request_id.clone(), BodyRead::watch(&mut request));
    let trace = Trace::of(rqctx.request.headers());
    let requests = connections.begin_request(peer);
    let active = guard(&requests, |requests| requests.end());
    let answer = AssertUnwindSafe(run_operation(dispatch, rqctx, request)).catch_unwind().await;
    let answer = answer.unwrap_or_else(|_| (None, broken("a handler panicked"), None));
    let (operation, mut response, token) = answer;
    drop(active);
    if response.status() == StatusCode::HTTP_VERSION_NOT_SUPPORTED {
        connections.close(peer);
    }
    add_headers(&mut response, body_read.is_none_or(|read| read.get()));
    let (operation, latency) = (metrics.operation(operation.as_deref()), started.elapsed());
    operation.record(response.status(), latency);
    // One line per request, and one more if the server failed. No token, query string or body is
    // logged, and of a path only the template.
    let note = response.extensions_mut().remove::<Note>().unwrap_or_default();
    if let Some(reason) = note.reason {
        error!(log, "request failed"; "request_id" => &request_id, "reason" => reason, &trace);
    }
    info!(log, "request";
        "request_id" => request_id,
        "method" => method.as_str(),
        "route" => &*operation.route,
        "operation" => &*operation.id,
        "status" => response.status().as_u16(),
        "latency_us" => latency.as_micros(),
        "token_id" => token.or(note.token).map_or("-".to_owned(), |token| token.to_string()),
        "client" => &*client_text(client, peer, &requests.peer),
        "peer" => &*requests.peer,
        &trace,
    );
    response
}

/// Finds and runs the operation of a request. Returns its id, the response, and the token if it is a
/// shortcut: other operations note the token in the response.
async fn run_operation(
    dispatch: Arc<Dispatch>,
    rqctx: RequestContext<Context>,
    request: Request,
) -> (Option<Cow<'static, str>>, Response, Option<TokenId>) {
    if let Some(refusal) = precondition::check(&request) {
        return (None, refusal, None);
    }
    if let Some(shortcut) = Shortcut::find(request.method(), request.uri().path()) {
        let operation = Cow::Borrowed(shortcut.operation_id());
        let answer = shortcut.answer(&rqctx).await;
        let (response, token) = answer.unwrap_or_else(|error| (failed(error), None));
        return (Some(operation), response, token);
    }
    let (operation, response) = dispatch(rqctx, request);
    (operation.map(Cow::Owned), response.await, None)
}

/// Adds the headers that no operation decides.
fn add_headers(response: &mut Response, is_body_read: bool) {
    let headers = response.headers_mut();
    // Answers depend on the credential, so no cache may keep them.
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if !is_body_read {
        // hyper closes the connection, and the client must know that (RFC 9112, 9.6).
        headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
}

/// Returns the client as a text: mostly that of its peer without the port.
fn client_text(client: IpAddr, peer: SocketAddr, peer_text: &str) -> Cow<'_, str> {
    match peer_text.rsplit_once(':') {
        Some((address, _)) if peer.is_ipv4() && client == peer.ip() => address.into(),
        _ => client.to_string().into(),
    }
}

/// Handlers answer failures as replies. An error of dropshot is a bug.
fn failed<E>(_: E) -> Response {
    broken("a handler failed")
}

fn broken(reason: &str) -> Response {
    reply::failed(&Error::internal(reason))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::with_credential;
    use crate::context::throttle::{Allowance, Proxies, Throttle};
    use crate::metrics::Metrics;
    use crate::service::Service;
    use crate::store::Store;
    use dropshot::{ApiDescription, ConfigDropshot, HttpServer, ServerBuilder};
    use slog::{Logger, o};
    use std::io::{Read, Write};
    use std::net::TcpStream;
    use std::num::NonZeroU32;
    use std::time::Duration;
    use tempfile::TempDir;
    use tokio::sync::mpsc::channel;

    fn ask(address: SocketAddr, path: &str) -> String {
        let mut stream = TcpStream::connect(address).unwrap();
        let headers = "Host: a\r\nConnection: close\r\nAuthorization: Bearer bad";
        write!(stream, "GET {path} HTTP/1.1\r\n{headers}\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    /// Starts a front door that calls this in place of an operation, on an empty database.
    async fn start(
        folder: &TempDir,
        wrap: impl FnOnce(Arc<Dispatch>) -> Arc<Dispatch>,
    ) -> HttpServer<Context> {
        let url = format!("sqlite://{}", folder.path().join("a.db").display());
        let service = Service::new(Store::create(&url).await.unwrap());
        let log = Logger::root(slog::Discard, o!());
        let proxies = Proxies { trusted: Vec::new(), header: header::FORWARDED };
        let allowance = || Allowance::new(NonZeroU32::MIN, Duration::from_secs(1));
        let throttle =
            Throttle { proxies, bad_credentials: allowance(), leak_reports: allowance() };
        let (metrics, dispatch) = dispatcher(ApiDescription::new(), ApiDescription::new());
        let context = Context::new(service, metrics, throttle, channel(1).0, log.clone());
        let config = ConfigDropshot {
            bind_address: ([127, 0, 0, 1], 0).into(),
            ..ConfigDropshot::default()
        };
        let routes = catch_all_routes(&wrap(dispatch)).unwrap();
        ServerBuilder::new(routes, context, log).config(config).start().unwrap()
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn a_bad_credential_that_another_one_overtakes_is_refused_and_throttled() {
        let folder = tempfile::tempdir().unwrap();
        let server = start(&folder, |_| {
            Arc::new(|rqctx: RequestContext<Context>, _| {
                let answer = async move {
                    let peer = rqctx.request.remote_addr().ip();
                    let refused = with_credential(&rqctx, async |_, _| {
                        // The other one has used the allowance of one up.
                        rqctx.context().throttle.bad_credentials.admits(peer, Instant::now());
                        Err::<(), _>(Error::DeadCredential)
                    });
                    reply::failed(&refused.await.1.unwrap_err())
                };
                (None, answer.boxed())
            })
        });
        let server = server.await;
        let address = server.local_addr();
        let answer = tokio::task::spawn_blocking(move || ask(address, "/"));
        assert!(answer.await.unwrap().starts_with("HTTP/1.1 429 "));
        let Metrics { refused_credentials, throttled_requests, .. } =
            &*server.app_private().metrics;
        assert_eq!((refused_credentials.get(), throttled_requests.get()), (1, 1));
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn a_panic_in_a_handler_answers_500_and_the_server_goes_on() {
        let folder = tempfile::tempdir().unwrap();
        let server = start(&folder, |real| {
            Arc::new(move |rqctx, request: Request| match request.uri().path() {
                "/panic" => panic!("intended by the test"),
                "/panic-later" => (None, async { panic!("intended by the test") }.boxed()),
                _ => real(rqctx, request),
            })
        });
        let server = server.await;
        let address = server.local_addr();
        let (answers, after) = tokio::task::spawn_blocking(move || {
            (["/panic", "/panic-later"].map(|path| ask(address, path)), ask(address, "/"))
        })
        .await
        .unwrap();
        for answer in answers {
            assert!(answer.starts_with("HTTP/1.1 500 "), "{answer}");
            assert!(answer.contains("{\"error\":"), "{answer}");
        }
        assert!(after.starts_with("HTTP/1.1 404 "), "{after}");
    }
}
