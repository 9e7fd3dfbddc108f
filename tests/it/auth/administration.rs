//! Administration of users and roles, and the log of who did what.

use std::time::Duration;

use reqwest::Method;
use rstest::rstest;
use serde_json::{Value, json};

use crate::support::{
    Reply, Session,
    Store::{self, Postgres, Sqlite},
    TestApp,
    Topology::{self, AllInOne, Split},
    User, command, eventually,
};

const PASSWORD: &str = "correct horse battery staple";

/// Many calls a minute are these tests' business, not the limiter's.
const UNLIMITED: &str = "[gateway]\nrate_limit = false";

/// Somebody with these roles, made by the command line, logged in.
pub(super) async fn made(app: &TestApp, email: &str, roles: &str) -> Session {
    let mut command = command(app.directory());
    command.args(["user", "create", email, "--password", PASSWORD, "--role", roles]);
    command.args(["--config", "harness.toml", "--config", "test.toml"]);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    login(app, email).await
}

async fn login(app: &TestApp, email: &str) -> Session {
    app.login(&User { email: email.to_owned(), password: PASSWORD.to_owned() }).await
}

/// What an administrator does.
struct By<'a>(&'a TestApp, Session);

impl By<'_> {
    async fn send(&self, method: Method, path: &str, body: Option<Value>) -> Reply {
        let call = self.0.call(method, path).bearer(&self.1.access_token);
        match body {
            Some(body) => call.json(&body).send().await,
            None => call.send().await,
        }
    }

    async fn get(&self, path: &str) -> Reply {
        self.send(Method::GET, path, None).await
    }

    async fn put(&self, path: &str, body: Value) -> Reply {
        self.send(Method::PUT, path, Some(body)).await
    }

    async fn post(&self, path: &str) -> Reply {
        self.send(Method::POST, path, None).await
    }

    async fn create(&self, email: &str) -> Value {
        let body = json!({"email": email, "password": PASSWORD});
        self.send(Method::POST, "/users", Some(body)).await.must_be(201).json()
    }

    async fn me(&self) -> String {
        self.get("/auth/me").await.must_be(200).json()["id"].as_str().unwrap().to_owned()
    }

    /// The actions of the log that match, newest first.
    async fn actions(&self, query: &str) -> Vec<String> {
        let lines = self.get(&format!("/audit?limit=100&{query}")).await.must_be(200).json();
        let lines = lines["items"].as_array().unwrap().clone();
        lines.iter().map(|line| line["action"].as_str().unwrap().to_owned()).collect()
    }
}

/// Whether a token stops working at every role within two seconds.
async fn stops(app: &TestApp, session: &Session) -> bool {
    let dead = eventually(Duration::from_secs(2), async || {
        let other_role = app.get("/api/data/sources").bearer(&session.access_token).send().await;
        let own = app.get("/auth/me").bearer(&session.access_token).send().await;
        (other_role.status == 401 && own.status == 401).then_some(())
    });
    let refresh = json!({"refresh_token": session.refresh_token});
    dead.await.is_some() && app.post("/auth/refresh").json(&refresh).send().await.status == 401
}

#[rstest]
#[tokio::test]
async fn the_life_of_a_user_under_administration(
    #[values(AllInOne, Split)] topology: Topology,
    #[values(Sqlite, Postgres)] store: Store,
) {
    let app = TestApp::builder(topology, store).settings(UNLIMITED).start().await;
    let root = By(&app, made(&app, "root@example.org", "admin").await);
    let ada = root.create("ada@example.org").await;
    let path = format!("/users/{}", ada["id"].as_str().unwrap());
    assert_eq!((&ada["status"], &ada["email_verified"]), (&json!("active"), &json!(true)));
    let again = json!({"email": "Ada@example.org", "password": PASSWORD});
    root.send(Method::POST, "/users", Some(again)).await.problem(409, "email-taken");
    let session = login(&app, "ada@example.org").await;

    let shown = root.get(&path).await.must_be(200);
    let version = shown.header("etag").unwrap().to_owned();
    let body = json!({"email": "ada@example.com", "display_name": "Ada Lovelace"});
    let replace = async |version: &str| {
        let call = app.call(Method::PUT, &path).bearer(&root.1.access_token).header("if-match", version);
        call.json(&body).send().await
    };
    assert_eq!(replace(&version).await.must_be(200).json()["display_name"], "Ada Lovelace");
    replace(&version).await.problem(412, "precondition-failed");
    let found = root.get("/users?q=lovelace").await.must_be(200).json();
    assert_eq!(found["items"][0]["email"], "ada@example.com");
    assert_eq!(found["next_cursor"], Value::Null);
    app.get("/auth/me").bearer(&session.access_token).send().await.must_be(200);

    assert_eq!(root.post(&format!("{path}/suspend")).await.must_be(200).json()["status"], "suspended");
    assert!(stops(&app, &session).await, "suspension ends everything");
    let attempt = json!({"email": "ada@example.com", "password": PASSWORD});
    app.post("/auth/login").json(&attempt).send().await.problem(403, "account-suspended");
    assert_eq!(root.post(&format!("{path}/activate")).await.must_be(200).json()["status"], "active");
    let session = login(&app, "ada@example.com").await;
    root.send(Method::DELETE, &path, None).await.must_be(204);
    assert!(stops(&app, &session).await, "deletion ends everything");
    app.post("/auth/login").json(&attempt).send().await.problem(401, "invalid-credentials");
    root.get(&path).await.problem(404, "not-found");
    root.create("ada@example.com").await;

    let own = format!("/users/{}", root.me().await);
    root.post(&format!("{own}/suspend")).await.problem(409, "own-account");
    root.send(Method::DELETE, &own, None).await.problem(409, "own-account");
    root.put(&format!("{own}/roles"), json!({"roles": []})).await.problem(409, "last-administrator");
    let about = root.actions(&format!("target={}", ada["id"].as_str().unwrap())).await;
    assert_eq!(
        about,
        [
            "user.deleted",
            "login.succeeded",
            "user.activated",
            "login.failed",
            "user.suspended",
            "user.updated",
            "login.succeeded",
            "user.created"
        ]
    );
}

#[rstest]
#[tokio::test]
async fn roles_give_permissions_in_the_next_token(
    #[values(AllInOne, Split)] topology: Topology,
    #[values(Sqlite, Postgres)] store: Store,
) {
    let app = TestApp::builder(topology, store).settings(UNLIMITED).start().await;
    let root = By(&app, made(&app, "root@example.org", "admin").await);
    let reader = json!({"permissions": ["users:read"], "inherits": ["user"]});
    root.put("/roles/reader", reader.clone()).await.must_be(201);
    root.put("/roles/reader", reader).await.must_be(200);
    root.put("/roles/helper", json!({"permissions": ["roles:read"], "inherits": ["reader"]})).await.must_be(201);
    let circle = root.put("/roles/reader", json!({"permissions": [], "inherits": ["helper", "none"]})).await;
    circle.problem(422, "validation-failed");
    assert_eq!(circle.pointers(), ["/inherits/0", "/inherits/1"]);
    let roles = root.get("/roles").await.must_be(200).json();
    let names: Vec<_> = roles["items"].as_array().unwrap().iter().map(|role| role["name"].clone()).collect();
    assert_eq!(names, ["admin", "helper", "reader", "user"]);

    let ada = root.create("ada@example.org").await;
    let before = By(&app, login(&app, "ada@example.org").await);
    before.get("/users").await.problem(403, "forbidden");
    let path = format!("/users/{}/roles", ada["id"].as_str().unwrap());
    root.put(&path, json!({"roles": ["nobody"]})).await.problem(422, "validation-failed");
    assert_eq!(root.put(&path, json!({"roles": ["helper"]})).await.must_be(200).json()["roles"], json!(["helper"]));
    before.get("/users").await.problem(403, "forbidden");
    let refresh = json!({"refresh_token": before.1.refresh_token});
    let after = By(&app, app.post("/auth/refresh").json(&refresh).send().await.must_be(200).parse());
    after.get("/users").await.must_be(200);
    after.get("/roles").await.must_be(200);
    after.post(&format!("/users/{}/suspend", ada["id"].as_str().unwrap())).await.problem(403, "forbidden");

    root.send(Method::DELETE, "/roles/reader", None).await.problem(409, "role-in-use");
    root.send(Method::DELETE, "/roles/helper", None).await.problem(409, "role-in-use");
    root.send(Method::DELETE, "/roles/user", None).await.problem(409, "built-in-role");
    root.send(Method::DELETE, "/roles/none", None).await.problem(404, "not-found");
    root.put(&path, json!({"roles": ["user"]})).await.must_be(200);
    root.send(Method::DELETE, "/roles/helper", None).await.must_be(204);
    root.send(Method::DELETE, "/roles/reader", None).await.must_be(204);
}

#[rstest]
#[tokio::test]
async fn without_the_permission_every_id_looks_alike(
    #[values(AllInOne, Split)] topology: Topology,
    #[values(Sqlite, Postgres)] store: Store,
) {
    let app = TestApp::builder(topology, store).settings(UNLIMITED).start().await;
    let root = By(&app, made(&app, "root@example.org", "admin").await);
    let root_id = root.me().await;
    let eve = By(&app, made(&app, "eve@example.org", "user").await);
    let mut answers = Vec::new();
    for id in [root_id.as_str(), "019a9d40-0000-7000-8000-000000000000"] {
        let path = format!("/users/{id}");
        let calls = [
            eve.get(&path).await,
            eve.put(&path, json!({"email": "eve@example.com"})).await,
            eve.send(Method::DELETE, &path, None).await,
            eve.post(&format!("{path}/suspend")).await,
            eve.post(&format!("{path}/activate")).await,
            eve.put(&format!("{path}/roles"), json!({"roles": ["admin"]})).await,
        ];
        let told = calls.iter().map(|reply| {
            let body = reply.problem(403, "forbidden");
            (body["detail"].clone(), reply.header("www-authenticate").map(str::to_owned))
        });
        answers.push(told.collect::<Vec<_>>());
    }
    assert_eq!(answers[0], answers[1]);
    eve.get("/users").await.problem(403, "forbidden");
    eve.get("/roles").await.problem(403, "forbidden");
    eve.get("/audit").await.problem(403, "forbidden");
}

#[rstest]
#[tokio::test]
async fn a_call_with_a_key_happens_once(
    #[values(AllInOne, Split)] topology: Topology,
    #[values(Sqlite, Postgres)] store: Store,
) {
    let app = TestApp::builder(topology, store).settings(UNLIMITED).start().await;
    let root = made(&app, "root@example.org", "admin").await;
    let send = |key: &str, email: &str| {
        let body = json!({"email": email, "password": PASSWORD});
        app.post("/users").bearer(&root.access_token).header("idempotency-key", key).json(&body).send()
    };
    let replies = futures_util::future::join_all((0..20).map(|_| send("first", "ada@example.org"))).await;
    for reply in &replies {
        assert_eq!(reply.status, 201, "{}", reply.text());
        assert_eq!((reply.json(), reply.header("location")), (replies[0].json(), replies[0].header("location")));
    }
    send("first", "bob@example.org").await.problem(422, "idempotency-key-reused");
    send("second", "ada@example.org").await.problem(409, "email-taken");
    send("second", "bob@example.org").await.must_be(201);
}

#[rstest]
#[tokio::test]
async fn the_audit_log_tells_who_did_what(
    #[values(AllInOne, Split)] topology: Topology,
    #[values(Sqlite, Postgres)] store: Store,
) {
    let app = TestApp::builder(topology, store).settings(UNLIMITED).start().await;
    let root = By(&app, made(&app, "root@example.org", "admin").await);
    let session = app.session_of("ada@example.org").await;
    let ada = app.get("/auth/me").bearer(&session.access_token).send().await.must_be(200).json();
    let ada = ada["id"].as_str().unwrap();
    let attempt = |email: &str, password: &str| {
        let body = json!({"email": email, "password": password});
        app.post("/auth/login").header("user-agent", "a-test/1").json(&body).send()
    };
    let wrong = attempt("ada@example.org", "my secret guess").await;
    wrong.problem(401, "invalid-credentials");
    attempt("my-password@typed.in.the.wrong.field", "my secret guess").await.problem(401, "invalid-credentials");
    app.post("/auth/logout").bearer(&session.access_token).send().await.must_be(204);

    let lines = root.get(&format!("/audit?target={ada}&action=login.")).await.must_be(200).json();
    let failed = &lines["items"][0];
    assert_eq!((&failed["action"], &failed["outcome"]), (&json!("login.failed"), &json!("failure")), "{lines}");
    assert_eq!(failed["actor"], json!({"type": "anonymous", "id": null}));
    assert_eq!(failed["target"], json!({"type": "user", "id": ada}));
    assert_eq!(
        (&failed["user_agent"], &failed["details"]["reason"]),
        (&json!("a-test/1"), &json!("invalid-credentials"))
    );
    assert_eq!(failed["request_id"].as_str(), wrong.header("x-request-id"));
    assert!(failed["address"].as_str().unwrap().starts_with("127."), "{failed}");
    assert!(failed["at"].as_str().unwrap().ends_with('Z'), "{failed}");
    assert_eq!(lines["items"][1]["action"], "login.succeeded");
    assert_eq!(root.actions(&format!("actor={ada}")).await, ["session.revoked", "login.succeeded", "email.verified"]);
    assert_eq!(root.actions("action=user.registered").await, ["user.registered"]);

    let all = root.get("/audit?limit=100").await.must_be(200).text();
    for secret in ["my secret guess", "my-password", PASSWORD, session.access_token.as_str()] {
        assert!(!all.contains(secret), "{secret} in {all}");
    }
    let first = root.get("/audit?limit=2").await.must_be(200).json();
    let cursor = first["next_cursor"].as_str().unwrap();
    let second = root.get(&format!("/audit?limit=2&cursor={cursor}")).await.must_be(200).json();
    assert_ne!(first["items"][1]["id"], second["items"][0]["id"]);
    root.get("/audit?since=yesterday").await.problem(400, "malformed-request");
}

#[rstest]
#[tokio::test]
async fn what_one_instance_ends_ends_on_the_other(#[values(Sqlite, Postgres)] store: Store) {
    let app = TestApp::builder(AllInOne, store).settings(UNLIMITED).start_twins().await;
    let root = By(&app, made(&app, "root@example.org", "admin").await);
    let ada = root.create("ada@example.org").await;
    let session = login(&app, "ada@example.org").await;
    root.post(&format!("/users/{}/suspend", ada["id"].as_str().unwrap())).await.must_be(200);
    let dead = eventually(Duration::from_secs(1), async || {
        let reply = app.call_role("twin", Method::GET, "/auth/me").bearer(&session.access_token).send().await;
        (reply.status == 401).then_some(())
    });
    assert!(dead.await.is_some(), "the token still works at the twin");
}
