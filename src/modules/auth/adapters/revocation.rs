//! Tells this process's verifier of sessions that ended, without a detour over the feed; and every instance's feed that
//! there is news.

use std::sync::Arc;

use tokio::sync::watch;

use crate::{
    modules::auth::application::{RevocationFeed, RevocationSink, RevokedSession},
    platform::{bell::Bell, tokens::TokenVerifier},
};

/// The feed, by the installation's bell: in this process alone, or over Redis.
pub(crate) struct BellFeed(pub(crate) Arc<dyn Bell>);

impl RevocationFeed for BellFeed {
    fn announce(&self) {
        self.0.ring();
    }

    fn heard(&self) -> watch::Receiver<u64> {
        self.0.heard()
    }
}

/// The sink.
pub(crate) struct VerifierSink {
    pub(crate) verifier: Arc<TokenVerifier>,
    pub(crate) feed: Arc<dyn RevocationFeed>,
}

/// For a process that verifies no tokens: those that do learn of it from the database.
pub(crate) struct NobodyHere;

impl RevocationSink for NobodyHere {
    fn revoked(&self, _: &[RevokedSession]) {}
}

impl RevocationSink for VerifierSink {
    fn revoked(&self, sessions: &[RevokedSession]) {
        self.verifier.revocations().add(sessions.iter().copied());
        self.feed.announce();
    }
}

#[cfg(test)]
mod tests;
