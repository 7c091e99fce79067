//! What is printed of an answer: its body unchanged, a table, a sentence, or a secret alone.

use crate::arguments::Format;
use crate::problem::Problem;
use crate::verbs::Shown;
use comfy_table::{Table, presets};
use serde_json::Value;
use std::io::{self, ErrorKind, IsTerminal, Write};
use std::slice;

/// What the server sent.
pub struct Answer {
    /// The bodies as they were received: one, or one for each page.
    pub bodies: Vec<Vec<u8>>,
    /// What all pages contain together.
    pub value: Option<Value>,
}

/// Prints an answer.
pub fn print(answer: &Answer, shown: &Shown, format: Format) -> Result<(), Problem> {
    if format == Format::Json {
        return write(&answer.bodies.join(&b'\n'));
    }
    let body = answer.bodies.first().map(Vec::as_slice).unwrap_or_default();
    let value = answer.value.clone().or_else(|| serde_json::from_slice(body).ok());
    let value = value.expect("the client has parsed it");
    match shown {
        Shown::Table(name, columns) => say(&table(&value[name], columns)),
        Shown::Done(verb, member) => say(&format!("{verb} {}", cell(&value, member))),
        Shown::Sentence(sentence) => say(sentence),
        Shown::Expiry => say(&expiry(&value["exp"])),
        Shown::Secret => secret(&value),
    }
}

/// Prints a secret alone on standard output, and the rest on standard error.
fn secret(minted: &Value) -> Result<(), Problem> {
    let (name, id) = (cell(minted, "name"), cell(minted, "id"));
    let once = if io::stdout().is_terminal() { ": this is its secret, shown once" } else { "" };
    let expiry = minted["expires_at"].as_str().map(|time| format!(", expires at {time}"));
    eprintln!("minted {name}, id {id}{}{once}", expiry.unwrap_or_default());
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "{}", cell(minted, "token")).and_then(|()| stdout.flush()).map_err(|error| {
        Problem::unknown(format!("the token was minted, but not printed ({error}): revoke {id}"))
    })
}

fn expiry(seconds: &Value) -> String {
    let date = seconds.as_i64().filter(|seconds| *seconds >= 0);
    match date.and_then(|seconds| chrono::DateTime::from_timestamp(seconds, 0)) {
        Some(date) => format!("the token is valid until {}", date.format("%Y-%m-%d %H:%M:%S UTC")),
        None => "the token is valid and does not expire".to_owned(),
    }
}

/// Returns a list, or one object, as a table.
fn table(items: &Value, columns: &[&str]) -> String {
    let items = items.as_array().map_or(slice::from_ref(items), Vec::as_slice);
    let mut table = Table::new();
    table.load_style(presets::UTF8_FULL_CONDENSED);
    table.set_header(columns.iter().map(|column| column.replace(['/', '_'], " ")));
    for item in items {
        table.add_row(columns.iter().map(|column| cell(item, column)));
    }
    table.to_string()
}

fn cell(item: &Value, column: &str) -> String {
    match item.pointer(&format!("/{column}")) {
        None | Some(Value::Null) => String::new(),
        // A server must not move the cursor of a terminal.
        Some(Value::String(text)) => text.chars().filter(|letter| !letter.is_control()).collect(),
        Some(Value::Bool(true)) => "yes".to_owned(),
        Some(Value::Bool(false)) => "no".to_owned(),
        Some(Value::Array(values)) => {
            values.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(", ")
        }
        Some(value) => value.to_string(),
    }
}

/// Prints a text and ends the line.
pub fn say(text: &str) -> Result<(), Problem> {
    write(format!("{text}\n").as_bytes())
}

/// Prints bytes unchanged. On a terminal they end with a line. A reader that has read enough is no
/// error.
pub fn write(bytes: &[u8]) -> Result<(), Problem> {
    let mut stdout = io::stdout().lock();
    let end: &[u8] = if stdout.is_terminal() && !bytes.ends_with(b"\n") { b"\n" } else { b"" };
    match stdout.write_all(bytes).and_then(|()| stdout.write_all(end)).and_then(|()| stdout.flush())
    {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(Problem::unknown(format!("done, but not printed: {error}")))
        }
        _ => Ok(()),
    }
}
