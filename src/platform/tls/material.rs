//! Certificates and keys as they stand in files.

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use rustls::{
    RootCertStore,
    crypto::CryptoProvider,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
    sign::CertifiedKey,
};

/// What is wrong with the material, and in which setting.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{setting}: {detail}")]
pub struct TlsFault {
    /// The setting beneath the `tls` table, such as `cert` or `sni[0].key`.
    pub setting: String,
    /// The file, and what was expected.
    pub detail: String,
}

impl TlsFault {
    pub(super) fn new(setting: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { setting: setting.into(), detail: detail.into() }
    }
}

/// What rustls calculates with.
pub(super) fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}

/// A setting's PEM text: of the file it names, or itself where it is the text.
fn pem(value: &str) -> io::Result<Vec<u8>> {
    if value.trim_start().starts_with("-----BEGIN") { Ok(value.as_bytes().to_vec()) } else { std::fs::read(value) }
}

/// How a setting is spoken of in a fault.
fn named(value: &str) -> &str {
    if value.trim_start().starts_with("-----BEGIN") { "the text" } else { value }
}

/// The file that a setting names, if it names one.
pub(super) fn file(value: &str) -> Option<PathBuf> {
    (!value.trim_start().starts_with("-----BEGIN")).then(|| Path::new(value).to_owned())
}

/// The certificates of a setting, the own one first.
pub(super) fn certificates(setting: &str, value: &str) -> Result<Vec<CertificateDer<'static>>, TlsFault> {
    let fault = |why: String| TlsFault::new(setting, format!("{}: {why}; expected certificates in PEM", named(value)));
    let text = pem(value).map_err(|error| fault(error.to_string()))?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
    let found = found.map_err(|error| fault(error.to_string()))?;
    if found.is_empty() { Err(fault("there is no certificate".to_owned())) } else { Ok(found) }
}

/// The private key of a setting.
pub(super) fn key(setting: &str, value: &str) -> Result<PrivateKeyDer<'static>, TlsFault> {
    let fault = |why: String| {
        TlsFault::new(
            setting,
            format!("{}: {why}; expected a private key in PEM (PKCS #8, PKCS #1 or SEC 1)", named(value)),
        )
    };
    let text = pem(value).map_err(|error| fault(error.to_string()))?;
    PrivateKeyDer::from_pem_slice(&text).map_err(|error| fault(error.to_string()))
}

/// A certificate with its key; the settings `cert` and `key` stand beneath `prefix`.
pub(super) fn certified(prefix: &str, cert: &str, own_key: &str) -> Result<CertifiedKey, TlsFault> {
    let (cert_setting, key_setting) = (format!("{prefix}cert"), format!("{prefix}key"));
    let chain = certificates(&cert_setting, cert)?;
    let signing = provider().key_provider.load_private_key(key(&key_setting, own_key)?).map_err(|error| {
        TlsFault::new(&key_setting, format!("{}: {error}; expected a key of RSA, ECDSA or Ed25519", named(own_key)))
    })?;
    let certified = CertifiedKey::new(chain, signing);
    match certified.keys_match() {
        Ok(()) | Err(rustls::Error::InconsistentKeys(rustls::InconsistentKeys::Unknown)) => Ok(certified),
        Err(rustls::Error::InconsistentKeys(_)) => {
            Err(TlsFault::new(&key_setting, format!("{}: expected the key of {}", named(own_key), named(cert))))
        }
        Err(error) => Err(TlsFault::new(&cert_setting, format!("{}: {error}", named(cert)))),
    }
}

/// The authorities of a setting.
pub(super) fn authorities(setting: &str, value: &str) -> Result<RootCertStore, TlsFault> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(setting, value)? {
        roots.add(certificate).map_err(|error| {
            TlsFault::new(setting, format!("{}: {error}; expected certificates of authorities", named(value)))
        })?;
    }
    Ok(roots)
}
