//! Converts parameters, columns and errors of the driver.

use super::super::statement::{Column, Row, Value, corrupt};
use super::super::{Error, Result, broken};
use super::open;
use rusqlite::ErrorCode::{
    CannotOpen, DatabaseBusy, DatabaseCorrupt, DatabaseLocked, DiskFull, NotADatabase, ReadOnly,
    SystemIoFailure,
};
use rusqlite::ffi::{SQLITE_CONSTRAINT_PRIMARYKEY, SQLITE_CONSTRAINT_UNIQUE};
use rusqlite::types::{ToSqlOutput, ValueRef};

pub fn to_sql(value: &Value) -> ToSqlOutput<'_> {
    ToSqlOutput::Borrowed(match value {
        Value::Integer(value) => ValueRef::Integer(*value),
        Value::Text(value) => ValueRef::Text(value.as_bytes()),
        Value::Bytes(value) => ValueRef::Blob(value),
        // SQLite has no arrays.
        Value::Null | Value::Texts(_) | Value::Hashes(_) => ValueRef::Null,
    })
}

impl Row for rusqlite::Row<'_> {
    fn column(&self, index: usize) -> Result<Column<'_>> {
        let value = self.get_ref(index)?;
        Ok(match value {
            ValueRef::Integer(value) => Column::Integer(value),
            ValueRef::Blob(value) => Column::Bytes(value),
            ValueRef::Null => Column::Null,
            ValueRef::Text(_) | ValueRef::Real(_) => {
                Column::Text(value.as_str().map_err(|_| corrupt(index))?)
            }
        })
    }
}

impl From<rusqlite::Error> for Error {
    fn from(error: rusqlite::Error) -> Self {
        let message = error.to_string();
        match error.sqlite_error().map(|failure| (failure.code, failure.extended_code)) {
            Some((_, SQLITE_CONSTRAINT_UNIQUE | SQLITE_CONSTRAINT_PRIMARYKEY)) => Self::Exists,
            Some((DatabaseBusy | DatabaseLocked, _)) => {
                Self::Unavailable(format!("another process has locked it ({message})"))
            }
            Some((ReadOnly, _)) => Self::Unavailable(message),
            Some((DiskFull | SystemIoFailure | CannotOpen, _)) => Self::Full(message),
            Some((DatabaseCorrupt, _)) => open::corrupt(&error),
            Some((NotADatabase, _)) => {
                broken(format!("it is no database of this program ({message}): name another file"))
            }
            _ => Self::Broken(format!("the database refused a statement: {message}")),
        }
    }
}
