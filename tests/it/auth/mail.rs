//! Mail over SMTP, to a real server.

use std::{
    net::{Ipv4Addr, TcpListener, TcpStream},
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use crate::support::{Mailbox, TestApp, eventually, free_host};

/// A running `aiosmtpd` that writes what it receives as a maildir; stopped when dropped.
struct MailServer(Child);

impl MailServer {
    async fn start(host: Ipv4Addr, port: u16, maildir: &Path) -> Self {
        let mut command = Command::new("aiosmtpd");
        command.args(["-n", "-l", &format!("{host}:{port}"), "-c", "aiosmtpd.handlers.Mailbox"]).arg(maildir);
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).spawn();
        let server = Self(child.expect("aiosmtpd is installed; run the tests with ./scripts/test"));
        let up = eventually(Duration::from_secs(20), async || TcpStream::connect((host, port)).ok());
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

#[tokio::test]
async fn a_mail_reaches_an_smtp_server() {
    let directory = tempfile::tempdir().unwrap();
    let maildir = directory.path().join("mail");
    let host = free_host();
    let _server = MailServer::start(host, 8025, &maildir).await;
    let settings = format!("[mail]\ntransport = \"smtp://{host}:8025\"\nfrom = \"no-reply@vestibule.example\"");
    let app = TestApp::simple().settings(&settings).start().await;
    let ada = app.register("ada@example.org").await;

    let mail = Mailbox::new(maildir.join("new")).newest_to(&ada.email).await;
    assert!(mail.contains("no-reply@vestibule.example"), "{mail}");
    let (_, token) = mail.split_once("token=").unwrap();
    let token: String = token.chars().take_while(|c| c.is_ascii_alphanumeric() || "._~-%".contains(*c)).collect();
    app.post("/auth/verify-email").json(&serde_json::json!({"token": token})).send().await.must_be(204);
    app.login(&ada).await;
}

#[tokio::test]
async fn a_mail_server_that_is_not_there_delays_nobody() {
    let host = free_host();
    drop(TcpListener::bind((host, 8025)).unwrap());
    let app = TestApp::simple().settings(&format!("[mail]\ntransport = \"smtp://{host}:8025\"")).start().await;
    let start = std::time::Instant::now();
    app.register("ada@example.org").await;
    assert!(start.elapsed() < Duration::from_secs(5));
}
