//! Audit entries, and pages of them.

use crate::caller::Origin;
use crate::clock;
use crate::name::Quoted;
use chrono::{DateTime, Utc};
use clap::{Args, value_parser};
use schemars::JsonSchema;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};

#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct AuditLog {
    pub code: String,
    pub message: String,
    /// `cli` or `web`.
    #[schemars(with = "String")]
    pub origin: Origin,
    pub author: String,
    #[serde(serialize_with = "clock::serialize")]
    pub created_at: DateTime<Utc>,
    pub data: serde_json::Map<String, serde_json::Value>,
}

/// The maximum number of entries of a page.
const MAX_PAGE_SIZE: u32 = 1_000;

/// Which page of an audit log to return.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, JsonSchema, Args)]
#[serde(default)]
pub struct PageQuery {
    #[arg(long, value_name = "N", help = "Which page, counted from 1")]
    #[arg(default_value_t = Self::default().page, value_parser = value_parser!(u32).range(1..))]
    #[serde(deserialize_with = "page")]
    #[schemars(range(min = 1, max = "u32::MAX"))]
    pub page: u32,
    #[arg(long, value_name = "N", help = "How many entries a page has")]
    #[arg(default_value_t = Self::default().page_size)]
    #[arg(value_parser = value_parser!(u32).range(1..=MAX_PAGE_SIZE.into()))]
    #[serde(deserialize_with = "page_size")]
    #[schemars(range(min = 1, max = "MAX_PAGE_SIZE"))]
    pub page_size: u32,
}

impl Default for PageQuery {
    fn default() -> Self {
        Self { page: 1, page_size: 100 }
    }
}

impl PageQuery {
    /// Returns how many entries come before the page.
    pub(crate) fn skipped(self) -> i64 {
        i64::from(self.page.saturating_sub(1)) * i64::from(self.page_size)
    }
}

fn page<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    whole_number(deserializer, "page", u32::MAX)
}

fn page_size<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    whole_number(deserializer, "page_size", MAX_PAGE_SIZE)
}

fn whole_number<'de, D: Deserializer<'de>>(
    deserializer: D,
    name: &str,
    greatest: u32,
) -> Result<u32, D::Error> {
    let text = String::deserialize(deserializer)?;
    let is_plain = !text.starts_with(['+', '0']);
    let number = text.parse().ok().filter(|number| is_plain && (1..=greatest).contains(number));
    let expected = format_args!("a {name}: use a whole number from 1 to {greatest}");
    number.ok_or_else(|| D::Error::custom(format_args!("{} is not {expected}", Quoted(&text))))
}

#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct AuditLogPage {
    /// Newest first.
    pub audit_logs: Vec<AuditLog>,
    pub pagination: Pagination,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Pagination {
    pub page: u32,
    pub page_size: u32,
    pub total_pages: u64,
    pub total_rows: u64,
}

impl AuditLogPage {
    /// Returns a page of a log with `total` entries.
    pub(crate) fn new(audit_logs: Vec<AuditLog>, total: i64, query: PageQuery) -> Self {
        let (PageQuery { page, page_size }, total_rows) = (query, total.unsigned_abs());
        let total_pages = total_rows.div_ceil(page_size.into());
        Self { audit_logs, pagination: Pagination { page, page_size, total_pages, total_rows } }
    }
}
