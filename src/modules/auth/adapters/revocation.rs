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

impl RevocationSink for VerifierSink {
    fn revoked(&self, sessions: &[RevokedSession]) {
        self.verifier.revocations().add(sessions.iter().copied());
        self.revoked.send_modify(|count| *count += 1);
    }
}
