//! HTTP vocabulary: the error body, request extractors and typed replies.
//!
//! `front`, `api`, `auth` and `handlers` use it; it uses none of them, and it
//! decides nothing. Errors become statuses in `reply`.

mod body;
mod deferred;
pub(crate) mod pieces;
pub(crate) mod reply;

pub use body::parse_object;
pub(crate) use body::{Body, OPTIONAL_BODY, Optional};
pub(crate) use deferred::Deferred;
pub(crate) use reply::{Answer, Reply};
