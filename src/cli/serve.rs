//! `vestibule serve`.

use clap::Args;

use super::{
    failure::Failure,
    roles::RoleArguments,
    session::{Session, start_failure},
};
use crate::{
    bootstrap::{self, RoleSet},
    config::Override,
};

/// Serves roles behind one port.
#[derive(Debug, Args)]
pub(super) struct Serve {
    #[command(flatten)]
    roles: RoleArguments,
    /// The address to listen on
    #[arg(long, value_name = "H")]
    host: Option<String>,
    /// The port to listen on
    #[arg(long, value_name = "P")]
    port: Option<String>,
}

impl Serve {
    pub(super) fn run(self, session: &mut Session) -> Result<(), Failure> {
        let roles = RoleSet::choose(&self.roles.roles).map_err(Failure::Usage)?;
        let host = self.host.map(|text| Override { key: "server.host", text, flag: "--host" });
        let port = self.port.map(|text| Override { key: "server.port", text, flag: "--port" });
        let loaded = session.load_with(host.into_iter().chain(port).collect())?;
        bootstrap::serve(&loaded, &roles, |_| {}).map_err(|error| start_failure(&loaded, error))
    }
}
