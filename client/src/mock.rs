//! A mock of the API for the tests of other programs, on a real socket: for each operation a method
//! of [`MockServerExt`] with typed requests and responses. It is generated, and needs the feature
//! `mock`.
//!
//! Name every variable of the path: one that is left out matches any text, `/` included, so a mock
//! of one operation would answer another one too.
//!
//! ```
//! use httpmock::MockServer;
//! use orgtokens_client::{Client, Failure, mock::MockServerExt, types};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Failure> {
//! let server = MockServer::start_async().await;
//! let revoke = server.revoke_organization_api_token(|when, then| {
//!     let id = "clGFZ4STEe6fljpFzIum8A";
//!     when.organization_slug("my-org").token_id(&id.parse().expect("it is a token id"));
//!     then.ok(&types::RevokedToken { token: id.to_owned() });
//! });
//!
//! let client = Client::builder(&server.base_url()).token("any").build()?;
//! let call = client.revoke_organization_api_token().organization_slug("my-org");
//! let revoked = call.token_id("clGFZ4STEe6fljpFzIum8A").send().await.map_err(Failure::from)?;
//! assert_eq!(revoked.token, "clGFZ4STEe6fljpFzIum8A");
//! revoke.assert();
//! # Ok(())
//! # }
//! ```

include!(concat!(env!("OUT_DIR"), "/mock.rs"));
