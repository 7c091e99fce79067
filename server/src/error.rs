//! The errors of the domain and of the store. Their messages are safe to show to clients, and never
//! have a credential. `http` chooses the status and the headers.

#![expect(missing_docs, reason = "the messages say what most of the variants mean")]

/// The reason why the store failed.
#[derive(Clone, Debug, thiserror::Error)]
pub enum StoreError {
    /// No live token of an enabled user has this digest.
    #[error("the credential is not accepted")]
    NotAccepted,
    #[error("it exists already")]
    Exists,
    #[error("the database is unavailable: {0}")]
    Unavailable(String),
    #[error("the database cannot grow, its disk is full or fails: free space on it ({0})")]
    Full(String),
    /// Another transaction interfered. This one may be run again.
    #[error("the transaction was rolled back because of another one: {0}")]
    Contended(String),
    /// COMMIT was sent but not confirmed. The transaction must not be run again.
    #[error("it is not known whether the change was made: {0}")]
    Unknown(String),
    /// The database is damaged, another program's or newer than this one, or this program has a
    /// bug.
    #[error("{0}")]
    Broken(String),
}

/// The reason why a request was refused or failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A name, slug, id, parameter or body is malformed.
    #[error("{0}")]
    Invalid(String),
    #[error("no credential: send a token as `Authorization: Bearer <token>`")]
    NoCredential,
    /// The credential is unknown, malformed, revoked or expired. The message does not say which.
    #[error("the token is not accepted: mint a new one")]
    DeadCredential,
    /// The role of the user, or a rule of this server, forbids it.
    #[error("{0}")]
    Forbidden(&'static str),
    /// The token is too narrow, for every role of the user (RFC 6750, `insufficient_scope`).
    #[error("{0}")]
    TokenTooNarrow(&'static str),
    /// It does not exist, or is not visible to the caller. The message does not say which.
    #[error("{0}")]
    NotFound(&'static str),
    /// It exists already, or the change conflicts with the current state.
    #[error("{0}")]
    Conflict(String),
    #[error("the name is taken: choose another one")]
    Taken,
    #[error("the body is larger than {0} bytes: send a smaller one")]
    TooLarge(usize),
    #[error("the body is {0}: send `application/json`")]
    UnsupportedMediaType(String),
    #[error("the body did not arrive in time: send it again")]
    Timeout,
    #[error("too many bad credentials from your address: try again in a second")]
    TooManyRequests,
    #[error("too many leak reports from your address: try again in an hour")]
    TooManyReports,
    #[error("too many answers wait to be read: read them, or try again in a second")]
    Busy,
    #[error("the database cannot answer at the moment: try again")]
    Unavailable(#[source] StoreError),
    #[error("the database cannot store changes until space is free on its disk")]
    Full(#[source] StoreError),
    #[error(
        "the outcome is unknown: the database did not confirm the change, look before you repeat it"
    )]
    OutcomeUnknown(#[source] StoreError),
    #[error("internal error, the server's log has the reason")]
    Internal(#[source] StoreError),
}

pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// The answer for every organization that the credential does not reach, existing or not.
    pub const NO_ORGANIZATION: Self =
        Self::NotFound("no such organization, or this credential does not reach it");
    pub const NO_TOKEN: Self =
        Self::NotFound("no such token, or this credential does not reach it");
    pub const NO_GROUP: Self = Self::NotFound("no such group in this organization");
    /// The answer to a group-bound token for every other group, existing or not.
    pub const OTHER_GROUP: Self = Self::TokenTooNarrow("this token is bound to another group");
    pub const NO_MEMBER: Self = Self::NotFound("no such member of this organization");
    pub const NO_USER: Self =
        Self::NotFound("no such user: add the user with `orgtokens-server user add` first");

    /// Returns the error for a bug or a failure of the machine.
    pub fn internal(reason: impl Into<String>) -> Self {
        Self::Internal(StoreError::Broken(reason.into()))
    }

    /// Turns [`Error::Taken`] into a conflict with this message. Other errors stay the same.
    #[must_use]
    pub fn or_taken(self, message: impl FnOnce() -> String) -> Self {
        match self {
            Self::Taken => Self::Conflict(message()),
            other => other,
        }
    }
}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Unknown(_) => Self::OutcomeUnknown(error),
            StoreError::Broken(_) => Self::Internal(error),
            StoreError::NotAccepted => Self::DeadCredential,
            StoreError::Exists => Self::Taken,
            StoreError::Full(_) => Self::Full(error),
            StoreError::Unavailable(_) | StoreError::Contended(_) => Self::Unavailable(error),
        }
    }
}
