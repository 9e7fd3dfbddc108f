//! Tells this process's verifier of sessions that ended, without a detour over the feed.

use std::sync::Arc;

use crate::{
    modules::auth::application::{RevocationSink, RevokedSession},
    platform::tokens::TokenVerifier,
};

/// The sink.
pub(crate) struct VerifierSink(pub(crate) Arc<TokenVerifier>);

impl RevocationSink for VerifierSink {
    fn revoked(&self, sessions: &[RevokedSession]) {
        self.0.revocations().add(sessions.iter().copied());
    }
}
