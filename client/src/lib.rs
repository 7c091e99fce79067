//! A typed client for organization API tokens, speaking to an `orgtokens-server`
//! or to the vendor's cloud.
//!
//! Operations and models are generated from `openapi.yaml` when the crate is
//! built; this file adds the credential and one error. Model types are never
//! written here by hand.
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

/// How long a request may take from its start to the last byte of its answer.
pub const TIMEOUT: Duration = Duration::from_secs(30);

impl Client {
    /// A client that sends `token` with every request, as a bearer token (RFC 6750).
    ///
    /// `base_url` is scheme, host and port, such as `https://api.turso.tech`. The
    /// header is marked sensitive, so that it shows in no debug output; redirects are
    /// not followed, so that the token goes nowhere else.
    ///
    /// # Errors
    /// A [`Failure`] without a status, where the token has characters that no header
    /// may carry or the TLS set-up of this machine is unusable.
    pub fn with_token(base_url: &str, token: &str) -> Result<Self, Failure> {
        let mut bearer = HeaderValue::try_from(format!("Bearer {token}")).map_err(|_| {
            Failure::local("the token has characters that no header may carry: copy it again")
        })?;
        bearer.set_sensitive(true);
        let client = reqwest::Client::builder()
            .default_headers(HeaderMap::from_iter([(AUTHORIZATION, bearer)]))
            .redirect(reqwest::redirect::Policy::none())
            .timeout(TIMEOUT)
            .build()
            .map_err(|error| Failure::local(format!("no HTTP client can be built: {error}")))?;
        Ok(Self::new_with_client(base_url.trim_end_matches('/'), client))
    }
}
