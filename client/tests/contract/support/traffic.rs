//! Writes what passes the recorder as JSON lines, if `ORGTOKENS_TEST_TRAFFIC` names a folder: one file
//! for each process. `cargo xtask check-traffic` reads them. No credential is written.

use http::{HeaderMap, Method, StatusCode};
use openapi_drift::{Document, Routes};
use serde_json::{Value, json};
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::sync::{LazyLock, Mutex};

/// The file of this process, if traffic is recorded.
static FILE: LazyLock<Option<Mutex<File>>> = LazyLock::new(|| {
    let folder = std::env::var_os("ORGTOKENS_TEST_TRAFFIC").filter(|it| !it.is_empty())?;
    fs::create_dir_all(&folder).expect("the folder of the traffic can be made");
    let file = Path::new(&folder).join(format!("contract-{}.jsonl", std::process::id()));
    let file = OpenOptions::new().create(true).append(true).open(file);
    Some(Mutex::new(file.expect("the traffic can be written")))
});

static ROUTES: LazyLock<Routes<'static>> = LazyLock::new(|| {
    static DOCUMENT: LazyLock<Document> = LazyLock::new(|| {
        let text = include_str!("../../../../openapi.yaml");
        Document::parse("openapi.yaml", text).expect("the contract can be read")
    });
    Routes::new(&DOCUMENT, None)
});

/// Returns the request of an exchange.
pub fn request(method: &Method, url: &str, headers: &HeaderMap, body: &[u8]) -> Value {
    let mut request = json!({"method": method.as_str(), "url": url, "headers": pairs(headers)});
    if !body.is_empty() {
        request["postData"] = json!({"text": String::from_utf8_lossy(body)});
    }
    request
}

/// Returns the response of an exchange.
pub fn response(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Value {
    let content = json!({"text": String::from_utf8_lossy(body)});
    json!({"status": status.as_u16(), "headers": pairs(headers), "content": content})
}

fn pairs(headers: &HeaderMap) -> Vec<Value> {
    let pair = |(name, value): (&http::HeaderName, &http::HeaderValue)| json!({"name": name.as_str(), "value": String::from_utf8_lossy(value.as_bytes())});
    headers.iter().map(pair).collect()
}

/// Writes an exchange, if traffic is recorded.
pub fn record(request: &Value, response: &Value) {
    let Some(file) = FILE.as_ref() else { return };
    let mut entry = json!({"request": request, "response": response});
    ROUTES.redact(&mut entry);
    let mut file = file.lock().expect("no test panics here");
    file.write_all(format!("{entry}\n").as_bytes()).expect("the traffic can be written");
}
