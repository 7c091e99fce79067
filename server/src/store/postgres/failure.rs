//! What the database's refusals mean to the domain, by their SQLSTATE.
//!
//! Details are left out: they quote values, and those are nobody's business.

use super::super::Error;
use tokio_postgres::error::{DbError, SqlState};

/// What a failed statement means.
#[expect(clippy::needless_pass_by_value, reason = "`map_err` hands it over")]
pub fn refused(error: tokio_postgres::Error) -> Error {
    let Some(refusal) = error.as_db_error() else { return Error::Unavailable(reason(&error)) };
    let spoken = spoken(refusal);
    match refusal.code() {
        &SqlState::INVALID_CATALOG_NAME => {
            Error::Unavailable(format!("{spoken}: make it with `createdb` first"))
        }
        &SqlState::UNIQUE_VIOLATION => Error::Exists,
        &SqlState::T_R_SERIALIZATION_FAILURE | &SqlState::T_R_DEADLOCK_DETECTED => {
            Error::Contended(spoken)
        }
        code if is_passing(code) => Error::Unavailable(spoken),
        _ => Error::Broken(format!("the database refuses: {spoken}")),
    }
}

/// What a failed COMMIT means. Only one that the database rolled back for the sake of another
/// transaction is known not to have happened.
pub fn uncommitted(error: tokio_postgres::Error) -> Error {
    match refused(error) {
        contended @ Error::Contended(_) => contended,
        other => Error::Unknown(other.to_string()),
    }
}

/// Whether another connection, or the same a moment later, may do better.
fn is_passing(code: &SqlState) -> bool {
    let ended = [
        SqlState::READ_ONLY_SQL_TRANSACTION,
        SqlState::IDLE_IN_TRANSACTION_SESSION_TIMEOUT,
        SqlState::LOCK_NOT_AVAILABLE,
        // The schema changed under a prepared statement.
        SqlState::FEATURE_NOT_SUPPORTED,
        SqlState::INVALID_SQL_STATEMENT_NAME,
    ];
    // Connections, authentication, resources, operators, the system.
    let classes = ["08", "28", "53", "57", "58"];
    ended.contains(code) || classes.iter().any(|class| code.code().starts_with(class))
}

fn spoken(refusal: &DbError) -> String {
    format!("{} ({})", refusal.message(), refusal.code().code())
}

fn reason(error: &tokio_postgres::Error) -> String {
    match std::error::Error::source(error) {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}
