//! Where tokens are chained, for changes that no caller of the API asks for.

use super::super::audit::chain::ChainHead;
use super::super::connection::Row;
use super::super::{Result, Transaction, rows};
use crate::name::{Name, Slug};

/// Where tokens are chained: in an organization, or with a user if they are unrestricted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TokenPlace {
    Organization(Slug),
    User(Name),
}

impl TokenPlace {
    /// Returns the slug of the organization, if it is one.
    pub fn slug(&self) -> Option<&Slug> {
        match self {
            Self::Organization(slug) => Some(slug),
            Self::User(_) => None,
        }
    }
}

/// Reads columns: organization, user. The first may be null.
pub fn read_place(row: &dyn Row) -> Result<TokenPlace> {
    match rows::optional(row, 0, rows::parse_text)? {
        Some(slug) => Ok(TokenPlace::Organization(slug)),
        None => rows::parse_text(row, 1).map(TokenPlace::User),
    }
}

impl Transaction {
    /// Blocks other changes at a place until the transaction ends. Returns the end of its audit chain,
    /// if it is there.
    pub async fn lock_place(&mut self, place: &TokenPlace) -> Result<Option<ChainHead>> {
        match place {
            TokenPlace::Organization(slug) => {
                self.lock_organization_as_operator(slug);
                Ok(self.policy_as_operator(slug).await?.map(|(.., head)| head))
            }
            TokenPlace::User(name) => {
                self.lock_user_as_operator(name);
                Ok(self.user(name).await?.map(|user| user.head))
            }
        }
    }
}
