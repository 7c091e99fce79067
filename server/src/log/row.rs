//! Formats a record as a row for people: the time, the request or the message, then the other members.

use serde_json::{Map, Value};

/// Members that are not shown at the end: the same in every line, already shown, or too long.
const HIDDEN: &str = "hostname level msg name peer pid route span_id time trace_flags v";

const RED: u8 = 31;
const GREEN: u8 = 32;
const YELLOW: u8 = 33;

/// Returns the row of a line of JSON.
pub fn line(json: &[u8], colored: bool) -> Vec<u8> {
    let mut members: Map<String, Value> = serde_json::from_slice(json).unwrap_or_default();
    let paint = |text: String, color: u8| {
        if colored { format!("\x1b[{color}m{text}\x1b[0m") } else { text }
    };
    let time = members.get("time").and_then(Value::as_str).unwrap_or_default().to_owned();
    let first = request(&mut members, paint).unwrap_or_else(|| message(&members, paint));
    // A dash means that there is no value.
    members.retain(|key, value| !HIDDEN.split(' ').any(|hidden| hidden == key) && value != "-");
    let rest = members.iter().map(|(key, value)| format!(" {key}={}", text(value)));
    format!("{time} {first}{}\n", rest.collect::<String>()).into_bytes()
}

fn request(
    members: &mut Map<String, Value>,
    paint: impl Fn(String, u8) -> String,
) -> Option<String> {
    let status = members.remove("status")?;
    let color = match status.as_u64()? {
        500.. => RED,
        400.. => YELLOW,
        _ => GREEN,
    };
    let milliseconds = members.remove("latency_us")?.as_f64()? / 1000.0;
    let (method, operation) = (members.remove("method")?, members.remove("operation")?);
    let (method, status, operation) = (text(&method), text(&status), text(&operation));
    Some(format!("{method} {} {milliseconds:.1}ms {operation}", paint(status, color)))
}

fn message(members: &Map<String, Value>, paint: impl Fn(String, u8) -> String) -> String {
    let (level, color) = match members["level"].as_u64() {
        Some(50..) => ("error", RED),
        Some(40..) => ("warn", YELLOW),
        _ => ("info", GREEN),
    };
    let message = members["msg"].as_str().unwrap_or_default();
    format!("{}: {message}", paint(level.to_owned(), color))
}

/// Returns a value as one word, or in quotes. A line break in a value must not start another row.
fn text(value: &Value) -> String {
    match value {
        Value::String(text) if !text.contains(|c: char| c.is_whitespace() || c.is_control()) => {
            text.clone()
        }
        other => other.to_string(),
    }
}
