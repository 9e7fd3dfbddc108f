//! What can be done with accounts and sessions: one use case a file, and the ports they need.

mod administer_keys;
mod administer_users;
mod administrator;
mod audit;
mod authenticate;
mod failure;
mod idempotency;
mod import_users;
mod issue_tokens;
mod log_in;
mod log_out;
mod manage_clients;
mod manage_roles;
pub(crate) mod oauth;
mod password_policy;
mod passwords;
mod ports;
mod profile;
mod refresh;
mod register;
mod serve_verifiers;
mod sessions;
mod settings;
mod verify_email;

pub(crate) use administer_keys::AdministerKeys;
pub(crate) use administer_users::{AdministerUsers, WhichUser};
pub(crate) use administrator::Administrator;
pub(crate) use audit::Audit;
pub(crate) use authenticate::{Authenticate, Authenticated, LoginAttempt};
pub(crate) use failure::Failure;
pub(crate) use idempotency::{Idempotency, KeyedCall, Standing};
pub(crate) use import_users::ImportUsers;
pub(crate) use issue_tokens::{IssueTokens, IssuedAccess, IssuedTokens};
pub(crate) use log_in::LogIn;
pub(crate) use log_out::LogOut;
pub(crate) use manage_clients::{ClientWish, ManageClients, client_name, view as client_view};
pub(crate) use manage_roles::{ManageRoles, NamedRole, RoleTexts};
pub(crate) use password_policy::PasswordPolicy;
pub(crate) use passwords::{ManagePasswords, STEADY};
pub(crate) use ports::{
    AccessGrant, Administered, AttemptLimiter, AuditFilter, AuditLog, AuthorizationCodeRepository, Begun, BreachList,
    BrowserSessionRepository, Changed, Claim, ClientGrantRepository, ClientKeys, ClientRepository, CommonPasswords,
    ConsentRepository, DeviceGrantRepository, EmailProof, IdempotencyStore, InteractionRepository, KeptAnswer,
    KeyCustodian, KeyRotation, KeyStanding, Mail, Mailer, PasswordChange, PasswordHasher, PortError, RefreshGrant,
    Registered, RemovedRole, RevocationSink, RevokedSession, RoleRepository, Rotation, SavedRole, SessionRepository,
    TokenSigner, UserDirectory, UserFilter, UserImportStore, UserRepository, Verdict,
};
pub(crate) use profile::{Profile, view_of};
pub(crate) use refresh::Refresh;
pub(crate) use register::{Register, RegisterCommand};
pub(crate) use serve_verifiers::ServeVerifiers;
pub(crate) use sessions::Sessions;
pub(crate) use settings::{OAuthSettings, Registration, Settings};
pub(crate) use verify_email::{MailedToken, VerifyEmail};
