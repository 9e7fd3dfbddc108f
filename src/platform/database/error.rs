//! Why a database call failed, in the few ways that matter to callers.

use sea_orm::{DbErr, RuntimeErr, SqlErr, sqlx};

use crate::kernel::ErrorKind;

/// A failed database call.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DatabaseError {
    /// The database is gone, full, too slow or too busy; worth another try.
    #[error("{0}")]
    Unavailable(String),
    /// A uniqueness or a reference would be broken.
    #[error("{0}")]
    Conflict(String),
    /// A fault of ours.
    #[error("{0}")]
    Internal(String),
}

impl DatabaseError {
    /// The kind.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Unavailable(_) => ErrorKind::Unavailable,
            Self::Conflict(_) => ErrorKind::Conflict,
            Self::Internal(_) => ErrorKind::Internal,
        }
    }
}

impl From<DbErr> for DatabaseError {
    fn from(fault: DbErr) -> Self {
        let text = fault.to_string();
        if matches!(
            fault.sql_err(),
            Some(SqlErr::UniqueConstraintViolation(_) | SqlErr::ForeignKeyConstraintViolation(_))
        ) {
            return Self::Conflict(text);
        }
        if is_contention(&fault) || is_absence(&fault) { Self::Unavailable(text) } else { Self::Internal(text) }
    }
}

/// The call lost against another one; trying again may win.
pub(super) fn is_contention(fault: &DbErr) -> bool {
    match driver_code(fault).as_deref() {
        // PostgreSQL: serialization failure, deadlock.
        Some("40001" | "40P01") => true,
        // SQLite's extended codes keep the primary code in the low byte: busy (5), locked (6).
        Some(code) => sqlite_primary(code).is_some_and(|primary| primary == 5 || primary == 6),
        None => false,
    }
}

/// The database cannot serve now: not reachable, shutting down, out of a resource.
fn is_absence(fault: &DbErr) -> bool {
    if let Some(code) = driver_code(fault) {
        // SQLite: read-only (8), IO (10), full (13), cannot open (14).
        let sqlite = sqlite_primary(&code).is_some_and(|primary| matches!(primary, 8 | 10 | 13 | 14));
        // PostgreSQL: connection exceptions, insufficient resources, operator intervention, read-only transaction.
        let postgres = ["08", "53", "57P", "57014", "25006"].iter().any(|class| code.starts_with(class));
        return sqlite || (code.len() == 5 && postgres);
    }
    match fault {
        DbErr::ConnectionAcquire(_) | DbErr::Conn(_) => true,
        DbErr::Exec(RuntimeErr::SqlxError(error)) | DbErr::Query(RuntimeErr::SqlxError(error)) => matches!(
            **error,
            sqlx::Error::Io(_)
                | sqlx::Error::Tls(_)
                | sqlx::Error::Protocol(_)
                | sqlx::Error::PoolTimedOut
                | sqlx::Error::PoolClosed
                | sqlx::Error::WorkerCrashed
        ),
        _ => false,
    }
}

/// The driver's code: five characters from PostgreSQL, a decimal number from SQLite.
fn driver_code(fault: &DbErr) -> Option<String> {
    let (DbErr::Exec(error) | DbErr::Query(error) | DbErr::Conn(error)) = fault else { return None };
    let RuntimeErr::SqlxError(error) = error else { return None };
    error.as_database_error()?.code().map(std::borrow::Cow::into_owned)
}

fn sqlite_primary(code: &str) -> Option<u32> {
    if code.len() == 5 {
        return None;
    }
    code.parse::<u32>().ok().map(|code| code & 0xff)
}
