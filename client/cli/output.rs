//! What is printed of an answer: its body unchanged, a table, a sentence, or a secret alone.

use crate::arguments::Format;
use crate::problem::{Problem, printable};
use crate::verbs::Shown;
use comfy_table::{Table, presets};
use serde_json::Value;
use std::fs::File;
use std::io::{self, ErrorKind, IsTerminal, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;

/// What the server sent.
pub struct Answer {
    /// The bodies as they were received: one, or one for each page.
    pub bodies: Vec<Vec<u8>>,
    /// What all pages contain together.
    pub value: Option<Value>,
}

/// Prints an answer.
pub fn print(answer: &Answer, shown: &Shown, format: Format) -> Result<(), Problem> {
    let json = answer.bodies.join(&b'\n');
    if format == Format::Json && !matches!(shown, Shown::Secret(_)) {
        return write(&json);
    }
    let body = answer.bodies.first().map(Vec::as_slice).unwrap_or_default();
    let value = answer.value.clone().or_else(|| serde_json::from_slice(body).ok());
    let value = value.expect("the client has parsed it");
    match shown {
        Shown::Table(name, _) if value.get(name).is_none_or(Value::is_null) => {
            Err(Problem::unknown(format!("the response has no `{name}`: check the base URL")))
        }
        Shown::Table(name, columns) => say(&table(&value[name], columns)),
        Shown::Done(verb, member) => say(&format!("{verb} {}", cell(&value, member))),
        Shown::Sentence(sentence) => say(sentence),
        Shown::Expiry => say(&expiry(&value["exp"])),
        Shown::Secret(done) => secret(done, &value, (format == Format::Json).then_some(json)),
    }
}

/// Refuses to mint if the secret would not be kept.
///
/// # Errors
/// If standard output is the null device. If it is closed, Rust opens that one instead.
pub fn require_stdout() -> Result<(), Problem> {
    let device = |file: &File| file.metadata().map(|it| (it.file_type(), it.rdev())).ok();
    let stdout = io::stdout().as_fd().try_clone_to_owned().map(File::from);
    let null = File::open("/dev/null");
    match (stdout, null) {
        (Ok(stdout), Ok(null)) if device(&stdout) != device(&null) => Ok(()),
        _ => Err(Problem::wrong_use(
            "standard output is closed or /dev/null, so the secret would be lost: use a file or pipe",
        )),
    }
}

/// Prints a secret alone on standard output, or the JSON that contains it. The rest goes to
/// standard error.
fn secret(done: &str, minted: &Value, json: Option<Vec<u8>>) -> Result<(), Problem> {
    let (name, id) = (cell(minted, "name"), cell(minted, "id"));
    let once = if io::stdout().is_terminal() { ": this is its secret, shown once" } else { "" };
    let text = json.unwrap_or_else(|| {
        let [expiry, overlap] = [
            ("expires_at", "expires at"),
            ("previous_secret_expires_at", "the old secret is accepted until"),
        ]
        .map(|(member, words)| match cell(minted, member) {
            time if time.is_empty() => time,
            time => format!(", {words} {time}"),
        });
        complain(&format!("{done} {name}, id {id}{expiry}{overlap}{once}"));
        format!("{}\n", cell(minted, "token")).into_bytes()
    });
    write_all(&text).map_err(|error| {
        let revoke = match done {
            "rotated" => "rotate it again".to_owned(),
            _ if name.starts_with('-') => {
                format!("revoke it with `orgtokens token revoke -- {name}`")
            }
            _ => format!("revoke it with `orgtokens token revoke {name}`"),
        };
        Problem::unknown(format!(
            "the token {name}, id {id}, was {done}, but not printed ({error}): {revoke}"
        ))
    })
}

/// Prints a line on standard error. If that fails, no one can be told.
pub fn complain(line: &str) {
    let _ = writeln!(io::stderr(), "{line}");
}

fn expiry(seconds: &Value) -> String {
    let date = seconds.as_i64().filter(|seconds| *seconds >= 0);
    match date.and_then(|seconds| chrono::DateTime::from_timestamp(seconds, 0)) {
        Some(date) => format!("the token is valid until {}", date.format("%Y-%m-%d %H:%M:%S UTC")),
        None => "the token is valid and does not expire".to_owned(),
    }
}

/// Returns a list as a table with a row for each item, and one object with a row for each member
/// that it has.
fn table(value: &Value, columns: &[&str]) -> String {
    let title = |column: &&str| column.replace(['/', '_'], " ");
    let mut table = Table::new();
    table.load_style(presets::UTF8_FULL_CONDENSED);
    if let Some(items) = value.as_array() {
        table.set_header(columns.iter().map(title));
        table.add_rows(items.iter().map(|item| columns.iter().map(|column| cell(item, column))));
    } else {
        let rows = columns.iter().map(|column| [title(column), cell(value, column)]);
        table.add_rows(rows.filter(|[_, cell]| !cell.is_empty()));
    }
    table.to_string()
}

fn cell(item: &Value, column: &str) -> String {
    match item.pointer(&format!("/{column}")) {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => printable(text),
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

/// Prints bytes. A reader that has read enough is no error.
pub fn write(bytes: &[u8]) -> Result<(), Problem> {
    match write_all(bytes) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(Problem::unknown(format!("done, but not printed: {error}")))
        }
        _ => Ok(()),
    }
}

/// Writes bytes unchanged to standard output. On a terminal they end with a line.
fn write_all(bytes: &[u8]) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(bytes)?;
    if stdout.is_terminal() && !bytes.ends_with(b"\n") {
        stdout.write_all(b"\n")?;
    }
    stdout.flush()
}
