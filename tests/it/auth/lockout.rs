//! Too many attempts.

use rstest::rstest;
use serde_json::json;

use crate::support::{
    Store::Sqlite,
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
