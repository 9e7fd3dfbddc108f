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

/// For a process that verifies no tokens: those that do learn of it from the database.
pub(crate) struct NobodyHere;

impl RevocationSink for NobodyHere {
    fn revoked(&self, _: &[RevokedSession]) {}
}

impl RevocationSink for VerifierSink {
    fn revoked(&self, sessions: &[RevokedSession]) {
        self.verifier.revocations().add(sessions.iter().copied());
        self.revoked.send_modify(|count| *count += 1);
    }
}
