//! Puts the second factor together, and keeps its secrets sealed as the configuration wants.

use std::sync::Arc;

use super::{Core, cannot, limits};
use crate::{
    kernel::{Clock, Random, StartError},
    modules::auth::{
        adapters::one_time_passwords::TotpCodes,
        application::{Mailer, PortError, SecondFactor},
        config::AuthConfig,
    },
};

/// Makes and checks codes.
pub(super) fn codes(core: &Core, config: &AuthConfig, random: &Arc<dyn Random>) -> Arc<TotpCodes> {
    Arc::new(TotpCodes { name: config.mfa.name.clone(), sealer: core.sealer.clone(), random: random.clone() })
}

/// Asks for codes.
pub(super) fn second_factor(
    core: &Core,
    config: &AuthConfig,
    codes: Arc<TotpCodes>,
    mailer: &Arc<dyn Mailer>,
    clock: &Arc<dyn Clock>,
    random: &Arc<dyn Random>,
) -> SecondFactor {
    SecondFactor {
        store: core.store.clone(),
        codes,
        attempts: Arc::new(limits::codes(core, config, clock)),
        digests: core.issuer.clone(),
        mailer: mailer.clone(),
        audit: core.audit(clock, random),
        clock: clock.clone(),
    }
}

/// Brings every secret into the form in which it would be kept today: sealed, since there is a master key, or sealed anew,
/// since there is another one. A secret that does not open keeps the module from starting, like a signing key.
pub(super) async fn reseal(core: &Core, codes: &TotpCodes) -> Result<(), StartError> {
    try_reseal(core, codes).await.map_err(cannot("seal the secrets of second factors"))
}

async fn try_reseal(core: &Core, codes: &TotpCodes) -> Result<(), PortError> {
    let mut after = None;
    loop {
        let kept = core.store.totp_secrets(after).await?;
        let Some((last, _)) = kept.last() else { return Ok(()) };
        after = Some(*last);
        for (user, before) in &kept {
            if let Some(sealed) = codes.resealed(*user, before)? {
                core.store.reseal_totp(*user, before, &sealed).await?;
            }
        }
    }
}
