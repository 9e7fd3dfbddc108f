//! Puts the module together: opens the database, brings its schema up to date, loads the keys, and joins use cases and
//! adapters.

#[cfg(test)]
mod journeys;

use std::{sync::Arc, time::Duration};

use actix_web::web;
use chrono::TimeDelta;
use tokio::sync::watch;
use vestibule_migration::auth::Migrator;

use super::{
    adapters::{
        attempts::MemoryAttempts,
        http::{self, UseCases},
        mail::QueuedMailer,
        passwords::{CommonLists, PooledPasswords, breach_list},
        revocation::VerifierSink,
        store::Store,
        tokens::{JwtIssuer, SigningKeys},
    },
    api::{Administration, AuthApi},
    application::{
        AdministerUsers, Audit, Authenticate, IssueTokens, LogIn, LogOut, Mailer, ManagePasswords, PasswordHasher,
        PasswordPolicy, Profile, Refresh, Register, Registration, ServeVerifiers, Sessions, Settings, TokenSigner,
        VerifyEmail,
    },
    config::{self, AuthConfig},
};
use crate::{
    config::{DatabaseConfig, MailConfig},
    kernel::{Clock, Random, SettingFault, StartError},
    platform::{
        database::{self, AppliedMigration, Database, DatabaseError},
        http::HealthProbe,
        mail::{MailQueue, MailTransport},
        tokens::{SigningAlgorithm, TokenVerifier},
    },
};

/// Between two looks for what has expired.
const PURGE_EVERY: Duration = Duration::from_mins(10);
/// Between two batches.
const PURGE_PAUSE: Duration = Duration::from_millis(200);

/// What the module needs from outside.
pub struct AuthParts<'a> {
    /// `[auth]`.
    pub config: &'a AuthConfig,
    /// `[database]`, used unless `[auth.database]` is there.
    pub database: &'a DatabaseConfig,
    /// `[mail]`.
    pub mail: &'a MailConfig,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub random: Arc<dyn Random>,
    /// This process's verifier, which learns of ended sessions at once. Its keys and the feed are the caller's business.
    pub verifier: Arc<TokenVerifier>,
}

/// The running module.
pub struct Auth {
    use_cases: Arc<UseCases>,
    administration: Administration,
    api: Arc<dyn AuthApi>,
    database: Database,
    mails: Arc<MailQueue>,
    purging: tokio::task::JoinHandle<()>,
}

/// What serving and administering have in common.
struct Core {
    database: Database,
    store: Arc<Store>,
    issuer: Arc<dyn TokenSigner>,
    passwords: Arc<dyn PasswordHasher>,
    policy: PasswordPolicy,
    settings: Arc<Settings>,
}

impl Auth {
    /// Starts the module. It needs a tokio runtime, on which its mails are sent.
    pub async fn start(parts: AuthParts<'_>) -> Result<Self, StartError> {
        let AuthParts { config, clock, random, .. } = parts;
        let transport = transport(parts.mail).map_err(StartError::Settings)?;
        let core = Core::open(config, parts.database, &clock, &random).await?;
        let mails = Arc::new(MailQueue::start(transport));
        let mailer: Arc<dyn Mailer> =
            Arc::new(QueuedMailer { queue: mails.clone(), clock: clock.clone(), random: random.clone() });
        let (revoked, revoked_here) = watch::channel(0);
        let sink = Arc::new(VerifierSink { verifier: parts.verifier.clone(), revoked });
        let tokens =
            IssueTokens { issuer: core.issuer.clone(), roles: core.store.clone(), settings: core.settings.clone() };
        let api: Arc<dyn AuthApi> = Arc::new(ServeVerifiers {
            sessions: core.store.clone(),
            issuer: core.issuer.clone(),
            clock: clock.clone(),
            revoked_here,
        });
        let attempts = Arc::new(MemoryAttempts::new(&config.lockout, clock.clone()));
        let use_cases = UseCases {
            register: Register {
                users: core.store.clone(),
                passwords: core.passwords.clone(),
                policy: core.policy.clone(),
                tokens: core.issuer.clone(),
                mailer: mailer.clone(),
                clock: clock.clone(),
                random: random.clone(),
                settings: core.settings.clone(),
            },
            verify_email: VerifyEmail {
                users: core.store.clone(),
                tokens: core.issuer.clone(),
                mailer: mailer.clone(),
                clock: clock.clone(),
                random: random.clone(),
                settings: core.settings.clone(),
            },
            log_in: LogIn {
                authenticate: Authenticate {
                    users: core.store.clone(),
                    passwords: core.passwords.clone(),
                    attempts: attempts.clone(),
                    settings: core.settings.clone(),
                },
                sessions: core.store.clone(),
                tokens: tokens.clone(),
                clock: clock.clone(),
                random: random.clone(),
            },
            refresh: Refresh {
                users: core.store.clone(),
                sessions: core.store.clone(),
                tokens,
                issuer: core.issuer.clone(),
                revocations: sink.clone(),
                clock: clock.clone(),
            },
            log_out: LogOut {
                sessions: core.store.clone(),
                revocations: sink.clone(),
                clock: clock.clone(),
                settings: core.settings.clone(),
            },
            passwords: ManagePasswords {
                users: core.store.clone(),
                passwords: core.passwords.clone(),
                policy: core.policy.clone(),
                attempts: attempts.clone(),
                tokens: core.issuer.clone(),
                mailer: mailer.clone(),
                revocations: sink.clone(),
                clock: clock.clone(),
                random: random.clone(),
                settings: core.settings.clone(),
            },
            sessions: Sessions {
                store: core.store.clone(),
                revocations: sink.clone(),
                clock: clock.clone(),
                settings: core.settings.clone(),
            },
            audit: core.audit(&clock, &random),
            profile: Profile { users: core.store.clone(), clock: clock.clone() },
            api: api.clone(),
            verifier: parts.verifier,
            settings: core.settings.clone(),
            random: random.clone(),
        };
        let purging = tokio::spawn(purge(core.store.clone(), clock.clone()));
        let administration = core.administration(clock, random);
        Ok(Self { use_cases: Arc::new(use_cases), administration, api, database: core.database, mails, purging })
    }

    /// Adds the module's routes to an application. They need an `Arc<TokenVerifier>` in the application's data.
    pub fn configure(&self, service: &mut web::ServiceConfig) {
        http::configure(self.use_cases.clone(), service);
    }

    /// The same as something to give away, as server factories want it.
    pub fn routes(&self) -> impl Fn(&mut web::ServiceConfig) + Clone + Send + 'static {
        let use_cases = self.use_cases.clone();
        move |service: &mut web::ServiceConfig| http::configure(use_cases.clone(), service)
    }

    /// What verifiers ask.
    pub fn api(&self) -> Arc<dyn AuthApi> {
        self.api.clone()
    }

    /// Administration.
    pub fn administration(&self) -> Administration {
        self.administration.clone()
    }

    /// What has to work for this role to be ready.
    pub fn probes(&self) -> Vec<Arc<dyn HealthProbe>> {
        vec![self.database.probe()]
    }

    /// Sends the mails that wait, and closes the database.
    pub async fn stop(&self) {
        self.purging.abort();
        self.mails.stop(Duration::from_secs(5)).await;
        self.database.close().await;
    }
}

impl Core {
    async fn open(
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
        let secret = config.tokens.secret.as_deref();
        let keys = SigningKeys::load((*store).clone(), config.tokens.algorithm, secret, clock.clone()).await;
        let keys = keys.map_err(cannot("load the signing keys"))?;
        let issuer = JwtIssuer::new(keys, settings.clone(), clock.clone(), random.clone());
        let passwords = PooledPasswords::start(&config.password).map_err(cannot("start password hashing"))?;
        let breaches = config.password.breach_list.as_ref().map(breach_list).transpose();
        let policy = PasswordPolicy {
            common: Arc::new(CommonLists),
            breaches: breaches.map_err(cannot("open the list of breaches"))?,
            breaches_fail_open: config.password.breach_list.as_ref().is_some_and(|list| list.fail_open),
        };
        Ok(Self { database, store, issuer: Arc::new(issuer), passwords: Arc::new(passwords), policy, settings })
    }

    fn audit(&self, clock: &Arc<dyn Clock>, random: &Arc<dyn Random>) -> Audit {
        Audit { store: self.store.clone(), clock: clock.clone(), random: random.clone() }
    }

    fn administration(&self, clock: Arc<dyn Clock>, random: Arc<dyn Random>) -> Administration {
        let users = AdministerUsers {
            users: self.store.clone(),
            passwords: self.passwords.clone(),
            policy: self.policy.clone(),
            clock,
            random,
            settings: self.settings.clone(),
        };
        Administration { users: Arc::new(users) }
    }
}

/// Administration alone, for commands: beside a running server, or before there is one. Sends no mails.
pub async fn administration_only(
    config: &AuthConfig,
    database: &DatabaseConfig,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
) -> Result<Administration, StartError> {
    let core = Core::open(config, database, &clock, &random).await?;
    Ok(core.administration(clock, random))
}

/// Applies every migration of this module that is missing.
pub async fn migrate_up(config: &AuthConfig, database: &DatabaseConfig) -> Result<(), StartError> {
    let database = connect(config, database).await?;
    database::migrate_up::<Migrator>(&database).await.map_err(cannot("migrate"))
}

/// Takes this module's newest migration back.
pub async fn migrate_down(config: &AuthConfig, database: &DatabaseConfig) -> Result<(), StartError> {
    let database = connect(config, database).await?;
    database::migrate_down::<Migrator>(&database).await.map_err(cannot("migrate"))
}

/// This module's migrations in their order.
pub async fn migration_status(
    config: &AuthConfig,
    database: &DatabaseConfig,
) -> Result<Vec<AppliedMigration>, StartError> {
    let database = connect(config, database).await?;
    database::migration_status::<Migrator>(&database).await.map_err(cannot("read the migrations"))
}

/// What is wrong with `[mail]`.
pub fn check_mail(config: &MailConfig) -> Vec<SettingFault> {
    transport(config).err().unwrap_or_default()
}

fn transport(config: &MailConfig) -> Result<MailTransport, Vec<SettingFault>> {
    MailTransport::parse(&config.transport, &config.from).map_err(|faults| {
        faults.into_iter().map(|fault| SettingFault::new(format!("mail.{}", fault.key), fault.detail)).collect()
    })
}

/// Takes away what has expired, now and then, until the module stops.
async fn purge(store: Arc<Store>, clock: Arc<dyn Clock>) {
    loop {
        tokio::time::sleep(PURGE_EVERY).await;
        loop {
            match store.purge(clock.now()).await {
                Ok(true) => tokio::time::sleep(PURGE_PAUSE).await,
                Ok(false) => break,
                Err(error) => {
                    tracing::warn!(event = "purge_failed", %error);
                    break;
                }
            }
        }
    }
}

async fn connect(config: &AuthConfig, database: &DatabaseConfig) -> Result<Database, StartError> {
    let database = config.database.as_ref().unwrap_or(database);
    let connected: Result<_, DatabaseError> = Database::connect(&database.url, database.max_connections).await;
    connected.map_err(cannot("open the database"))
}

fn cannot<E: std::fmt::Display>(what: &'static str) -> impl Fn(E) -> StartError {
    move |error| StartError::Failed(format!("cannot {what}: {error}"))
}

fn settings_of(config: &AuthConfig) -> Settings {
    let delta = |span: crate::kernel::units::Span| TimeDelta::from_std(span.get()).unwrap_or(TimeDelta::MAX);
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
    }
}
