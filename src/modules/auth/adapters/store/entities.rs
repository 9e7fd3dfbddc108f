//! The tables, as sea-orm sees them. They never leave the store.

pub(crate) mod api_key;
pub(crate) mod attempt_counter;
pub(crate) mod audit_entry;
pub(crate) mod authorization_code;
pub(crate) mod browser_session;
pub(crate) mod client_assertion;
pub(crate) mod client_grant;
pub(crate) mod consent;
pub(crate) mod device_grant;
pub(crate) mod email_token;
pub(crate) mod idempotency_key;
pub(crate) mod interaction;
pub(crate) mod oauth_client;
pub(crate) mod outbox_entry;
pub(crate) mod passkey;
pub(crate) mod recovery_code;
pub(crate) mod role;
pub(crate) mod session;
pub(crate) mod signing_key;
pub(crate) mod totp_factor;
pub(crate) mod user;
pub(crate) mod user_role;
