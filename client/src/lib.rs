//! A typed client for organization API tokens, for an `orgtokens-server` or the vendor's cloud.
//!
//! The build generates operations and models from `openapi.yaml`. What is added here is small:
//! `settings` sets a client up, `transport` sends its requests, `failure` is the one error type,
//! `audit` streams pages, and `typed` parses dates and scopes. It must not define operations.
//!
//! ```no_run
//! use futures::TryStreamExt;
//! use orgtokens_client::{Client, Failure, types::Scope};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Failure> {
//! let client = Client::builder("http://127.0.0.1:8080")
//!     .token("a token that was minted")
//!     .user_agent("deploy/1.0")
//!     .retries(3)
//!     .build()?;
//!
//! let list = client.list_organization_api_tokens().organization_slug("my-org").send().await?;
//! for token in &list.tokens {
//!     println!("{:?} was minted on {:?}", token.name, token.created_on());
//! }
//!
//! let mint = client.create_api_token().token_name("ci-bot").body_map(|body| {
//!     body.organization("my-org").group("default").scopes([Scope::Read, Scope::DbCreate])
//! });
//! match mint.send().await.map_err(Failure::from) {
//!     Ok(minted) => println!("keep this, it is shown once: {}", minted.token),
//!     Err(failure) if failure.outcome_unknown() => println!("is it in the list? {failure}"),
//!     Err(failure) => println!("{:?}: {}", failure.status, failure.message),
//! }
//!
//! let log = client.list_organization_audit_logs().organization_slug("my-org");
//! let mut entries = log.page_size(1_000_u32).stream();
//! while let Some(entry) = entries.try_next().await? {
//!     println!("{} {}", entry.created_at, entry.message);
//! }
//! # Ok(())
//! # }
//! ```

mod audit;
mod failure;
#[cfg(feature = "mock")]
#[expect(
    missing_docs,
    clippy::pedantic,
    clippy::to_string_in_format_args,
    clippy::unwrap_used,
    reason = "generated code"
)]
pub mod mock;
mod settings;
mod transport;
mod typed;

#[expect(
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
#[doc = include_str!("../README.md")]
struct Readmes;

pub use failure::Failure;
pub use generated::*;
pub use settings::{ClientBuilder, TIMEOUT};
