//! The errors of the database, by their SQLSTATE, as errors of the store. Details are left out,
//! because they quote values.

use super::super::Error;
use tokio_postgres::error::{DbError, SqlState};

/// Returns what a failed statement means.
#[expect(clippy::needless_pass_by_value, reason = "`map_err` passes it by value")]
pub fn map_error(error: tokio_postgres::Error) -> Error {
    let Some(refusal) = error.as_db_error() else { return Error::Unavailable(reason(&error)) };
    let message = message(refusal);
    match refusal.code() {
        &SqlState::INVALID_CATALOG_NAME => {
            Error::Unavailable(format!("{message}: make it with `createdb` first"))
        }
        &SqlState::UNIQUE_VIOLATION => Error::Exists,
        &SqlState::T_R_SERIALIZATION_FAILURE | &SqlState::T_R_DEADLOCK_DETECTED => {
            Error::Contended(message)
        }
        code if is_temporary(code) => Error::Unavailable(message),
        _ => Error::Broken(format!("the database refused a statement: {message}")),
    }
}

/// Returns what a failed COMMIT means. Only one that the database rolled back in favor of another
/// transaction is known not to have happened.
pub fn map_commit_error(error: tokio_postgres::Error) -> Error {
    match map_error(error) {
        contended @ Error::Contended(_) => contended,
        other => Error::Unknown(other.to_string()),
    }
}

/// Whether another connection, or the same one later, may succeed.
fn is_temporary(code: &SqlState) -> bool {
    let states = [
        SqlState::READ_ONLY_SQL_TRANSACTION,
        SqlState::IDLE_IN_TRANSACTION_SESSION_TIMEOUT,
        SqlState::LOCK_NOT_AVAILABLE,
        // The schema changed under a prepared statement.
        SqlState::FEATURE_NOT_SUPPORTED,
        SqlState::INVALID_SQL_STATEMENT_NAME,
    ];
    // Connections, authentication, resources, operators, the system.
    let classes = ["08", "28", "53", "57", "58"];
    states.contains(code) || classes.iter().any(|class| code.code().starts_with(class))
}

fn message(refusal: &DbError) -> String {
    format!("{} ({})", refusal.message(), refusal.code().code())
}

fn reason(error: &tokio_postgres::Error) -> String {
    match std::error::Error::source(error) {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}
