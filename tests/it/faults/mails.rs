//! No mail is lost that was promised: it is in the database when the call is answered.

use std::{collections::BTreeSet, time::Duration};

use rstest::rstest;
use serde_json::json;

use crate::support::{
    MailServer, Mailbox, Reply,
    Store::{self, Postgres, Sqlite},
    TestApp,
    Topology::{self, AllInOne, Split},
    eventually, free_host,
};

/// Mails are tried again often, hashing is quick, and nothing else is limited.
const HASTY: &str = "retry_after = \"200ms\"\nretry_after_max = \"1s\"\n[gateway]\nrate_limit = false\n\
                     [auth.password]\nargon2 = { memory = \"1MiB\", iterations = 1, parallelism = 1 }\n";

fn address(number: usize) -> String {
    format!("user-{number}@example.org")
}

/// The `Message-ID` of a mail.
fn name_of(mail: &str) -> String {
    let line = mail.lines().find(|line| line.to_lowercase().starts_with("message-id:"));
    line.unwrap_or_else(|| panic!("no Message-ID in {mail}")).to_owned()
}

async fn forgot(app: &TestApp, email: &str) -> Reply {
    app.post("/auth/password/forgot").json(&json!({"email": email})).send().await
}

#[rstest]
#[tokio::test]
async fn kill_dash_nine_right_after_the_answer_loses_no_mail(
    #[values(AllInOne, Split)] topology: Topology,
    #[values(Sqlite, Postgres)] store: Store,
) {
    let directory = tempfile::tempdir().unwrap();
    let maildir = directory.path().join("mail");
    let host = free_host();
    let settings = format!("{}{HASTY}", MailServer::settings(host));
    let mut app = TestApp::builder(topology, store).settings(&settings).start().await;
    let ada = app.register("ada@example.org").await;
    app.register("grace@example.org").await;
    forgot(&app, &ada.email).await.must_be(202);
    app.kill_dash_nine();

    let _server = MailServer::start(host, &maildir).await;
    app.start().await;
    let mailbox = Mailbox::new(maildir.join("new"));
    let all = eventually(Duration::from_secs(30), async || {
        let mails = [mailbox.mails_to(&ada.email), mailbox.mails_to("grace@example.org")].concat();
        (mails.len() >= 3).then_some(mails)
    });
    let all = all.await.expect("every mail, after the restart");
    assert!(all.iter().any(|mail| mail.contains("/auth/password/reset?token=")), "{all:?}");
    let first = mailbox.mails_to(&ada.email).into_iter().find(|mail| mail.contains("/auth/verify-email?token="));
    let token: String =
        first.unwrap().split_once("token=").unwrap().1.chars().take_while(char::is_ascii_hexdigit).collect();
    app.post("/auth/verify-email").json(&json!({"token": token})).send().await.must_be(204);
}

#[tokio::test]
async fn a_mail_server_that_is_away_for_a_while_gets_everything_once_and_in_order() {
    let directory = tempfile::tempdir().unwrap();
    let maildir = directory.path().join("mail");
    let host = free_host();
    let app = TestApp::simple().settings(&format!("{}{HASTY}", MailServer::settings(host))).start().await;
    for number in 0..6 {
        app.register(&address(number)).await;
    }
    forgot(&app, &address(0)).await.must_be(202);
    let waiting = async |count: &str| {
        let line = format!("outbox_pending{{outbox=\"mails\"}} {count}");
        let shown = async || app.get("/metrics").send().await.text().contains(&line).then_some(());
        eventually(Duration::from_secs(10), shown).await.is_some()
    };
    assert!(waiting("7").await, "{}", app.get("/metrics").send().await.text());

    let server = MailServer::start(host, &maildir).await;
    assert!(waiting("0").await);
    drop(server);
    let mailbox = Mailbox::new(maildir.join("new"));
    for number in 1..6 {
        assert_eq!(mailbox.mails_to(&address(number)).len(), 1, "{number}");
    }
    let mails = mailbox.mails_to(&address(0));
    assert_eq!(mails.len(), 2);
    assert!(mails[0].contains("/auth/verify-email") && mails[1].contains("/auth/password/reset"), "{mails:?}");
    assert!(app.get("/metrics").send().await.text().contains("mails_total{outcome=\"sent\"} 7"));
}

#[rstest]
#[tokio::test]
async fn two_instances_send_each_mail_once(#[values(Sqlite, Postgres)] store: Store) {
    let directory = tempfile::tempdir().unwrap();
    let maildir = directory.path().join("mail");
    let host = free_host();
    let settings = format!("{}{HASTY}", MailServer::settings(host));
    let app = TestApp::builder(AllInOne, store).settings(&settings).start_twins().await;
    let count = 20;
    for number in 0..count {
        app.register(&address(number)).await;
    }
    let _server = MailServer::start(host, &maildir).await;
    let mailbox = Mailbox::new(maildir.join("new"));
    let mails = || (0..count).flat_map(|number| mailbox.mails_to(&address(number))).collect::<Vec<_>>();
    assert!(eventually(Duration::from_secs(20), async || (mails().len() >= count).then_some(())).await.is_some());
    tokio::time::sleep(Duration::from_secs(1)).await;
    let names: Vec<_> = mails().iter().map(|mail| name_of(mail)).collect();
    assert_eq!((names.len(), names.iter().collect::<BTreeSet<_>>().len()), (count, count));
    assert_eq!(app.logs().lines().filter(|line| line.contains("\"mail_sent\"")).count(), count);
}

#[tokio::test]
async fn what_waits_is_sealed_and_leaves_nothing_in_the_database() {
    let host = free_host();
    let key = "ab".repeat(32);
    let sealed = format!("{}{HASTY}[auth]\nmaster_key = \"{key}\"\n", MailServer::settings(host));
    let open = format!("{}{HASTY}", MailServer::settings(host));
    for (settings, shows) in [(sealed, false), (open, true)] {
        let app = TestApp::simple().settings(&settings).start().await;
        app.register("ada@example.org").await;
        let bytes = database_of(&app);
        assert!(bytes.contains("ada@example.org"), "this is where it is");
        assert_eq!(bytes.contains("/auth/verify-email?token="), shows);
    }
}

#[tokio::test]
async fn a_mail_outlives_a_change_of_the_master_key() {
    let directory = tempfile::tempdir().unwrap();
    let maildir = directory.path().join("mail");
    let host = free_host();
    let with = |keys: &str| format!("{}{HASTY}[auth]\n{keys}\n", MailServer::settings(host));
    let (old, new) = ("ab".repeat(32), "cd".repeat(32));
    let mut app = TestApp::simple().settings(&with(&format!("master_key = \"{old}\""))).start().await;
    app.register("ada@example.org").await;
    for keys in
        [format!("master_key = \"{new}\"\nprevious_master_keys = [\"{old}\"]"), format!("master_key = \"{new}\"")]
    {
        app.kill_dash_nine();
        std::fs::write(app.directory().join("test.toml"), with(&keys)).unwrap();
        app.start().await;
    }
    let _server = MailServer::start(host, &maildir).await;
    let mailbox = Mailbox::new(maildir.join("new"));
    let arrived = async || (!mailbox.mails_to("ada@example.org").is_empty()).then_some(());
    assert!(eventually(Duration::from_secs(30), arrived).await.is_some(), "{}", app.logs());
}

/// The files of the database, as they are.
fn database_of(app: &TestApp) -> String {
    let files = std::fs::read_dir(app.directory()).unwrap().filter_map(|entry| Some(entry.ok()?.path()));
    let of_database = files.filter(|path| path.file_name().is_some_and(|name| name.to_string_lossy().contains(".db")));
    of_database.map(|path| String::from_utf8_lossy(&std::fs::read(path).unwrap()).into_owned()).collect()
}

#[rstest]
#[tokio::test]
async fn too_many_mails_are_an_answer_and_tell_nobody_who_has_an_account(#[values(Sqlite, Postgres)] store: Store) {
    let settings = format!("{}max_waiting = 2\n{HASTY}", MailServer::settings(free_host()));
    let app = TestApp::builder(AllInOne, store).settings(&settings).start().await;
    app.register("ada@example.org").await;
    app.register("grace@example.org").await;
    let full = |reply: Reply| {
        reply.problem(503, "unavailable");
        assert!(reply.header("retry-after").is_some_and(|wait| wait.parse::<u32>().is_ok()));
    };
    for email in ["ada@example.org", "nobody@example.org"] {
        full(forgot(&app, email).await);
        full(app.post("/auth/verify-email/resend").json(&json!({"email": email})).send().await);
        let body = json!({"email": email, "password": "correct horse battery staple"});
        full(app.post("/auth/register").json(&body).send().await);
    }
}

#[tokio::test]
async fn a_slow_mail_server_holds_nobody_and_what_waits_outlives_the_process() {
    // Takes connections and says nothing.
    let host = free_host();
    let silent = tokio::net::TcpListener::bind((host, 8025)).await.unwrap();
    let mut app = TestApp::simple().settings(&format!("{}{HASTY}", MailServer::settings(host))).start().await;
    let start = std::time::Instant::now();
    for number in 0..8 {
        app.register(&address(number)).await;
    }
    assert!(start.elapsed() < Duration::from_secs(8), "{:?}", start.elapsed());
    let start = std::time::Instant::now();
    app.processes[0].signal("TERM");
    assert_eq!(app.processes[0].exit_code(Duration::from_secs(15)).await, Some(0));
    assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
    drop(silent);

    let directory = tempfile::tempdir().unwrap();
    let maildir = directory.path().join("mail");
    let _server = MailServer::start(host, &maildir).await;
    app.start().await;
    let mailbox = Mailbox::new(maildir.join("new"));
    let all = eventually(Duration::from_secs(40), async || {
        (0..8).all(|number| !mailbox.mails_to(&address(number)).is_empty()).then_some(())
    });
    assert!(all.await.is_some());
}
