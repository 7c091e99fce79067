//! The routes that dropshot sees: one per method, each for every path.
//!
//! dropshot answers two kinds of request before any route: a path with invalid
//! UTF-8 (`%ff`) or dot segments, and a method that has no route.

use super::{Context, handle};
use async_trait::async_trait;
use dropshot::{
    ApiDescription, ApiEndpoint, ApiEndpointBodyContentType, ApiEndpointVersions,
    ExtractorMetadata, HttpError, Path, RequestContext, ServerContext, SharedExtractor,
};
use http::Method;
use schemars::JsonSchema;
use serde::Deserialize;

/// Every method that is registered with IANA, and PURGE, which caches use.
const METHODS: &str = "ACL BASELINE-CONTROL BIND CHECKIN CHECKOUT CONNECT COPY DELETE GET HEAD \
    LABEL LINK LOCK MERGE MKACTIVITY MKCALENDAR MKCOL MKREDIRECTREF MKWORKSPACE MOVE OPTIONS \
    ORDERPATCH PATCH POST PRI PROPFIND PROPPATCH PURGE PUT QUERY REBIND REPORT SEARCH TRACE \
    UNBIND UNCHECKOUT UNLINK UNLOCK UPDATE UPDATEREDIRECTREF VERSION-CONTROL";

/// Routes every request to [`handle`].
///
/// # Errors
/// None in practice: methods and path are constants.
pub fn catch_all_routes() -> anyhow::Result<ApiDescription<Context>> {
    let mut routes = ApiDescription::new();
    for method in METHODS.split_whitespace() {
        routes.register(ApiEndpoint::new(
            format!("front_{method}").to_lowercase(),
            handle,
            Method::from_bytes(method.as_bytes())?,
            ApiEndpointBodyContentType::default().mime_type(),
            "/{path:.*}",
            ApiEndpointVersions::All,
        ))?;
    }
    Ok(routes)
}

/// Declares the variable of the catch-all path, and reads nothing.
#[derive(Debug)]
pub(super) struct AnyPath;

#[derive(Deserialize, JsonSchema)]
struct Segments {
    #[expect(dead_code, reason = "dropshot requires a declaration of every path variable")]
    path: Vec<String>,
}

#[async_trait]
impl SharedExtractor for AnyPath {
    async fn from_request<Context: ServerContext>(
        _: &RequestContext<Context>,
    ) -> Result<Self, HttpError> {
        Ok(Self)
    }

    fn metadata(body_content_type: ApiEndpointBodyContentType) -> ExtractorMetadata {
        Path::<Segments>::metadata(body_content_type)
    }
}
