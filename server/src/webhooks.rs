//! Events for webhooks: which ones a webhook receives, and what is sent. The audit log is read behind
//! the changes, so no change waits for a webhook. `deliverer` queues and sends; what is queued lives in
//! the database, so a crash loses nothing.

mod deliverer;
mod message;
mod settings;

pub use deliverer::{Deliveries, start};
pub use settings::parse;

use crate::name::{Name, Slug};
use crate::store::TokenPlace;
use reqwest::Url;
use std::fmt;

/// The code of the event that a token expires soon.
const TOKEN_EXPIRING: &str = "token-expiring";

/// A URL that receives events.
#[derive(Clone, PartialEq, Eq)]
pub struct Webhook {
    name: Name,
    url: Url,
    key: Vec<u8>,
    /// The organizations whose events it receives; without it all, and those of no organization.
    organizations: Option<Vec<Slug>>,
    /// The codes that it receives; without it all.
    codes: Option<Vec<String>>,
}

/// Shows no secret: the path of a URL may be one too.
impl fmt::Debug for Webhook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Webhook({})", self.name)
    }
}

impl Webhook {
    /// Returns whether it receives events of this code from this place.
    fn receives(&self, place: &TokenPlace, code: &str) -> bool {
        let has_place = self.organizations.as_ref().is_none_or(|organizations| {
            place.slug().is_some_and(|slug| organizations.contains(slug))
        });
        has_place && self.codes.as_ref().is_none_or(|codes| codes.iter().any(|other| other == code))
    }
}
