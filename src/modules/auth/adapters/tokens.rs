//! Tokens: the keys they are signed with, their form, and the seal on a successor.

mod client_keys;
mod issuer;
mod key_material;
mod keys;
mod seal;
#[cfg(test)]
mod suite;

pub(crate) use client_keys::JwkClientKeys;
pub(crate) use issuer::JwtIssuer;
pub(crate) use keys::{KeyKeeper, KeyRules, SigningKeys};
