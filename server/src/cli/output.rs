//! What commands print: lists as a table or as JSON, and counts in words.

use super::print;
use clap::{Args, ValueEnum};
use comfy_table::{Table, presets};
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt::Display;

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
    /// Prints a list with this name. A column is the JSON pointer of a member without its first
    /// slash.
    pub fn list(&self, name: &str, items: &impl Serialize, columns: &[&str]) -> anyhow::Result<()> {
        self.object(&BTreeMap::from([(name, items)]), name, columns)
    }

    /// Prints an object that has a list with this name.
    pub fn object(
        &self,
        object: &impl Serialize,
        name: &str,
        columns: &[&str],
    ) -> anyhow::Result<()> {
        match self.format {
            Format::Json => print(&serde_json::to_string(object)?),
            Format::Table => {
                let object = serde_json::to_value(object)?;
                let headers = columns.iter().map(|column| column.replace(['/', '_'], " "));
                let rows = object[name].as_array().into_iter().flatten();
                let rows = rows.map(|item| columns.iter().map(|column| cell(item, column)));
                print(&table(headers, rows))
            }
        }
    }
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
            values.iter().map(|value| cell(value, "")).collect::<Vec<_>>().join(", ")
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
