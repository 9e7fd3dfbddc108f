//! Opens the pools.

use std::{fs, io, path::Path, time::Duration};

use sea_orm::{
    ConnectOptions, DatabaseConnection,
    sqlx::sqlite::{SqliteJournalMode, SqliteSynchronous},
};

use super::{Database, DatabaseError};

/// How long a call waits for a free connection.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(3);
/// How long a SQLite connection waits for another process's lock.
const BUSY_TIMEOUT: Duration = Duration::from_secs(3);

pub(super) async fn connect(url: &str, max_connections: u32) -> Result<Database, DatabaseError> {
    if url.starts_with("sqlite:") {
        return sqlite(url, max_connections).await;
    }
    if crate::platform::HAS_POSTGRES && (url.starts_with("postgres://") || url.starts_with("postgresql://")) {
        return postgres(url, max_connections).await;
    }
    Err(DatabaseError::Internal("a database URL begins with sqlite:// or postgres://".to_owned()))
}

/// One writer and several readers: SQLite has one writer anyway, and waiting for it in our queue is fair and has a deadline.
async fn sqlite(url: &str, max_connections: u32) -> Result<Database, DatabaseError> {
    let path = url.trim_start_matches("sqlite:").trim_start_matches("//").split('?').next().unwrap_or_default();
    create_file(Path::new(path))
        .map_err(|error| DatabaseError::Unavailable(format!("cannot create the database file {path}: {error}")))?;
    let mut writing = options(url, 1);
    writing.map_sqlx_sqlite_opts(|options| {
        options
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(BUSY_TIMEOUT)
            .foreign_keys(true)
    });
    let mut reading = options(url, max_connections.max(1));
    reading.map_sqlx_sqlite_opts(|options| options.busy_timeout(BUSY_TIMEOUT).pragma("query_only", "ON"));
    // The writer first: it turns the write-ahead log on, which two processes cannot do in the same moment.
    let writer = patiently(writing).await?;
    let reader = patiently(reading).await?;
    Ok(Database { reader, writer })
}

async fn postgres(url: &str, max_connections: u32) -> Result<Database, DatabaseError> {
    let mut options = options(url, max_connections.max(2));
    options.set_application_name("vestibule");
    let pool = patiently(options).await?;
    Ok(Database { reader: pool.clone(), writer: pool })
}

fn options(url: &str, max_connections: u32) -> ConnectOptions {
    let mut options = ConnectOptions::new(url);
    options
        .max_connections(max_connections)
        .min_connections(1)
        .connect_timeout(ACQUIRE_TIMEOUT)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .test_before_acquire_if_idle_for(Duration::from_secs(1))
        .sqlx_logging(false);
    options
}

/// Connects; a database that is busy, as while another instance creates it, is asked a few times.
async fn patiently(options: ConnectOptions) -> Result<DatabaseConnection, DatabaseError> {
    let mut tries = 0;
    loop {
        match sea_orm::Database::connect(options.clone()).await {
            Err(fault) if tries < 5 && super::error::is_contention(&fault) => {
                tries += 1;
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            outcome => return outcome.map_err(DatabaseError::from),
        }
    }
}

/// Creates the file for its owner alone, since it holds password hashes and signing keys.
fn create_file(path: &Path) -> io::Result<()> {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        fs::create_dir_all(folder)?;
    }
    let mut options = fs::OpenOptions::new();
    options.create(true).append(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map(drop)
}
