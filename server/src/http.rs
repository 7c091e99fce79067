//! HTTP vocabulary: the error body, request extractors and typed replies.
//!
//! `front`, `api`, `auth` and `handlers` use it. It uses none of them and contains no decisions. `reply`
//! converts errors to statuses.

mod extract;
pub(crate) mod pieces;
pub(crate) mod reply;

pub use extract::parse_object;
pub(crate) use extract::{Body, BodyRead, Deferred};
pub(crate) use reply::{Accepted, Answer, Reply};
