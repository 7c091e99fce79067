//! Statements with positional parameters, and rows by column, for both backends. Of the domain it
//! knows only how values are stored, and what a statement invalidates.
//!
//! Parameters are `$1`, `$2`, ... in the order of their first appearance.

use super::access_cache::Invalidation;
use super::{Error, Result};
use crate::caller::{OrganizationId, Origin, Role, UserId};
use crate::expiration::Lifetime;
use crate::limits::AllowedIps;
use crate::name::{Name, Slug};
use crate::scope::Scopes;
use crate::token::{TokenDigest, TokenId};
use chrono::{DateTime, Utc};
use std::borrow::Cow;
use std::net::IpAddr;
use uuid::Uuid;

/// A parameter of a statement, or an owned column of a row.
#[derive(Clone, Debug)]
pub enum Value {
    Integer(i64),
    Text(String),
    Bytes(Vec<u8>),
    Null,
    /// An array, only for PostgreSQL.
    Texts(Vec<String>),
    /// An array, only for PostgreSQL.
    Hashes(Vec<[u8; 32]>),
}

/// Declares how each type is stored.
macro_rules! parameters {
    ($($type:ty: $value:ident => $stored:expr),+ $(,)?) => {$(
        impl From<$type> for Value {
            fn from($value: $type) -> Self {
                $stored.into()
            }
        }
    )+};
}

parameters! {
    i64: number => Self::Integer(number),
    String: text => Self::Text(text),
    &str: text => text.to_owned(),
    &String: text => text.clone(),
    Vec<String>: texts => Self::Texts(texts),
    Vec<[u8; 32]>: hashes => Self::Hashes(hashes),
    &[u8]: bytes => Self::Bytes(bytes.to_owned()),
    u32: number => i64::from(number),
    bool: flag => i64::from(flag),
    UserId: id => id.0,
    OrganizationId: id => id.0,
    &Name: name => name.as_str(),
    &Slug: slug => slug.as_str(),
    Role: role => role.into_str(),
    Uuid: uuid => uuid.as_bytes().as_slice(),
    TokenId: id => id.as_bytes(),
    &TokenDigest: digest => digest.as_bytes().as_slice(),
    DateTime<Utc>: time => time.timestamp_millis(),
    &AllowedIps: networks => networks.to_string(),
    &Lifetime: lifetime => lifetime.as_str(),
}

impl<T: Into<Self>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

#[derive(Debug)]
pub struct Statement {
    pub sql: Cow<'static, str>,
    pub parameters: Vec<Value>,
    /// The cache entries that it makes outdated.
    pub invalidation: Invalidation,
}

/// Returns a statement with these parameters.
macro_rules! sql {
    ($text:expr $(, $parameter:expr)* $(,)?) => {
        $crate::store::statement::Statement::new($text, [$(Into::into($parameter)),*])
    };
}

pub(super) use sql;

impl Statement {
    /// Like [`sql!`], with a list of parameters. A statement that writes invalidates everything,
    /// unless [`Statement::invalidating`] limits that.
    pub fn new(sql: impl Into<Cow<'static, str>>, parameters: impl Into<Vec<Value>>) -> Self {
        let sql = sql.into();
        let is_read = sql.starts_with("SELECT ");
        let invalidation = if is_read { Invalidation::Nothing } else { Invalidation::Everything };
        Self { sql, parameters: parameters.into(), invalidation }
    }

    /// Returns the same statement, which invalidates only these entries.
    pub fn invalidating(self, invalidation: Invalidation) -> Self {
        Self { invalidation, ..self }
    }
}

/// Returns a condition that the value of a column is in a parameter that [`hex_list`] returned.
pub fn in_hex_list(column: &str, parameter: usize, is_postgres: bool) -> String {
    if is_postgres {
        format!(
            "{column} IN (SELECT decode(value, 'hex')
             FROM json_array_elements_text(CAST(${parameter}::text AS json)) AS e (value))"
        )
    } else {
        format!("{column} IN (SELECT unhex(value) FROM json_each(${parameter}))")
    }
}

/// Returns a list of values as one parameter, in a form that both backends can read.
pub fn hex_list<'a>(list: impl Iterator<Item = &'a [u8]>) -> Value {
    let list = serde_json::to_string(&list.map(hex).collect::<Vec<_>>());
    Value::Text(list.expect("text has a JSON form"))
}

/// Returns bytes as hexadecimal text, for a parameter in JSON.
pub fn hex(bytes: &[u8]) -> String {
    let digit = |value| char::from_digit(u32::from(value), 16).unwrap_or_default();
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

/// A column of a row.
pub enum Column<'a> {
    Integer(i64),
    Text(&'a str),
    Bytes(&'a [u8]),
    Null,
}

impl From<Column<'_>> for Value {
    fn from(column: Column<'_>) -> Self {
        match column {
            Column::Integer(value) => value.into(),
            Column::Text(value) => value.into(),
            Column::Bytes(value) => value.into(),
            Column::Null => Self::Null,
        }
    }
}

/// A row.
pub trait Row {
    fn column(&self, index: usize) -> Result<Column<'_>>;
}

impl dyn Row + '_ {
    /// Reads a column.
    ///
    /// # Errors
    /// [`Error::Broken`] if the type or the value is wrong.
    pub fn get<'a, T: FromColumn<'a>>(&'a self, index: usize) -> Result<T> {
        T::from_column(self.column(index)?).ok_or_else(|| corrupt(index))
    }

    pub fn is_null(&self, index: usize) -> bool {
        matches!(self.column(index), Ok(Column::Null))
    }
}

/// A type that can be read from a column.
pub trait FromColumn<'a>: Sized {
    /// Returns `None` if the type or the value of the column is wrong.
    fn from_column(column: Column<'a>) -> Option<Self>;
}

impl<'a, T: FromColumn<'a>> FromColumn<'a> for Option<T> {
    fn from_column(column: Column<'a>) -> Option<Self> {
        if let Column::Null = column { Some(None) } else { T::from_column(column).map(Some) }
    }
}

/// Declares how each type is read.
macro_rules! columns {
    ($($($type:ty)|+: $kind:ident($value:pat) => $read:expr),+ $(,)?) => {$($(
        impl<'a> FromColumn<'a> for $type {
            fn from_column(column: Column<'a>) -> Option<Self> {
                let Column::$kind($value) = column else { return None };
                $read
            }
        }
    )+)+};
}

columns! {
    i64: Integer(number) => Some(number),
    bool: Integer(flag) => Some(flag != 0),
    UserId | OrganizationId: Integer(id) => Some(Self(id)),
    Scopes: Integer(bits) => Self::from_bits(bits),
    DateTime<Utc>: Integer(time) => Self::from_timestamp_millis(time),
    &'a str: Text(text) => Some(text),
    String: Text(text) => Some(text.to_owned()),
    Name | Slug | Role | Origin | Lifetime | AllowedIps | IpAddr: Text(text) => text.parse().ok(),
    Uuid: Bytes(bytes) => Self::from_slice(bytes).ok(),
    TokenId: Bytes(bytes) => bytes.try_into().ok().map(Self::from_bytes),
    [u8; 32]: Bytes(bytes) => bytes.try_into().ok(),
}

/// Returns the error for a column whose type or value is wrong.
pub fn corrupt(index: usize) -> Error {
    Error::Broken(format!(
        "the database is damaged (column {index} of a row does not hold what its table says): \
         restore a backup"
    ))
}

/// Returns the error of a session whose transaction has ended.
pub fn failed_before() -> Error {
    Error::Unavailable("the transaction failed before".to_owned())
}
