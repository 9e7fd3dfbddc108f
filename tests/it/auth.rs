//! Accounts, sessions and tokens, from outside.

mod account;
mod administration;
mod bodies;
mod lockout;
mod mail;
mod mfa;
mod pages;
mod passwords;
mod sessions;
mod tokens;
