//! Puts passkeys together, where they are enabled.

use std::sync::Arc;

use super::{Core, delta, limits};
use crate::{
    kernel::{Clock, Random, StartError},
    modules::auth::{
        application::{Mailer, Passkeys, oauth::Interactions},
        ceremonies,
        config::AuthConfig,
    },
};

/// The use cases; `None` where passkeys are not enabled.
pub(super) fn passkeys(
    core: &Core,
    config: &AuthConfig,
    mailer: &Arc<dyn Mailer>,
    clock: &Arc<dyn Clock>,
    random: &Arc<dyn Random>,
) -> Result<Option<Passkeys>, StartError> {
    if !config.passkeys.enabled {
        return Ok(None);
    }
    Ok(Some(Passkeys {
        users: core.store.clone(),
        store: core.store.clone(),
        ceremonies: ceremonies(config).map_err(|fault| StartError::Settings(vec![fault]))?,
        interactions: Interactions {
            store: core.store.clone(),
            digests: core.issuer.clone(),
            clock: clock.clone(),
            random: random.clone(),
        },
        attempts: Arc::new(limits::passkeys(core, config, clock)),
        mailer: mailer.clone(),
        audit: core.audit(clock, random),
        clock: clock.clone(),
        random: random.clone(),
        settings: core.settings.clone(),
        most: config.passkeys.per_user,
        patience: delta(config.passkeys.ceremony_ttl),
    }))
}
