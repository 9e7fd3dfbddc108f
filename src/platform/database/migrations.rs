//! Applies schema migrations, all or none. Instances that start together wait for each other: on PostgreSQL by an advisory
//! lock, on SQLite by the file's lock; a process that is killed on the way leaves nothing behind but the next one's work.

use std::time::Duration;

use sea_orm::{ConnectionTrait as _, DatabaseTransaction, DbBackend, DbErr};
use vestibule_migration::sea_orm_migration::{Migration, MigrationStatus, MigratorTrait};

use super::{Database, DatabaseError, error};

/// The advisory lock's number: "vestib" in ASCII.
const LOCK: i64 = 0x7665_7374_6962;
/// How long to wait for another instance's migrations.
const DEADLINE: Duration = Duration::from_mins(2);

/// One migration, and whether the database has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AppliedMigration {
    /// The migration's name.
    pub name: String,
    /// Whether it is applied.
    pub applied: bool,
}

/// Applies every migration that is missing.
pub async fn migrate_up<M: MigratorTrait>(database: &Database) -> Result<(), DatabaseError> {
    locked(database, async |transaction| M::up(transaction, None).await).await
}

/// Takes the newest migration back.
pub async fn migrate_down<M: MigratorTrait>(database: &Database) -> Result<(), DatabaseError> {
    locked(database, async |transaction| M::down(transaction, Some(1)).await).await
}

/// Every migration in its order.
pub async fn migration_status<M: MigratorTrait>(database: &Database) -> Result<Vec<AppliedMigration>, DatabaseError> {
    let migrations = M::get_migration_with_status_read_only(database.reader()).await?;
    let describe = |migration: Migration| AppliedMigration {
        name: migration.name().to_owned(),
        applied: migration.status() == MigrationStatus::Applied,
    };
    Ok(migrations.into_iter().map(describe).collect())
}

async fn locked(
    database: &Database,
    work: impl AsyncFn(&DatabaseTransaction) -> Result<(), DbErr>,
) -> Result<(), DatabaseError> {
    let patient = async {
        loop {
            match attempt(database, &work).await {
                // Another process holds the file for longer than a connection waits.
                Err(fault) if error::is_contention(&fault) => tokio::time::sleep(Duration::from_millis(100)).await,
                outcome => return outcome,
            }
        }
    };
    match tokio::time::timeout(DEADLINE, patient).await {
        Ok(outcome) => outcome.map_err(DatabaseError::from),
        Err(_) => Err(DatabaseError::Unavailable("another instance has been migrating for too long".to_owned())),
    }
}

async fn attempt(
    database: &Database,
    work: &impl AsyncFn(&DatabaseTransaction) -> Result<(), DbErr>,
) -> Result<(), DbErr> {
    let transaction = database.begin().await?;
    if transaction.get_database_backend() == DbBackend::Postgres {
        transaction.execute_unprepared(&format!("SELECT pg_advisory_xact_lock({LOCK})")).await?;
    }
    work(&transaction).await?;
    transaction.commit().await
}
