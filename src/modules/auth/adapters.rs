//! The module's edges: HTTP, the store, tokens, passwords, mail.

pub(crate) mod captcha;
pub(crate) mod http;
pub(crate) mod mail;
pub(crate) mod one_time_passwords;
pub(crate) mod passwords;
pub(crate) mod revocation;
pub(crate) mod store;
pub(crate) mod tokens;
