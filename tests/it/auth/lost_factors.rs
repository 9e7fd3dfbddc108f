//! Whoever loses the second factor is helped by an administrator; whoever's credentials change is told by mail.

use std::time::Duration;

use reqwest::Method;
use rstest::rstest;
use serde_json::json;

use super::{administration::made, mfa::Enrolled};
use crate::support::{
    Session,
    Store::{self, Postgres, Sqlite},
    TestApp,
    Topology::{self, AllInOne, Split},
    User, command, eventually,
};

const SETTINGS: &str = "[gateway]\nrate_limit = false\n[auth]\nrequire_verified_email = false\n\
                        [auth.password]\nargon2 = { memory = \"1MiB\", iterations = 1, parallelism = 1 }";

/// The mail to an address that says this.
async fn told(app: &TestApp, email: &str, subject: &str) -> String {
    let mail = eventually(Duration::from_secs(10), async || {
        app.mailbox.mails_to(email).into_iter().find(|mail| mail.contains(subject))
    });
    mail.await.unwrap_or_else(|| panic!("no mail to {email} about {subject:?}"))
}

async fn id_of(app: &TestApp, session: &Session) -> String {
    let me = app.get("/auth/me").bearer(&session.access_token).send().await.must_be(200).json();
    me["id"].as_str().unwrap().to_owned()
}

#[rstest]
#[tokio::test]
async fn an_administrator_takes_a_lost_second_factor_off(
    #[values(AllInOne, Split)] topology: Topology,
    #[values(Sqlite, Postgres)] store: Store,
) {
    let app = TestApp::builder(topology, store).settings(SETTINGS).start().await;
    let root = made(&app, "root@example.org", "admin").await;
    let ada = Enrolled::new(&app, "ada@example.org").await;
    let path = format!("/users/{}/mfa", id_of(&app, &ada.session).await);
    let remove =
        async |session: &Session, path: &str| app.call(Method::DELETE, path).bearer(&session.access_token).send().await;
    remove(&ada.session, &path).await.problem(403, "forbidden");
    remove(&root, "/users/0192a000-0000-7000-8000-000000000000/mfa").await.problem(404, "not-found");
    remove(&root, &format!("/users/{}/mfa", id_of(&app, &root).await)).await.problem(409, "own-account");
    remove(&root, &path).await.must_be(204);
    remove(&root, &path).await.must_be(204);

    let gone = eventually(Duration::from_secs(2), async || {
        let me = app.get("/auth/me").bearer(&ada.session.access_token).send().await;
        (me.status == 401).then_some(())
    });
    assert!(gone.await.is_some(), "the sessions end");
    let session = app.login(&ada.user).await;
    let me = app.get("/auth/me").bearer(&session.access_token).send().await.must_be(200).json();
    assert_eq!(me["mfa_enabled"], false);
    let begun = app.post("/auth/mfa/totp").bearer(&session.access_token).send().await;
    begun.must_be(200);
    assert!(told(&app, "ada@example.org", "Your second factor was removed").await.contains("administrator"));
    let log = app.get("/audit?limit=100").bearer(&root.access_token).send().await.must_be(200).json();
    let line = log["items"].as_array().unwrap().iter().find(|line| line["action"] == "mfa.disabled").unwrap();
    assert_eq!(line["actor"]["id"], id_of(&app, &root).await, "{line}");
}

#[tokio::test]
async fn whoever_has_a_second_factor_shows_it_before_taking_another_ones_off() {
    let app = TestApp::simple().settings(&format!("{SETTINGS}\n[auth.step_up]\nmax_age = \"1s\"")).start().await;
    let ada = Enrolled::new(&app, "ada@example.org").await;
    let grace = app.login(&app.register("grace@example.org").await).await;
    let mut promote = command(app.directory());
    promote.args([
        "user",
        "set-roles",
        "ada@example.org",
        "admin",
        "--config",
        "harness.toml",
        "--config",
        "test.toml",
    ]);
    assert!(promote.output().unwrap().status.success());
    let refresh = json!({"refresh_token": ada.session.refresh_token});
    let ada: Session = app.post("/auth/refresh").json(&refresh).send().await.must_be(200).parse();
    tokio::time::sleep(Duration::from_millis(1_200)).await;
    let path = format!("/users/{}/mfa", id_of(&app, &grace).await);
    let refused = app.call(Method::DELETE, &path).bearer(&ada.access_token).send().await;
    refused.problem(401, "step-up-required");
}

#[tokio::test]
async fn the_command_line_takes_a_lost_second_factor_off() {
    let app = TestApp::simple().settings(SETTINGS).start().await;
    let ada = Enrolled::new(&app, "ada@example.org").await;
    let reset = |arguments: &[&str]| {
        let mut reset = command(app.directory());
        reset.args(["user", "reset-mfa"]).args(arguments);
        reset.args(["--config", "harness.toml", "--config", "test.toml", "--format", "json"]).output().unwrap()
    };
    assert_eq!(reset(&["ada@example.org"]).status.code(), Some(2), "it wants to hear --yes");
    assert_eq!(reset(&["nobody@example.org", "--yes"]).status.code(), Some(1));
    let done = reset(&["ada@example.org", "--yes"]);
    let shown: serde_json::Value = serde_json::from_slice(&done.stdout).unwrap();
    assert_eq!((done.status.code(), &shown["mfa_enabled"]), (Some(0), &json!(false)));
    app.login(&ada.user).await;
    told(&app, "ada@example.org", "Your second factor was removed").await;
}

#[tokio::test]
async fn changed_credentials_are_told_by_mail() {
    let app = TestApp::simple().settings(SETTINGS).start().await;
    let root = made(&app, "root@example.org", "admin").await;
    let ada = app.register("ada@example.org").await;
    let session = app.login(&ada).await;
    let key = json!({"name": "nightly export", "scopes": []});
    app.post("/auth/api-keys").bearer(&session.access_token).json(&key).send().await.must_be(201);
    assert!(told(&app, &ada.email, "An API key was made").await.contains("\"nightly export\""));

    let other = "another good password";
    let change = json!({"current_password": ada.password, "new_password": other});
    app.post("/auth/password/change").bearer(&session.access_token).json(&change).send().await.must_be(204);
    told(&app, &ada.email, "Your password was changed").await;

    app.post("/auth/password/forgot").json(&json!({"email": ada.email})).send().await.must_be(202);
    let link = told(&app, &ada.email, "Choose a new password").await;
    let token = link.split_once("token=").unwrap().1.split_whitespace().next().unwrap().to_owned();
    let reset = json!({"token": token, "new_password": "a third good password"});
    app.post("/auth/password/reset").json(&reset).send().await.must_be(204);
    told(&app, &ada.email, "Your password was reset").await;

    let ada = User { password: "a third good password".to_owned(), ..ada };
    let session = app.login(&ada).await;
    let patched =
        app.call(Method::PATCH, "/auth/me").bearer(&session.access_token).json(&json!({"display_name": "Ada"}));
    patched.send().await.must_be(200);
    let path = format!("/users/{}", id_of(&app, &session).await);
    let renamed = json!({"email": "countess@example.org", "display_name": "Ada"});
    app.call(Method::PUT, &path).bearer(&root.access_token).json(&renamed).send().await.must_be(200);
    for address in ["ada@example.org", "countess@example.org"] {
        let mail = told(&app, address, "The address of your account was changed").await;
        assert!(mail.contains("countess@example.org"), "{mail}");
    }
    let log = app.get("/audit?limit=100").bearer(&root.access_token).send().await.must_be(200).json();
    let updates: Vec<_> =
        log["items"].as_array().unwrap().iter().filter(|line| line["action"] == "user.updated").collect();
    assert_eq!(updates.len(), 2, "{log}");
    assert_eq!(updates[1]["actor"]["id"], updates[1]["target"]["id"], "{log}");
}

#[tokio::test]
async fn passkeys_are_off_by_default() {
    let app = TestApp::simple().settings(SETTINGS).start().await;
    let session = app.login(&app.register("ada@example.org").await).await;
    app.post("/auth/passkeys/login/start").send().await.problem(403, "passkeys-disabled");
    let list = app.get("/auth/passkeys").bearer(&session.access_token).send().await;
    list.problem(403, "passkeys-disabled");
    let page = app.get("/oauth/device").send().await;
    let csp = page.header("content-security-policy").unwrap();
    assert!(!csp.contains("script") && !page.text().contains("<script"), "{csp}");
}
