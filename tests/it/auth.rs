//! Accounts, sessions and tokens, from outside.

mod account;
mod administration;
mod api_keys;
mod authorize;
mod bodies;
mod captcha;
mod codes;
mod device;
mod lockout;
mod logout;
mod lost_factors;
mod mail;
mod mfa;
mod oauth_refresh;
mod oauth_tokens;
mod pages;
mod pages_for_clients;
#[cfg(feature = "passkeys")]
mod passkeys;
#[cfg(feature = "passkeys")]
mod passkeys_in_browser;
mod passwords;
mod races;
mod sessions;
mod signing_keys;
mod tokens;
mod twins;

pub(crate) use mfa::Enrolled;
