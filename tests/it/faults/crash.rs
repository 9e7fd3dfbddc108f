//! kill -9 loses nothing that was answered.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use rstest::rstest;
use serde_json::json;

use crate::support::{
    Session,
    Store::{self, Postgres, Sqlite},
    TestApp,
    Topology::{self, AllInOne, Split},
    User,
};

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kill_dash_nine_in_the_middle_of_writes(
    #[values(AllInOne, Split)] topology: Topology,
    #[values(Sqlite, Postgres)] store: Store,
) {
    let settings = "[gateway]\nrate_limit = false\n[auth]\nrequire_verified_email = false\n\
                    [auth.password]\nargon2 = { memory = \"1MiB\", iterations = 1, parallelism = 1 }";
    let mut app = TestApp::builder(topology, store).settings(settings).start().await;
    let password = "correct horse battery staple";
    let veteran = app.register("veteran@example.org").await;
    let session = app.login(&veteran).await;
    let refreshed: Session = app
        .post("/auth/refresh")
        .json(&json!({"refresh_token": session.refresh_token}))
        .send()
        .await
        .must_be(200)
        .parse();

    let stop = Arc::new(AtomicBool::new(false));
    let writers: Vec<_> = (0..4)
        .map(|writer| {
            let (stop, url) = (Arc::clone(&stop), app.url.clone());
            tokio::spawn(async move {
                let client = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(5)).build().unwrap();
                let mut answered = Vec::new();
                for count in 0.. {
                    if stop.load(Ordering::SeqCst) {
                        break;
                    }
                    let email = format!("user-{writer}-{count}@example.org");
                    let body = json!({"email": email, "password": password});
                    let answer = client.post(format!("{url}/auth/register")).json(&body).send().await;
                    match answer {
                        Ok(answer) if answer.status() == 201 => answered.push(email),
                        Ok(answer) => assert!(answer.status().is_server_error(), "{answer:?}"),
                        Err(_) => break,
                    }
                }
                answered
            })
        })
        .collect();
    tokio::time::sleep(Duration::from_millis(700)).await;
    app.kill_dash_nine();
    stop.store(true, Ordering::SeqCst);
    let mut answered = Vec::new();
    for writer in writers {
        answered.extend(writer.await.unwrap());
    }
    assert!(!answered.is_empty(), "the writers got nothing done");

    let took = app.start().await;
    assert!(took < Duration::from_secs(5), "ready again after {took:?}");
    for email in &answered {
        app.login(&User { email: email.clone(), password: password.to_owned() }).await;
    }
    // The key, the session and the rotation survived too.
    app.get("/auth/me").bearer(&refreshed.access_token).send().await.must_be(200);
    let next = json!({"refresh_token": refreshed.refresh_token});
    app.post("/auth/refresh").json(&next).send().await.must_be(200);
}

#[rstest]
#[tokio::test]
async fn what_was_ended_stays_ended_after_a_restart(
    #[values(AllInOne, Split)] topology: Topology,
    #[values(Sqlite, Postgres)] store: Store,
) {
    let mut app = TestApp::builder(topology, store).start().await;
    let session = app.session_of("ada@example.org").await;
    app.post("/auth/logout").bearer(&session.access_token).send().await.must_be(204);
    app.kill_dash_nine();
    app.start().await;
    for path in ["/auth/me", "/api/data/sources"] {
        app.get(path).bearer(&session.access_token).send().await.problem(401, "unauthenticated");
    }
}

#[rstest]
#[tokio::test]
async fn a_role_that_died_is_missed_and_comes_back(#[values(Sqlite, Postgres)] store: Store) {
    let settings = "[gateway]\nrate_limit = false";
    let mut app = TestApp::builder(Split, store).settings(settings).start().await;
    let session = app.session_of("ada@example.org").await;
    app.process("auth").kill_dash_nine();
    let reply = app.get("/auth/me").bearer(&session.access_token).send().await;
    assert!(matches!(reply.status, 502 | 503), "{} {}", reply.status, reply.text());
    app.get("/health/live").send().await.must_be(200);
    // Keys and revocations are still known recently enough.
    app.get("/api/data/sources").bearer(&session.access_token).send().await.must_be(200);
    app.process("auth").start();
    app.process("auth").ready(Duration::from_secs(10)).await;
    let back = crate::support::eventually(Duration::from_secs(5), async || {
        let reply = app.get("/auth/me").bearer(&session.access_token).send().await;
        (reply.status == 200).then_some(())
    });
    assert!(back.await.is_some(), "auth is served again");
}

#[tokio::test]
async fn without_fresh_revocations_no_token_is_accepted() {
    let settings = "[gateway]\nrate_limit = false\n[auth.tokens]\nrevocation_max_staleness = \"2s\"";
    let mut app = TestApp::builder(Split, Sqlite).settings(settings).start().await;
    let session = app.session_of("ada@example.org").await;
    app.call_role("aggregation", reqwest::Method::GET, "/data/sources")
        .bearer(&session.access_token)
        .send()
        .await
        .must_be(200);
    app.process("auth").kill_dash_nine();
    // Past the gateway, whose breaker would soon spare a role that answers 503.
    let closed = crate::support::eventually(Duration::from_secs(8), async || {
        let reply = app
            .call_role("aggregation", reqwest::Method::GET, "/data/sources")
            .bearer(&session.access_token)
            .send()
            .await;
        (reply.status == 503).then_some(reply)
    });
    let reply = closed.await.expect("closed, never open");
    reply.problem(503, "revocation-unavailable");
    assert!(reply.header("retry-after").is_some());
    app.process("auth").start();
    app.process("auth").ready(Duration::from_secs(10)).await;
    let open = crate::support::eventually(Duration::from_secs(8), async || {
        let reply = app
            .call_role("aggregation", reqwest::Method::GET, "/data/sources")
            .bearer(&session.access_token)
            .send()
            .await;
        (reply.status == 200).then_some(())
    });
    assert!(open.await.is_some());
}

#[rstest]
#[tokio::test]
async fn two_instances_start_together_on_one_database(#[values(Sqlite, Postgres)] store: Store) {
    let settings = "[auth]\nrequire_verified_email = false";
    let mut app = TestApp::builder(AllInOne, store).settings(settings).start_twins().await;
    let ada = app.register("ada@example.org").await;
    let session = app.login(&ada).await;
    // One signing key: what one instance signs, the other verifies.
    let twin = app.processes[1].url.clone();
    let me = reqwest::Client::new().get(format!("{twin}/auth/me")).bearer_auth(&session.access_token).send().await;
    assert_eq!(me.unwrap().status(), 200);
    app.kill_dash_nine();
}
