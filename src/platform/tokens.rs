//! Access tokens as every role verifies them: keys compiled once, revocations kept locally, verified tokens remembered.
//! Who issues tokens is the business of the `auth` module.

mod foreign;
mod keys;
mod revocations;
mod verifier;

pub use foreign::{ForeignFault, ForeignRules, ForeignVerifier, claimed_issuer};
pub use keys::{KeyRing, SHARED_SECRET_KID, SigningAlgorithm};
pub use revocations::RevocationSet;
pub use verifier::{AccessClaims, TokenFault, TokenRules, TokenVerifier};
