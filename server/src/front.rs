//! The front door: every request comes in and every answer goes out here.
//!
//! dropshot routes everything to one catch-all, which looks the route up among the
//! real operations. So the envelope of errors, the headers, the limits and the
//! access log are each written once. It decides nothing about tokens.

mod body;
pub(crate) mod connections;
mod deferred;
mod guard;
mod log;
pub(crate) mod reply;
pub(crate) mod throttle;

pub(crate) use body::OPTIONAL_BODY;
pub use body::{Body, MAX_BODY_BYTES, Optional, object};
pub use deferred::Deferred;
pub use reply::{Answer, Reply};

use crate::service::Service;
use connections::Connections;
use dropshot::{
    ApiDescription, ApiEndpoint, ApiEndpointBodyContentType, ApiEndpointVersions, HttpError,
    RawRequest, RequestContext,
};
use futures::FutureExt;
use futures::future::BoxFuture;
use http::{HeaderValue, Method, Response, StatusCode, header};
use slog::Logger;
use std::collections::HashMap;
use std::fmt;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Instant;
use throttle::Throttle;

/// A request as dropshot hands it over.
type Request = hyper::Request<dropshot::Body>;
/// Looks a request's operation up and runs it.
type Dispatch =
    dyn Fn(RequestContext<Context>, Request) -> BoxFuture<'static, Outcome> + Send + Sync;

/// An answer, and the operation that gave it, where there is one.
struct Outcome {
    response: Response<dropshot::Body>,
    operation: Option<Operation>,
}

/// An operation, as the access log names it.
struct Operation {
    id: String,
    /// With its variables by name: what they are is not logged.
    path: Arc<str>,
}

/// Every method that HTTP itself defines (RFC 9110, 9; RFC 5789).
const METHODS: [Method; 9] = [
    Method::GET,
    Method::HEAD,
    Method::POST,
    Method::PUT,
    Method::PATCH,
    Method::DELETE,
    Method::OPTIONS,
    Method::TRACE,
    Method::CONNECT,
];

/// Every other method that somebody has registered (IANA), and one that caches take: dropshot
/// would answer them itself, in its own words. None is allowed anywhere.
const OTHER_METHODS: [&str; 32] = [
    "ACL",
    "BASELINE-CONTROL",
    "BIND",
    "CHECKIN",
    "CHECKOUT",
    "COPY",
    "LABEL",
    "LINK",
    "LOCK",
    "MERGE",
    "MKACTIVITY",
    "MKCALENDAR",
    "MKCOL",
    "MKREDIRECTREF",
    "MKWORKSPACE",
    "MOVE",
    "ORDERPATCH",
    "PRI",
    "PROPFIND",
    "PROPPATCH",
    "PURGE",
    "QUERY",
    "REBIND",
    "REPORT",
    "SEARCH",
    "UNBIND",
    "UNCHECKOUT",
    "UNLINK",
    "UNLOCK",
    "UPDATE",
    "UPDATEREDIRECTREF",
    "VERSION-CONTROL",
];

/// What every handler is given.
pub struct Context {
    /// The domain.
    pub service: Service,
    dispatch: Box<Dispatch>,
    pub(crate) connections: Arc<Connections>,
    pub(crate) throttle: Throttle,
    log: Logger,
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context").field("service", &self.service).finish_non_exhaustive()
    }
}

impl Context {
    /// A front door to `operations`, which writes its access log to `log`.
    pub fn new(
        service: Service,
        operations: ApiDescription<Self>,
        throttle: Throttle,
        log: Logger,
    ) -> Self {
        let (dispatch, connections) = (dispatcher(operations), Arc::default());
        Self { service, dispatch, connections, throttle, log }
    }
}

/// What dropshot serves: one catch-all for every method. What never reaches it is a path that is
/// no text (`%ff`) or has dot segments, and a method that nobody has registered: those dropshot
/// refuses before it looks for a handler, and has no hook for another answer.
///
/// # Errors
/// None that a caller could cause: the paths are fixed.
pub fn doors() -> anyhow::Result<ApiDescription<Context>> {
    let mut doors = ApiDescription::new();
    let others = OTHER_METHODS.iter().map(|method| Method::from_bytes(method.as_bytes()));
    for method in METHODS.into_iter().map(Ok).chain(others) {
        let method = method?;
        doors.register(ApiEndpoint::new(
            format!("front_{method}").to_lowercase(),
            receive,
            method,
            ApiEndpointBodyContentType::default().mime_type(),
            "/{path:.*}",
            ApiEndpointVersions::All,
        ))?;
    }
    Ok(doors)
}

fn dispatcher(operations: ApiDescription<Context>) -> Box<Dispatch> {
    // Its type has no public name, so it lives in the closure.
    let router = Arc::new(operations.into_router());
    let paths: HashMap<String, Arc<str>> = router
        .endpoints(None)
        .map(|(path, _, endpoint)| (endpoint.operation_id.clone(), path.into()))
        .collect();
    Box::new(move |mut rqctx, request| {
        let method = guard::routed_method(request.method());
        match router.lookup_route(&method, request.uri().path().into(), None) {
            Err(error) => {
                let response = reply::no_route(&error);
                async { Outcome { response, operation: None } }.boxed()
            }
            Ok(found) => {
                let id = found.endpoint.operation_id.clone();
                let path = paths.get(&id).cloned().unwrap_or_default();
                let operation = Some(Operation { id, path });
                rqctx.endpoint = found.endpoint;
                async move {
                    // Handlers answer failures themselves: what is left is a programming error.
                    let answered = found.handler.handle_request(rqctx, request).await;
                    let response = answered.unwrap_or_else(|_| reply::broken("a handler failed"));
                    Outcome { response, operation }
                }
                .boxed()
            }
        }
    })
}

async fn receive(
    rqctx: RequestContext<Context>,
    _: deferred::AnyPath,
    request: RawRequest,
) -> Result<Response<dropshot::Body>, HttpError> {
    let started = Instant::now();
    let server = Arc::clone(&rqctx.server);
    let _under_way = server.private.connections.begin(rqctx.request.remote_addr());
    let entry = log::Entry::of(&rqctx);
    let Outcome { mut response, operation } = answer(rqctx, request.into_inner()).await;
    // Everything here is under a credential, or says that one is missing.
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    entry.write(&server.private.log, operation.as_ref(), &response, started.elapsed());
    Ok(response)
}

async fn answer(rqctx: RequestContext<Context>, request: Request) -> Outcome {
    if let Some(response) = guard::objection(&request) {
        return Outcome { response, operation: None };
    }
    let server = Arc::clone(&rqctx.server);
    let work = async { (server.private.dispatch)(rqctx, request).await };
    AssertUnwindSafe(work).catch_unwind().await.unwrap_or_else(|_| Outcome {
        response: reply::broken("a handler panicked"),
        operation: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Store;
    use dropshot::{ConfigDropshot, ServerBuilder};
    use std::io::{Read, Write};
    use std::net::{SocketAddr, TcpStream};
    use std::num::NonZeroU32;

    fn ask(address: SocketAddr, path: &str) -> String {
        let mut stream = TcpStream::connect(address).unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn a_panic_in_a_handler_answers_500_and_the_next_request_is_served() {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}", folder.path().join("a.db").display());
        let service = Service::new(Store::create(&url).await.unwrap());
        let log = Logger::root(slog::Discard, slog::o!());
        let throttle = Throttle::new(NonZeroU32::MIN, Vec::new());
        let mut context = Context::new(service, ApiDescription::new(), throttle, log.clone());
        let real = context.dispatch;
        context.dispatch = Box::new(move |rqctx, request| match request.uri().path() {
            "/panic" => panic!("as the test wants it"),
            "/panic-later" => async { panic!("as the test wants it") }.boxed(),
            _ => real(rqctx, request),
        });
        let config = ConfigDropshot {
            bind_address: ([127, 0, 0, 1], 0).into(),
            ..ConfigDropshot::default()
        };
        let server =
            ServerBuilder::new(doors().unwrap(), context, log).config(config).start().unwrap();
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
