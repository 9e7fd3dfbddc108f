//! Outgoing mail: plain text messages (RFC 5322) over one of three transports, sent from a bounded queue in the background
//! so that no answer waits for a mail server.

mod message;
mod queue;
mod transport;

pub use message::MailMessage;
pub use queue::MailQueue;
pub use transport::{MailTransport, TransportFault};
