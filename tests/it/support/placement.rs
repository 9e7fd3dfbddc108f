//! Where roles run and where data lies: every journey passes in all four combinations.

use std::path::Path;

use super::postgres::PostgresDatabase;

/// How the roles are placed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Topology {
    /// One process, one port.
    AllInOne,
    /// A process for each role; requests go to the gateway.
    Split,
}

/// What keeps the data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Store {
    /// A file.
    Sqlite,
    /// A fresh database on the server that `scripts/test` starts.
    Postgres,
}

/// A database of one application under test; gone when dropped.
pub(crate) enum Database {
    /// The URL; the file lies in the application's directory.
    Sqlite(String),
    /// The server's database.
    Postgres(PostgresDatabase),
}

impl Database {
    /// A new, empty database.
    pub(crate) fn create(store: Store, directory: &Path) -> Self {
        match store {
            Store::Sqlite => Self::Sqlite(format!("sqlite://{}/vestibule.db", directory.display())),
            Store::Postgres => Self::Postgres(PostgresDatabase::create()),
        }
    }

    /// What stands in `database.url`.
    pub(crate) fn url(&self) -> &str {
        match self {
            Self::Sqlite(url) => url,
            Self::Postgres(database) => &database.url,
        }
    }
}
