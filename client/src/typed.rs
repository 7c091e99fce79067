//! What the document writes as text, typed: dates and scopes. The fields keep what was sent.

use crate::Failure;
use crate::types::{OrganizationToken, Scope, Token};
use chrono::NaiveDate;

impl Token {
    /// Returns the UTC date on which the token was minted, or `None` if `created_at` is no date.
    pub fn created_on(&self) -> Option<NaiveDate> {
        self.created_at.parse().ok()
    }

    /// Returns the expanded scopes, which only group-bound tokens have.
    ///
    /// # Errors
    /// If one of them is not in the contract of this client.
    pub fn parsed_scopes(&self) -> Result<Vec<Scope>, Failure> {
        parse(&self.scopes)
    }
}

impl OrganizationToken {
    /// Returns the UTC date on which the token was minted, or `None` if `created_at` is no date.
    pub fn created_on(&self) -> Option<NaiveDate> {
        self.created_at.as_deref()?.parse().ok()
    }

    /// Returns the expanded scopes, which only group-bound tokens have.
    ///
    /// # Errors
    /// If one of them is not in the contract of this client.
    pub fn parsed_scopes(&self) -> Result<Vec<Scope>, Failure> {
        parse(&self.scopes)
    }
}

fn parse(scopes: &[String]) -> Result<Vec<Scope>, Failure> {
    scopes.iter().map(|scope| Ok(scope.parse()?)).collect()
}
