//! `vestibule serve` from a loaded configuration to the end of the process.

use std::sync::Arc;

use super::{Process, RoleSet, ServeOptions};
use crate::{
    config::{Config, Loaded, LogFormat},
    kernel::{StartError, SystemClock},
    platform::telemetry::logs::{self, Format, LogGuard},
};

/// Serves the roles until a signal. `ready` is called once requests are answered, with the front door's URL.
pub fn serve(loaded: &Loaded, roles: &RoleSet, ready: impl FnOnce(&str)) -> Result<(), StartError> {
    let port_was_set = loaded.was_set("server.port");
    let mut config = loaded.config.clone();
    if let Some(role) = roles.only().filter(|_| !port_was_set) {
        config.server.port = role.default_port();
    }
    let scheme = if config.server.tls.is_some() { "https" } else { "http" };
    let log = Arc::new(start_log(&config, roles)?);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| StartError::Failed(format!("cannot start the runtime: {error}")))?;
    let served = runtime.block_on(async {
        let options = ServeOptions { config, loaded: loaded.clone(), roles: roles.clone(), log: log.clone() };
        let process = Box::pin(Process::start(options)).await?;
        let url = format!("{scheme}://{}", process.address());
        tracing::info!(event = "listening", url, roles = %roles, version = env!("CARGO_PKG_VERSION"));
        ready(&url);
        process.run().await?;
        tracing::info!(event = "stopped");
        Ok(())
    });
    log.finish();
    served
}

fn start_log(config: &Config, roles: &RoleSet) -> Result<LogGuard, StartError> {
    let format = match config.log.format {
        Some(LogFormat::Json) => Format::Json,
        Some(LogFormat::Pretty) => Format::Pretty,
        None => Format::automatic(),
    };
    logs::start(format, &config.log.level, roles.service(), SystemClock).map_err(StartError::Failed)
}
