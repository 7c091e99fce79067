//! Webhooks: which events a webhook receives, and how they are delivered. Events are read from the
//! audit log after the commit, so no change waits for a webhook. `deliverer` queues and sends messages.
//! The queue is in the database, so a crash loses nothing.

mod deliverer;
mod deliveries;
mod message;
mod settings;

pub use deliveries::{Deliveries, start};
pub use settings::parse;

use crate::name::{Name, Slug};
use reqwest::Url;
use serde::{Serialize, Serializer};

/// The code of the event that a token expires soon.
const TOKEN_EXPIRING: &str = "token-expiring";

/// A URL that receives events. `Debug` and `Serialize` hide the parts that may be secret.
#[derive(Clone, Serialize, derive_more::Debug)]
#[debug("Webhook({name})")]
pub struct Webhook {
    name: Name,
    #[serde(serialize_with = "origin")]
    url: Url,
    #[serde(skip)]
    key: Vec<u8>,
    /// The organizations whose events it receives. `None` means every event, with or without an
    /// organization.
    organizations: Option<Vec<Slug>>,
    /// The codes of the events that it receives. `None` means all.
    codes: Option<Vec<String>>,
}

/// Serializes the scheme, host and port of a URL, because its path may be a secret.
fn origin<S: Serializer>(url: &Url, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&url.origin().ascii_serialization())
}
