//! `GET /admin/limits`: which limits are in effect, and what they decided.

use std::time::Duration;

use rstest::rstest;
use serde_json::{Value, json};

use super::upstream;
use crate::support::{
    Backend, Redis,
    Store::Sqlite,
    TestApp,
    Topology::{self, AllInOne, Split},
    User, command, eventually,
};

/// The token of an administrator.
async fn administrator(app: &TestApp) -> String {
    let root = User { email: "root@example.org".to_owned(), password: "correct horse battery staple".to_owned() };
    let mut create = command(app.directory());
    create.args(["user", "create", &root.email, "--password", &root.password, "--role", "admin"]);
    let made = create.args(["--config", "harness.toml", "--config", "test.toml"]).output().unwrap();
    assert!(made.status.success(), "{made:?}");
    app.login(&root).await.access_token
}

async fn limits(app: &TestApp, token: &str) -> Value {
    app.get("/admin/limits").bearer(token).send().await.must_be(200).json()
}

/// The limit of this name.
fn named<'a>(limits: &'a Value, policy: &str) -> &'a Value {
    limits["items"].as_array().unwrap().iter().find(|item| item["policy"] == policy).unwrap()
}

const TIGHT: &str = "rate_limit = [{ limit = \"3/minute\", per = \"ip\", pace = \"100/second\" }, \
                     { limit = \"100/hour\", per = \"header:x-tenant\", mode = \"leased\" }]";

#[rstest]
#[tokio::test]
async fn every_limit_is_shown_with_its_decisions(#[values(AllInOne, Split)] topology: Topology) {
    let backend = Backend::answering(&json!({})).await;
    let general = "rate_limit = { limit = \"1000/minute\", per = \"client\" }\nrate_limit_keys = 1280";
    let settings = |route: &str| upstream(&backend.url(), "", route).replacen("rate_limit = false", general, 1);
    let app = TestApp::builder(topology, Sqlite).settings(&settings(TIGHT)).start().await;
    let admin = administrator(&app).await;
    let user = app.session_of("ada@example.org").await.access_token;
    app.get("/admin/limits").send().await.must_be(401);
    app.get("/admin/limits").bearer(&user).send().await.problem(403, "forbidden");

    for _ in 0..3 {
        app.get("/u/x").send().await.must_be(200);
    }
    app.get("/u/x").send().await.problem(429, "rate-limited");
    let shown = limits(&app, &admin).await;
    let expected = json!({
        "policy": "u", "routes": ["u"], "limit": 3, "window_seconds": 60, "per": "ip", "pace": "100/second",
        "mode": "exact", "allowed": 3, "refused": 1, "alone": 0,
    });
    assert_eq!(named(&shown, "u"), &expected);
    let second = named(&shown, "u:2");
    assert_eq!((&second["per"], &second["mode"]), (&json!("header:x-tenant"), &json!("leased")));
    assert_eq!((&second["allowed"], &second["refused"]), (&json!(3), &json!(0)), "it did not refuse");
    let default = named(&shown, "default");
    assert!(default["routes"].as_array().unwrap().contains(&json!("auth")) && default["limit"] == 1000, "{default}");
    assert!(default["allowed"].as_u64().unwrap() >= 3, "{default}");
    assert_eq!((&shown["shared"], &shown["max_keys"]), (&json!("off"), &json!(1280)));
    assert!((2..=5).contains(&shown["keys"].as_u64().unwrap()), "{shown}");

    // What did not change goes on counting; what did begins anew.
    let reload = async |settings: String| {
        std::fs::write(app.directory().join("test.toml"), settings).unwrap();
        app.post("/admin/reload").bearer(&admin).send().await.must_be(200);
        limits(&app, &admin).await
    };
    let longer = reload(settings(&format!("{TIGHT}\ntimeout = \"9s\""))).await;
    assert_eq!(named(&longer, "u"), &expected);
    let wider = reload(settings(&TIGHT.replace("3/minute", "4/minute"))).await;
    assert_eq!((&named(&wider, "u")["limit"], &named(&wider, "u")["allowed"]), (&json!(4), &json!(0)));
    let gone = reload(settings("rate_limit = false")).await;
    assert!(gone["items"].as_array().unwrap().iter().all(|item| item["policy"] == "default"), "{gone}");
}

#[tokio::test]
async fn decisions_without_redis_are_told_apart() {
    let mut redis = Redis::start();
    let backend = Backend::answering(&json!({})).await;
    let settings = upstream(&backend.url(), "", "rate_limit = { limit = \"1000/minute\", per = \"ip\" }");
    let settings = format!("{settings}\n[redis]\nurl = \"{}\"\n", redis.url());
    let app = TestApp::simple().settings(&settings).start().await;
    let admin = administrator(&app).await;
    let together = async || (limits(&app, &admin).await["shared"] == "reachable").then_some(());
    assert!(eventually(Duration::from_secs(10), together).await.is_some());
    let before = named(&limits(&app, &admin).await, "u").clone();
    redis.kill();
    let alone = async || {
        app.get("/u/x").send().await.must_be(200);
        let shown = limits(&app, &admin).await;
        (shown["shared"] == "away" && named(&shown, "u")["alone"].as_u64() > before["alone"].as_u64()).then_some(())
    };
    assert!(eventually(Duration::from_secs(10), alone).await.is_some(), "{}", limits(&app, &admin).await);
}
