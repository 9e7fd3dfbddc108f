//! TLS towards servers, from files that may change.

use std::{fmt, path::PathBuf, sync::Arc};

use arc_swap::ArcSwap;
use rustls::ClientConfig;
use tokio_rustls::TlsConnector;

use super::{
    client::{ClientTls, connector},
    material::{TlsFault, file},
};

/// What connections are made with at present; exchanged while others are made. Cheap to clone, and clones are exchanged
/// together.
#[derive(Clone)]
pub struct ClientConnector {
    settings: Arc<ClientTls>,
    protocols: &'static [&'static str],
    current: Arc<ArcSwap<ClientConfig>>,
}

impl fmt::Debug for ClientConnector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientConnector").finish_non_exhaustive()
    }
}

impl ClientConnector {
    /// Reads the files. Connections offer these application protocols.
    pub fn load(settings: ClientTls, protocols: &'static [&'static str]) -> Result<Self, TlsFault> {
        let current = connector(&settings, protocols)?;
        let current = Arc::new(ArcSwap::new(current.config().clone()));
        Ok(Self { settings: Arc::new(settings), protocols, current })
    }

    /// Reads the files again; what was read before stays when one of them is wrong.
    pub fn reload(&self) -> Result<(), TlsFault> {
        self.current.store(connector(&self.settings, self.protocols)?.config().clone());
        Ok(())
    }

    /// The files that all this comes from.
    pub fn files(&self) -> Vec<PathBuf> {
        let identity = self.settings.identity.iter().flat_map(|(cert, key)| [cert, key]);
        self.settings.ca.iter().chain(identity).filter_map(|value| file(value)).collect()
    }

    /// For the next connection.
    pub fn connector(&self) -> TlsConnector {
        TlsConnector::from(self.current.load_full())
    }
}
