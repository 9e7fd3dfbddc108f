//! The database: SQLite or PostgreSQL behind the same code. Every call has a deadline, so that a database that is gone is
//! an answer (503) and never a hang; contention is retried; every call is timed.

mod connect;
mod error;
mod health;
mod migrations;

use std::{sync::Arc, time::Duration};

use sea_orm::{
    DatabaseConnection, DatabaseTransaction, DbErr, SqliteTransactionMode, TransactionOptions, TransactionTrait as _,
};

pub use error::DatabaseError;
pub use migrations::{AppliedMigration, migrate_down, migrate_up, migration_status};

use crate::platform::http::HealthProbe;

/// How long a call may take, waiting for a connection included.
const CALL_DEADLINE: Duration = Duration::from_secs(4);
/// How often a call is tried that lost against another (a serialization failure, a deadlock, a busy file).
const TRIES: u32 = 4;

/// A pool of connections. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Database {
    reader: DatabaseConnection,
    writer: DatabaseConnection,
}

impl Database {
    /// Opens the database at `url` (`sqlite://FILE` or `postgres://…`). A SQLite file and its folder are created when they
    /// do not exist.
    pub async fn connect(url: &str, max_connections: u32) -> Result<Self, DatabaseError> {
        connect::connect(url, max_connections).await
    }

    /// The connections for reading.
    pub fn reader(&self) -> &DatabaseConnection {
        &self.reader
    }

    /// Begins a transaction that writes. On SQLite there is one at a time in this process, and it holds the file's lock
    /// from its beginning, so it cannot fail half way for a lock.
    pub async fn begin(&self) -> Result<DatabaseTransaction, DbErr> {
        let options = TransactionOptions {
            sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
            ..TransactionOptions::default()
        };
        self.writer.begin_with_options(options).await
    }

    /// Runs one operation against the database: bounded in time, tried again on contention, timed under its name. The
    /// operation MUST be a whole transaction, or a read, so that trying again is harmless.
    pub async fn run<T, F, Fut>(&self, operation: &'static str, work: F) -> Result<T, DatabaseError>
    where
        F: Fn() -> Fut + Send,
        Fut: Future<Output = Result<T, DbErr>> + Send,
    {
        let started = tokio::time::Instant::now();
        let outcome = tokio::time::timeout(CALL_DEADLINE, retried(work)).await;
        let outcome = outcome.unwrap_or_else(|_| {
            Err(DatabaseError::Unavailable(format!("the database did not answer {operation} within its deadline")))
        });
        metrics::histogram!("database_query_duration_seconds", "operation" => operation).record(started.elapsed());
        outcome
    }

    /// A probe for readiness.
    pub fn probe(&self) -> Arc<dyn HealthProbe> {
        Arc::new(health::DatabaseProbe(self.clone()))
    }

    /// Closes every connection; a SQLite write-ahead log is folded into its file.
    pub async fn close(&self) {
        for connection in [&self.reader, &self.writer] {
            if let Err(error) = connection.clone().close().await {
                tracing::warn!(event = "database_close_failed", %error);
            }
        }
    }
}

async fn retried<T, F, Fut>(work: F) -> Result<T, DatabaseError>
where
    F: Fn() -> Fut,
    Fut: Future<Output = Result<T, DbErr>>,
{
    let mut tries = 1;
    loop {
        match work().await {
            Err(fault) if tries < TRIES && error::is_contention(&fault) => {
                tokio::time::sleep(Duration::from_millis(10) * 2u32.pow(tries)).await;
                tries += 1;
            }
            outcome => return outcome.map_err(DatabaseError::from),
        }
    }
}
