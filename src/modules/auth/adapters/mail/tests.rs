//! What every mailer promises, over each transport and as a fake.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader},
    net::TcpListener,
};

use super::*;
use crate::{
    kernel::SystemClock,
    modules::auth::domain::Email,
    platform::{mail::MailTransport, random::SystemRandom},
};

/// Mails that were received, whole.
type Received = Arc<Mutex<Vec<String>>>;

fn mails() -> Vec<Mail> {
    let to = |name: &str| Email::parse(&format!("{name}@example.com")).unwrap();
    let link = |token: &str| format!("https://door.example/auth/?token={}", token.repeat(64));
    vec![
        Mail::Verification { to: to("one"), link: link("a"), code: "ABCD-0123".to_owned() },
        Mail::PasswordReset { to: to("two"), link: link("b"), code: "EFGH-4567".to_owned() },
        Mail::AddressTaken { to: to("three") },
    ]
}

/// Every promise of [`Mailer`]; `received` gives what has arrived, if that can be seen.
async fn suite(mailer: &dyn Mailer, received: impl Fn() -> Option<Vec<String>>) {
    let start = Instant::now();
    for mail in mails() {
        mailer.post(mail);
    }
    assert!(start.elapsed() < Duration::from_millis(500), "it does not wait");
    for _ in 0..500 {
        match received() {
            Some(arrived) if arrived.len() < 3 => tokio::time::sleep(Duration::from_millis(20)).await,
            _ => break,
        }
    }
    let Some(arrived) = received() else { return };
    assert_eq!(arrived.len(), 3, "each once");
    let has = |to: &str, parts: &[&str]| {
        let mail = arrived.iter().find(|mail| mail.contains(&format!("{to}@example.com"))).unwrap();
        parts.iter().all(|part| mail.contains(part))
    };
    assert!(has("one", &[&format!("?token={}", "a".repeat(64)), "ABCD-0123"]), "{arrived:?}");
    assert!(has("two", &[&format!("?token={}", "b".repeat(64)), "EFGH-4567"]), "{arrived:?}");
    assert!(has("three", &["already"]), "{arrived:?}");
}

fn over(transport: &str) -> QueuedMailer {
    let Ok(transport) = MailTransport::parse(transport, "no-reply@localhost") else { panic!("{transport}") };
    QueuedMailer {
        queue: Arc::new(MailQueue::start(transport)),
        clock: Arc::new(SystemClock),
        random: Arc::new(SystemRandom),
    }
}

#[tokio::test]
async fn the_log() {
    let mailer = over("log");
    suite(&mailer, || None).await;
    mailer.queue.stop(Duration::from_secs(5)).await;
    // Afterwards too it neither waits nor fails.
    suite(&mailer, || None).await;
}

#[tokio::test]
async fn files() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mails");
    let mailer = over(&format!("file:{}", path.display()));
    let received = || {
        let entries = std::fs::read_dir(&path).into_iter().flatten().filter_map(|entry| Some(entry.ok()?.path()));
        let mails = entries.filter(|path| path.extension().is_some_and(|extension| extension == "eml"));
        Some(mails.filter_map(|path| std::fs::read_to_string(path).ok()).collect())
    };
    suite(&mailer, received).await;
    mailer.queue.stop(Duration::from_secs(5)).await;
}

/// As much of RFC 5321 as a client needs.
async fn serve(listener: TcpListener, received: Received) {
    while let Ok((stream, _)) = listener.accept().await {
        let received = received.clone();
        tokio::spawn(async move {
            let (reader, mut writer) = stream.into_split();
            let mut lines = BufReader::new(reader).lines();
            writer.write_all(b"220 test\r\n").await?;
            let mut mail: Option<String> = None;
            while let Some(line) = lines.next_line().await? {
                if let Some(text) = &mut mail {
                    if line == "." {
                        received.lock().unwrap_or_else(PoisonError::into_inner).push(mail.take().unwrap_or_default());
                        writer.write_all(b"250 ok\r\n").await?;
                    } else {
                        text.push_str(&line);
                        text.push('\n');
                    }
                    continue;
                }
                let answer: &[u8] = match line.get(..4) {
                    Some("DATA") => {
                        mail = Some(String::new());
                        b"354 go on\r\n"
                    }
                    Some("QUIT") => b"221 bye\r\n",
                    _ => b"250 ok\r\n",
                };
                writer.write_all(answer).await?;
            }
            std::io::Result::Ok(())
        });
    }
}

#[tokio::test]
async fn smtp() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let received = Received::default();
    tokio::spawn(serve(listener, received.clone()));
    let mailer = over(&format!("smtp://{address}"));
    suite(&mailer, || Some(received.lock().unwrap().clone())).await;
    mailer.queue.stop(Duration::from_secs(5)).await;
}

/// Keeps what it is given.
#[derive(Default)]
struct FakeMailer(Received);

impl Mailer for FakeMailer {
    fn post(&self, mail: Mail) {
        let (to, subject, body) = write(mail);
        self.0.lock().unwrap().push(format!("{to}\n{subject}\n{body}"));
    }
}

#[tokio::test]
async fn a_fake() {
    let mailer = FakeMailer::default();
    suite(&mailer, || Some(mailer.0.lock().unwrap().clone())).await;
}
