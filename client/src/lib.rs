//! A typed client for organization API tokens, for an `orgtokens-server` or the vendor's cloud.
//!
//! The build generates operations and models from `openapi.yaml`. This file adds the credential and
//! one error type; it must not define models.
//!
//! ```no_run
//! use orgtokens_client::{Client, Failure};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Failure> {
//! let client = Client::with_token("http://127.0.0.1:8080", "a token that was minted")?;
//! let list = client.list_organization_api_tokens().organization_slug("my-org").send().await?;
//! for token in &list.tokens {
//!     println!("{} {}", token.id.as_deref().unwrap_or("-"), token.name.as_deref().unwrap_or("-"));
//! }
//!
//! let minted = client
//!     .create_api_token()
//!     .token_name("ci-bot")
//!     .body_map(|body| body.organization("my-org".to_owned()))
//!     .send()
//!     .await?;
//! println!("keep this, it is shown once: {}", minted.token);
//!
//! let missing = client.revoke_api_token().token_name("no-such-token").send().await;
//! let failure = Failure::from(missing.expect_err("there is no such token"));
//! println!("{:?}: {}", failure.status, failure.message);
//! # Ok(())
//! # }
//! ```

mod failure;

#[expect(
    missing_docs,
    unused_qualifications,
    clippy::pedantic,
    clippy::allow_attributes,
    clippy::allow_attributes_without_reason,
    clippy::unwrap_used,
    reason = "generated code"
)]
mod generated {
    include!(concat!(env!("OUT_DIR"), "/client.rs"));
}

#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;

pub use failure::Failure;
pub use generated::*;

use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use std::time::Duration;

/// The time limit of a request, from its start to the last byte of the response.
pub const TIMEOUT: Duration = Duration::from_secs(30);

impl Client {
    /// Creates a client that sends `token` with every request, as a bearer token (RFC 6750).
    ///
    /// `base_url` is scheme, host and port, such as `https://api.turso.tech`. Debug output does not
    /// show the token. Redirects are not followed, so that no other host receives it.
    ///
    /// # Errors
    /// A [`Failure`] without a status if the token has characters that a header cannot have, or if
    /// TLS cannot be set up.
    pub fn with_token(base_url: &str, token: &str) -> Result<Self, Failure> {
        let mut bearer = HeaderValue::try_from(format!("Bearer {token}")).map_err(|_| {
            Failure::local("the token has characters that a header cannot have: copy it again")
        })?;
        bearer.set_sensitive(true);
        let client = reqwest::Client::builder()
            .default_headers(HeaderMap::from_iter([(AUTHORIZATION, bearer)]))
            .redirect(reqwest::redirect::Policy::none())
            .timeout(TIMEOUT)
            .build()
            .map_err(|error| Failure::local(format!("the HTTP client cannot be built: {error}")))?;
        Ok(Self::new_with_client(base_url.trim_end_matches('/'), client))
    }
}
