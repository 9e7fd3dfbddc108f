//! TLS towards clients.

use std::{collections::HashMap, fmt, path::PathBuf, sync::Arc};

use arc_swap::ArcSwap;
use rustls::{
    ServerConfig,
    server::{ClientHello, ResolvesServerCert, WebPkiClientVerifier},
    sign::CertifiedKey,
};
use tokio_rustls::TlsAcceptor;

use super::material::{TlsFault, authorities, certified, file, provider};

/// A certificate with its key: names of files, or the PEM text itself.
#[derive(Debug, Clone)]
pub struct Shown {
    /// Names it is shown for; `*.example.com` stands for one label. Empty: where no other fits.
    pub names: Vec<String>,
    /// The certificate and those above it.
    pub cert: String,
    /// Its key.
    pub key: String,
}

/// What a listener shows and asks for.
#[derive(Debug, Clone)]
pub struct ServerTlsSettings {
    /// The first is shown where no other fits.
    pub shown: Vec<Shown>,
    /// Whose certificates clients may show.
    pub client_ca: Option<String>,
    /// Whether clients must show one.
    pub client_required: bool,
    /// Application protocols, the preferred one first.
    pub protocols: &'static [&'static str],
}

/// The present certificates of a listener; exchanged while it serves. Cheap to clone.
#[derive(Clone)]
pub struct ServerTls {
    settings: Arc<ServerTlsSettings>,
    current: Arc<ArcSwap<ServerConfig>>,
}

impl fmt::Debug for ServerTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerTls").finish_non_exhaustive()
    }
}

impl ServerTls {
    /// Reads the files.
    pub fn load(settings: ServerTlsSettings) -> Result<Self, TlsFault> {
        let current = Arc::new(ArcSwap::from_pointee(compile(&settings)?));
        Ok(Self { settings: Arc::new(settings), current })
    }

    /// Reads the files again; what is served stays when one of them is wrong.
    pub fn reload(&self) -> Result<(), TlsFault> {
        self.current.store(Arc::new(compile(&self.settings)?));
        Ok(())
    }

    /// The files that all this comes from.
    pub fn files(&self) -> Vec<PathBuf> {
        let shown = self.settings.shown.iter().flat_map(|shown| [&shown.cert, &shown.key]);
        shown.chain(&self.settings.client_ca).filter_map(|value| file(value)).collect()
    }

    /// For the next handshake.
    pub fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(self.current.load_full())
    }
}

fn compile(settings: &ServerTlsSettings) -> Result<ServerConfig, TlsFault> {
    let mut by_name = ByName::default();
    for (number, shown) in settings.shown.iter().enumerate() {
        let prefix = if number == 0 { String::new() } else { format!("sni[{}].", number - 1) };
        let key = Arc::new(certified(&prefix, &shown.cert, &shown.key)?);
        for name in &shown.names {
            by_name.names.insert(name.to_ascii_lowercase(), key.clone());
        }
        by_name.default.get_or_insert(key);
    }
    let builder = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(|error| TlsFault::new("cert", error.to_string()))?;
    let builder = match &settings.client_ca {
        None => builder.with_no_client_auth(),
        Some(ca) => {
            let roots = Arc::new(authorities("client_ca", ca)?);
            let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider());
            let verifier = if settings.client_required { verifier } else { verifier.allow_unauthenticated() };
            let verifier = verifier.build().map_err(|error| TlsFault::new("client_ca", error.to_string()))?;
            builder.with_client_cert_verifier(verifier)
        }
    };
    let mut config = builder.with_cert_resolver(Arc::new(by_name));
    config.alpn_protocols = settings.protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
    Ok(config)
}

/// Certificates by the name that is asked for.
#[derive(Debug, Default)]
struct ByName {
    names: HashMap<String, Arc<CertifiedKey>>,
    default: Option<Arc<CertifiedKey>>,
}

impl ByName {
    fn find(&self, name: &str) -> Option<Arc<CertifiedKey>> {
        let name = name.to_ascii_lowercase();
        let exact = self.names.get(&name);
        let above = || self.names.get(&format!("*.{}", name.split_once('.')?.1));
        exact.or_else(above).or(self.default.as_ref()).cloned()
    }
}

impl ResolvesServerCert for ByName {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        match hello.server_name() {
            Some(name) => self.find(name),
            None => self.default.clone(),
        }
    }
}
