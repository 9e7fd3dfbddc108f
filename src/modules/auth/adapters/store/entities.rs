//! The tables, as sea-orm sees them. They never leave the store.

pub(crate) mod api_key;
pub(crate) mod audit_entry;
pub(crate) mod email_token;
pub(crate) mod session;
pub(crate) mod signing_key;
pub(crate) mod user;
pub(crate) mod user_role;
