//! PostgreSQL that is only asked. It writes the JSON itself, which keeps its numbers exact.

use std::time::Duration;

use sea_orm::{
    AccessMode, ConnectOptions, ConnectionTrait as _, DatabaseConnection, DbBackend, DbErr, RuntimeErr, Statement,
    TransactionTrait as _, Value, sqlx,
};
use tokio::sync::OnceCell;

use super::{Bounds, ReadFault, Rows};

#[derive(Debug)]
pub(super) struct Postgres {
    url: String,
    max_connections: u32,
    pool: OnceCell<DatabaseConnection>,
}

impl Postgres {
    pub(super) fn new(url: &str, max_connections: u32) -> Self {
        Self { url: url.to_owned(), max_connections: max_connections.max(1), pool: OnceCell::new() }
    }

    pub(super) async fn rows(&self, question: &str, values: &[String], bounds: Bounds) -> Result<String, ReadFault> {
        let pool = self.pool.get_or_try_init(async || self.connect().await).await.map_err(|fault| told(&fault))?;
        let reading = pool.begin_with_config(None, Some(AccessMode::ReadOnly)).await.map_err(|fault| told(&fault))?;
        // The server gives up too when the time is over.
        let patience = format!("SET LOCAL statement_timeout = {}", bounds.timeout.as_millis().clamp(1, 3_600_000));
        reading.execute_unprepared(&patience).await.map_err(|fault| told(&fault))?;
        let most = bounds.rows.saturating_add(1);
        let question = format!("SELECT row_to_json(found)::text FROM ({question}\n) AS found LIMIT {most}");
        let values = values.iter().map(|value| Value::from(value.as_str()));
        let question = Statement::from_sql_and_values(DbBackend::Postgres, question, values);
        let found = reading.query_all_raw(question).await.map_err(|fault| told(&fault))?;
        let mut rows = Rows::new(bounds);
        for row in found {
            rows.push(&row.try_get_by_index::<String>(0).map_err(|fault| told(&fault))?)?;
        }
        // There is nothing to commit; the end of the transaction is the end of its reading.
        let _ = reading.rollback().await;
        Ok(rows.end())
    }

    async fn connect(&self) -> Result<DatabaseConnection, DbErr> {
        let mut options = ConnectOptions::new(&self.url);
        options
            .max_connections(self.max_connections)
            .min_connections(0)
            .connect_lazy(true)
            .acquire_timeout(Duration::from_secs(3))
            .sqlx_logging(false)
            .set_application_name("vestibule aggregation");
        sea_orm::Database::connect(options).await
    }
}

fn told(fault: &DbErr) -> ReadFault {
    match fault {
        DbErr::ConnectionAcquire(_) | DbErr::Conn(_) => ReadFault::Unavailable,
        DbErr::Query(RuntimeErr::SqlxError(fault)) | DbErr::Exec(RuntimeErr::SqlxError(fault)) => match &**fault {
            // query_canceled: the statement's time is over.
            sqlx::Error::Database(fault) if fault.code().as_deref() == Some("57014") => ReadFault::Timeout,
            sqlx::Error::Io(_) | sqlx::Error::PoolTimedOut => ReadFault::Unavailable,
            fault => ReadFault::Refused(fault.to_string()),
        },
        fault => ReadFault::Refused(fault.to_string()),
    }
}
