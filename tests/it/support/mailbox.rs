//! The mails an application wrote with `mail.transport = "file:DIR"`, or a test server received.

use std::{path::PathBuf, time::Duration};

use base64::{Engine as _, engine::general_purpose::STANDARD};

use super::process::eventually;

/// A directory of mails.
pub(crate) struct Mailbox {
    directory: PathBuf,
}

impl Mailbox {
    pub(crate) fn new(directory: PathBuf) -> Self {
        Self { directory }
    }

    /// The mails to an address so far, oldest first, decoded.
    pub(crate) fn mails_to(&self, address: &str) -> Vec<String> {
        let Ok(entries) = std::fs::read_dir(&self.directory) else { return Vec::new() };
        let mut files: Vec<_> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
        files.retain(|path| path.is_file() && path.file_name().is_none_or(|name| name.as_encoded_bytes()[0] != b'.'));
        files.sort_by_key(|path| path.metadata().and_then(|data| data.modified()).ok());
        let mails = files.into_iter().filter_map(|path| std::fs::read_to_string(path).ok());
        let addressed = |mail: &String| {
            let mut headers = mail.lines().take_while(|line| !line.is_empty());
            headers.any(|line| line.to_lowercase().starts_with("to:") && line.contains(address))
        };
        mails.filter(addressed).map(|mail| decode(&mail)).collect()
    }

    /// The newest mail to an address, once there is one.
    pub(crate) async fn newest_to(&self, address: &str) -> String {
        let mail = eventually(Duration::from_secs(10), async || self.mails_to(address).pop()).await;
        mail.unwrap_or_else(|| panic!("no mail to {address} in {}", self.directory.display()))
    }

    /// The token of the link in the newest mail.
    pub(crate) async fn token_for(&self, address: &str) -> String {
        let mail = self.newest_to(address).await;
        let (_, rest) = mail.split_once("token=").unwrap_or_else(|| panic!("no link in {mail}"));
        rest.chars().take_while(|c| c.is_ascii_alphanumeric() || "._~-%".contains(*c)).collect()
    }
}

/// The header as it is and the body as it was written (RFC 2045 transfer encodings).
fn decode(mail: &str) -> String {
    let mail = mail.replace("\r\n", "\n");
    let Some((head, body)) = mail.split_once("\n\n") else { return mail };
    let encoding = head.to_lowercase();
    if encoding.contains("content-transfer-encoding: base64") {
        let packed: String = body.split_whitespace().collect();
        let bytes = STANDARD.decode(packed).expect("base64");
        return format!("{head}\n\n{}", String::from_utf8_lossy(&bytes));
    }
    if !encoding.contains("content-transfer-encoding: quoted-printable") {
        return mail;
    }
    let joined = body.replace("=\n", "");
    let mut bytes = Vec::new();
    let mut rest = joined.as_str();
    while let Some((plain, coded)) = rest.split_once('=') {
        bytes.extend(plain.bytes());
        let (digits, tail) = coded.split_at(2);
        bytes.push(u8::from_str_radix(digits, 16).expect("two hexadecimal digits"));
        rest = tail;
    }
    bytes.extend(rest.bytes());
    format!("{head}\n\n{}", String::from_utf8_lossy(&bytes))
}
