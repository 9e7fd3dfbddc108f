//! Accounts, sessions and tokens, from outside.

mod account;
mod bodies;
mod lockout;
mod mail;
mod mfa;
mod pages;
mod passwords;
mod races;
mod sessions;
mod tokens;
