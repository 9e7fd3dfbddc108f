//! SQLite that is only asked.

use std::{fmt::Write as _, str::FromStr as _};

use futures_util::TryStreamExt as _;
use sea_orm::sqlx::{
    AssertSqlSafe, Column as _, Error, Row as _, TypeInfo as _, ValueRef as _,
    sqlite::{SqliteConnectOptions, SqlitePool, SqlitePoolOptions, SqliteRow},
};
use tokio::{sync::OnceCell, time::Instant};

use super::{Bounds, ReadFault, Rows};

/// How often a running question is asked whether its time is over: after so many steps of SQLite's machine.
const STEPS: i32 = 1_000;

#[derive(Debug)]
pub(super) struct Sqlite {
    options: SqliteConnectOptions,
    max_connections: u32,
    /// Made where there is a runtime.
    pool: OnceCell<SqlitePool>,
}

impl Sqlite {
    pub(super) fn new(url: &str, max_connections: u32) -> Result<Self, String> {
        let options = SqliteConnectOptions::from_str(url).map_err(|fault| fault.to_string())?;
        let options = options.create_if_missing(false).pragma("query_only", "ON");
        Ok(Self { options, max_connections: max_connections.max(1), pool: OnceCell::new() })
    }

    pub(super) async fn rows(&self, question: &str, values: &[String], bounds: Bounds) -> Result<String, ReadFault> {
        let deadline = Instant::now() + bounds.timeout;
        let make = async || {
            SqlitePoolOptions::new()
                .max_connections(self.max_connections)
                .acquire_timeout(bounds.timeout)
                .connect_lazy_with(self.options.clone())
        };
        let pool = self.pool.get_or_init(make).await;
        let mut connection = pool.acquire().await.map_err(|fault| told(&fault))?;
        // A question whose asker has gone must not go on in its thread.
        let mut handle = connection.lock_handle().await.map_err(|fault| told(&fault))?;
        handle.set_progress_handler(STEPS, move || Instant::now() < deadline);
        drop(handle);
        let mut query = sea_orm::sqlx::query(AssertSqlSafe(question.to_owned()));
        for value in values {
            query = query.bind(value.as_str());
        }
        let mut found = query.fetch(&mut *connection);
        let mut rows = Rows::new(bounds);
        while let Some(row) = found.try_next().await.map_err(|fault| told(&fault))? {
            rows.push(&object(&row)?)?;
        }
        Ok(rows.end())
    }
}

fn told(fault: &Error) -> ReadFault {
    match fault {
        Error::PoolTimedOut => ReadFault::Timeout,
        // 9: interrupted, as a question is whose time is over.
        Error::Database(fault) if fault.code().as_deref() == Some("9") => ReadFault::Timeout,
        // 14: the file cannot be opened.
        Error::Database(fault) if fault.code().as_deref() == Some("14") => ReadFault::Unavailable,
        Error::Io(_) => ReadFault::Unavailable,
        fault => ReadFault::Refused(fault.to_string()),
    }
}

/// A row by its columns; bytes are hexadecimal.
fn object(row: &SqliteRow) -> Result<String, ReadFault> {
    let mut text = String::from("{");
    for (index, column) in row.columns().iter().enumerate() {
        if index > 0 {
            text.push(',');
        }
        let unreadable = |_: Error| ReadFault::Column(column.name().to_owned());
        let value = row.try_get_raw(index).map_err(unreadable)?;
        let kind = value.type_info();
        text.push_str(&serde_json::Value::from(column.name()).to_string());
        text.push(':');
        match kind.name() {
            _ if value.is_null() => text.push_str("null"),
            // SQLite has no booleans of its own; the column says that its numbers are.
            "INTEGER" if column.type_info().name() == "BOOLEAN" => {
                text.push_str(if row.try_get_unchecked(index).map_err(unreadable)? { "true" } else { "false" });
            }
            "INTEGER" | "INT8" | "BIGINT" => {
                let number: i64 = row.try_get_unchecked(index).map_err(unreadable)?;
                let _ = write!(text, "{number}");
            }
            "REAL" => {
                let number: f64 = row.try_get_unchecked(index).map_err(unreadable)?;
                text.push_str(&serde_json::Value::from(number).to_string());
            }
            "BLOB" => {
                let bytes: &[u8] = row.try_get_unchecked(index).map_err(unreadable)?;
                text.push('"');
                for byte in bytes {
                    let _ = write!(text, "{byte:02x}");
                }
                text.push('"');
            }
            _ => {
                let content: &str = row.try_get_unchecked(index).map_err(unreadable)?;
                text.push_str(&serde_json::Value::from(content).to_string());
            }
        }
    }
    text.push('}');
    Ok(text)
}
