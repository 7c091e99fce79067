//! Routes: every request goes to the front door, which finds the operation itself.

use super::{Request, Response, failed, handle};
use crate::context::Context;
use crate::http::reply;
use crate::metrics::Metrics;
use async_trait::async_trait;
use dropshot::{
    ApiDescription, ApiEndpoint, ApiEndpointBodyContentType, ApiEndpointVersions,
    CONTENT_TYPE_JSON, ExtractorMetadata, HttpError, Path, RequestContext, ServerContext,
    SharedExtractor,
};
use futures::FutureExt;
use futures::future::BoxFuture;
use http::Method;
use schemars::JsonSchema;
use serde::Deserialize;
use std::sync::Arc;

/// Finds the id of a request's operation, and a future that runs it.
pub type Dispatch = dyn Fn(RequestContext<Context>, Request) -> (Option<String>, BoxFuture<'static, Response>)
    + Send
    + Sync;

/// Every method that is registered with IANA, and PURGE, which caches use.
const METHODS: &str = "ACL BASELINE-CONTROL BIND CHECKIN CHECKOUT CONNECT COPY DELETE GET HEAD \
    LABEL LINK LOCK MERGE MKACTIVITY MKCALENDAR MKCOL MKREDIRECTREF MKWORKSPACE MOVE OPTIONS \
    ORDERPATCH PATCH POST PRI PROPFIND PROPPATCH PURGE PUT QUERY REBIND REPORT SEARCH TRACE \
    UNBIND UNCHECKOUT UNLINK UNLOCK UPDATE UPDATEREDIRECTREF VERSION-CONTROL";

/// Routes every request to [`handle`], which calls `dispatch`.
pub fn catch_all_routes(dispatch: &Arc<Dispatch>) -> anyhow::Result<ApiDescription<Context>> {
    let mut routes = ApiDescription::new();
    for name in METHODS.split_whitespace() {
        let (id, method) = (format!("front_{name}").to_lowercase(), name.parse::<Method>()?);
        let (path, versions) = ("/{path:.*}", ApiEndpointVersions::All);
        let dispatch = Arc::clone(dispatch);
        let handle =
            move |rqctx, _: AnyPath, request| handle(Arc::clone(&dispatch), rqctx, request);
        routes.register(ApiEndpoint::new(id, handle, method, CONTENT_TYPE_JSON, path, versions))?;
    }
    Ok(routes)
}

/// The variable of the catch-all path, which dropshot requires to be declared. Nothing reads it.
pub struct AnyPath;

#[derive(Deserialize, JsonSchema)]
struct AnyPathVariable {
    #[expect(dead_code, reason = "it is a declaration")]
    path: Vec<String>,
}

#[async_trait]
impl SharedExtractor for AnyPath {
    async fn from_request<C: ServerContext>(_: &RequestContext<C>) -> Result<Self, HttpError> {
        Ok(Self)
    }

    fn metadata(body_content_type: ApiEndpointBodyContentType) -> ExtractorMetadata {
        Path::<AnyPathVariable>::metadata(body_content_type)
    }
}

/// Returns the metrics of the operations, and what dispatches requests to `operations` or, if these
/// have no such path or method, to `extras`.
pub fn dispatcher(
    operations: ApiDescription<Context>,
    extras: ApiDescription<Context>,
) -> (Metrics, Arc<Dispatch>) {
    // The router's type is not exported, so only a closure can keep it.
    let (router, extras) = (operations.into_router(), extras.into_router());
    let endpoints = [&extras, &router].into_iter().flat_map(|router| router.endpoints(None));
    let metrics =
        Metrics::new(endpoints.map(|(path, _, endpoint)| (endpoint.operation_id.clone(), path)));
    let dispatch = Arc::new(move |mut rqctx: RequestContext<Context>, request: Request| {
        let method = routed_method(request.method());
        let path = request.uri().path();
        let found = router
            .lookup_route(&method, path.into(), None)
            .or_else(|error| extras.lookup_route(&method, path.into(), None).map_err(|_| error));
        let found = match found {
            Ok(found) => found,
            Err(error) => return (None, std::future::ready(reply::no_route(&error)).boxed()),
        };
        let operation = found.endpoint.operation_id.clone();
        rqctx.endpoint = found.endpoint;
        let response = async move {
            let answered = found.handler.handle_request(rqctx, request).await;
            answered.unwrap_or_else(failed)
        };
        (Some(operation), response.boxed())
    });
    (metrics, dispatch)
}

/// HEAD is GET without the body. Methods are case-sensitive, but the router ignores case: `get`
/// must find no operation, like CONNECT.
fn routed_method(method: &Method) -> Method {
    match method.as_str() {
        "HEAD" => Method::GET,
        name if name.bytes().any(|byte| byte.is_ascii_lowercase()) => Method::CONNECT,
        _ => method.clone(),
    }
}
