//! HTTP vocabulary: the error body, request extractors and typed replies.
//!
//! `front`, `api`, `auth` and `handlers` use it; it uses none of them, and it
//! decides nothing. Errors become statuses in `reply`.

mod body;
mod deferred;
mod error_body;
mod pieces;
pub(crate) mod reply;

pub(crate) use body::OPTIONAL_BODY;
pub use body::{Body, MAX_BODY_BYTES, Optional, parse_object};
pub use deferred::Deferred;
pub use error_body::ErrorBody;
pub use reply::{Answer, Reply};

/// A limited resource that a response uses until it is written. Dropping it frees the resource.
pub trait Progress: Send + 'static {
    /// Records that the reader has taken a part of the response.
    fn record_progress(&self);
}
