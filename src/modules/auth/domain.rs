//! The rules of accounts and sessions: values that cannot be wrong, who may log in, how refresh tokens follow each other.
//! No IO, no framework.

mod email;
mod email_token;
mod name;
mod password;
mod role;
mod session;
mod user;

pub(super) use email::Email;
pub(super) use email_token::{EmailPurpose, EmailToken, RESEND_INTERVAL, TOKEN_LIFETIME};
pub(super) use name::DisplayName;
pub(super) use password::{PasswordHash, PlainPassword};
pub(super) use role::{ADMIN, RoleName, USER, permissions_of};
pub(super) use session::{RefreshDecision, Session, decide_refresh};
pub(super) use user::{LoginRefusal, User, UserStatus};
