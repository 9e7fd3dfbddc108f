//! The rules of accounts and sessions: values that cannot be wrong, who may log in, how refresh tokens follow each other.
//! No IO, no framework.

mod api_key;
mod assertion;
mod audit;
mod authorization_code;
mod authorization_request;
mod client;
mod client_grant;
mod consent;
mod device_grant;
mod email;
mod email_token;
mod interaction;
mod lockout;
mod name;
mod outbox;
mod passkey;
mod password;
mod password_owner;
mod permission;
mod role;
mod role_change;
mod scope;
mod second_factor;
mod session;
mod signing_key;
mod user;
mod user_change;

pub(crate) use api_key::{ApiKey, effective, hint_of, key_text, scopes_for};
pub(crate) use assertion::Assertion;
pub(crate) use audit::{Actor, AuditEntry, Origin, Outcome};
pub(crate) use authorization_code::{Approval, AuthorizationCode};
pub(crate) use authorization_request::{AuthorizationRequest, CodeChallenge, LoginState, Prompt};
pub(crate) use client::{Client, ClientProof, ClientSecret, GrantType, RedirectUri};
pub(crate) use client_grant::ClientGrant;
pub(crate) use consent::Consent;
pub(crate) use device_grant::{DeviceGrant, DeviceState, Poll, UserCode};
pub(crate) use email::Email;
pub(crate) use email_token::{
    Credentials, EmailPurpose, EmailToken, REGISTRATION_INTERVAL, REGISTRATION_MAILS, RESEND_INTERVAL,
};
pub(crate) use interaction::{Interaction, InteractionKind};
pub(crate) use lockout::{Failures, LockoutRule};
pub(crate) use name::DisplayName;
pub(crate) use outbox::{Channel, OutboxEntry, RetryRule};
pub(crate) use passkey::{Passkey, PasskeyCredential};
pub(crate) use password::{PasswordHash, PlainPassword};
pub(crate) use password_owner::PasswordOwner;
pub(crate) use permission::Permission;
pub(crate) use role::{ADMIN_PERMISSIONS, Role, RoleCatalog, RoleName};
pub(crate) use role_change::{RemovalRefusal, RoleFault};
pub(crate) use scope::{EMAIL, OFFLINE_ACCESS, OPENID, PROFILE, Scopes, USER_SCOPES};
pub(crate) use second_factor::{FactorCode, RECOVERY_CODES, RecoveryCode};
pub(crate) use session::{Device, RefreshDecision, Session, decide_refresh};
pub(crate) use signing_key::{KeyState, SigningKey, signer};
pub(crate) use user::{LoginRefusal, User, UserStatus};
pub(crate) use user_change::UserChange;
