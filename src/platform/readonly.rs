//! Databases that are only asked: read-only, bounded in time and rows, rows as JSON objects. Connections are opened when they
//! are first needed.

mod postgres;
mod sqlite;

use std::time::Duration;

/// What a question may cost.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// The most rows.
    pub rows: usize,
    /// The most bytes of JSON.
    pub bytes: usize,
    /// Until the last row, waiting for a connection included.
    pub timeout: Duration,
}

/// Why a question was not answered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReadFault {
    /// It took too long.
    #[error("no answer in time")]
    Timeout,
    /// More rows than allowed.
    #[error("more than {0} rows")]
    TooMany(usize),
    /// More bytes than allowed.
    #[error("the answer is too large")]
    TooLarge,
    /// The database is not there.
    #[error("the database cannot be reached")]
    Unavailable,
    /// The database refuses the question; its words are for the log.
    #[error("the database refuses the question")]
    Refused(String),
    /// A column of a kind that JSON has nothing for.
    #[error("the column `{0}` cannot be written as JSON")]
    Column(String),
}

/// A database that is only asked.
#[derive(Debug)]
pub struct ReadOnly(Kind);

#[derive(Debug)]
enum Kind {
    Sqlite(Box<sqlite::Sqlite>),
    Postgres(postgres::Postgres),
}

impl ReadOnly {
    /// For the database at `url`; nothing is opened yet. The error says what is wrong with the URL.
    pub fn new(url: &str, max_connections: u32) -> Result<Self, String> {
        if url.starts_with("sqlite:") {
            return sqlite::Sqlite::new(url, max_connections).map(|database| Self(Kind::Sqlite(Box::new(database))));
        }
        if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            return Ok(Self(Kind::Postgres(postgres::Postgres::new(url, max_connections))));
        }
        Err("a database URL begins with sqlite:// or postgres://".to_owned())
    }

    /// What places in a question begin with, before their number.
    pub const fn mark(&self) -> char {
        match self.0 {
            Kind::Sqlite(_) => '?',
            Kind::Postgres(_) => '$',
        }
    }

    /// The rows as a JSON array of objects. `question` is trusted and has numbered places; `values` are bound to them, as
    /// texts.
    pub async fn rows(&self, question: &str, values: &[String], bounds: Bounds) -> Result<String, ReadFault> {
        let asked = async {
            match &self.0 {
                Kind::Sqlite(database) => database.rows(question, values, bounds).await,
                Kind::Postgres(database) => database.rows(question, values, bounds).await,
            }
        };
        tokio::time::timeout(bounds.timeout, asked).await.unwrap_or(Err(ReadFault::Timeout))
    }
}

/// A growing array.
struct Rows {
    text: String,
    count: usize,
    bounds: Bounds,
}

impl Rows {
    fn new(bounds: Bounds) -> Self {
        Self { text: "[".to_owned(), count: 0, bounds }
    }

    fn push(&mut self, row: &str) -> Result<(), ReadFault> {
        if self.count == self.bounds.rows {
            return Err(ReadFault::TooMany(self.bounds.rows));
        }
        if self.text.len() + row.len() + 2 > self.bounds.bytes {
            return Err(ReadFault::TooLarge);
        }
        if self.count > 0 {
            self.text.push(',');
        }
        self.text.push_str(row);
        self.count += 1;
        Ok(())
    }

    fn end(mut self) -> String {
        self.text.push(']');
        self.text
    }
}

#[cfg(test)]
mod tests;
