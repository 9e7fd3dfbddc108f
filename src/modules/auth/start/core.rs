//! What serving and administering have in common: the database, the keys, the settings, and the use cases of administration.

use std::sync::Arc;

use chrono::TimeDelta;
use vestibule_migration::auth::Migrator;

use crate::{
    config::DatabaseConfig,
    kernel::{Clock, Random, StartError, units::Span},
    modules::auth::{
        adapters::{
            passwords::{CommonLists, PooledPasswords, breach_list},
            store::Store,
            tokens::{JwkClientKeys, JwtIssuer, KeyKeeper, KeyRules, SigningKeys},
        },
        api::Administration,
        application::{
            AdministerKeys, AdministerUsers, Audit, ImportUsers, Mailer, ManageClients, OAuthSettings, PasswordHasher,
            PasswordPolicy, Registration, RevocationSink, Settings, TokenSigner, oauth::IssueIdToken,
        },
        config::{self, AuthConfig},
    },
    platform::{
        database::{self, Database, DatabaseError},
        sealing::Sealer,
        tokens::SigningAlgorithm,
    },
};

/// For so long an instance may publish a set of keys that another process has just added to.
const KEYS_LAG: TimeDelta = TimeDelta::seconds(5);

/// What serving and administering have in common.
pub(super) struct Core {
    pub(super) database: Database,
    pub(super) store: Arc<Store>,
    pub(super) issuer: Arc<dyn TokenSigner>,
    pub(super) keys: Arc<SigningKeys>,
    pub(super) sealer: Arc<Sealer>,
    pub(super) passwords: Arc<dyn PasswordHasher>,
    pub(super) policy: PasswordPolicy,
    pub(super) settings: Arc<Settings>,
}

impl Core {
    pub(super) async fn open(
        config: &AuthConfig,
        database: &DatabaseConfig,
        clock: &Arc<dyn Clock>,
        random: &Arc<dyn Random>,
    ) -> Result<Self, StartError> {
        let faults = config::check(config);
        if !faults.is_empty() {
            return Err(StartError::Settings(faults));
        }
        if config.tokens.algorithm == SigningAlgorithm::HS256 {
            tracing::warn!(event = "shared_secret_in_use", reason = "HS256: whoever can verify tokens can make them");
        }
        let database = connect(config, database).await?;
        database::migrate_up::<Migrator>(&database).await.map_err(cannot("bring the database's schema up to date"))?;
        let store = Arc::new(Store::new(database.clone()));
        let settings = Arc::new(settings_of(config));
        let rules = key_rules(config, &settings)?;
        let sealer = rules.sealer.clone();
        let keys = SigningKeys::load((*store).clone(), rules, clock.clone(), &**random).await;
        let keys = Arc::new(keys.map_err(cannot("load the signing keys"))?);
        let issuer = JwtIssuer::new(keys.clone(), settings.clone(), clock.clone(), random.clone());
        let passwords = PooledPasswords::start(&config.password).map_err(cannot("start password hashing"))?;
        let breaches = config.password.breach_list.as_ref().map(breach_list).transpose();
        let policy = PasswordPolicy {
            common: Arc::new(CommonLists),
            breaches: breaches.map_err(cannot("open the list of breaches"))?,
            breaches_fail_open: config.password.breach_list.as_ref().is_some_and(|list| list.fail_open),
        };
        Ok(Self {
            database,
            store,
            issuer: Arc::new(issuer),
            keys,
            sealer,
            passwords: Arc::new(passwords),
            policy,
            settings,
        })
    }

    pub(super) fn id_tokens(&self, clock: &Arc<dyn Clock>) -> IssueIdToken {
        IssueIdToken { issuer: self.issuer.clone(), clock: clock.clone(), settings: self.settings.clone() }
    }

    /// The same, with so many mails that may wait.
    pub(super) fn with_mails(self, most: u32) -> Self {
        Self { store: Arc::new(Store::with_outbox(self.database.clone(), u64::from(most))), ..self }
    }

    pub(super) fn audit(&self, clock: &Arc<dyn Clock>, random: &Arc<dyn Random>) -> Audit {
        Audit { store: self.store.clone(), clock: clock.clone(), random: random.clone() }
    }

    pub(super) fn administer_keys(&self, clock: &Arc<dyn Clock>, random: &Arc<dyn Random>) -> AdministerKeys {
        let keys = KeyKeeper { keys: self.keys.clone(), random: random.clone() };
        AdministerKeys { keys: Arc::new(keys), audit: self.audit(clock, random) }
    }

    pub(super) fn clients(
        &self,
        revocations: Arc<dyn RevocationSink>,
        clock: &Arc<dyn Clock>,
        random: &Arc<dyn Random>,
    ) -> ManageClients {
        ManageClients {
            clients: self.store.clone(),
            roles: self.store.clone(),
            keys: Arc::new(JwkClientKeys),
            digests: self.issuer.clone(),
            revocations,
            audit: self.audit(clock, random),
            clock: clock.clone(),
            random: random.clone(),
            settings: self.settings.clone(),
        }
    }

    pub(super) fn administer_users(
        &self,
        revocations: Arc<dyn RevocationSink>,
        mailer: &Arc<dyn Mailer>,
        clock: &Arc<dyn Clock>,
        random: &Arc<dyn Random>,
    ) -> AdministerUsers {
        AdministerUsers {
            users: self.store.clone(),
            directory: self.store.clone(),
            roles: self.store.clone(),
            passwords: self.passwords.clone(),
            policy: self.policy.clone(),
            tokens: self.issuer.clone(),
            revocations,
            mailer: mailer.clone(),
            audit: self.audit(clock, random),
            clock: clock.clone(),
            random: random.clone(),
            settings: self.settings.clone(),
        }
    }

    pub(super) fn import_users(&self, clock: &Arc<dyn Clock>, random: &Arc<dyn Random>) -> ImportUsers {
        ImportUsers {
            users: self.store.clone(),
            roles: self.store.clone(),
            passwords: self.passwords.clone(),
            audit: self.audit(clock, random),
            clock: clock.clone(),
            random: random.clone(),
            settings: self.settings.clone(),
        }
    }

    pub(super) fn administration(
        &self,
        revocations: Arc<dyn RevocationSink>,
        mailer: &Arc<dyn Mailer>,
        clock: &Arc<dyn Clock>,
        random: &Arc<dyn Random>,
    ) -> Administration {
        Administration {
            users: Arc::new(self.administer_users(revocations.clone(), mailer, clock, random)),
            import: Arc::new(self.import_users(clock, random)),
            keys: Arc::new(self.administer_keys(clock, random)),
            clients: Arc::new(self.clients(revocations, clock, random)),
        }
    }
}

/// What the signing keys are kept and used by.
fn key_rules(config: &AuthConfig, settings: &Settings) -> Result<KeyRules, StartError> {
    let sealer = Sealer::new(config.master_key.as_deref(), &config.previous_master_keys);
    let sealer = sealer.map_err(|fault| cannot("read the master keys")(fault.detail))?;
    let is_asymmetric = config.tokens.algorithm != SigningAlgorithm::HS256;
    if is_asymmetric && !sealer.is_on() && !is_development(&config.issuer) {
        tracing::warn!(event = "private_keys_in_clear", reason = "auth.master_key is not set");
    }
    Ok(KeyRules {
        algorithm: config.tokens.algorithm,
        secret: config.tokens.secret.clone(),
        publish_delay: delta(config.tokens.key_publish_delay),
        longest_token: settings.access_ttl.max(settings.refresh_ttl),
        sealer: Arc::new(sealer),
    })
}

/// Whether the front door is one of this machine's own, where secrets are nobody else's business.
fn is_development(issuer: &str) -> bool {
    let host =
        issuer.parse::<actix_web::http::Uri>().ok().and_then(|uri| uri.host().map(str::to_owned)).unwrap_or_default();
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<std::net::IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

pub(super) async fn connect(config: &AuthConfig, database: &DatabaseConfig) -> Result<Database, StartError> {
    let database = config.database.as_ref().unwrap_or(database);
    let connected: Result<_, DatabaseError> = Database::connect(&database.url, database.max_connections).await;
    connected.map_err(cannot("open the database"))
}

pub(super) fn cannot<E: std::fmt::Display>(what: &'static str) -> impl Fn(E) -> StartError {
    move |error| StartError::Failed(format!("cannot {what}: {error}"))
}

pub(super) fn delta(span: Span) -> TimeDelta {
    TimeDelta::from_std(span.get()).unwrap_or(TimeDelta::MAX)
}

fn settings_of(config: &AuthConfig) -> Settings {
    Settings {
        issuer: config.issuer.clone(),
        audience: config.tokens.audience.clone(),
        require_verified_email: config.require_verified_email,
        registration: match config.registration {
            config::Registration::Open => Registration::Open,
            config::Registration::Closed => Registration::Closed,
        },
        min_password_length: config.password.min_length,
        access_ttl: delta(config.tokens.access_ttl),
        refresh_ttl: delta(config.tokens.refresh_ttl),
        session_ttl: delta(config.tokens.session_ttl),
        refresh_reuse_leeway: delta(config.tokens.refresh_reuse_leeway),
        step_up_max_age: delta(config.step_up.max_age),
        keys_max_age: (delta(config.tokens.key_publish_delay) - KEYS_LAG)
            .clamp(TimeDelta::zero(), TimeDelta::minutes(5)),
        oauth: OAuthSettings {
            resources: config.oauth.resources.clone(),
            signing_algorithm: config.tokens.algorithm.as_str(),
            assertion_max_lifetime: delta(config.oauth.assertion_max_lifetime),
            code_ttl: delta(config.oauth.code_ttl),
            interaction_ttl: delta(config.oauth.interaction_ttl),
            pushed_request_ttl: delta(config.oauth.pushed_request_ttl),
            require_pushed_requests: config.oauth.require_pushed_requests,
            device_ttl: delta(config.oauth.device_ttl),
            device_interval: u32::try_from(config.oauth.device_interval.get().as_secs()).unwrap_or(u32::MAX),
            browser_idle: delta(config.oauth.browser_idle),
            browser_ttl: delta(config.oauth.browser_ttl),
        },
    }
}
