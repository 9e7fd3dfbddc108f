//! TLS towards servers.

use std::sync::Arc;

use hyper_rustls::ConfigBuilderExt as _;
use rustls::{
    ClientConfig, DigitallySignedStruct, Error, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, ServerName, UnixTime},
};
use tokio_rustls::TlsConnector;

use super::material::{TlsFault, authorities, certificates, key, provider};

/// How to connect to a server: names of files, or the PEM text itself.
#[derive(Debug, Clone, Default)]
pub struct ClientTls {
    /// Whose certificates are believed; without: the public authorities.
    pub ca: Option<String>,
    /// Our own certificate, where the server asks for one, and its key.
    pub identity: Option<(String, String)>,
    /// Whether any certificate is believed.
    pub insecure: bool,
}

/// A connector that offers these application protocols.
pub fn connector(settings: &ClientTls, protocols: &[&str]) -> Result<TlsConnector, TlsFault> {
    let provider = provider();
    let builder = ClientConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .map_err(|error| TlsFault::new("ca", error.to_string()))?;
    let builder = match &settings.ca {
        _ if settings.insecure => {
            builder.dangerous().with_custom_certificate_verifier(Arc::new(AnyCertificate(provider)))
        }
        Some(ca) => builder.with_root_certificates(authorities("ca", ca)?),
        None => builder.with_webpki_roots(),
    };
    let mut config = match &settings.identity {
        None => builder.with_no_client_auth(),
        Some((cert, own_key)) => builder
            .with_client_auth_cert(certificates("cert", cert)?, key("key", own_key)?)
            .map_err(|error| TlsFault::new("key", format!("{error}; expected the key of the certificate")))?,
    };
    config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
    Ok(TlsConnector::from(Arc::new(config)))
}

/// Believes every certificate, as `insecure = true` asks; the signatures of the handshake are still checked.
#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
