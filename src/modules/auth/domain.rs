//! The rules of accounts and sessions: values that cannot be wrong, who may log in, how refresh tokens follow each other.
//! No IO, no framework.

mod audit;
mod client;
mod email;
mod email_token;
mod name;
mod password;
mod password_owner;
mod role;
mod session;
mod user;

pub(crate) use audit::{Actor, AuditEntry, Origin, Outcome};
pub(crate) use client::{Client, ClientProof, GrantType, RedirectUri};
pub(crate) use email::Email;
pub(crate) use email_token::{
    Credentials, EmailPurpose, EmailToken, REGISTRATION_INTERVAL, REGISTRATION_MAILS, RESEND_INTERVAL,
};
pub(crate) use name::DisplayName;
pub(crate) use password::{PasswordHash, PlainPassword};
pub(crate) use password_owner::PasswordOwner;
pub(crate) use role::{ADMIN_PERMISSIONS, RoleCatalog, RoleName};
pub(crate) use session::{Device, RefreshDecision, Session, decide_refresh};
pub(crate) use user::{LoginRefusal, User, UserStatus};
