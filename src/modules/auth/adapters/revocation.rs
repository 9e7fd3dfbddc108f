//! Tells this process's verifier of sessions that ended, without a detour over the feed; and the feed that there is news.

use std::sync::Arc;

use tokio::sync::watch;

use crate::{
    modules::auth::application::{RevocationSink, RevokedSession},
    platform::tokens::TokenVerifier,
};

/// The sink.
pub(crate) struct VerifierSink {
    pub(crate) verifier: Arc<TokenVerifier>,
    /// Counts revocations.
    pub(crate) revoked: watch::Sender<u64>,
}

/// The sink of a process that verifies nothing.
pub(crate) struct Unheard;

impl RevocationSink for Unheard {
    fn revoked(&self, _: &[RevokedSession]) {}
}

impl RevocationSink for VerifierSink {
    fn revoked(&self, sessions: &[RevokedSession]) {
        self.verifier.revocations().add(sessions.iter().copied());
        self.revoked.send_modify(|count| *count += 1);
    }
}
