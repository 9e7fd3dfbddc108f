//! Outgoing mail: plain text messages (RFC 5322) over one of three transports. When, and how often, is the caller's matter.

mod message;
mod transport;

pub use message::MailMessage;
pub use transport::{MailTransport, SendFault, TransportFault};
