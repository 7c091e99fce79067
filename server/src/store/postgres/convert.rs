//! Converts parameters, columns, and errors without their details, because those quote values.

use super::super::statement::{Column, Row, Value, corrupt};
use super::super::{Error, Result as StoreResult};
use bytes::BytesMut;
use std::error::Error as StdError;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::{IsNull, ToSql, Type, to_sql_checked};

type Result<T> = std::result::Result<T, Box<dyn StdError + Sync + Send>>;

// The server infers the type of a parameter, also of a null, from the column it is compared with.
impl ToSql for Value {
    fn to_sql(&self, kind: &Type, out: &mut BytesMut) -> Result<IsNull> {
        match self {
            Self::Null => Ok(IsNull::Yes),
            Self::Integer(value) => value.to_sql_checked(kind, out),
            Self::Text(value) => value.to_sql_checked(kind, out),
            Self::Bytes(value) => value.to_sql_checked(kind, out),
            Self::Texts(values) => values.to_sql_checked(kind, out),
            Self::Hashes(values) => {
                let values: Vec<_> = values.iter().map(<[u8; 32]>::as_slice).collect();
                values.to_sql_checked(kind, out)
            }
        }
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}

impl Row for tokio_postgres::Row {
    fn column(&self, index: usize) -> StoreResult<Column<'_>> {
        let column = match self.columns().get(index).map(tokio_postgres::Column::type_) {
            Some(&Type::INT8) => self.try_get::<_, Option<_>>(index)?.map(Column::Integer),
            Some(&Type::TEXT) => self.try_get::<_, Option<_>>(index)?.map(Column::Text),
            Some(&Type::BYTEA) => self.try_get::<_, Option<_>>(index)?.map(Column::Bytes),
            _ => return Err(corrupt(index)),
        };
        Ok(column.unwrap_or(Column::Null))
    }
}

impl From<tokio_postgres::Error> for Error {
    fn from(error: tokio_postgres::Error) -> Self {
        let Some(refusal) = error.as_db_error() else {
            let cause = error.source().map(|cause| format!(": {cause}")).unwrap_or_default();
            return Self::Unavailable(format!("{error}{cause}"));
        };
        let (code, message) = (refusal.code(), refusal.message());
        let message = format!("{message} ({})", code.code());
        match *code {
            SqlState::INVALID_CATALOG_NAME => {
                Self::Unavailable(format!("{message}: make it with `createdb` first"))
            }
            SqlState::UNIQUE_VIOLATION => Self::Exists,
            SqlState::T_R_SERIALIZATION_FAILURE | SqlState::T_R_DEADLOCK_DETECTED => {
                Self::Contended(message)
            }
            _ if is_temporary(code) => Self::Unavailable(message),
            _ => Self::Broken(format!("the database refused a statement: {message}")),
        }
    }
}

/// Returns whether another connection, or the same one later, may succeed.
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
