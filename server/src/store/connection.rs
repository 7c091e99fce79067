//! What a backend has to provide: statements with positional parameters, rows by
//! column, and a commit. It knows nothing of the domain.
//!
//! Statements are written once for all backends: parameters are `$1`, `$2`, ... in
//! the order of their first appearance, values are integers, text and bytes.

use super::{CheckReport, Error, Result};
use async_trait::async_trait;
use std::fmt;
use std::path::Path;

/// A parameter of a statement.
#[derive(Clone, Copy, Debug)]
pub enum Value<'a> {
    Integer(i64),
    Text(&'a str),
    Bytes(&'a [u8]),
    Null,
}

impl From<i64> for Value<'_> {
    fn from(value: i64) -> Self {
        Self::Integer(value)
    }
}

impl<'a> From<&'a str> for Value<'a> {
    fn from(value: &'a str) -> Self {
        Self::Text(value)
    }
}

impl<'a> From<&'a [u8]> for Value<'a> {
    fn from(value: &'a [u8]) -> Self {
        Self::Bytes(value)
    }
}

impl<'a, T: Into<Value<'a>>> From<Option<T>> for Value<'a> {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

/// A row of an answer. Asking a column for what it does not hold is [`super::Error::Broken`].
pub trait Row {
    fn integer(&self, column: usize) -> Result<i64>;
    fn text(&self, column: usize) -> Result<&str>;
    fn bytes(&self, column: usize) -> Result<&[u8]>;
    fn is_null(&self, column: usize) -> bool;
}

/// What a statement's rows are handed to, one by one.
pub type Each<'a> = dyn FnMut(&dyn Row) -> Result<()> + Send + 'a;

/// Where the data is: it hands out transactions.
#[async_trait]
pub trait Backend: fmt::Debug + Send + Sync {
    /// A consistent view, for reading.
    async fn read(&self) -> Result<Box<dyn Connection>>;

    /// A transaction that may write; where writers take turns, it waits for its own.
    async fn write(&self) -> Result<Box<dyn Connection>>;

    /// The same for what takes a credential away, and so must work with no room left.
    async fn write_urgently(&self) -> Result<Box<dyn Connection>> {
        self.write().await
    }

    /// Sets room aside for what has to work when there is none left, where that is this
    /// program's business.
    async fn keep_room(&self) {}

    /// Gives room back that was kept for such a case, and says whether there could be any.
    async fn make_room(&self) -> bool {
        false
    }

    /// Copies everything to a new file.
    async fn back_up(&self, target: &Path) -> Result<()> {
        Err(Error::Broken(format!(
            "only SQLite is copied to a file, so {} was not made: use pg_dump",
            target.display()
        )))
    }

    /// Looks for damage in what the database itself keeps.
    async fn check(&self) -> Result<CheckReport> {
        let sound = vec!["the database looks after its own pages: use pg_amcheck".to_owned()];
        Ok(CheckReport { sound, faults: Vec::new() })
    }
}

/// One open transaction of a backend. Dropping it undoes what was not committed.
#[async_trait]
pub trait Connection: Send {
    /// Runs a statement and hands each of its rows to `each`.
    async fn query(
        &mut self,
        statement: &'static str,
        parameters: &[Value<'_>],
        each: &mut Each<'_>,
    ) -> Result<()>;

    /// Runs a statement that changes, once for each of `rows`.
    async fn repeat(&mut self, statement: &'static str, rows: &[Vec<Value<'_>>]) -> Result<()> {
        for row in rows {
            self.query(statement, row, &mut |_| Ok(())).await?;
        }
        Ok(())
    }

    /// Runs a statement that only locks rows. Where writers take turns there is nothing to lock.
    async fn lock(&mut self, statement: &'static str, parameters: &[Value<'_>]) -> Result<()> {
        let _ = (statement, parameters);
        Ok(())
    }

    /// Has the ids that the database gives out start behind those of the rows that came with
    /// theirs. Where it does so by itself there is nothing to do.
    async fn settle(&mut self) -> Result<()> {
        Ok(())
    }

    /// Makes everything durable; it returns after the sync. It cannot be cancelled.
    ///
    /// # Errors
    /// [`super::Error::Unknown`] where it may have happened nevertheless.
    async fn commit(self: Box<Self>) -> Result<()>;
}
