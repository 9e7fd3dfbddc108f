//! Puts the module together: opens the database, brings its schema up to date, loads the keys, and joins use cases and
//! adapters.

mod background;
mod core;
#[cfg(test)]
mod journeys;
mod limits;
mod outbox;
mod passkeys;
mod second_factor;
mod user_facing;

use std::{sync::Arc, time::Duration};

use actix_web::web;
use tokio::task::JoinHandle;
use vestibule_migration::auth::Migrator;

use self::{
    core::{Core, cannot, connect, delta},
    outbox::Postmen,
    user_facing::Joints,
};
use super::{
    adapters::{
        captcha::SiteVerify,
        http::{self, Pages, UseCases},
        revocation::{BellFeed, NobodyHere, VerifierSink},
        tokens::JwkClientKeys,
    },
    api::{Administration, AuthApi},
    application::{
        ApiKeys, Authenticate, Captcha, CheckApiKey, Idempotency, IssueTokens, LogIn, LogOut, ManagePasswords,
        ManageRoles, ManageTotp, Profile, Refresh, Register, ServeVerifiers, Sessions, StepUp, VerifyEmail,
        oauth::{AuthenticateClient, ClientCredentials, IntrospectToken, RevokeToken, SpendRefreshToken},
    },
    config::AuthConfig,
};
use crate::{
    config::{DatabaseConfig, MailConfig},
    kernel::{Clock, Random, SettingFault, StartError},
    platform::{
        bell::Bell,
        database::{self, AppliedMigration, Database},
        http::HealthProbe,
        mail::{MailTransport, TransportFault},
        tokens::TokenVerifier,
    },
};

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
    postmen: Postmen,
    /// What is done in the background until the module stops.
    tasks: Vec<JoinHandle<()>>,
}

impl Auth {
    /// Starts the module. It needs a tokio runtime, on which its mails are sent.
    pub async fn start(parts: AuthParts<'_>) -> Result<Self, StartError> {
        let AuthParts { config, clock, random, .. } = parts;
        let transport = transport(parts.mail).map_err(StartError::Settings)?;
        let core = Core::open(config, parts.database, &clock, &random).await?.with_mails(parts.mail.max_waiting);
        let mailer = outbox::mailer(&core, &clock, &random);
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
        outbox::reseal(&core, &*random).await?;
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
        let passkeys = passkeys::passkeys(&core, config, &mailer, &clock, &random)?;
        let use_cases = UseCases {
            passkeys,
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
                attempts: attempts.clone(),
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
            spend_refresh_token: SpendRefreshToken {
                refresh: refresh.clone(),
                id_tokens: core.id_tokens(&clock),
                audit: core.audit(&clock, &random),
            },
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
                mailer: mailer.clone(),
                audit: core.audit(&clock, &random),
                clock: clock.clone(),
                random: random.clone(),
                most: config.api_keys.per_user,
            },
            users: core.administer_users(sink.clone(), &mailer, &clock, &random),
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
            profile: Profile { users: core.store.clone(), audit: core.audit(&clock, &random), clock: clock.clone() },
            api: api.clone(),
            verifier: parts.verifier,
            settings: core.settings.clone(),
            pages: Pages::start(config, random.clone()).map_err(StartError::Settings)?,
        };
        let tending = background::tend_keys(core.administer_keys(&clock, &random));
        let tasks = vec![
            tokio::spawn(background::purge(core.store.clone(), clock.clone(), delta(config.api_keys.kept_for))),
            tokio::spawn(tending),
        ];
        let administration = core.administration(sink, &mailer, &clock, &random);
        let postmen = Postmen::start(&core, parts.mail, transport, &clock, &random);
        Ok(Self { use_cases: Arc::new(use_cases), administration, api, database: core.database, postmen, tasks })
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

    /// Lets the mails that are being sent be sent, and closes the database, where the others wait.
    pub async fn stop(&self) {
        self.tasks.iter().for_each(JoinHandle::abort);
        self.postmen.stop(Duration::from_secs(5)).await;
        self.database.close().await;
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
    // A server that runs, or runs again, sends what is written here.
    let mailer = outbox::mailer(&core, &clock, &random);
    Ok(core.administration(Arc::new(NobodyHere), &mailer, &clock, &random))
}

/// What signs and reads tokens, alone.
#[cfg(fuzzing)]
pub(super) async fn signer(
    config: &AuthConfig,
    database: &DatabaseConfig,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
) -> Result<Arc<dyn super::application::TokenSigner>, StartError> {
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
    let parsed = MailTransport::parse(&config.transport, &config.from);
    let told = |fault: TransportFault| SettingFault::new(format!("mail.{}", fault.key), fault.detail);
    match (parsed, config.faults()) {
        (Ok(transport), faults) if faults.is_empty() => Ok(transport),
        (Ok(_), faults) => Err(faults),
        (Err(unusable), faults) => Err(unusable.into_iter().map(told).chain(faults).collect()),
    }
}

/// The guard against programs, as configured.
fn captcha(core: &Core, config: &AuthConfig, clock: &Arc<dyn Clock>) -> Captcha {
    let Some(wanted) = &config.captcha else { return Captcha::default() };
    let failures = Arc::new(limits::captcha(core, config, wanted, clock));
    Captcha::new(wanted, Arc::new(SiteVerify::new(wanted)), failures)
}
