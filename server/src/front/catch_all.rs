//! The routes that dropshot sees: one per method, each for every path.
//!
//! dropshot answers two kinds of request before any route: a path with invalid
//! UTF-8 (`%ff`) or dot segments, and a method that has no route.

use super::{Context, handle};
use dropshot::{ApiDescription, ApiEndpoint, ApiEndpointVersions, CONTENT_TYPE_JSON};
use http::Method;
use schemars::JsonSchema;
use serde::Deserialize;

/// Every method that is registered with IANA, and PURGE, which caches use.
const METHODS: &str = "ACL BASELINE-CONTROL BIND CHECKIN CHECKOUT CONNECT COPY DELETE GET HEAD \
    LABEL LINK LOCK MERGE MKACTIVITY MKCALENDAR MKCOL MKREDIRECTREF MKWORKSPACE MOVE OPTIONS \
    ORDERPATCH PATCH POST PRI PROPFIND PROPPATCH PURGE PUT QUERY REBIND REPORT SEARCH TRACE \
    UNBIND UNCHECKOUT UNLINK UNLOCK UPDATE UPDATEREDIRECTREF VERSION-CONTROL";

/// The variable of the catch-all path.
#[derive(Deserialize, JsonSchema)]
pub struct AnyPath {
    #[expect(dead_code, reason = "dropshot requires a declaration of every path variable")]
    path: Vec<String>,
}

/// Routes every request to [`handle`].
pub fn catch_all_routes() -> anyhow::Result<ApiDescription<Context>> {
    let mut routes = ApiDescription::new();
    for name in METHODS.split_whitespace() {
        let (id, method) = (format!("front_{name}").to_lowercase(), name.parse::<Method>()?);
        let (path, versions) = ("/{path:.*}", ApiEndpointVersions::All);
        routes.register(ApiEndpoint::new(id, handle, method, CONTENT_TYPE_JSON, path, versions))?;
    }
    Ok(routes)
}
