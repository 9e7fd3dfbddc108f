//! Puts the module together: opens the database, brings its schema up to date, loads the keys, and joins use cases and
//! adapters.

#[cfg(test)]
mod journeys;
mod limits;
mod second_factor;
mod user_facing;

use std::{sync::Arc, time::Duration};

use actix_web::web;
use chrono::TimeDelta;
use tokio::task::JoinHandle;
use vestibule_migration::auth::Migrator;

use user_facing::Joints;

use super::{
    adapters::{
        captcha::SiteVerify,
        http::{self, Pages, UseCases},
        mail::QueuedMailer,
        passwords::{CommonLists, PooledPasswords, breach_list},
        revocation::{BellFeed, NobodyHere, VerifierSink},
        store::Store,
        tokens::{JwkClientKeys, JwtIssuer, KeyKeeper, KeyRules, SigningKeys},
    },
    api::{Administration, AuthApi},
    application::{
        AdministerKeys, AdministerUsers, ApiKeys, Audit, Authenticate, Captcha, CheckApiKey, Idempotency, ImportUsers,
        IssueTokens, LogIn, LogOut, Mailer, ManageClients, ManagePasswords, ManageRoles, ManageTotp, OAuthSettings,
        PasswordHasher, PasswordPolicy, Profile, Refresh, Register, Registration, RevocationSink, ServeVerifiers,
        Sessions, Settings, StepUp, TokenSigner, VerifyEmail,
        oauth::{AuthenticateClient, ClientCredentials, IntrospectToken, RevokeToken, SpendRefreshToken},
    },
    config::{self, AuthConfig},
};
use crate::{
    config::{DatabaseConfig, MailConfig},
    kernel::{Clock, Random, SettingFault, StartError, units::Span},
    platform::{
        bell::Bell,
        database::{self, AppliedMigration, Database, DatabaseError},
        http::HealthProbe,
        mail::{MailQueue, MailTransport},
        sealing::Sealer,
        tokens::{SigningAlgorithm, TokenVerifier},
    },
};

/// Between two looks for what has expired.
const PURGE_EVERY: Duration = Duration::from_mins(10);
/// Between two looks at the signing keys.
const TEND_EVERY: Duration = Duration::from_secs(1);
/// For so long an instance may publish a set of keys that another process has just added to.
const KEYS_LAG: TimeDelta = TimeDelta::seconds(5);
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
    /// What instances of the installation wake each other by.
    pub bell: Arc<dyn Bell>,
}

/// The running module.
pub struct Auth {
    use_cases: Arc<UseCases>,
    administration: Administration,
    api: Arc<dyn AuthApi>,
    database: Database,
    mails: Arc<MailQueue>,
    /// What is done in the background until the module stops.
    tasks: Vec<JoinHandle<()>>,
}

/// What serving and administering have in common.
struct Core {
    database: Database,
    store: Arc<Store>,
    issuer: Arc<dyn TokenSigner>,
    keys: Arc<SigningKeys>,
    sealer: Arc<Sealer>,
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
        let feed = Arc::new(BellFeed(parts.bell));
        let sink = Arc::new(VerifierSink { verifier: parts.verifier.clone(), feed: feed.clone() });
        let tokens =
            IssueTokens { issuer: core.issuer.clone(), roles: core.store.clone(), settings: core.settings.clone() };
        let api: Arc<dyn AuthApi> = Arc::new(ServeVerifiers {
            sessions: core.store.clone(),
            issuer: core.issuer.clone(),
            api_keys: CheckApiKey {
                keys: core.store.clone(),
                users: core.store.clone(),
                roles: core.store.clone(),
                clock: clock.clone(),
            },
            clock: clock.clone(),
            feed,
        });
        let attempts = Arc::new(limits::passwords(&core, config, &clock));
        let audit = core.audit(&clock, &random);
        let codes = second_factor::codes(&core, config, &random);
        second_factor::reseal(&core, &codes).await?;
        let authenticate = Authenticate {
            users: core.store.clone(),
            passwords: core.passwords.clone(),
            attempts: attempts.clone(),
            second_factor: second_factor::second_factor(&core, config, codes.clone(), &mailer, &clock, &random),
            audit: audit.clone(),
            settings: core.settings.clone(),
        };
        let refresh = Refresh {
            users: core.store.clone(),
            sessions: core.store.clone(),
            tokens: tokens.clone(),
            issuer: core.issuer.clone(),
            revocations: sink.clone(),
            audit: audit.clone(),
            clock: clock.clone(),
        };
        let user_facing = core.user_facing(Joints {
            authenticate: authenticate.clone(),
            attempts: Arc::new(limits::devices(&core, config, &clock)),
            tokens: tokens.clone(),
            revocations: sink.clone(),
            clock: &clock,
            random: &random,
        });
        let use_cases = UseCases {
            user_facing,
            register: Register {
                users: core.store.clone(),
                passwords: core.passwords.clone(),
                policy: core.policy.clone(),
                tokens: core.issuer.clone(),
                mailer: mailer.clone(),
                audit: audit.clone(),
                clock: clock.clone(),
                random: random.clone(),
                settings: core.settings.clone(),
            },
            verify_email: VerifyEmail {
                users: core.store.clone(),
                tokens: core.issuer.clone(),
                mailer: mailer.clone(),
                audit: audit.clone(),
                clock: clock.clone(),
                random: random.clone(),
                settings: core.settings.clone(),
            },
            captcha: captcha(&core, config, &clock),
            log_in: LogIn {
                authenticate: authenticate.clone(),
                sessions: core.store.clone(),
                tokens: tokens.clone(),
                clock: clock.clone(),
                random: random.clone(),
            },
            clients: core.clients(sink.clone(), &clock, &random),
            authenticate_client: AuthenticateClient {
                clients: core.store.clone(),
                keys: Arc::new(JwkClientKeys),
                digests: core.issuer.clone(),
                attempts: Arc::new(limits::clients(&core, config, &clock)),
                clock: clock.clone(),
                settings: core.settings.clone(),
            },
            client_credentials: ClientCredentials {
                grants: core.store.clone(),
                issuer: core.issuer.clone(),
                audit: core.audit(&clock, &random),
                clock: clock.clone(),
                random: random.clone(),
                settings: core.settings.clone(),
            },
            spend_refresh_token: SpendRefreshToken { refresh: refresh.clone(), audit: core.audit(&clock, &random) },
            revoke_token: RevokeToken {
                issuer: core.issuer.clone(),
                sessions: core.store.clone(),
                grants: core.store.clone(),
                revocations: sink.clone(),
                audit: core.audit(&clock, &random),
                clock: clock.clone(),
                settings: core.settings.clone(),
            },
            introspect_token: IntrospectToken {
                issuer: core.issuer.clone(),
                sessions: core.store.clone(),
                grants: core.store.clone(),
                clock: clock.clone(),
                settings: core.settings.clone(),
            },
            refresh,
            log_out: LogOut {
                sessions: core.store.clone(),
                revocations: sink.clone(),
                audit: audit.clone(),
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
                audit: audit.clone(),
                clock: clock.clone(),
                random: random.clone(),
                settings: core.settings.clone(),
            },
            sessions: Sessions {
                store: core.store.clone(),
                revocations: sink.clone(),
                audit: audit.clone(),
                clock: clock.clone(),
                settings: core.settings.clone(),
            },
            api_keys: ApiKeys {
                keys: core.store.clone(),
                users: core.store.clone(),
                roles: core.store.clone(),
                tokens: core.issuer.clone(),
                revocations: sink.clone(),
                audit: core.audit(&clock, &random),
                clock: clock.clone(),
                random: random.clone(),
                most: config.api_keys.per_user,
            },
            users: core.administer_users(sink.clone(), &clock, &random),
            roles: ManageRoles { store: core.store.clone(), audit: core.audit(&clock, &random), clock: clock.clone() },
            idempotency: Idempotency {
                store: core.store.clone(),
                tokens: core.issuer.clone(),
                passwords: core.passwords.clone(),
                clock: clock.clone(),
                kept_for: delta(config.idempotency.kept_for),
            },
            totp: ManageTotp {
                users: core.store.clone(),
                sessions: core.store.clone(),
                store: core.store.clone(),
                codes,
                digests: core.issuer.clone(),
                authenticate: authenticate.clone(),
                mailer: mailer.clone(),
                audit: audit.clone(),
                clock: clock.clone(),
                random: random.clone(),
            },
            step_up: StepUp {
                users: core.store.clone(),
                sessions: core.store.clone(),
                authenticate,
                audit: audit.clone(),
                clock: clock.clone(),
                settings: core.settings.clone(),
            },
            audit,
            profile: Profile { users: core.store.clone(), clock: clock.clone() },
            api: api.clone(),
            verifier: parts.verifier,
            settings: core.settings.clone(),
            pages: Pages::start(config, random.clone()).map_err(StartError::Settings)?,
        };
        let tending = tend_keys(core.administer_keys(&clock, &random));
        let tasks = vec![tokio::spawn(purge(core.store.clone(), clock.clone())), tokio::spawn(tending)];
        let administration = core.administration(sink, &clock, &random);
        Ok(Self { use_cases: Arc::new(use_cases), administration, api, database: core.database, mails, tasks })
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
        self.tasks.iter().for_each(JoinHandle::abort);
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

    fn audit(&self, clock: &Arc<dyn Clock>, random: &Arc<dyn Random>) -> Audit {
        Audit { store: self.store.clone(), clock: clock.clone(), random: random.clone() }
    }

    fn administer_keys(&self, clock: &Arc<dyn Clock>, random: &Arc<dyn Random>) -> AdministerKeys {
        let keys = KeyKeeper { keys: self.keys.clone(), random: random.clone() };
        AdministerKeys { keys: Arc::new(keys), audit: self.audit(clock, random) }
    }

    fn clients(
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

    fn administer_users(
        &self,
        revocations: Arc<dyn RevocationSink>,
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
            audit: self.audit(clock, random),
            clock: clock.clone(),
            random: random.clone(),
            settings: self.settings.clone(),
        }
    }

    fn import_users(&self, clock: &Arc<dyn Clock>, random: &Arc<dyn Random>) -> ImportUsers {
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

    fn administration(
        &self,
        revocations: Arc<dyn RevocationSink>,
        clock: &Arc<dyn Clock>,
        random: &Arc<dyn Random>,
    ) -> Administration {
        Administration {
            users: Arc::new(self.administer_users(revocations.clone(), clock, random)),
            import: Arc::new(self.import_users(clock, random)),
            keys: Arc::new(self.administer_keys(clock, random)),
            clients: Arc::new(self.clients(revocations, clock, random)),
        }
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
    Ok(core.administration(Arc::new(NobodyHere), &clock, &random))
}

/// What signs and reads tokens, alone.
#[cfg(fuzzing)]
pub(super) async fn signer(
    config: &AuthConfig,
    database: &DatabaseConfig,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
) -> Result<Arc<dyn TokenSigner>, StartError> {
    Core::open(config, database, &clock, &random).await.map(|core| core.issuer)
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

/// What is wrong with the templates of `[auth.pages]`.
pub fn check_pages(config: &AuthConfig) -> Vec<SettingFault> {
    http::check_pages(config)
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

/// Keeps up with the signing keys until the module stops. A failure is told once.
async fn tend_keys(keys: AdministerKeys) {
    let mut failing = false;
    loop {
        tokio::time::sleep(TEND_EVERY).await;
        let outcome = keys.tend().await;
        if let Err(error) = &outcome
            && !failing
        {
            tracing::warn!(event = "signing_keys_not_tended", %error);
        }
        failing = outcome.is_err();
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
        publish_delay: TimeDelta::from_std(config.tokens.key_publish_delay.get()).unwrap_or(TimeDelta::MAX),
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

/// The guard against programs, as configured.
fn captcha(core: &Core, config: &AuthConfig, clock: &Arc<dyn Clock>) -> Captcha {
    let Some(wanted) = &config.captcha else { return Captcha::default() };
    let failures = Arc::new(limits::captcha(core, config, wanted, clock));
    Captcha::new(wanted, Arc::new(SiteVerify::new(wanted)), failures)
}

async fn connect(config: &AuthConfig, database: &DatabaseConfig) -> Result<Database, StartError> {
    let database = config.database.as_ref().unwrap_or(database);
    let connected: Result<_, DatabaseError> = Database::connect(&database.url, database.max_connections).await;
    connected.map_err(cannot("open the database"))
}

fn cannot<E: std::fmt::Display>(what: &'static str) -> impl Fn(E) -> StartError {
    move |error| StartError::Failed(format!("cannot {what}: {error}"))
}

fn delta(span: Span) -> TimeDelta {
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
