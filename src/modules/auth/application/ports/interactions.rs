//! What browsers and clients left with us.

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::PortError;
use crate::modules::auth::domain::{Interaction, InteractionKind};

/// Where it is kept until it is fetched or expires.
#[async_trait]
pub(crate) trait InteractionRepository: Send + Sync {
    /// Keeps it.
    async fn keep(&self, interaction: &Interaction) -> Result<(), PortError>;
    /// What was left, if it is of this kind and has not expired.
    async fn find(
        &self,
        kind: InteractionKind,
        hash: &str,
        now: DateTime<Utc>,
    ) -> Result<Option<Interaction>, PortError>;
    /// The same, and it is gone: exactly one of several concurrent calls gets it.
    async fn take(
        &self,
        kind: InteractionKind,
        hash: &str,
        now: DateTime<Utc>,
    ) -> Result<Option<Interaction>, PortError>;
}
