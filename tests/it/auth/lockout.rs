//! Too many attempts.

use reqwest::Method;
use rstest::rstest;
use serde_json::json;

use crate::support::{
    Store::{self, Postgres, Sqlite},
    TestApp,
    Topology::{self, AllInOne, Split},
};

#[rstest]
#[tokio::test]
async fn an_account_is_locked_and_comes_back(#[values(AllInOne, Split)] topology: Topology) {
    let settings =
        "[auth]\nrequire_verified_email = false\n[auth.lockout]\nfailures = 3\nwindow = \"1m\"\ncooldown = \"2s\"";
    let app = TestApp::builder(topology, Sqlite).settings(settings).start().await;
    let ada = app.register("ada@example.org").await;
    let attempt = async |email: &str, password: &str| {
        app.post("/auth/login").json(&json!({"email": email, "password": password})).send().await
    };
    for email in [ada.email.as_str(), "nobody@example.org"] {
        for _ in 0..2 {
            attempt(email, "wrong password").await.problem(401, "invalid-credentials");
        }
        let locked = attempt(email, "wrong password").await;
        locked.problem(429, "too-many-attempts");
        assert!((1..=2).contains(&locked.header("retry-after").unwrap().parse::<u64>().unwrap()));
    }
    attempt(&ada.email, &ada.password).await.problem(429, "too-many-attempts");
    tokio::time::sleep(std::time::Duration::from_millis(2100)).await;
    attempt(&ada.email, &ada.password).await.must_be(200);
}

#[rstest]
#[tokio::test]
async fn instances_count_together_and_restarts_forgive_nothing(#[values(Sqlite, Postgres)] store: Store) {
    let settings = "[gateway]\nrate_limit = false\n[auth]\nrequire_verified_email = false\n\
                    [auth.lockout]\nfailures = 4\nwindow = \"1m\"\ncooldown = \"1m\"";
    let mut app = TestApp::builder(AllInOne, store).settings(settings).start_twins().await;
    let ada = app.register("ada@example.org").await;
    let live = app.login(&ada).await;
    let body = json!({"email": ada.email, "password": "wrong password"});
    for twin in ["all", "twin", "all"] {
        let wrong = app.call_role(twin, Method::POST, "/auth/login").json(&body).send().await;
        wrong.problem(401, "invalid-credentials");
    }
    app.call_role("twin", Method::POST, "/auth/login").json(&body).send().await.problem(429, "too-many-attempts");
    app.post("/auth/login").json(&body).send().await.problem(429, "too-many-attempts");
    app.kill_dash_nine();
    app.start().await;
    let right = json!({"email": ada.email, "password": ada.password});
    let held = app.post("/auth/login").json(&right).send().await;
    held.problem(429, "too-many-attempts");
    assert!((1..=60).contains(&held.header("retry-after").unwrap().parse::<u64>().unwrap()));
    app.get("/auth/me").bearer(&live.access_token).send().await.must_be(200);
    let refresh = json!({"refresh_token": live.refresh_token});
    app.post("/auth/refresh").json(&refresh).send().await.must_be(200);
}
