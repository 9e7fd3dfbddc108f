//! Mail over SMTP, to a real server.

use crate::support::{MailServer, Mailbox, TestApp, free_host};

#[tokio::test]
async fn a_mail_reaches_an_smtp_server() {
    let directory = tempfile::tempdir().unwrap();
    let maildir = directory.path().join("mail");
    let host = free_host();
    let _server = MailServer::start(host, &maildir).await;
    let app = TestApp::simple().settings(&MailServer::settings(host)).start().await;
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
    let app = TestApp::simple().settings(&MailServer::settings(free_host())).start().await;
    let start = std::time::Instant::now();
    app.register("ada@example.org").await;
    assert!(start.elapsed() < std::time::Duration::from_secs(5));
}
