//! Events for webhooks: which ones a webhook receives, and what is sent. The audit log is read behind
//! the changes, so no change waits for a webhook. `deliverer` queues and sends; what is queued lives in
//! the database, so a crash loses nothing.

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

/// A URL that receives events. It is shown and serialized without what may be secret.
#[derive(Clone, Serialize, derive_more::Debug)]
#[debug("Webhook({name})")]
pub struct Webhook {
    name: Name,
    #[serde(serialize_with = "origin")]
    url: Url,
    #[serde(skip)]
    key: Vec<u8>,
    /// The organizations whose events it receives; without it all, and those of no organization.
    organizations: Option<Vec<Slug>>,
    /// The codes that it receives; without it all.
    codes: Option<Vec<String>>,
}

/// Shows the scheme, host and port of a URL: its path may be a secret.
fn origin<S: Serializer>(url: &Url, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&url.origin().ascii_serialization())
}
