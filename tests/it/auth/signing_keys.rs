//! Signing keys: rotated and retired beside a running server, and sealed in its database.

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use rstest::rstest;
use serde_json::{Value, json};

use crate::support::{
    Session,
    Store::{self, Postgres, Sqlite},
    TestApp,
    Topology::{self, AllInOne, Split},
    User, command, eventually,
};

/// `vestibule key …` with the application's own configuration.
fn key(app: &TestApp, arguments: &[&str]) -> Result<Value, String> {
    let mut command = command(app.directory());
    command.arg("key").args(arguments).args(["--config", "harness.toml", "--config", "test.toml"]);
    let done = command.output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    if !done.status.success() {
        return Err(format!("{:?} {}", done.status.code(), text(&done.stderr)));
    }
    Ok(serde_json::from_slice(&done.stdout).unwrap_or(Value::Null))
}

fn kid_of(token: &str) -> String {
    let header = token.split('.').next().unwrap();
    let header: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(header).unwrap()).unwrap();
    header["kid"].as_str().unwrap().to_owned()
}

async fn published(app: &TestApp) -> Vec<String> {
    let jwks = app.get("/.well-known/jwks.json").send().await.must_be(200).json();
    jwks["keys"].as_array().unwrap().iter().map(|key| key["kid"].as_str().unwrap().to_owned()).collect()
}

async fn user(app: &TestApp) -> User {
    let ada = app.register("ada@example.org").await;
    app.verify(&ada).await;
    ada
}

#[rstest]
#[tokio::test]
async fn a_rotated_key_is_published_then_signs_and_the_old_one_goes_on(
    #[values(AllInOne, Split)] topology: Topology,
    #[values(Sqlite, Postgres)] store: Store,
) {
    let settings = "[auth.tokens]\nkey_publish_delay = \"5s\"\n[gateway]\nrate_limit = false";
    let app = TestApp::builder(topology, store).settings(settings).start().await;
    let ada = user(&app).await;
    let before = app.login(&ada).await;
    let old = kid_of(&before.access_token);

    let made = key(&app, &["rotate", "--format", "json"]).unwrap();
    let new = made["kid"].as_str().unwrap().to_owned();
    assert_eq!((made["state"].as_str(), made["algorithm"].as_str()), (Some("published"), Some("ES256")));
    assert!(key(&app, &["rotate"]).unwrap_err().contains(&new), "one at a time");
    let is_published = async || published(&app).await.contains(&new).then_some(());
    assert!(eventually(Duration::from_secs(3), is_published).await.is_some(), "the running server publishes it");
    assert_eq!(kid_of(&app.login(&ada).await.access_token), old, "and does not sign with it yet");

    let signs = async || {
        let session = app.login(&ada).await;
        (kid_of(&session.access_token) == new).then_some(session)
    };
    let after = eventually(Duration::from_secs(10), signs).await.expect("the new key signs");
    for session in [&before, &after] {
        app.get("/auth/me").bearer(&session.access_token).send().await.must_be(200);
        app.get("/api/data/sources").bearer(&session.access_token).send().await.must_be(200);
    }
    let refresh = json!({"refresh_token": before.refresh_token});
    let refreshed: Session = app.post("/auth/refresh").json(&refresh).send().await.must_be(200).parse();
    assert_eq!(kid_of(&refreshed.access_token), new);

    let listed = key(&app, &["list", "--format", "json"]).unwrap();
    let states: Vec<_> = listed["items"].as_array().unwrap().iter().map(|key| key["state"].clone()).collect();
    assert_eq!(states, ["verifying", "signing"]);
    assert!(listed["items"][0]["retires_at"].is_string(), "{listed}");

    // Retired: it leaves the set, and its tokens stop.
    assert!(key(&app, &["retire", &old]).unwrap_err().contains("--yes"));
    key(&app, &["retire", &old, "--yes"]).unwrap();
    let is_gone = async || {
        let status = app.get("/api/data/sources").bearer(&before.access_token).send().await.status;
        (published(&app).await == [new.clone()] && status == 401).then_some(())
    };
    assert!(eventually(Duration::from_secs(5), is_gone).await.is_some());
    app.get("/auth/me").bearer(&after.access_token).send().await.must_be(200);
    assert!(key(&app, &["retire", &old, "--yes"]).unwrap_err().contains("retired already"));
}

#[rstest]
#[tokio::test]
async fn retiring_the_key_that_signs_makes_another_one(#[values(Sqlite, Postgres)] store: Store) {
    let app = TestApp::builder(AllInOne, store).settings("[gateway]\nrate_limit = false").start_twins().await;
    let ada = user(&app).await;
    let lost = kid_of(&app.login(&ada).await.access_token);
    key(&app, &["retire", &lost, "--yes"]).unwrap();
    let works_again = async || {
        let session = app.login(&ada).await;
        let at_twin = app.call_role("twin", reqwest::Method::GET, "/auth/me").bearer(&session.access_token);
        (kid_of(&session.access_token) != lost && at_twin.send().await.status == 200).then_some(())
    };
    assert!(eventually(Duration::from_secs(5), works_again).await.is_some());
}

#[rstest]
#[tokio::test]
async fn another_algorithm_keeps_old_tokens(#[values(Sqlite, Postgres)] store: Store) {
    let tokens = |algorithm: &str| {
        format!(
            "[gateway]\nrate_limit = false\n[auth.tokens]\nkey_publish_delay = \"5s\"\nalgorithm = \"{algorithm}\"\n"
        )
    };
    let mut app = TestApp::builder(AllInOne, store).settings(&tokens("ES256")).start().await;
    let ada = user(&app).await;
    let before = app.login(&ada).await;
    app.kill_dash_nine();
    std::fs::write(app.directory().join("test.toml"), tokens("EdDSA")).unwrap();
    app.start().await;
    app.get("/auth/me").bearer(&before.access_token).send().await.must_be(200);
    assert_eq!(published(&app).await.len(), 2);
    let changed = async || (kid_of(&app.login(&ada).await.access_token) != kid_of(&before.access_token)).then_some(());
    assert!(eventually(Duration::from_secs(10), changed).await.is_some());
    app.get("/auth/me").bearer(&before.access_token).send().await.must_be(200);
}

#[tokio::test]
async fn a_shared_secret_has_no_keys_to_rotate() {
    let settings = "[auth.tokens]\nalgorithm = \"HS256\"\nsecret = \"a-shared-secret-of-at-least-32-bytes\"\n";
    let app = TestApp::simple().settings(settings).start().await;
    let refused = key(&app, &["rotate"]).unwrap_err();
    assert!(refused.starts_with("Some(1)") && refused.contains("auth.tokens.secret"), "{refused}");
    assert_eq!(key(&app, &["list", "--format", "json"]).unwrap(), json!({"items": []}));
}

#[tokio::test]
async fn the_published_keys_may_be_cached_for_less_than_a_rotation_takes() {
    let app = TestApp::simple().start().await;
    let first = app.get("/.well-known/jwks.json").send().await.must_be(200);
    assert_eq!(first.header("cache-control"), Some("public, max-age=55"));
    let again = app.get("/.well-known/jwks.json").header("if-none-match", first.header("etag").unwrap()).send().await;
    assert_eq!((again.status, again.body.len(), again.header("etag")), (304, 0, first.header("etag")));
    app.get("/.well-known/jwks.json").header("if-none-match", "\"other\"").send().await.must_be(200);
}

#[rstest]
#[tokio::test]
async fn a_wrong_master_key_is_told_at_the_start(#[values(Sqlite, Postgres)] store: Store) {
    let with = |master: char, previous: &str| {
        format!("[auth]\nmaster_key = \"{}\"\nprevious_master_keys = [{previous}]\n", master.to_string().repeat(64))
    };
    let mut app = TestApp::builder(AllInOne, store).start().await;
    let ada = user(&app).await;
    let before = app.login(&ada).await;
    let mut start_with = async |settings: &str| {
        app.kill_dash_nine();
        std::fs::write(app.directory().join("test.toml"), settings).unwrap();
        app.start().await;
        app.get("/auth/me").bearer(&before.access_token).send().await.must_be(200);
    };
    start_with(&with('a', "")).await;
    start_with(&with('b', &format!("\"{}\"", "a".repeat(64)))).await;
    start_with(&with('b', "")).await;
    app.kill_dash_nine();
    for settings in [with('a', ""), String::new()] {
        std::fs::write(app.directory().join("test.toml"), settings).unwrap();
        let refused = key(&app, &["list"]).unwrap_err();
        assert!(refused.starts_with("Some(1)") && refused.contains("auth.master_key"), "{refused}");
    }
}
