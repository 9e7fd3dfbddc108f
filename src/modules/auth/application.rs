//! What can be done with accounts and sessions: one use case a file, and the ports they need.

mod administer_keys;
mod administer_users;
mod administrator;
mod api_keys;
mod audit;
mod authenticate;
mod captcha;
mod check_api_key;
mod deliver_mails;
mod failure;
mod idempotency;
mod import_users;
mod issue_tokens;
mod limit_attempts;
mod log_in;
mod log_out;
mod manage_clients;
mod manage_roles;
mod manage_totp;
pub(crate) mod oauth;
mod passkeys;
mod password_policy;
mod passwords;
mod ports;
mod profile;
mod refresh;
mod register;
mod second_factor;
mod serve_verifiers;
mod sessions;
mod settings;
mod step_up;
mod verify_email;

pub(crate) use administer_keys::AdministerKeys;
pub(crate) use administer_users::{AdministerUsers, WhichUser};
pub(crate) use administrator::Administrator;
pub(crate) use api_keys::{ApiKeys, NewApiKey};
pub(crate) use audit::Audit;
pub(crate) use authenticate::{Authenticate, Authenticated, LoginAttempt};
pub(crate) use captcha::Captcha;
pub(crate) use check_api_key::{CheckApiKey, RECALLED};
pub(crate) use deliver_mails::{DeliverMails, Delivery};
pub(crate) use failure::Failure;
pub(crate) use idempotency::{Idempotency, KeyedCall, Standing};
pub(crate) use import_users::ImportUsers;
pub(crate) use issue_tokens::{IssueTokens, IssuedTokens};
pub(crate) use limit_attempts::LimitAttempts;
pub(crate) use log_in::LogIn;
pub(crate) use log_out::LogOut;
pub(crate) use manage_clients::{ClientWish, ManageClients, client_name, view as client_view};
pub(crate) use manage_roles::{ManageRoles, NamedRole, RoleTexts};
pub(crate) use manage_totp::ManageTotp;
pub(crate) use passkeys::{NewPasskey, Passkeys};
pub(crate) use password_policy::PasswordPolicy;
pub(crate) use passwords::{ManagePasswords, STEADY};
pub(crate) use ports::{
    AccessGrant, Administered, ApiKeyKept, ApiKeyRepository, AttemptCounters, AttemptLimiter, AuditFilter, AuditLog,
    AuthorizationCodeRepository, Begun, BreachList, BrowserSessionRepository, CaptchaVerifier, CarryFault,
    CeremonyFault, Changed, Claim, ClientGrantRepository, ClientKeys, ClientRepository, CommonPasswords, Confirmation,
    ConsentRepository, DeviceGrantRepository, EmailProof, Enrolment, FactorNotice, Held, HeldEntry, Hold, IdGrant,
    IdHint, IdempotencyStore, InteractionRepository, KeptAnswer, KeptTotp, KeyCustodian, KeyRotation, KeyStanding,
    Mail, MailCarrier, Mailer, Notice, OneTimePasswords, Outbox, PasskeyCeremonies, PasskeyKept, PasskeyRepository,
    PasswordChange, PasswordHasher, PortError, RefreshGrant, Registered, RegistrationMails, RemovedRole,
    RevocationFeed, RevocationSink, RevokedSession, RoleRepository, Rotation, SavedRole, SecondFactorRepository,
    SessionRepository, TokenSigner, UserDirectory, UserFilter, UserImportStore, UserRepository, Verdict,
};
pub(crate) use profile::{Profile, view_of};
pub(crate) use refresh::Refresh;
pub(crate) use register::{Register, RegisterCommand};
pub(crate) use second_factor::SecondFactor;
pub(crate) use serve_verifiers::ServeVerifiers;
pub(crate) use sessions::Sessions;
pub(crate) use settings::{OAuthSettings, Registration, Settings};
pub(crate) use step_up::StepUp;
pub(crate) use verify_email::{MailedToken, VerifyEmail};
