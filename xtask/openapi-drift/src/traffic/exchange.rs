//! Reads recorded exchanges: HTTP Archives (HAR 1.2) as browsers export them, and JSON lines, each of
//! which is one entry of such an archive. Members that are not needed are not read.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use crate::document::ParseError;

/// One request with its response.
#[derive(Clone, Debug, PartialEq)]
pub struct Exchange {
    /// The name of the file that it was read from.
    pub file: String,
    /// Its number in this file. The first one is 1.
    pub number: usize,
    /// The method.
    pub method: String,
    /// A whole URL, or a path with its query.
    pub url: String,
    /// The status of the response, or 0 if there was none.
    pub status: u16,
    pub(super) request: Message,
    pub(super) response: Message,
}

/// A request or a response.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Message {
    headers: Vec<(String, String)>,
    media_type: Option<String>,
    /// Nothing if it was not recorded, which is not the same as an empty body.
    pub body: Option<Vec<u8>>,
}

/// Reads HAR or JSON lines. The content decides which.
pub fn read_traffic(name: &str, text: &str) -> Result<Vec<Exchange>, ParseError> {
    let fail = |why: String| ParseError(format!("{name} {why}"));
    let text = text.trim_start_matches('\u{feff}');
    let entries = match archive(text) {
        Some(entries) => entries.map_err(fail)?,
        None => lines(text).map_err(fail)?,
    };
    let entries = entries.iter().enumerate().map(|(index, entry)| {
        let number = index + 1;
        exchange(entry, name, number).map_err(|why| fail(format!("{why} in exchange {number}")))
    });
    entries.collect()
}

/// Returns the entries of an archive, if the text is one.
fn archive(text: &str) -> Option<Result<Vec<Value>, String>> {
    let mut archive: Value = serde_json::from_str(text).ok()?;
    let log = archive.get_mut("log")?;
    Some(match log.get_mut("entries").map(Value::take) {
        Some(Value::Array(entries)) => Ok(entries),
        _ => Err("has a `log` without `entries`: record it again".into()),
    })
}

fn lines(text: &str) -> Result<Vec<Value>, String> {
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    let entry = |(index, line): (usize, &str)| {
        serde_json::from_str::<Value>(line).map_err(|error| {
            let line = index + 1;
            format!("is neither a HAR file nor JSON lines: line {line} is not JSON: {error}")
        })
    };
    lines.map(entry).collect()
}

fn exchange(entry: &Value, file: &str, number: usize) -> Result<Exchange, String> {
    let text = |pointer: &str| {
        let value = entry.pointer(pointer).and_then(Value::as_str);
        value.map(str::to_owned).ok_or_else(|| format!("lacks the text `{}`", &pointer[1..]))
    };
    let status = entry.pointer("/response/status").and_then(Value::as_u64);
    let status = status.and_then(|status| u16::try_from(status).ok());
    let request = &entry["request"];
    let response = &entry["response"];
    Ok(Exchange {
        file: file.to_owned(),
        number,
        method: text("/request/method")?,
        url: text("/request/url")?,
        status: status.ok_or("lacks the number `response/status`")?,
        request: message(request, &request["postData"], &request["bodySize"])?,
        response: message(response, &response["content"], &response["content"]["size"])?,
    })
}

fn message(message: &Value, content: &Value, size: &Value) -> Result<Message, String> {
    let headers = message["headers"].as_array().ok_or("lacks a list of `headers`")?;
    let header = |header: &Value| {
        let name = header["name"].as_str()?.to_ascii_lowercase();
        Some((name, header["value"].as_str()?.to_owned()))
    };
    let headers: Option<Vec<_>> = headers.iter().map(header).collect();
    let headers = headers.ok_or("has a header without a text `name` or `value`")?;
    let is_empty = content.is_null() || size.as_i64() == Some(0);
    let body = match content["text"].as_str() {
        Some(text) if content["encoding"] == "base64" => {
            Some(STANDARD.decode(text).map_err(|_| "has a body that is not base64")?)
        }
        Some(text) => Some(text.as_bytes().to_vec()),
        // Without a size, only a request without content is known to have no body.
        None if is_empty && size.as_i64().is_none_or(|size| size <= 0) => Some(Vec::new()),
        None => None,
    };
    // What Chromium writes if it does not know one.
    let media_type = content["mimeType"].as_str().filter(|it| !matches!(*it, "" | "x-unknown"));
    Ok(Message { headers, media_type: media_type.map(str::to_owned), body })
}

impl Exchange {
    /// Whether a browser asked, on its own account, if it may send the request.
    pub(super) fn is_preflight(&self) -> bool {
        self.method == "OPTIONS" && self.request.header("access-control-request-method").is_some()
    }

    /// Returns the address or the path, without the query, a user and a password.
    pub(super) fn path(&self) -> String {
        normalize(self.url.split(['?', '#']).next().unwrap_or_default())
    }

    /// Returns the names and the values of the query, decoded.
    pub(super) fn query(&self) -> Vec<(String, String)> {
        let url = self.url.split('#').next().unwrap_or_default();
        let query = url.split_once('?').map_or("", |(_, query)| query);
        let pairs = query.split('&').filter(|pair| !pair.is_empty());
        pairs
            .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
            .map(|(name, value)| (decode(name), decode(value)))
            .collect()
    }
}

/// Writes an address in one way: without a user and a password, without the usual port, and with a host
/// in lower case. A path stays as it is.
pub(super) fn normalize(url: &str) -> String {
    let Some((scheme, authority, path)) = split(url) else { return url.to_owned() };
    let scheme = scheme.to_ascii_lowercase();
    let host = authority.rsplit('@').next().unwrap_or_default().to_ascii_lowercase();
    let port = if scheme == "https" { ":443" } else { ":80" };
    format!("{scheme}://{}{path}", host.strip_suffix(port).unwrap_or(&host))
}

/// Returns the scheme, the host with what belongs to it, and the path, unless it is only a path.
pub(super) fn split(url: &str) -> Option<(&str, &str, &str)> {
    let (scheme, rest) = url.split_once("://").filter(|(scheme, _)| !scheme.contains('/'))?;
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    Some((scheme, authority, path))
}

/// Decodes a name or a value of a query.
pub(super) fn decode(text: &str) -> String {
    let text = text.replace('+', " ");
    percent_encoding::percent_decode_str(&text).decode_utf8_lossy().into_owned()
}

impl Message {
    /// Returns the first value of a header, whose name is in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }

    /// Returns the media type, as it was sent or as the recorder understood it.
    pub fn media_type(&self) -> Option<&str> {
        self.header("content-type").or(self.media_type.as_deref())
    }
}
