//! What both backends provide: statements with positional parameters, rows by column, and a commit.
//! It knows nothing of the domain.
//!
//! Parameters are `$1`, `$2`, ... in the order of their first appearance.

use super::postgres::Session;
use super::sqlite::{Reader, Writer};
use super::{Error, Result};

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
    pub sql: &'static str,
    pub parameters: Vec<Value>,
}

/// Returns a statement with its parameters.
pub fn sql(sql: &'static str, parameters: impl Into<Vec<Value>>) -> Statement {
    Statement { sql, parameters: parameters.into() }
}

/// A row. Asking a column for a type that it does not hold is [`Error::Broken`].
pub trait Row {
    fn integer(&self, column: usize) -> Result<i64>;
    fn text(&self, column: usize) -> Result<&str>;
    fn bytes(&self, column: usize) -> Result<&[u8]>;
    fn is_null(&self, column: usize) -> bool;
}

/// Receives the rows of a statement, one by one.
pub type Each<'a> = dyn FnMut(&dyn Row) -> Result<()> + Send + 'a;

/// One open transaction of a backend. Dropping it rolls it back.
pub enum Connection {
    Reader(Reader),
    Writer(Writer),
    Session(Box<Session>),
}

impl Connection {
    /// Runs the statements of `before`, then `statement`, whose rows go to `each`. This is one round
    /// trip.
    pub async fn query(
        &mut self,
        before: Vec<Statement>,
        statement: &Statement,
        each: &mut Each<'_>,
    ) -> Result<()> {
        match self {
            Self::Reader(reader) => reader.query(statement, each),
            Self::Writer(writer) => writer.query(&before, statement, each),
            Self::Session(session) => session.query(before, Some((statement, each))).await,
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
        if let Self::Writer(writer) = self {
            return writer.query_blocking(before, statement, map).await;
        }
        let mut found = Vec::new();
        let mut each = |row: &dyn Row| {
            found.push(map(row)?);
            Ok(())
        };
        self.query(before, &statement, &mut each).await?;
        Ok(found)
    }

    /// Runs statements without rows in one round trip.
    pub async fn run(&mut self, statements: Vec<Statement>) -> Result<()> {
        match self {
            Self::Reader(_) => Err(Error::Broken("a reader cannot change anything".to_owned())),
            Self::Writer(writer) => writer.run_blocking(statements).await,
            Self::Session(session) => session.query(statements, None).await,
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
            Self::Reader(_) => Err(Error::Broken("a reader cannot change anything".to_owned())),
            Self::Writer(writer) => writer.commit(statements).await,
            Self::Session(session) => session.commit(statements).await,
        }
    }

    /// Whether it is PostgreSQL: several transactions write at once, and each query is a round trip.
    pub fn is_postgres(&self) -> bool {
        matches!(self, Self::Session(_))
    }
}
