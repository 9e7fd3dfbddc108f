//! Accounts, sessions and tokens, from outside.

mod account;
mod api_keys;
mod bodies;
mod lockout;
mod mail;
mod mfa;
mod pages;
mod passwords;
mod sessions;
mod signing_keys;
mod tokens;
mod twins;
