//! The one error of the domain: what kind of no it is, and a sentence for the
//! caller. It chooses no status and sets no header, and never carries a
//! credential.

use crate::store;

/// Why a request was not done.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A name, slug, id, parameter or body is malformed.
    #[error("{0}")]
    Invalid(String),
    /// There is no credential at all.
    #[error("no credential: send a token as `Authorization: Bearer <token>`")]
    NoCredential,
    /// The credential is unknown, malformed or revoked: callers learn not which.
    #[error("the token is not accepted: mint a new one")]
    DeadCredential,
    /// The user's role is too low.
    #[error("{0}")]
    RoleTooLow(&'static str),
    /// The token is too narrow, whatever the user's role (RFC 6750, `insufficient_scope`).
    #[error("{0}")]
    TokenTooNarrow(&'static str),
    /// There is no such thing, or it is not visible: callers learn not which.
    #[error("{0}")]
    NotFound(&'static str),
    /// It exists already, or the change would break a rule of what exists.
    #[error("{0}")]
    Conflict(String),
    /// The body is larger than the limit, in bytes.
    #[error("the body is larger than {0} bytes")]
    TooLarge(usize),
    /// The body is not JSON by its own words.
    #[error("the body is {0}: send `application/json`")]
    UnsupportedMediaType(String),
    /// The body did not arrive in time.
    #[error("the body did not arrive in time: send it again")]
    Timeout,
    /// The client has sent too many bad credentials.
    #[error("too many bad credentials from your address: try again in a second")]
    TooManyRequests,
    /// Unread answers use all the memory that they may use.
    #[error("too many answers wait to be read: read them, or try again in a second")]
    Busy,
    /// The store cannot answer at the moment.
    #[error("the database cannot answer at the moment: try again")]
    Unavailable(#[source] store::Error),
    /// A change was sent to be committed, and the database did not say whether it was.
    #[error(
        "the outcome is unknown: the database did not confirm the change, look before you repeat it"
    )]
    OutcomeUnknown(#[source] store::Error),
    /// Something broke; the reason is for the log alone.
    #[error("internal error, the server's log has the reason")]
    Internal(#[source] store::Error),
}

impl Error {
    /// What every organization answers that the credential does not reach.
    pub const NO_ORGANIZATION: Self =
        Self::NotFound("no such organization, or this credential does not reach it");
    /// What every token answers that the caller may not revoke.
    pub const NO_TOKEN: Self = Self::NotFound("no such token, or it is not yours to revoke");
    /// There is no group of this name in an organization that the caller sees.
    pub const NO_GROUP: Self = Self::NotFound("no such group in this organization");
    /// What a group-bound token hears of every group but its own, whether there is one or not.
    pub const OTHER_GROUP: Self = Self::TokenTooNarrow("this token is bound to another group");
    /// There is no member of this name in an organization that the caller sees.
    pub const NO_MEMBER: Self = Self::NotFound("no such member of this organization");
    /// There is no user of this name.
    pub const NO_USER: Self =
        Self::NotFound("no such user: add the user with `orgtokens-server user add` first");
}

impl Error {
    /// What is wrong with the program itself.
    pub fn internal(reason: impl Into<String>) -> Self {
        Self::Internal(store::Error::Broken(reason.into()))
    }

    /// The same error, but for a name that is taken: that is a conflict, in these words.
    pub fn taken(error: store::Error, message: impl FnOnce() -> String) -> Self {
        match error {
            store::Error::Exists => Self::Conflict(message()),
            other => other.into(),
        }
    }
}

impl From<store::Error> for Error {
    fn from(error: store::Error) -> Self {
        match error {
            store::Error::Unavailable(_) | store::Error::Full(_) | store::Error::Contended(_) => {
                Self::Unavailable(error)
            }
            store::Error::Unknown(_) => Self::OutcomeUnknown(error),
            store::Error::Exists => Self::Conflict(error.to_string()),
            store::Error::Broken(_) => Self::Internal(error),
        }
    }
}

/// What most of the crate answers.
pub type Result<T> = std::result::Result<T, Error>;
