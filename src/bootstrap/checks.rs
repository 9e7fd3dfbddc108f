//! What only the modules can say of a configuration, and the problems that they answer with.

use crate::{
    config::Config,
    kernel::SettingFault,
    platform::http::{ProblemType, authentication, problem},
};

/// Every fault of a configuration that reads well, from every module that is compiled in.
pub fn check(config: &Config) -> Vec<SettingFault> {
    let mut faults = config.check();
    faults.extend(super::tls::check(&config.server));
    faults.extend(super::http2::check(&config.server));
    faults.extend(crate::modules::auth::check(&config.auth));
    #[cfg(not(feature = "redis"))]
    if config.redis.is_some() {
        faults.push(SettingFault::new("redis", "Redis is not compiled into this binary"));
    }
    #[cfg(all(feature = "auth", not(feature = "passkeys")))]
    if config.auth.passkeys.enabled {
        faults.push(SettingFault::new("auth.passkeys.enabled", crate::modules::auth::NO_PASSKEYS));
    }
    #[cfg(feature = "auth")]
    {
        faults.extend(crate::modules::auth::check_mail(&config.mail));
        faults.extend(crate::modules::auth::check_pages(&config.auth));
    }
    #[cfg(feature = "gateway")]
    faults.extend(crate::modules::gateway::check(&config.gateway));
    #[cfg(feature = "aggregation")]
    faults.extend(crate::modules::aggregation::check(&config.aggregation));
    faults
}

/// Every problem that this binary can answer with, by any of its roles.
pub(super) fn problems() -> Vec<&'static ProblemType> {
    let mut problems = [problem::GENERAL, authentication::PROBLEMS].concat();
    #[cfg(feature = "auth")]
    problems.extend(crate::modules::auth::PROBLEMS);
    #[cfg(feature = "gateway")]
    problems.extend(crate::modules::gateway::PROBLEMS);
    #[cfg(feature = "aggregation")]
    problems.extend(crate::modules::aggregation::PROBLEMS);
    problems
}
