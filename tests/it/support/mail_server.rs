//! A real SMTP server.

use std::{
    net::{Ipv4Addr, TcpStream},
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use super::process::eventually;

/// Its port.
const PORT: u16 = 8025;

/// A running `aiosmtpd` that writes what it receives as a maildir; stopped when dropped.
pub(crate) struct MailServer(Child);

impl MailServer {
    /// What `[mail]` has to say to use the server of a host, whether or not it runs.
    pub(crate) fn settings(host: Ipv4Addr) -> String {
        format!("[mail]\ntransport = \"smtp://{host}:{PORT}\"\nfrom = \"no-reply@vestibule.example\"\n")
    }

    /// Starts it, and waits until it listens.
    pub(crate) async fn start(host: Ipv4Addr, maildir: &Path) -> Self {
        let mut command = Command::new("aiosmtpd");
        command.args(["-n", "-l", &format!("{host}:{PORT}"), "-c", "aiosmtpd.handlers.Mailbox"]).arg(maildir);
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).spawn();
        let server = Self(child.expect("aiosmtpd is installed; run the tests with ./scripts/test"));
        let up = eventually(Duration::from_secs(20), async || TcpStream::connect((host, PORT)).ok());
        assert!(up.await.is_some(), "aiosmtpd listens");
        server
    }
}

impl Drop for MailServer {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
