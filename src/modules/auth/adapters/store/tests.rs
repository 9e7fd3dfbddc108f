//! The suites, on each store.

use std::sync::Arc;

use sea_orm::{ConnectionTrait as _, EntityTrait as _};
use vestibule_migration::auth::Migrator;

use super::{KeptKey, Store, memory::MemoryStore, suite};
use crate::{
    modules::auth::{
        application::{
            AuthorizationCodeRepository, BrowserSessionRepository, ClientRepository, ConsentRepository,
            DeviceGrantRepository, InteractionRepository, SessionRepository, UserRepository,
        },
        domain::SigningKey,
    },
    platform::database::{Database, migrate_down, migrate_up, migration_status},
};

async fn sqlite(folder: &tempfile::TempDir) -> Database {
    let url = format!("sqlite://{}/new/auth.db", folder.path().display());
    let database = Database::connect(&url, 8).await.unwrap();
    migrate_up::<Migrator>(&database).await.unwrap();
    database
}

/// A schema of its own in the database that the environment names.
async fn postgres(schema: &str) -> Database {
    #[expect(clippy::disallowed_methods, reason = "the test environment is told by variables")]
    let url = std::env::var("VESTIBULE_TEST_POSTGRES").expect("VESTIBULE_TEST_POSTGRES names no PostgreSQL");
    let plain = Database::connect(&url, 2).await.unwrap();
    let prepare = format!("DROP SCHEMA IF EXISTS {schema} CASCADE; CREATE SCHEMA {schema}");
    plain.reader().execute_unprepared(&prepare).await.unwrap();
    let separator = if url.contains('?') { '&' } else { '?' };
    let url = format!("{url}{separator}options=-c%20search_path%3D{schema}");
    let database = Database::connect(&url, 8).await.unwrap();
    migrate_up::<Migrator>(&database).await.unwrap();
    database
}

#[tokio::test]
async fn in_memory() {
    suite::users(Arc::new(MemoryStore::default())).await;
    suite::sessions(Arc::new(MemoryStore::default())).await;
    suite::audit(Arc::new(MemoryStore::default())).await;
    suite::api_keys(Arc::new(MemoryStore::default())).await;
    suite::roles(Arc::new(MemoryStore::default())).await;
    suite::directory(Arc::new(MemoryStore::default())).await;
    suite::idempotency(Arc::new(MemoryStore::default())).await;
    suite::second_factors(Arc::new(MemoryStore::default())).await;
    suite::attempts(Arc::new(MemoryStore::default())).await;
    suite::clients::clients(Arc::new(MemoryStore::default())).await;
    suite::user_import::user_import(Arc::new(MemoryStore::default())).await;
    suite::passkeys::passkeys(Arc::new(MemoryStore::default())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn on_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    suite::users(Arc::new(Store::new(sqlite(&folder).await))).await;
    let folder = tempfile::tempdir().unwrap();
    suite::sessions(Arc::new(Store::new(sqlite(&folder).await))).await;
    let folder = tempfile::tempdir().unwrap();
    suite::audit(Arc::new(Store::new(sqlite(&folder).await))).await;
    let folder = tempfile::tempdir().unwrap();
    suite::api_keys(Arc::new(Store::new(sqlite(&folder).await))).await;
    suite::roles(Arc::new(Store::new(sqlite(&folder).await))).await;
    let folder = tempfile::tempdir().unwrap();
    suite::directory(Arc::new(Store::new(sqlite(&folder).await))).await;
    let folder = tempfile::tempdir().unwrap();
    suite::idempotency(Arc::new(Store::new(sqlite(&folder).await))).await;
    suite::second_factors(Arc::new(Store::new(sqlite(&folder).await))).await;
    suite::attempts(Arc::new(Store::new(sqlite(&folder).await))).await;
    let folder = tempfile::tempdir().unwrap();
    suite::clients::clients(Arc::new(Store::new(sqlite(&folder).await))).await;
    let folder = tempfile::tempdir().unwrap();
    suite::user_import::user_import(Arc::new(Store::new(sqlite(&folder).await))).await;
    let folder = tempfile::tempdir().unwrap();
    suite::passkeys::passkeys(Arc::new(Store::new(sqlite(&folder).await))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn on_postgres() {
    suite::users(Arc::new(Store::new(postgres("suite_users").await))).await;
    suite::sessions(Arc::new(Store::new(postgres("suite_sessions").await))).await;
    suite::audit(Arc::new(Store::new(postgres("suite_audit").await))).await;
    suite::api_keys(Arc::new(Store::new(postgres("suite_api_keys").await))).await;
    suite::roles(Arc::new(Store::new(postgres("suite_roles").await))).await;
    suite::directory(Arc::new(Store::new(postgres("suite_directory").await))).await;
    suite::idempotency(Arc::new(Store::new(postgres("suite_idempotency").await))).await;
    suite::second_factors(Arc::new(Store::new(postgres("suite_second_factors").await))).await;
    suite::attempts(Arc::new(Store::new(postgres("suite_attempts").await))).await;
    suite::clients::clients(Arc::new(Store::new(postgres("suite_clients").await))).await;
    suite::user_import::user_import(Arc::new(Store::new(postgres("suite_import").await))).await;
    suite::passkeys::passkeys(Arc::new(Store::new(postgres("suite_passkeys").await))).await;
}

/// The suites about what users allow clients, each on a store of its own.
async fn authorizations<S, F: Future<Output = Arc<S>>>(store: impl Fn(&'static str) -> F)
where
    S: UserRepository
        + SessionRepository
        + BrowserSessionRepository
        + InteractionRepository
        + AuthorizationCodeRepository
        + ClientRepository
        + ConsentRepository
        + ClientRepository
        + DeviceGrantRepository
        + 'static,
{
    suite::authorizations::browsers(store("suite_browsers").await).await;
    suite::authorizations::interactions(store("suite_interactions").await).await;
    suite::authorizations::codes(store("suite_codes").await).await;
    suite::authorizations::consents(store("suite_consents").await).await;
    suite::authorizations::devices(store("suite_devices").await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn authorizations_in_memory() {
    authorizations(|_| async { Arc::new(MemoryStore::default()) }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn authorizations_on_sqlite() {
    let folders: [tempfile::TempDir; 5] = std::array::from_fn(|_| tempfile::tempdir().unwrap());
    let next = std::sync::atomic::AtomicUsize::new(0);
    let folder = || &folders[next.fetch_add(1, std::sync::atomic::Ordering::Relaxed)];
    authorizations(|_| async { Arc::new(Store::new(sqlite(folder()).await)) }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn authorizations_on_postgres() {
    authorizations(|schema| async move { Arc::new(Store::new(postgres(schema).await)) }).await;
}

async fn only_one_key_becomes_active(database: Database) {
    let store = Store::new(database);
    let key = |kid: &str| KeptKey {
        key: SigningKey {
            kid: kid.to_owned(),
            algorithm: "ES256".to_owned(),
            created_at: chrono::DateTime::UNIX_EPOCH,
            signs_from: chrono::DateTime::UNIX_EPOCH,
            used_at: None,
            retired_at: None,
        },
        is_newest: true,
        private_key: zeroize::Zeroizing::new(vec![1]),
        public_jwk: "{}".to_owned(),
    };
    let (one, two) = (key("one"), key("two"));
    let (first, second) = tokio::join!(store.offer_key(&one), store.offer_key(&two));
    first.unwrap();
    second.unwrap();
    assert_eq!(store.keys().await.unwrap().iter().filter(|key| key.is_newest).count(), 1);
}

async fn migrations_go_up_and_down(database: &Database) {
    let applied = || async { migration_status::<Migrator>(database).await.unwrap().iter().all(|m| m.applied) };
    assert!(applied().await);
    migrate_down::<Migrator>(database).await.unwrap();
    assert!(!applied().await);
    let (one, two) = tokio::join!(migrate_up::<Migrator>(database), migrate_up::<Migrator>(database));
    one.unwrap();
    two.unwrap();
    assert!(applied().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_and_migrations_on_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    let database = sqlite(&folder).await;
    migrations_go_up_and_down(&database).await;
    only_one_key_becomes_active(database).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_and_migrations_on_postgres() {
    let database = postgres("suite_keys").await;
    migrations_go_up_and_down(&database).await;
    only_one_key_becomes_active(database).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_instances_migrate_one_file_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let (one, two) = tokio::join!(sqlite(&folder), sqlite(&folder));
    assert!(migration_status::<Migrator>(&one).await.unwrap().iter().all(|m| m.applied));
    two.close().await;
    one.close().await;
}

/// Whoever has the database's password for the product cannot quietly change what the audit log says.
async fn the_audit_log_refuses_changes(database: Database) {
    let store = Arc::new(Store::new(database.clone()));
    suite::audit(store).await;
    for statement in ["UPDATE audit_entries SET action = 'nothing'", "DELETE FROM audit_entries"] {
        let transaction = database.begin().await.unwrap();
        let refused = transaction.execute_unprepared(statement).await.unwrap_err();
        assert!(refused.to_string().contains("append-only"), "{refused}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_audit_log_is_append_only_on_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    the_audit_log_refuses_changes(sqlite(&folder).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_audit_log_is_append_only_on_postgres() {
    the_audit_log_refuses_changes(postgres("suite_append_only").await).await;
}

async fn what_has_expired_is_purged(database: Database) {
    let store = Store::new(database);
    let (alive, ended) = suite::sessions_of_two_ages(&store).await;
    let now = chrono::DateTime::from_timestamp(1_800_000_000, 0).unwrap() + chrono::TimeDelta::days(2);
    assert_eq!(store.purge(now).await, Ok(false));
    assert!(SessionRepository::find(&store, alive).await.unwrap().is_some());
    assert!(SessionRepository::find(&store, ended).await.unwrap().is_none());
    let [alive, expired, revoked] = suite::api_keys_of_three_ages(&store).await;
    let rows = async || {
        let mut kept = Vec::new();
        for id in [alive, expired, revoked] {
            kept.push(super::entities::api_key::Entity::find_by_id(id.0).one(store.database.reader()).await.unwrap());
        }
        kept.into_iter().map(|row| row.is_some()).collect::<Vec<_>>()
    };
    let over = chrono::DateTime::from_timestamp(1_800_000_100, 0).unwrap();
    assert_eq!(store.purge_api_keys(over).await, Ok(false));
    assert_eq!(rows().await, [true, true, true], "a while after their end");
    assert_eq!(store.purge_api_keys(over + chrono::TimeDelta::seconds(200)).await, Ok(false));
    assert_eq!(rows().await, [true, false, false]);
}

#[tokio::test(flavor = "multi_thread")]
async fn purging_on_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    what_has_expired_is_purged(sqlite(&folder).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn purging_on_postgres() {
    what_has_expired_is_purged(postgres("suite_purge").await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outbox_in_memory() {
    suite::outbox::outbox(Arc::new(MemoryStore::default()), super::memory::outbox::MOST as u64).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outbox_on_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    suite::outbox::outbox(Arc::new(Store::with_outbox(sqlite(&folder).await, 25)), 25).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outbox_on_postgres() {
    suite::outbox::outbox(Arc::new(Store::with_outbox(postgres("suite_outbox").await, 25)), 25).await;
}
