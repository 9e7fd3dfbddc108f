//! One mail, and its form on the wire.

use std::time::SystemTime;

use chrono::{DateTime, Utc};
use lettre::{
    Message,
    message::{Mailbox, header::ContentType},
};

/// A plain text mail to one person.
#[derive(Clone)]
pub struct MailMessage {
    /// The address, already checked.
    pub to: String,
    /// The subject: one line.
    pub subject: String,
    /// The text; may hold secrets, so it is never logged.
    pub body: String,
    /// When it was written.
    pub date: DateTime<Utc>,
    /// The left part of its `Message-ID`; unique.
    pub id: uuid::Uuid,
}

impl std::fmt::Debug for MailMessage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MailMessage").field("to", &self.to).field("subject", &self.subject).finish_non_exhaustive()
    }
}

impl MailMessage {
    /// The message as it is sent. Addresses are parsed and headers encoded by the mail library, so that no value can add
    /// a header of its own.
    pub(super) fn compose(&self, from: &Mailbox) -> Result<Message, String> {
        let to: lettre::Address = self.to.parse().map_err(|error| format!("the recipient is no address: {error}"))?;
        let message_id = format!("<{}@{}>", self.id, from.email.domain());
        let subject: String = self.subject.chars().filter(|c| !c.is_control()).collect();
        Message::builder()
            .from(from.clone())
            .to(Mailbox::new(None, to))
            .subject(subject)
            .date(SystemTime::from(self.date))
            .message_id(Some(message_id))
            .header(ContentType::TEXT_PLAIN)
            .body(self.body.clone())
            .map_err(|error| error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_value_adds_a_header() {
        let mail = MailMessage {
            to: "ada@example.com".to_owned(),
            subject: "Hello\r\nBcc: eve@example.com".to_owned(),
            body: "line\n".to_owned(),
            date: DateTime::UNIX_EPOCH,
            id: uuid::Uuid::nil(),
        };
        let from: Mailbox = "Vestibule <no-reply@localhost>".parse().unwrap();
        let text = String::from_utf8(mail.compose(&from).unwrap().formatted()).unwrap();
        assert!(!text.contains("\r\nBcc:"), "{text}");
        assert!(text.contains("Message-ID: <00000000-0000-0000-0000-000000000000@localhost>\r\n"), "{text}");
        let two = MailMessage { to: "a@example.com\r\nBcc: eve@example.com".to_owned(), ..mail };
        assert!(two.compose(&from).is_err());
    }
}
