//! Answers kept in memory for calls that come again.

use async_trait::async_trait;

use super::MemoryStore;
use crate::modules::auth::application::{Begun, Claim, IdempotencyStore, KeptAnswer, PortError};

/// A claim, and its answer once there is one.
pub(super) type Kept = (Claim, Option<KeptAnswer>);

#[async_trait]
impl IdempotencyStore for MemoryStore {
    async fn claim(&self, claim: &Claim) -> Result<Begun, PortError> {
        let mut state = self.state();
        let is_void =
            |(kept, answer): &Kept| kept.expires_at <= claim.at || (answer.is_none() && kept.claimed_until <= claim.at);
        state.answers.retain(|kept| !is_void(kept));
        let Some((kept, answer)) = state.answers.iter().find(|(kept, _)| is_named(kept, claim)) else {
            state.answers.push((claim.clone(), None));
            return Ok(Begun::Mine);
        };
        if kept.fingerprint != claim.fingerprint {
            return Ok(Begun::OtherCall);
        }
        Ok(answer.clone().map_or(Begun::UnderWay, Begun::Answered))
    }

    async fn keep(&self, claim: &Claim, answer: &KeptAnswer) -> Result<(), PortError> {
        let mut state = self.state();
        if let Some((_, kept)) = state.answers.iter_mut().find(|kept| is_mine(kept, claim)) {
            *kept = Some(answer.clone());
        }
        Ok(())
    }

    async fn release(&self, claim: &Claim) -> Result<(), PortError> {
        self.state().answers.retain(|kept| !is_mine(kept, claim));
        Ok(())
    }
}

fn is_named(kept: &Claim, claim: &Claim) -> bool {
    kept.owner == claim.owner && kept.key_hash == claim.key_hash
}

fn is_mine((kept, answer): &Kept, claim: &Claim) -> bool {
    is_named(kept, claim) && kept.claimed_until == claim.claimed_until && answer.is_none()
}
