//! What is sent: the body of an event, and its signature as Standard Webhooks defines it. Pure.

use super::{TOKEN_EXPIRING, Webhook};
use crate::store::{ExpiringToken, NewDelivery, PlacedEntry, TokenPlace};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, SecondsFormat, Utc};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;
use uuid::Uuid;

/// Returns the signature of a body, as the header has it.
pub fn sign(key: &[u8], id: &str, timestamp: i64, body: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("a key has any length");
    mac.update(format!("{id}.{timestamp}.{body}").as_bytes());
    format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
}

impl Webhook {
    /// Returns the message about an audit entry, if the webhook receives it.
    pub(super) fn about_entry(&self, placed: &PlacedEntry) -> Option<NewDelivery> {
        let PlacedEntry { place, entry, .. } = placed;
        let place = place.as_ref().filter(|place| self.receives(place, &entry.code))?;
        Some(message(place, &entry.code, entry.created_at, json!(entry)))
    }

    /// Returns the message that a token expires soon, if the webhook receives it.
    pub(super) fn about_expiry(
        &self,
        token: &ExpiringToken,
        now: DateTime<Utc>,
    ) -> Option<NewDelivery> {
        let ExpiringToken { id, name, owner, place, expires_at } = token;
        let data = json!({"token": {
            "id": id, "name": name, "owner": owner, "expires_at": time(*expires_at),
        }});
        self.receives(place, TOKEN_EXPIRING).then(|| message(place, TOKEN_EXPIRING, now, data))
    }
}

fn message(place: &TokenPlace, code: &str, at: DateTime<Utc>, mut data: Value) -> NewDelivery {
    let (kind, name) = match place {
        TokenPlace::Organization(slug) => ("organization", slug.as_str()),
        TokenPlace::User(name) => ("user", name.as_str()),
    };
    data[kind] = name.into();
    let body = json!({"type": code, "timestamp": time(at), "data": data});
    let id = format!("msg_{}", Uuid::new_v4().simple());
    let place = format!("{kind} {name}");
    NewDelivery { place, code: code.to_owned(), id, body: body.to_string() }
}

fn time(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Millis, true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_that_of_the_published_example() {
        let key = STANDARD.decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let id = "msg_p5jXN8AQM9LWM0D4loKWxJek";
        let signature = sign(&key, id, 1_614_265_330, r#"{"test": 2432232314}"#);
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }
}
