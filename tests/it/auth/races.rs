//! Many at once, ten times out of ten: one chain of refresh tokens, one user of an address.

use std::sync::Arc;

use rstest::rstest;
use serde_json::{Value, json};
use tokio::sync::Barrier;

use crate::support::{
    Store::{self, Postgres, Sqlite},
    TestApp,
    Topology::AllInOne,
    User,
};

const SETTINGS: &str = "[gateway]\nrate_limit = false\n[auth]\nrequire_verified_email = false\n\
                        [auth.password]\nargon2 = { memory = \"1MiB\", iterations = 1, parallelism = 1 }";

/// Sends the same body so many times through a barrier, each over a connection of its own; statuses and bodies.
async fn at_once(app: &TestApp, count: usize, path: &str, body: &Value) -> Vec<(u16, Value)> {
    let barrier = Arc::new(Barrier::new(count));
    let calls = (0..count).map(|_| {
        let (url, body, barrier) = (format!("{}{path}", app.url), body.clone(), Arc::clone(&barrier));
        tokio::spawn(async move {
            let client = reqwest::Client::builder().no_proxy().build().unwrap();
            barrier.wait().await;
            let answer = client.post(url).json(&body).send().await.unwrap();
            (answer.status().as_u16(), answer.json().await.unwrap())
        })
    });
    let answers = futures_util::future::join_all(calls).await;
    answers.into_iter().map(Result::unwrap).collect()
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn thirty_refreshes_of_one_token_are_one_chain(#[values(Sqlite, Postgres)] store: Store) {
    let app = TestApp::builder(AllInOne, store).settings(SETTINGS).start().await;
    let ada = app.register("ada@example.org").await;
    for round in 0..10 {
        let first = app.login(&ada).await;
        let answers = at_once(&app, 30, "/auth/refresh", &json!({"refresh_token": first.refresh_token})).await;
        let mut next: Vec<_> = answers
            .iter()
            .map(|(status, body)| {
                assert_eq!(*status, 200, "round {round}: {body}");
                body["refresh_token"].as_str().unwrap().to_owned()
            })
            .collect();
        next.sort();
        next.dedup();
        assert_eq!(next.len(), 1, "round {round}");
        let again = json!({"refresh_token": next[0]});
        app.post("/auth/refresh").json(&again).send().await.must_be(200);
    }
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn twenty_registrations_of_one_address_are_one_user(#[values(Sqlite, Postgres)] store: Store) {
    let app = TestApp::builder(AllInOne, store).settings(SETTINGS).start().await;
    for round in 0..10 {
        let user = User { email: format!("user-{round}@example.org"), password: "correct horse battery".to_owned() };
        let body = json!({"email": user.email, "password": user.password});
        let answers = at_once(&app, 20, "/auth/register", &body).await;
        let made = answers.iter().filter(|(status, _)| *status == 201).count();
        let taken = answers.iter().filter(|(status, body)| *status == 409 && body["code"] == "email-taken").count();
        assert_eq!((made, taken), (1, 19), "round {round}: {answers:?}");
        app.login(&user).await;
    }
}
