//! Accounts, sessions and tokens, from outside.

mod account;
mod bodies;
mod lockout;
mod mail;
mod sessions;
mod tokens;
