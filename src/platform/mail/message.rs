//! One mail, and its form on the wire.

use std::time::SystemTime;

use chrono::{DateTime, Utc};
use lettre::{
    Message,
    message::{
        Body, Mailbox,
        header::{ContentTransferEncoding, ContentType},
    },
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
    /// The left part of its `Message-ID`: the same again when it is sent again, so that a duplicate can be told.
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
            .body(encode(&self.body))
            .map_err(|error| error.to_string())
    }
}

/// As it is where the format allows it (RFC 5322 §2.1.1: 998 characters a line), so that links stay whole for every
/// reader; the library alone would wrap after 76.
fn encode(text: &str) -> Body {
    let is_plain =
        text.lines().all(|line| line.len() <= 998 && line.bytes().all(|b| b == b'\t' || (32..127).contains(&b)));
    if !is_plain {
        return Body::new(text.to_owned());
    }
    let lines = text.lines().flat_map(|line| [line, "\r\n"]).collect::<String>();
    Body::dangerous_pre_encoded(lines.into_bytes(), ContentTransferEncoding::SevenBit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_stay_whole_and_other_texts_are_encoded() {
        let link = format!("https://example.com/?token={}", "a".repeat(100));
        let body = encode(&format!("see\n{link}\n"));
        assert_eq!(body.as_ref(), format!("see\r\n{link}\r\n").as_bytes());
        assert_ne!(encode("für\n").encoding(), ContentTransferEncoding::SevenBit);
    }

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
