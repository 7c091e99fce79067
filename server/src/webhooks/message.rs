//! Makes the message of an event, and signs it as Standard Webhooks defines. Without I/O.

use super::Webhook;
use crate::clock;
use crate::store::{Message, TokenPlace};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;
use uuid::Uuid;

impl Webhook {
    /// Returns the message about an event, if the webhook receives it.
    pub(super) fn message(
        &self,
        place: &TokenPlace,
        code: &str,
        time: DateTime<Utc>,
        mut data: Value,
    ) -> Option<Message> {
        let (kind, name) = match place {
            TokenPlace::Organization(slug) => ("organization", slug.as_str()),
            TokenPlace::User(name) => ("user", name.as_str()),
        };
        let has_place = self.organizations.as_ref().is_none_or(|organizations| {
            place.slug().is_some_and(|slug| organizations.contains(slug))
        });
        let has_code =
            self.codes.as_ref().is_none_or(|codes| codes.iter().any(|other| other == code));
        if !has_place || !has_code {
            return None;
        }
        data[kind] = name.into();
        let body = json!({"type": code, "timestamp": clock::to_text(&time), "data": data});
        Some(Message {
            id: format!("msg_{}", Uuid::new_v4().simple()),
            place: format!("{kind} {name}"),
            code: code.to_owned(),
            body: body.to_string(),
        })
    }

    /// Returns the value of the header `webhook-signature` for a message.
    pub(super) fn sign(&self, message: &Message, timestamp: i64) -> String {
        let Message { id, body, .. } = message;
        let mut mac =
            Hmac::<Sha256>::new_from_slice(&self.key).expect("HMAC accepts keys of any length");
        mac.update(format!("{id}.{timestamp}.{body}").as_bytes());
        format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_example_has_this_signature() {
        let webhook = Webhook {
            name: "a".parse().unwrap(),
            url: "https://example.com".parse().unwrap(),
            key: STANDARD.decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap(),
            organizations: None,
            codes: None,
        };
        let message = Message {
            id: "msg_p5jXN8AQM9LWM0D4loKWxJek".to_owned(),
            place: String::new(),
            code: String::new(),
            body: r#"{"test": 2432232314}"#.to_owned(),
        };
        let signature = webhook.sign(&message, 1_614_265_330);
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }
}
