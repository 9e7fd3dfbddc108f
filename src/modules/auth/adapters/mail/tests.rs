//! What every mailer promises, over each transport and as a fake.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader},
    net::TcpListener,
};

use super::*;
use crate::{
    kernel::{ManualClock, SystemClock},
    modules::auth::{
        adapters::store::memory::MemoryStore,
        application::{CarryFault, DeliverMails, Delivery, MailCarrier},
        domain::{Email, RetryRule},
    },
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

/// A mailer and what delivers its mails.
struct Post {
    mailer: OutboxMailer,
    deliver: DeliverMails,
    store: Arc<MemoryStore>,
    clock: Arc<ManualClock>,
}

fn post(carrier: Arc<dyn MailCarrier>, sealer: Arc<Sealer>) -> Post {
    let store = Arc::new(MemoryStore::default());
    let clock = Arc::new(ManualClock::at(SystemClock.now()));
    let rule = RetryRule { attempts: 3, first: chrono::TimeDelta::seconds(5), longest: chrono::TimeDelta::seconds(60) };
    let random = Arc::new(SystemRandom);
    let deliver = DeliverMails { outbox: store.clone(), carrier, clock: clock.clone(), random: random.clone(), rule };
    Post { mailer: OutboxMailer { outbox: store.clone(), sealer, clock: clock.clone(), random }, deliver, store, clock }
}

impl Post {
    /// Over a transport; without a master key.
    fn over(transport: &str) -> Self {
        let Ok(transport) = MailTransport::parse(transport, "no-reply@localhost") else { panic!("{transport}") };
        let sealer = Arc::new(Sealer::default());
        post(Arc::new(TransportCarrier { transport, sealer: sealer.clone(), timeout: Duration::from_secs(5) }), sealer)
    }
}

/// Every promise of [`Mailer`] and [`MailCarrier`]; `received` gives what has arrived, if that can be seen.
async fn suite(post: &Post, received: impl Fn() -> Option<Vec<String>>) {
    for mail in mails() {
        post.mailer.post(mail).await;
    }
    assert_eq!(post.store.waiting(Channel::Mail).await, Ok(3), "kept, and nobody has waited for its delivery");
    for _ in 0..3 {
        assert_eq!(post.deliver.next().await, Ok(Some(Delivery::Sent)));
    }
    assert_eq!(post.deliver.next().await, Ok(None));
    assert_eq!(post.store.waiting(Channel::Mail).await, Ok(0));
    let Some(arrived) = received() else { return };
    assert_eq!(arrived.len(), 3, "each once");
    let has = |to: &str, parts: &[&str]| {
        let mail = arrived.iter().find(|mail| mail.contains(&format!("{to}@example.com"))).unwrap();
        parts.iter().all(|part| mail.contains(part))
    };
    assert!(has("one", &[&format!("?token={}", "a".repeat(64)), "ABCD-0123", "Message-ID: <"]), "{arrived:?}");
    assert!(has("two", &[&format!("?token={}", "b".repeat(64)), "EFGH-4567"]), "{arrived:?}");
    assert!(has("three", &["already"]), "{arrived:?}");
}

#[tokio::test]
async fn the_log() {
    suite(&Post::over("log"), || None).await;
}

#[tokio::test]
async fn files() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mails");
    let received = || {
        let entries = std::fs::read_dir(&path).into_iter().flatten().filter_map(|entry| Some(entry.ok()?.path()));
        let mails = entries.filter(|path| path.extension().is_some_and(|extension| extension == "eml"));
        Some(mails.filter_map(|path| std::fs::read_to_string(path).ok()).collect())
    };
    suite(&Post::over(&format!("file:{}", path.display())), received).await;
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
                    Some("RCPT") if line.contains("gone@") => b"550 no such mailbox\r\n",
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
    let post = Post::over(&format!("smtp://{address}"));
    suite(&post, || Some(received.lock().unwrap().clone())).await;

    let refused = Mail::AddressTaken { to: Email::parse("gone@example.com").unwrap() };
    post.mailer.post(refused).await;
    assert_eq!(post.deliver.next().await, Ok(Some(Delivery::GivenUp)), "there is no such mailbox, and never will be");
    assert_eq!(post.store.waiting(Channel::Mail).await, Ok(0));
}

/// Fails as often as told, then keeps what it is given.
#[derive(Default)]
struct FakeCarrier {
    failures: Mutex<u32>,
    carried: Mutex<Vec<OutboxEntry>>,
}

#[async_trait]
impl MailCarrier for FakeCarrier {
    async fn carry(&self, entry: &OutboxEntry) -> Result<(), CarryFault> {
        let mut failures = self.failures.lock().unwrap();
        if *failures > 0 {
            *failures -= 1;
            return Err(CarryFault::Later("gone".to_owned()));
        }
        self.carried.lock().unwrap().push(entry.clone());
        Ok(())
    }
}

fn to_ada() -> Mail {
    Mail::AddressTaken { to: Email::parse("ada@example.com").unwrap() }
}

#[tokio::test]
async fn a_mail_is_tried_again_and_keeps_its_name() {
    let carrier = Arc::new(FakeCarrier { failures: Mutex::new(2), ..FakeCarrier::default() });
    let post = post(carrier.clone(), Arc::default());
    let entry = post.mailer.write(&to_ada());
    post.store.put(&entry).await.unwrap();
    for wait in [5, 10] {
        assert_eq!(post.deliver.next().await, Ok(Some(Delivery::Postponed)));
        post.clock.advance(Duration::from_secs(wait - 1));
        assert_eq!(post.deliver.next().await, Ok(None), "not yet");
        post.clock.advance(Duration::from_secs(1));
    }
    assert_eq!(post.deliver.next().await, Ok(Some(Delivery::Sent)));
    assert_eq!(carrier.carried.lock().unwrap()[..], [entry]);
}

#[tokio::test]
async fn a_mail_that_cannot_be_delivered_is_given_up_and_leaves_nothing() {
    let carrier = Arc::new(FakeCarrier { failures: Mutex::new(9), ..FakeCarrier::default() });
    let post = post(carrier, Arc::default());
    post.mailer.post(to_ada()).await;
    let mut outcomes = Vec::new();
    for _ in 0..4 {
        outcomes.extend(post.deliver.next().await.unwrap());
        post.clock.advance(Duration::from_mins(1));
    }
    assert_eq!(outcomes, [Delivery::Postponed, Delivery::Postponed, Delivery::GivenUp]);
    assert_eq!(post.store.waiting(Channel::Mail).await, Ok(0));
}

#[test]
fn what_waits_is_sealed_where_there_is_a_master_key() {
    let sealer = Arc::new(Sealer::new(Some(&"ab".repeat(32)), &[]).unwrap());
    let shows = |entry: &OutboxEntry| String::from_utf8_lossy(&entry.content).contains("ABCD-0123");
    for (sealer, in_clear) in [(sealer.clone(), false), (Arc::default(), true)] {
        let post = post(Arc::new(FakeCarrier::default()), sealer);
        assert_eq!(shows(&post.mailer.write(&mails()[0])), in_clear);
    }
}

#[tokio::test]
async fn a_sealed_mail_is_delivered_and_one_that_was_moved_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let sealer = Arc::new(Sealer::new(Some(&"ab".repeat(32)), &[]).unwrap());
    let transport = format!("file:{}", folder.path().display());
    let Ok(transport) = MailTransport::parse(&transport, "no-reply@localhost") else { panic!("{transport}") };
    let carrier = TransportCarrier { transport, sealer: sealer.clone(), timeout: Duration::from_secs(5) };
    let post = post(Arc::new(FakeCarrier::default()), sealer);
    let entry = post.mailer.write(&mails()[0]);
    let moved = OutboxEntry { id: Uuid::nil(), ..entry.clone() };
    assert!(matches!(carrier.carry(&moved).await, Err(CarryFault::Later(_))));
    carrier.carry(&entry).await.unwrap();
    let mail = std::fs::read_to_string(folder.path().join(format!("{}.eml", entry.id))).unwrap();
    assert!(mail.contains("ABCD-0123"), "{mail}");
}
