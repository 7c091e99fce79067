//! Requests to revoke many tokens, and their results.

use crate::name::{Name, Quoted};
use crate::token::TokenId;
use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};

/// Which tokens to revoke: those of `ids`, or those of `filter`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RevokeTokensRequest {
    #[schemars(length(min = 1, max = 1_000))]
    pub ids: Option<Vec<TokenId>>,
    pub filter: Option<RevocationFilter>,
    #[serde(default)]
    pub dry_run: bool,
}

/// Selects the tokens that match every given condition.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RevocationFilter {
    pub owner: Option<Name>,
    pub group: Option<Name>,
    #[serde(default, deserialize_with = "time")]
    pub created_before: Option<DateTime<Utc>>,
    #[serde(default, deserialize_with = "time")]
    pub last_used_before: Option<DateTime<Utc>>,
    pub never_used: Option<bool>,
}

impl RevocationFilter {
    /// Returns whether a condition is about the last use of tokens.
    pub fn asks_for_use(&self) -> bool {
        self.last_used_before.is_some() || self.never_used.is_some()
    }
}

/// Parses a time of RFC 3339. The error says how to write one.
fn time<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<DateTime<Utc>>, D::Error> {
    let text = String::deserialize(deserializer)?;
    let time = DateTime::parse_from_rfc3339(&text).map(|time| Some(time.to_utc()));
    time.map_err(|_| {
        let expected = "write it as 2030-01-31T12:00:00Z";
        D::Error::custom(format!("{} is not a time: {expected}", Quoted(&text)))
    })
}

/// The tokens that were revoked, or would be.
#[derive(Debug, Serialize, JsonSchema)]
pub struct RevokedTokens {
    pub tokens: Vec<RevokedTokenItem>,
    pub dry_run: bool,
    /// Whether more tokens match.
    pub more: bool,
}

#[derive(Debug, Serialize, JsonSchema)]
pub struct RevokedTokenItem {
    pub name: Name,
    pub id: TokenId,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner: Option<Name>,
}

/// Leaked credentials. It has no `Debug`, so that it never shows them.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LeakReport {
    #[schemars(length(min = 1, max = 1_000))]
    pub credentials: Vec<String>,
}
