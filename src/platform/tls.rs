//! TLS by rustls: certificates and keys from files, chosen by the name a client asks for, exchanged when the files change.

mod client;
mod material;
mod renewed;
mod server;
mod watch;

pub use client::{ClientTls, connector};
pub use material::TlsFault;
pub use renewed::ClientConnector;
pub use server::{ServerTls, ServerTlsSettings, Shown};
pub use watch::watch;
