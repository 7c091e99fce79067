//! The output of commands: tables, JSON and counts in words.

use super::print;
use anyhow::Context;
use clap::{Args, ValueEnum};
use comfy_table::{Table, presets};
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt::Display;
use std::io::{self, ErrorKind};

/// The maximum number of rows of a table.
const MAX_TABLE_ROWS: usize = 1_000;

/// How a list is printed.
#[derive(Args)]
pub struct Output {
    /// How to print the list
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
}

#[derive(Clone, Copy, ValueEnum)]
enum Format {
    /// For people
    Table,
    /// For programs: the list as the API returns it
    Json,
}

impl Output {
    /// Prints a list with this name. A column is a JSON pointer into an item, without the first slash.
    pub fn list(&self, name: &str, items: &impl Serialize, columns: &[&str]) -> anyhow::Result<()> {
        self.object(&BTreeMap::from([(name, items)]), name, columns)
    }

    /// Prints an object that contains a list with this name.
    pub fn object(
        &self,
        object: &impl Serialize,
        name: &str,
        columns: &[&str],
    ) -> anyhow::Result<()> {
        match self.format {
            Format::Json => print_result(&serde_json::to_string(object)?),
            Format::Table => {
                let object = serde_json::to_value(object)?;
                let headers = columns.iter().map(|column| column.replace(['/', '_'], " "));
                let rows = object[name].as_array().map_or(&[][..], Vec::as_slice);
                // A table takes much memory, so a long list is printed as several tables.
                for rows in rows.chunks(MAX_TABLE_ROWS).chain(rows.is_empty().then_some(rows)) {
                    let rows = rows.iter();
                    let rows = rows.map(|item| columns.iter().map(|column| cell(item, column)));
                    print_result(&table(headers.clone(), rows))?;
                }
                Ok(())
            }
        }
    }
}

/// Prints the output of a command that changes nothing. A closed pipe, as with `head`, is no error.
pub fn print_result(text: &str) -> anyhow::Result<()> {
    print(text).or_else(|error| match error.downcast_ref::<io::Error>() {
        Some(cause) if cause.kind() == ErrorKind::BrokenPipe => Ok(()),
        _ => Err(error),
    })
}

/// Prints the change that a command made. If that fails, the error says that the change was made.
pub fn print_change(change: &str) -> anyhow::Result<()> {
    print(change).with_context(|| format!("done, but not printed: {change}"))
}

/// Returns a table as text.
pub fn table<R: IntoIterator<Item: Display>>(
    headers: impl IntoIterator<Item: Display>,
    rows: impl IntoIterator<Item = R>,
) -> String {
    let mut table = Table::new();
    table.load_style(presets::UTF8_FULL_CONDENSED);
    table.set_header(headers.into_iter().map(|header| header.to_string()));
    for row in rows {
        table.add_row(row.into_iter().map(|cell| cell.to_string()));
    }
    table.to_string()
}

fn cell(item: &Value, column: &str) -> String {
    match item.pointer(&format!("/{column}")) {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(Value::Bool(true)) => "yes".to_owned(),
        Some(Value::Bool(false)) => "no".to_owned(),
        Some(Value::Array(values)) => {
            values.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(", ")
        }
        Some(value) => value.to_string(),
    }
}

/// Returns a count with its noun: `1 token`, `2 tokens`.
pub fn count(count: impl Display, singular: &str, plural: &str) -> String {
    let count = count.to_string();
    let noun = if count == "1" { singular } else { plural };
    format!("{count} {noun}")
}
