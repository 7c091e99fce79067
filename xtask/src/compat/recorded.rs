//! Replays requests that a client sends, and checks what it reads of the replies. It
//! runs no client: what it sends and reads is recorded in a file next to this one.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;

use serde_json::Value;

use super::Call;

const TURSO_CLI: &str = include_str!("turso-cli.json");

/// How many calls there are.
pub const CALLS: usize = 16;

/// Makes the calls in turn, on a server with the organization acme and the user bob.
pub fn calls(url: &str, token: &str) -> io::Result<Vec<Call>> {
    let recorded: Value = serde_json::from_str(TURSO_CLI)?;
    let address = url.trim_start_matches("http://");
    let send = |request, body| reply(address, token, &recorded, request, body);
    // The program names the members of this request as the contract does not, so it cannot do this.
    let group = r#"{"name":"recorded","location":"lhr"}"#;
    send("POST /v1/organizations/acme/groups", Some(group))?;
    let calls = recorded["calls"].as_array().map_or(&[][..], Vec::as_slice).iter().map(|call| {
        let (status, text) = send(text(&call["request"]), call["body"].as_str())?;
        let outcome = problem(call, status, &text).unwrap_or_else(|| "ok".to_owned());
        Ok(Call {
            client: "turso-cli".to_owned(),
            name: self::text(&call["name"]).to_owned(),
            outcome,
        })
    });
    calls.collect()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// Sends a request as Go's HTTP client does. Returns the status and the body of the reply.
fn reply(
    address: &str,
    token: &str,
    recorded: &Value,
    request: &str,
    body: Option<&str>,
) -> io::Result<(u64, String)> {
    let mut head = format!("{request} HTTP/1.1\r\n");
    for line in recorded["head"].as_array().into_iter().flatten().map(text) {
        if body.is_some() || !line.contains("{length}") {
            let line = line.replace("{host}", address).replace("{token}", token);
            let length = body.unwrap_or_default().len().to_string();
            head.push_str(&line.replace("{length}", &length));
            head.push_str("\r\n");
        }
    }
    let mut stream = TcpStream::connect(address)?;
    stream.write_all(format!("{head}\r\n{}", body.unwrap_or_default()).as_bytes())?;

    let (mut reader, mut status, mut length, mut line) =
        (BufReader::new(stream), 0, 0, String::new());
    while reader.read_line(&mut line)? > 2 {
        let lower = line.to_ascii_lowercase();
        if let Some(rest) = lower.strip_prefix("http/1.1 ") {
            status =
                rest.split(' ').next().unwrap_or_default().parse().map_err(io::Error::other)?;
        } else if let Some(rest) = lower.strip_prefix("content-length:") {
            length = rest.trim().parse().map_err(io::Error::other)?;
        }
        line.clear();
    }
    let mut text = String::new();
    reader.take(length).read_to_string(&mut text)?;
    Ok((status, text))
}

/// Returns what the client could not read of a reply, if there is anything.
fn problem(call: &Value, status: u64, text: &str) -> Option<String> {
    if call["status"] != status {
        return Some(format!("status {status}, not {}: {text}", call["status"]));
    }
    let body = serde_json::from_str(text).unwrap_or_default();
    lacking("", &call["needs"], &body)
}

/// Returns the first place where `found` is not what is needed.
fn lacking(place: &str, needed: &Value, found: &Value) -> Option<String> {
    let is_right = match needed {
        Value::Null => true,
        Value::Object(members) => {
            let mut members = members.iter();
            return members.find_map(|(name, needed)| {
                lacking(&format!("{place}/{name}"), needed, &found[name])
            });
        }
        Value::Array(needed) => match (&needed[..], found.as_array().map(Vec::as_slice)) {
            ([needed], Some(found @ [_, ..])) => {
                return found.iter().find_map(|found| lacking(place, needed, found));
            }
            _ => false,
        },
        needed => match needed.as_str() {
            Some("string") => found.is_string(),
            Some("integer") => found.is_i64(),
            Some("boolean") => found.is_boolean(),
            Some("object") => found.is_object(),
            _ => found == needed,
        },
    };
    (!is_right).then(|| format!("{place} is not {needed}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_reply_that_lacks_what_the_client_reads_is_a_problem() {
        let call =
            json!({"status": 200, "needs": {"list": [{"name": "string", "age": "integer"}]}});
        let problem = |status, body: Value| problem(&call, status, &body.to_string());
        assert_eq!(problem(200, json!({"list": [{"name": "a", "age": 1, "more": null}]})), None);
        for (status, body, place) in [
            (404, json!({"list": [{"name": "a", "age": 1}]}), "status 404, not 200"),
            (200, json!({"list": []}), "/list is not"),
            (200, json!({"list": {}}), "/list is not"),
            (200, json!({"list": [{"name": "a", "age": "1"}]}), "/list/age is not"),
            (200, json!({"list": [{"name": "a", "age": 1}, {"age": 1}]}), "/list/name is not"),
            (200, json!("no object"), "/list is not"),
        ] {
            let problem = problem(status, body).expect(place);
            assert!(problem.starts_with(place), "{problem}");
        }
    }

    #[test]
    fn every_call_is_counted() {
        let recorded: Value = serde_json::from_str(TURSO_CLI).expect("JSON");
        assert_eq!(recorded["calls"].as_array().map(Vec::len), Some(CALLS));
    }
}
