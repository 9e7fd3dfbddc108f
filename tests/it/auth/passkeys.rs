//! Passkeys: logins without a password, by devices that count, lie and race.

use std::time::Duration;

use futures_util::future::join_all;
use reqwest::Method;
use rstest::rstest;
use serde_json::{Value, json};

use super::{administration::made, mfa::Enrolled};
use crate::support::{
    Authenticator, Reply, Session,
    Store::{self, Postgres, Sqlite},
    TestApp,
    Topology::{self, AllInOne, Split},
};

/// Where browsers believe the front door to be.
const ORIGIN: &str = "http://localhost:8000";

/// The settings: passkeys, and limits that are not these tests' business.
pub(super) fn settings(more: &str) -> String {
    format!(
        "[gateway]\nrate_limit = false\n[auth]\nissuer = \"{ORIGIN}\"\nrequire_verified_email = false\n\
         [auth.password]\nargon2 = {{ memory = \"1MiB\", iterations = 1, parallelism = 1 }}\n\
         [auth.passkeys]\nenabled = true\n{more}"
    )
}

/// Begins a registration.
async fn options(app: &TestApp, session: &Session) -> Value {
    let begun = app.post("/auth/passkeys/register/start").bearer(&session.access_token).send().await;
    begun.must_be(200).json()["options"].clone()
}

async fn register(app: &TestApp, session: &Session, name: &str, credential: &Value) -> Reply {
    let body = json!({"name": name, "credential": credential});
    app.post("/auth/passkeys/register/finish").bearer(&session.access_token).json(&body).send().await
}

/// A device with a passkey of this session's user.
async fn device(app: &TestApp, session: &Session, name: &str) -> (Authenticator, Value) {
    let mut device = Authenticator::new(ORIGIN);
    let credential = device.create(&options(app, session).await);
    (device, register(app, session, name, &credential).await.must_be(201).json())
}

async fn begin(app: &TestApp, body: Value) -> (Value, Value) {
    let begun = app.post("/auth/passkeys/login/start").json(&body).send().await.must_be(200).json();
    (begun["ceremony"].clone(), begun["options"].clone())
}

async fn end(app: &TestApp, ceremony: &Value, credential: &Value) -> Reply {
    let body = json!({"ceremony": ceremony, "credential": credential});
    app.post("/auth/passkeys/login/finish").json(&body).send().await
}

async fn log_in(app: &TestApp, device: &Authenticator) -> Reply {
    let (ceremony, options) = begin(app, json!({})).await;
    end(app, &ceremony, &device.get(&options)).await
}

async fn list(app: &TestApp, session: &Session) -> Vec<Value> {
    let page = app.get("/auth/passkeys").bearer(&session.access_token).send().await.must_be(200).json();
    assert_eq!(page["next_cursor"], Value::Null);
    page["items"].as_array().unwrap().clone()
}

#[rstest]
#[tokio::test]
async fn a_passkey_stands_for_both_factors(
    #[values(AllInOne, Split)] topology: Topology,
    #[values(Sqlite, Postgres)] store: Store,
) {
    let app = TestApp::builder(topology, store).settings(&settings("")).start().await;
    let ada = Enrolled::new(&app, "ada@example.org").await;
    let session = &ada.session;
    let asked = options(&app, session).await;
    assert_eq!((&asked["rp"]["id"], &asked["attestation"]), (&json!("localhost"), &json!("none")), "{asked}");
    assert_eq!(asked["user"]["name"], "ada@example.org");
    let selection = json!({"residentKey": "required", "requireResidentKey": true, "userVerification": "required"});
    assert_eq!(asked["authenticatorSelection"], selection);

    let mut device = Authenticator::new(ORIGIN);
    let made = register(&app, session, "  telephone ", &device.create(&asked)).await.must_be(201);
    let passkey = made.json();
    assert_eq!(made.header("location"), Some(format!("/auth/passkeys/{}", passkey["id"].as_str().unwrap()).as_str()));
    assert_eq!((&passkey["name"], &passkey["synced"]), (&json!("telephone"), &json!(false)));
    assert_eq!(list(&app, session).await, std::slice::from_ref(&passkey));
    let excluded = options(&app, session).await["excludeCredentials"].as_array().unwrap().len();
    assert_eq!(excluded, 1, "the same device makes no second one");

    let (ceremony, asked) = begin(&app, json!({})).await;
    assert_eq!((&asked["userVerification"], &asked["allowCredentials"]), (&json!("required"), &json!([])));
    let answer = device.get(&asked);
    let new: Session = end(&app, &ceremony, &answer).await.must_be(200).parse();
    let refused = end(&app, &ceremony, &answer).await;
    refused.problem(401, "invalid-passkey");
    assert_eq!(refused.header("www-authenticate"), Some("Bearer"));
    assert!(list(&app, &new).await[0]["last_used_at"].is_string());
    // As good as password and code.
    let renewed = app.post("/auth/mfa/recovery-codes").bearer(&new.access_token).send().await;
    renewed.must_be(200);
    app.get("/api/data/sources").bearer(&new.access_token).send().await.must_be(200);

    let grace = app.register("grace@example.org").await;
    let grace = app.login(&grace).await;
    let path = format!("/auth/passkeys/{}", passkey["id"].as_str().unwrap());
    let remove =
        async |session: &Session, path: &str| app.call(Method::DELETE, path).bearer(&session.access_token).send().await;
    remove(&grace, &path).await.problem(404, "not-found");
    remove(&grace, "/auth/passkeys/nonsense").await.problem(404, "not-found");
    assert_eq!(list(&app, &grace).await, [] as [Value; 0]);
    remove(&new, &path).await.must_be(204);
    remove(&new, &path).await.problem(404, "not-found");
    log_in(&app, &device).await.problem(401, "invalid-passkey");
    assert_eq!(list(&app, &new).await, [] as [Value; 0]);

    for subject in ["A passkey was added", "A passkey was removed"] {
        let told = crate::support::eventually(Duration::from_secs(10), async || {
            app.mailbox.mails_to("ada@example.org").into_iter().find(|mail| mail.contains(subject))
        });
        assert!(told.await.expect(subject).contains("\"telephone\""));
    }
    let admin = made_admin(&app).await;
    let log = app.get("/audit?limit=100").bearer(&admin.access_token).send().await.must_be(200).json();
    let lines = log["items"].as_array().unwrap();
    let with = |action: &str, part: Value| {
        lines
            .iter()
            .any(|line| line["action"] == action && line["details"].as_object().unwrap().values().any(|v| *v == part))
    };
    assert!(with("passkey.added", json!("telephone")) && with("passkey.removed", json!("telephone")), "{log}");
    assert!(with("login.succeeded", json!("hwk mfa")) && with("login.failed", json!("unknown-passkey")), "{log}");
}

async fn made_admin(app: &TestApp) -> Session {
    made(app, "root@example.org", "admin").await
}

#[tokio::test]
async fn a_start_tells_nobody_who_has_passkeys() {
    let app = TestApp::simple().settings(&settings("")).start().await;
    let (ada, grace) = (app.register("ada@example.org").await, app.register("grace@example.org").await);
    let (ada, grace) = (app.login(&ada).await, app.login(&grace).await);
    let (device_of_ada, _) = device(&app, &ada, "one").await;
    let (device_of_grace, _) = device(&app, &grace, "two").await;
    let mut shapes = Vec::new();
    for body in [json!({}), json!({"email": "ada@example.org"}), json!({"email": "nobody@example.org"})] {
        let (ceremony, mut asked) = begin(&app, body).await;
        let challenge = asked["challenge"].take();
        shapes.push((ceremony.as_str().unwrap().len(), challenge.as_str().unwrap().len(), asked));
    }
    assert_eq!(shapes[0], shapes[1]);
    assert_eq!(shapes[0], shapes[2]);
    let nothing = app.post("/auth/passkeys/login/start").send().await.must_be(200);
    assert_eq!(nothing.header("cache-control"), Some("no-store"));

    let (ceremony, asked) = begin(&app, json!({"email": "ADA@example.org"})).await;
    end(&app, &ceremony, &device_of_grace.get(&asked)).await.problem(401, "invalid-passkey");
    let (ceremony, asked) = begin(&app, json!({"email": "ADA@example.org"})).await;
    end(&app, &ceremony, &device_of_ada.get(&asked)).await.must_be(200);
    let refused = app.post("/auth/passkeys/login/start").json(&json!({"email": "no", "more": 1})).send().await;
    refused.problem(422, "validation-failed");
    assert_eq!(refused.pointers(), ["/email", "/more"]);
}

#[tokio::test]
async fn what_a_device_may_not_say_is_refused() {
    let app = TestApp::simple().settings(&settings("[auth.mfa]\nfailures = 100")).start().await;
    let session = app.login(&app.register("ada@example.org").await).await;
    let grace = app.login(&app.register("grace@example.org").await).await;
    let (mut device, _) = device(&app, &session, "one").await;
    log_in(&app, &device).await.must_be(200);

    device.origin = "http://localhost:8001".to_owned();
    log_in(&app, &device).await.problem(401, "invalid-passkey");
    device.origin = ORIGIN.to_owned();
    device.verifies = false;
    log_in(&app, &device).await.problem(401, "invalid-passkey");
    device.verifies = true;
    let own = std::mem::replace(&mut device.user, vec![7; 16]);
    log_in(&app, &device).await.problem(401, "invalid-passkey");
    device.user = own;
    log_in(&app, &Authenticator::new(ORIGIN)).await.problem(401, "invalid-passkey");
    let (ceremony, _) = begin(&app, json!({})).await;
    let (_, other) = begin(&app, json!({})).await;
    end(&app, &ceremony, &device.get(&other)).await.problem(401, "invalid-passkey");
    end(&app, &json!("made up"), &device.get(&other)).await.problem(401, "invalid-passkey");
    let (ceremony, asked) = begin(&app, json!({})).await;
    let mut broken = device.get(&asked);
    let signature = broken["response"]["signature"].as_str().unwrap().chars().rev().collect::<String>();
    broken["response"]["signature"] = json!(signature);
    let refused = end(&app, &ceremony, &broken).await;
    assert!(matches!(refused.status, 401 | 422), "{}", refused.text());

    for (credential, pointers) in [
        (json!({"id": "x"}), vec!["/credential"]),
        (json!("text"), vec!["/credential"]),
        (Value::Null, vec!["/credential"]),
    ] {
        let refused = end(&app, &json!("c"), &credential).await;
        refused.problem(422, "validation-failed");
        assert_eq!(refused.pointers(), pointers);
    }
    let refused = register(&app, &session, "", &json!({})).await;
    refused.problem(422, "validation-failed");
    assert_eq!(refused.pointers(), ["/name"]);
    register(&app, &session, "x", &json!({})).await.problem(422, "validation-failed");

    // The answer to one session's options is worth nothing in another, nor twice, nor without its user.
    let mut new = Authenticator::new(ORIGIN);
    let credential = new.create(&options(&app, &session).await);
    register(&app, &grace, "mine", &credential).await.problem(422, "validation-failed");
    register(&app, &session, "late", &credential).await.problem(422, "validation-failed");
    new.verifies = false;
    let credential = new.create(&options(&app, &session).await);
    register(&app, &session, "careless", &credential).await.problem(422, "validation-failed");
    new.verifies = true;
    new.origin = "https://localhost:8000".to_owned();
    let credential = new.create(&options(&app, &session).await);
    register(&app, &session, "elsewhere", &credential).await.problem(422, "validation-failed");
    new.origin = ORIGIN.to_owned();
    let credential = new.create(&options(&app, &session).await);
    let good = json!({"name": "good", "credential": credential});
    let keyed = || {
        let call = app.post("/auth/passkeys/register/finish").bearer(&session.access_token).json(&good);
        call.header("idempotency-key", "one").send()
    };
    let first = keyed().await.must_be(201);
    assert_eq!(keyed().await.must_be(201).json(), first.json(), "the same call again");
    register(&app, &session, "good", &credential).await.problem(422, "validation-failed");
    let again = new.create(&options(&app, &grace).await);
    register(&app, &grace, "a copy", &again).await.problem(409, "passkey-known");
    log_in(&app, &device).await.must_be(200);
}

#[tokio::test]
async fn a_copy_of_a_passkey_is_refused_and_told() {
    let app = TestApp::simple().settings(&settings("")).start().await;
    let session = app.login(&app.register("ada@example.org").await).await;
    let mut device = Authenticator::new(ORIGIN);
    device.count = 5;
    let credential = device.create(&options(&app, &session).await);
    register(&app, &session, "counter", &credential).await.must_be(201);
    for (count, status) in [(6, 200), (6, 401), (5, 401), (0, 401), (9, 200)] {
        device.count = count;
        assert_eq!(log_in(&app, &device).await.status, status, "{count}");
    }
    let mail = crate::support::eventually(Duration::from_secs(10), async || {
        app.mailbox.mails_to("ada@example.org").into_iter().find(|mail| mail.contains("A copy of your passkey"))
    });
    assert!(mail.await.is_some());
    let admin = made_admin(&app).await;
    let log = app.get("/audit?limit=100").bearer(&admin.access_token).send().await.must_be(200).json();
    let cloned = |line: &&Value| line["details"]["reason"] == "cloned-passkey" && line["action"] == "login.failed";
    assert_eq!(log["items"].as_array().unwrap().iter().filter(cloned).count(), 3, "{log}");
}

#[rstest]
#[tokio::test]
async fn a_ceremony_works_once_whoever_races(#[values(Sqlite, Postgres)] store: Store) {
    let app = TestApp::builder(AllInOne, store).settings(&settings("[auth.mfa]\nfailures = 100")).start().await;
    let session = app.login(&app.register("ada@example.org").await).await;
    let (device, _) = device(&app, &session, "one").await;
    for _ in 0..3 {
        let (ceremony, asked) = begin(&app, json!({})).await;
        let answer = device.get(&asked);
        let ended = join_all((0..12).map(|_| end(&app, &ceremony, &answer))).await;
        let statuses: Vec<_> = ended.iter().map(|reply| reply.status).collect();
        assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 1, "{statuses:?}");
        assert!(statuses.iter().all(|status| matches!(status, 200 | 401)), "{statuses:?}");
    }
    let mut new = Authenticator::new(ORIGIN);
    let credential = new.create(&options(&app, &session).await);
    let ended = join_all((0..8).map(|_| register(&app, &session, "raced", &credential))).await;
    assert_eq!(ended.iter().filter(|reply| reply.status == 201).count(), 1);
    assert_eq!(list(&app, &session).await.len(), 2);
}

#[tokio::test]
async fn who_guesses_waits() {
    let app = TestApp::simple().settings(&settings("[auth.mfa]\nfailures = 3")).start().await;
    let session = app.login(&app.register("ada@example.org").await).await;
    let (mut device, _) = device(&app, &session, "one").await;
    device.verifies = false;
    for status in [401, 401, 429] {
        assert_eq!(log_in(&app, &device).await.status, status);
    }
    device.verifies = true;
    let held = log_in(&app, &device).await;
    held.problem(429, "too-many-attempts");
    assert!(held.header("retry-after").is_some());
    app.login(&crate::support::User {
        email: "ada@example.org".to_owned(),
        password: "correct horse battery staple".to_owned(),
    })
    .await;
}

#[tokio::test]
async fn a_device_that_dawdles_begins_anew() {
    let app = TestApp::simple().settings(&settings("ceremony_ttl = \"2s\"\nper_user = 1")).start().await;
    let session = app.login(&app.register("ada@example.org").await).await;
    let (device, _) = device(&app, &session, "one").await;
    let full = app.post("/auth/passkeys/register/start").bearer(&session.access_token).send().await;
    full.problem(409, "too-many-passkeys");
    let (ceremony, asked) = begin(&app, json!({})).await;
    let answer = device.get(&asked);
    tokio::time::sleep(Duration::from_millis(2_100)).await;
    end(&app, &ceremony, &answer).await.problem(401, "invalid-passkey");
    log_in(&app, &device).await.must_be(200);
}

#[tokio::test]
async fn who_may_not_log_in_may_not_by_passkey_either() {
    let app = TestApp::simple().settings(&settings("")).start().await;
    let root = made_admin(&app).await;
    let session = app.login(&app.register("ada@example.org").await).await;
    let (device, _) = device(&app, &session, "one").await;
    let me = app.get("/auth/me").bearer(&session.access_token).send().await.json()["id"].as_str().unwrap().to_owned();
    let does = async |method: Method, path: &str| {
        app.call(method, &format!("/users/{me}{path}")).bearer(&root.access_token).send().await
    };
    does(Method::POST, "/suspend").await.must_be(200);
    log_in(&app, &device).await.problem(403, "account-suspended");
    does(Method::POST, "/activate").await.must_be(200);
    let again: Session = log_in(&app, &device).await.must_be(200).parse();

    // Neither an API key nor a client may add one.
    let key = json!({"name": "program", "scopes": []});
    let key = app.post("/auth/api-keys").bearer(&again.access_token).json(&key).send().await.must_be(201).json();
    let by_key = app.post("/auth/passkeys/register/start").header("x-api-key", key["key"].as_str().unwrap());
    by_key.send().await.problem(403, "forbidden");
    does(Method::DELETE, "").await.must_be(204);
    log_in(&app, &device).await.problem(401, "invalid-passkey");
}

#[tokio::test]
async fn an_address_that_has_to_be_verified_has_to_be() {
    let strict = settings("").replace("require_verified_email = false", "require_verified_email = true");
    let app = TestApp::simple().settings(&settings("")).start().await;
    let session = app.login(&app.register("ada@example.org").await).await;
    let (device, _) = device(&app, &session, "one").await;
    let mut app = app;
    app.kill_dash_nine();
    std::fs::write(app.directory().join("test.toml"), strict).unwrap();
    app.start().await;
    log_in(&app, &device).await.problem(403, "email-not-verified");
}

#[tokio::test]
async fn a_step_up_is_needed_for_another_passkey() {
    let app = TestApp::simple().settings(&settings("[auth.step_up]\nmax_age = \"1s\"")).start().await;
    let session = app.login(&app.register("ada@example.org").await).await;
    tokio::time::sleep(Duration::from_millis(1_200)).await;
    let late = app.post("/auth/passkeys/register/start").bearer(&session.access_token).send().await;
    late.problem(401, "step-up-required");
}
