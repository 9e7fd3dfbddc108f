//! Accounts, sessions and tokens, from outside.

mod account;
mod bodies;
mod lockout;
mod mail;
mod pages;
mod passwords;
mod sessions;
mod tokens;
