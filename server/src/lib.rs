//! An API-token service for organizations that keeps the contract of `openapi.yaml`.
//!
//! A request travels one way: `front` (dispatch, headers, access log), `handlers` (read the request,
//! call the service, wrap the result), [`service`] (the operations, with the policy of `access`),
//! [`store`] (persistence). `service` and `store` do not know HTTP. The others share the types of
//! [`http`] and the state of `context`.

#[doc(hidden)] // for the micro-benchmarks
pub mod access;
mod api;
mod auth;
pub mod caller;
mod clock;
mod context;
pub mod document;
pub mod error;
mod expiration;
mod front;
mod handlers;
pub mod http;
pub mod limits;
pub mod log;
pub mod metrics;
pub mod name;
pub mod ops;
pub mod records;
pub mod scope;
pub mod server;
pub mod service;
pub mod store;
#[cfg(feature = "test-server")]
pub mod test_server;
pub mod token;
pub mod webhooks;
