//! What is counted against guessing, each kind apart.

use std::sync::Arc;

use super::{Core, delta};
use crate::{
    kernel::{Clock, units::Span},
    modules::auth::{
        application::LimitAttempts,
        config::{AuthConfig, CaptchaConfig},
        domain::LockoutRule,
    },
};

/// Wrong passwords.
pub(super) fn passwords(core: &Core, config: &AuthConfig, clock: &Arc<dyn Clock>) -> LimitAttempts {
    let lockout = &config.lockout;
    limit(core, config, "password", rule(lockout.failures, lockout.window, lockout.cooldown), clock)
}

/// Wrong secrets of OAuth clients; as many as passwords.
pub(super) fn clients(core: &Core, config: &AuthConfig, clock: &Arc<dyn Clock>) -> LimitAttempts {
    LimitAttempts { kind: "client", ..passwords(core, config, clock) }
}

/// Wrong codes of devices; as many as passwords.
pub(super) fn devices(core: &Core, config: &AuthConfig, clock: &Arc<dyn Clock>) -> LimitAttempts {
    LimitAttempts { kind: "device", ..passwords(core, config, clock) }
}

/// Wrong codes of second factors.
pub(super) fn codes(core: &Core, config: &AuthConfig, clock: &Arc<dyn Clock>) -> LimitAttempts {
    limit(core, config, "code", rule(config.mfa.failures, config.mfa.window, config.mfa.cooldown), clock)
}

/// Wrong answers of passkeys; as many as codes.
pub(super) fn passkeys(core: &Core, config: &AuthConfig, clock: &Arc<dyn Clock>) -> LimitAttempts {
    LimitAttempts { kind: "passkey", ..codes(core, config, clock) }
}

/// Failed logins after which a captcha is asked for.
pub(super) fn captcha(
    core: &Core,
    config: &AuthConfig,
    captcha: &CaptchaConfig,
    clock: &Arc<dyn Clock>,
) -> LimitAttempts {
    let rule = rule(captcha.after_failures.max(1), config.lockout.window, config.lockout.cooldown);
    limit(core, config, "captcha", rule, clock)
}

fn limit(
    core: &Core,
    config: &AuthConfig,
    kind: &'static str,
    account: LockoutRule,
    clock: &Arc<dyn Clock>,
) -> LimitAttempts {
    LimitAttempts {
        kind,
        account,
        client: account.wider(config.lockout.client_factor),
        counters: core.store.clone(),
        digests: core.issuer.clone(),
        clock: clock.clone(),
    }
}

fn rule(failures: u32, window: Span, cooldown: Span) -> LockoutRule {
    LockoutRule { failures, window: delta(window), cooldown: delta(cooldown) }
}
