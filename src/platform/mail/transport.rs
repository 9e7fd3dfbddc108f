//! How mail leaves: to the log (its head alone), into a folder, or over SMTP.

use std::{io::Write as _, path::PathBuf, sync::OnceLock, time::Duration};

use lettre::{
    AsyncSmtpTransport, AsyncTransport as _, Tokio1Executor,
    message::Mailbox,
    transport::smtp::{AsyncSmtpTransportBuilder, PoolConfig, client::TlsParameters},
};

use super::MailMessage;

/// A way out for mail, with the sender it writes.
pub struct MailTransport {
    from: Mailbox,
    way: Way,
}

enum Way {
    Log,
    Folder(PathBuf),
    Smtp(Smtp),
}

/// A pool of connections, made with the first mail: it needs a runtime, which reading a configuration has not.
struct Smtp {
    builder: AsyncSmtpTransportBuilder,
    pool: OnceLock<AsyncSmtpTransport<Tokio1Executor>>,
}

impl Smtp {
    fn pool(&self) -> &AsyncSmtpTransport<Tokio1Executor> {
        self.pool.get_or_init(|| self.builder.clone().build())
    }
}

/// A setting of the transport that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TransportFault {
    /// `transport` or `from`.
    pub key: &'static str,
    /// What is wrong with it.
    pub detail: String,
}

/// Why a mail could not be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SendFault {
    /// It is worth another try.
    Passing(String),
    /// The address will not do tomorrow either.
    Final(String),
}

impl MailTransport {
    /// Reads `log`, `file:DIR`, `smtp://user:password@host:port` (STARTTLS when the server offers it, always when the URL
    /// says `?tls=required`) or `smtps://…`; nothing is connected yet.
    pub fn parse(transport: &str, from: &str) -> Result<Self, Vec<TransportFault>> {
        let way = parse_way(transport).map_err(|detail| TransportFault { key: "transport", detail });
        let from = from.parse::<Mailbox>().map_err(|error| TransportFault {
            key: "from",
            detail: format!("expected an address such as \"no-reply@example.com\": {error}"),
        });
        match (from, way) {
            (Ok(from), Ok(way)) => Ok(Self { from, way }),
            (from, way) => Err([from.err(), way.err()].into_iter().flatten().collect()),
        }
    }

    /// Sends one mail.
    pub async fn send(&self, mail: &MailMessage) -> Result<(), SendFault> {
        let message = mail.compose(&self.from).map_err(SendFault::Final)?;
        match &self.way {
            Way::Log => Ok(()),
            Way::Folder(folder) => {
                write_file(folder.clone(), mail.id, message.formatted()).await.map_err(SendFault::Passing)
            }
            Way::Smtp(smtp) => smtp.pool().send(message).await.map(drop).map_err(|error| fault_of(&error)),
        }
    }

    /// The transport's name in logs.
    pub fn name(&self) -> &'static str {
        match self.way {
            Way::Log => "log",
            Way::Folder(_) => "file",
            Way::Smtp(_) => "smtp",
        }
    }
}

fn parse_way(transport: &str) -> Result<Way, String> {
    if transport == "log" {
        return Ok(Way::Log);
    }
    if let Some(folder) = transport.strip_prefix("file:").filter(|folder| !folder.is_empty()) {
        return Ok(Way::Folder(PathBuf::from(folder)));
    }
    if transport.starts_with("smtp://") || transport.starts_with("smtps://") {
        let builder = smtp(transport).map_err(|error| format!("not a usable SMTP URL: {error}"))?;
        return Ok(Way::Smtp(Smtp { builder, pool: OnceLock::new() }));
    }
    Err("expected \"log\", \"file:DIR\", \"smtp://user:password@host:587\" or \"smtps://…\"".to_owned())
}

fn smtp(url: &str) -> Result<AsyncSmtpTransportBuilder, lettre::transport::smtp::Error> {
    let mut builder = AsyncSmtpTransport::<Tokio1Executor>::from_url(url)?;
    let says_tls = url.starts_with("smtps://") || url.contains("tls=");
    if !says_tls {
        let host = url.trim_start_matches("smtp://").rsplit('@').next().unwrap_or_default();
        let host = host.split(['/', '?']).next().unwrap_or_default();
        let host = host.rsplit_once(':').map_or(host, |(host, _)| host);
        let tls = TlsParameters::new(host.to_owned())?;
        // Credentials never travel in the clear, except to this machine.
        let is_local = matches!(host, "localhost" | "127.0.0.1" | "[::1]");
        let needs_tls = url.contains('@') && !is_local;
        builder = builder.tls(if needs_tls {
            lettre::transport::smtp::client::Tls::Required(tls)
        } else {
            lettre::transport::smtp::client::Tls::Opportunistic(tls)
        });
    }
    Ok(builder.timeout(Some(Duration::from_secs(10))).pool_config(PoolConfig::new().max_size(4)))
}

/// Only what a server says of the mailbox is final (RFC 5321 §4.2.3). Of the other permanent answers most mean that
/// somebody has to mend a setting, and the mails shall still be there then.
fn fault_of(error: &lettre::transport::smtp::Error) -> SendFault {
    let text = error.to_string();
    let is_of_mailbox = error.status().is_some_and(|code| matches!(u16::from(code), 550 | 551 | 553 | 556));
    if is_of_mailbox { SendFault::Final(text) } else { SendFault::Passing(text) }
}

/// One `.eml` file, complete as soon as it can be seen.
async fn write_file(folder: PathBuf, id: uuid::Uuid, content: Vec<u8>) -> Result<(), String> {
    let write = move || {
        std::fs::create_dir_all(&folder)?;
        let partial = folder.join(format!(".{id}.part"));
        let mut file = std::fs::File::create(&partial)?;
        file.write_all(&content)?;
        file.sync_all()?;
        std::fs::rename(partial, folder.join(format!("{id}.eml")))
    };
    match tokio::task::spawn_blocking(write).await {
        Ok(outcome) => outcome.map_err(|error| error.to_string()),
        Err(error) => Err(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fault_is_told_at_once() {
        let Err(faults) = MailTransport::parse("pigeon", "nobody") else { panic!("accepted") };
        assert_eq!(faults.iter().map(|fault| fault.key).collect::<Vec<_>>(), ["from", "transport"]);
        for good in
            ["log", "file:mails", "smtp://localhost:2525", "smtp://a:b@mail.example:587", "smtps://mail.example"]
        {
            assert!(MailTransport::parse(good, "no-reply@localhost").is_ok(), "{good}");
        }
    }
}
