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

pub(crate) use body::OPTIONAL_BODY;
pub use body::{Body, MAX_BODY_BYTES, Optional};
pub use deferred::Deferred;
pub use reply::{Answer, Reply};

use crate::service::Service;
use connections::Connections;
use dropshot::{
    ApiDescription, ApiDescriptionRegisterError, ApiEndpoint, ApiEndpointBodyContentType,
    ApiEndpointVersions, HttpError, RawRequest, RequestContext,
};
use futures::FutureExt;
use futures::future::BoxFuture;
use http::{HeaderValue, Method, Response, StatusCode, header};
use slog::Logger;
use std::fmt;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Instant;

/// A request as dropshot hands it over.
type Request = hyper::Request<dropshot::Body>;
/// Looks a request's operation up and runs it.
type Dispatch =
    dyn Fn(RequestContext<Context>, Request) -> BoxFuture<'static, Outcome> + Send + Sync;

/// An answer, and the operation that gave it, where there is one.
struct Outcome {
    response: Response<dropshot::Body>,
    operation: Option<String>,
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

/// What every handler is given.
pub struct Context {
    /// The domain.
    pub service: Service,
    dispatch: Box<Dispatch>,
    pub(crate) connections: Arc<Connections>,
    log: Logger,
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context").field("service", &self.service).finish_non_exhaustive()
    }
}

impl Context {
    /// A front door to `operations`, which writes its access log to `log`.
    pub fn new(service: Service, operations: ApiDescription<Self>, log: Logger) -> Self {
        let (dispatch, connections) = (dispatcher(operations), Arc::default());
        Self { service, dispatch, connections, log }
    }
}

/// What dropshot serves: one catch-all for every method.
///
/// # Errors
/// None that a caller could cause: the paths are fixed.
pub fn doors() -> Result<ApiDescription<Context>, ApiDescriptionRegisterError> {
    let mut doors = ApiDescription::new();
    for method in METHODS {
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
    Box::new(move |mut rqctx, request| {
        let method = guard::routed_method(request.method());
        match router.lookup_route(&method, request.uri().path().into(), None) {
            Err(error) => {
                let response = reply::no_route(&error);
                async { Outcome { response, operation: None } }.boxed()
            }
            Ok(found) => {
                let operation = Some(found.endpoint.operation_id.clone());
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
    entry.write(&server.private.log, operation.as_deref(), &response, started.elapsed());
    Ok(response)
}

async fn answer(rqctx: RequestContext<Context>, request: Request) -> Outcome {
    if let Some(response) = guard::objection(&request) {
        return Outcome { response, operation: None };
    }
    let server = Arc::clone(&rqctx.server);
    let work = (server.private.dispatch)(rqctx, request);
    AssertUnwindSafe(work).catch_unwind().await.unwrap_or_else(|_| Outcome {
        response: reply::broken("a handler panicked"),
        operation: None,
    })
}
