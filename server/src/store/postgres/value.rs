//! Values as parameters of statements and as columns of rows. No type is converted into another.

use super::super::connection::{Row, Value};
use super::super::{Error, Result};
use bytes::BytesMut;
use std::error::Error as StdError;
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type, to_sql_checked};

type Failure = Box<dyn StdError + Sync + Send>;

// The server infers the types of parameters from the columns they are compared with, also for nulls;
// every type but the schema's three is a mistake in a statement.
impl ToSql for Value {
    fn to_sql(&self, kind: &Type, out: &mut BytesMut) -> std::result::Result<IsNull, Failure> {
        match self {
            Self::Null => Ok(IsNull::Yes),
            Self::Integer(value) if *kind == Type::INT8 => value.to_sql(kind, out),
            Self::Text(value) if *kind == Type::TEXT => value.to_sql(kind, out),
            Self::Bytes(value) if *kind == Type::BYTEA => value.to_sql(kind, out),
            Self::Texts(values) if *kind == Type::TEXT_ARRAY => values.to_sql(kind, out),
            Self::Blobs(values) if *kind == Type::BYTEA_ARRAY => values.to_sql(kind, out),
            _ => Err(format!("the statement wants {kind}").into()),
        }
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}

/// A column of any type.
struct Anything;

impl<'a> FromSql<'a> for Anything {
    fn from_sql(_: &Type, _: &'a [u8]) -> std::result::Result<Self, Failure> {
        Ok(Self)
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}

impl Row for tokio_postgres::Row {
    fn integer(&self, column: usize) -> Result<i64> {
        self.try_get(column).map_err(|error| corrupt(&error))
    }

    fn text(&self, column: usize) -> Result<&str> {
        self.try_get(column).map_err(|error| corrupt(&error))
    }

    fn bytes(&self, column: usize) -> Result<&[u8]> {
        self.try_get(column).map_err(|error| corrupt(&error))
    }

    fn is_null(&self, column: usize) -> bool {
        matches!(self.try_get::<_, Option<Anything>>(column), Ok(None))
    }
}

fn corrupt(error: &tokio_postgres::Error) -> Error {
    Error::Broken(format!("the database is damaged: {error}"))
}
