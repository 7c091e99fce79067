//! What both backends provide: statements with positional parameters, rows by column, and a commit.
//! It knows nothing of the domain.
//!
//! Parameters are `$1`, `$2`, ... in the order of their first appearance.

use super::{Error, Result, postgres, sqlite};
use std::borrow::Cow;

/// A parameter of a statement, or a column of a row that outlives it.
#[derive(Clone, Debug)]
pub enum Value {
    Integer(i64),
    Text(String),
    Bytes(Vec<u8>),
    Null,
    /// An array, for PostgreSQL alone.
    Texts(Vec<String>),
    /// An array, for PostgreSQL alone.
    Blobs(Vec<Vec<u8>>),
}

impl From<i64> for Value {
    fn from(value: i64) -> Self {
        Self::Integer(value)
    }
}

impl From<&str> for Value {
    fn from(value: &str) -> Self {
        Self::Text(value.to_owned())
    }
}

impl From<&[u8]> for Value {
    fn from(value: &[u8]) -> Self {
        Self::Bytes(value.to_owned())
    }
}

impl<T: Into<Self>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

/// A statement with its parameters.
#[derive(Debug)]
pub struct Statement {
    pub sql: Cow<'static, str>,
    pub parameters: Vec<Value>,
}

/// Returns a statement with its parameters.
pub fn sql(sql: impl Into<Cow<'static, str>>, parameters: impl Into<Vec<Value>>) -> Statement {
    Statement { sql: sql.into(), parameters: parameters.into() }
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

/// A row. Asking a column for a type that it does not hold is [`Error::Broken`].
pub trait Row {
    fn column(&self, index: usize) -> Result<Column<'_>>;

    fn integer(&self, index: usize) -> Result<i64> {
        let Column::Integer(value) = self.column(index)? else { return Err(corrupt(index)) };
        Ok(value)
    }

    fn text(&self, index: usize) -> Result<&str> {
        let Column::Text(value) = self.column(index)? else { return Err(corrupt(index)) };
        Ok(value)
    }

    fn bytes(&self, index: usize) -> Result<&[u8]> {
        let Column::Bytes(value) = self.column(index)? else { return Err(corrupt(index)) };
        Ok(value)
    }

    fn is_null(&self, index: usize) -> bool {
        matches!(self.column(index), Ok(Column::Null))
    }
}

/// Returns the error for a column that does not hold what its table says.
pub fn corrupt(index: usize) -> Error {
    Error::Broken(format!("the database is damaged: column {index} of a row has another type"))
}

/// One open transaction of a backend. Dropping it rolls it back.
pub enum Connection {
    Sqlite(sqlite::Session),
    Postgres(Box<postgres::Session>),
}

impl Connection {
    /// Runs the statements of `before`, then `statement`, and returns what `map` makes of its rows.
    /// This is one round trip.
    pub async fn query<T: Send>(
        &mut self,
        before: Vec<Statement>,
        statement: &Statement,
        map: impl FnMut(&dyn Row) -> Result<T> + Send,
    ) -> Result<Vec<T>> {
        match self {
            Self::Sqlite(session) => session.query(&before, statement, map),
            Self::Postgres(session) => session.query(before, statement, map).await,
        }
    }

    /// Like [`Connection::query`], for a statement that changes many rows: no worker thread waits
    /// for it.
    pub async fn query_many<T: Send + 'static>(
        &mut self,
        before: Vec<Statement>,
        statement: Statement,
        map: fn(&dyn Row) -> Result<T>,
    ) -> Result<Vec<T>> {
        match self {
            Self::Sqlite(session) => session.query_blocking(before, statement, map).await,
            Self::Postgres(session) => session.query(before, &statement, map).await,
        }
    }

    /// Runs statements without rows in one round trip.
    pub async fn run(&mut self, statements: Vec<Statement>) -> Result<()> {
        match self {
            Self::Sqlite(session) => session.run(statements).await,
            Self::Postgres(session) => session.run(statements).await,
        }
    }

    /// Runs statements and makes everything durable, in one round trip. It returns after the sync,
    /// and cannot be cancelled.
    ///
    /// # Errors
    /// [`Error::Unknown`] if it may have happened nevertheless; every other error means that
    /// nothing was changed.
    pub async fn commit(self, statements: Vec<Statement>) -> Result<()> {
        match self {
            Self::Sqlite(session) => session.commit(statements).await,
            Self::Postgres(session) => session.commit(statements).await,
        }
    }

    /// Whether it is PostgreSQL: several transactions write at once, and each query is a round trip.
    pub fn is_postgres(&self) -> bool {
        matches!(self, Self::Postgres(_))
    }
}

/// Returns the error of a session whose transaction has ended.
pub fn failed_before() -> Error {
    Error::Unavailable("the transaction failed before".to_owned())
}
