//! The contract and a page to try it, for people. They are in no document, need no credential, and
//! are served only with `serve --docs`. The page loads nothing from other hosts.

use super::{Operations, Registered, Rqctx};
use crate::http::reply;
use dropshot::{Body, HttpError, Path, endpoint};
use http::{HeaderValue, Response, StatusCode, header};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

/// What the page may load and call. Swagger UI has images in its style sheet.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
     connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
);

/// The server that the contract names: the vendor's.
const VENDOR_SERVER: &str =
    "  - url: https://api.turso.tech\n    description: Turso's Platform API\n";

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";

/// Adds these operations. It fails if two of them conflict.
pub fn register(operations: &mut Operations) -> Registered<()> {
    operations.register(docs_page)?;
    operations.register(docs_file)?;
    operations.register(docs_contract)
}

#[derive(Deserialize, JsonSchema)]
struct FilePath {
    file: String,
}

#[endpoint { unpublished = true, method = GET, path = "/docs" }]
async fn docs_page(_: Rqctx) -> Result<Response<Body>, HttpError> {
    Ok(file(HTML, include_str!("docs/page.html")))
}

#[endpoint { unpublished = true, method = GET, path = "/docs/{file}" }]
async fn docs_file(_: Rqctx, path: Path<FilePath>) -> Result<Response<Body>, HttpError> {
    Ok(match path.into_inner().file.as_str() {
        "page.js" => file(SCRIPT, include_str!("docs/page.js")),
        "swagger-ui.css" => file(CSS, include_str!(concat!(env!("OUT_DIR"), "/swagger-ui.css"))),
        "swagger-ui-bundle.js" => {
            file(SCRIPT, include_str!(concat!(env!("OUT_DIR"), "/swagger-ui-bundle.js")))
        }
        _ => reply::refuse(StatusCode::NOT_FOUND, reply::NO_PATH.to_owned()),
    })
}

#[endpoint { unpublished = true, method = GET, path = "/openapi.yaml" }]
async fn docs_contract(rqctx: Rqctx) -> Result<Response<Body>, HttpError> {
    Ok(file("application/yaml", contract(&address(&rqctx))))
}

fn file(kind: &'static str, content: impl Into<Body>) -> Response<Body> {
    let mut response = Response::new(content.into());
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(header::CONTENT_SECURITY_POLICY, POLICY);
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

/// Returns the contract, `openapi.yaml`, with the address of this server in place of the vendor's.
fn contract(address: &str) -> String {
    // A text of JSON is also one of YAML: no address can end it early.
    let server = format!("  - url: {}\n    description: This server\n", Value::from(address));
    include_str!("../../../openapi.yaml").replacen(VENDOR_SERVER, &server, 1)
}

/// Returns the URL of this server as the client knows it. The front door has checked the `Host`.
fn address(rqctx: &Rqctx) -> String {
    let (request, proxies) = (&rqctx.request, &rqctx.context().throttle.proxies);
    let own = if rqctx.server.using_tls() { "https" } else { "http" };
    let scheme = proxies.scheme(request.remote_addr().ip(), request.headers()).unwrap_or(own);
    match request.headers().get(header::HOST).and_then(|host| host.to_str().ok()) {
        Some(host) => format!("{scheme}://{host}"),
        // Relative to the document, which an HTTP/1.0 client knows the address of.
        None => "/".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_cannot_add_to_the_contract() {
        for address in ["http://a'&!*", "a\"\n- b: c # d\\", "\u{2028}\t{}"] {
            let read: Value = serde_saphyr::from_str(&contract(address)).unwrap();
            let server = serde_json::json!({"url": address, "description": "This server"});
            assert_eq!(read["servers"], serde_json::json!([server]));
        }
    }
}
