//! An authority of a test's own, and a target behind TLS that notes who asks.

use std::{
    convert::Infallible,
    net::SocketAddr,
    path::Path,
    sync::{Arc, Mutex},
};

use bytes::Bytes;
use http_body_util::Full;
use hyper::{Request, Response, body::Incoming, service::service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::{
    RootCertStore, ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
    server::WebPkiClientVerifier,
};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

/// Issues certificates.
pub(crate) struct Authority {
    pub(crate) pem: String,
    issuer: Issuer<'static, KeyPair>,
}

/// A certificate and its key.
#[derive(Clone)]
pub(crate) struct Issued {
    pub(crate) cert: String,
    pub(crate) key: String,
}

impl Issued {
    /// Writes both to `NAME.pem` and `NAME.key`, each at once.
    pub(crate) fn write(&self, directory: &Path, name: &str) {
        for (ending, text) in [("key", &self.key), ("pem", &self.cert)] {
            let next = directory.join(format!("{name}.{ending}.next"));
            std::fs::write(&next, text).expect("it can be written");
            std::fs::rename(next, directory.join(format!("{name}.{ending}"))).expect("it can be renamed");
        }
    }

    /// The certificate as it is shown.
    pub(crate) fn der(&self) -> Vec<u8> {
        CertificateDer::from_pem_slice(self.cert.as_bytes()).expect("a certificate").to_vec()
    }
}

impl Authority {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).expect("no names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        let pem = params.self_signed(&key).expect("a certificate").pem();
        Self { pem, issuer: Issuer::new(params, key) }
    }

    /// A certificate of these names.
    pub(crate) fn issue(&self, names: &[&str]) -> Issued {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let key = KeyPair::generate().expect("a key");
        let params = CertificateParams::new(names).expect("names");
        let cert = params.signed_by(&key, &self.issuer).expect("a certificate");
        Issued { cert: cert.pem(), key: key.serialize_pem() }
    }
}

/// A target behind TLS that asks for a certificate, speaks HTTP/1.1 and HTTP/2, and answers with the version it was asked in.
pub(crate) struct GuardedTarget {
    pub(crate) address: SocketAddr,
    /// The certificate that each connection came with.
    pub(crate) shown: Arc<Mutex<Vec<Vec<u8>>>>,
}

impl GuardedTarget {
    /// Shows a certificate of this name, and takes clients of the same authority only.
    pub(crate) async fn start(authority: &Authority, name: &str) -> Self {
        let own = authority.issue(&[name]);
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(authority.pem.as_bytes()).expect("an authority")).expect("one");
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider.clone()).build();
        let key = PrivateKeyDer::from_pem_slice(own.key.as_bytes()).expect("a key");
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_client_cert_verifier(verifier.expect("a verifier"))
            .with_single_cert(vec![own.der().into()], key)
            .expect("a certificate");
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let shown = Arc::new(Mutex::new(Vec::new()));
        let noted = shown.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(acceptor.clone(), stream, noted.clone()));
            }
        });
        Self { address, shown }
    }
}

async fn serve(acceptor: TlsAcceptor, stream: TcpStream, shown: Arc<Mutex<Vec<Vec<u8>>>>) {
    let Ok(stream) = acceptor.accept(stream).await else { return };
    let session = stream.get_ref().1;
    let certificate = session.peer_certificates().and_then(|chain| chain.first()).map(|der| der.to_vec());
    shown.lock().expect("nobody panicked").extend(certificate);
    if session.alpn_protocol() == Some(b"h2") {
        let builder = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
        let _ = builder.serve_connection(TokioIo::new(stream), service_fn(tell)).await;
    } else {
        // A connection for each request, so that each shows the certificate of its time.
        let mut builder = hyper::server::conn::http1::Builder::new();
        builder.keep_alive(false);
        let _ = builder.serve_connection(TokioIo::new(stream), service_fn(tell)).await;
    }
}

async fn tell(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    Ok(Response::new(Full::from(format!("{:?}", request.version()))))
}
