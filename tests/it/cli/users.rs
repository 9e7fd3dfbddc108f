//! Users, made and seen from the command line beside a running server.

use std::time::Duration;

use rstest::rstest;
use serde_json::{Value, json};

use super::{run, run_with};
use crate::support::{
    Store::{self, Postgres, Sqlite},
    TestApp,
    Topology::{self, AllInOne, Split},
    User, eventually,
};

#[rstest]
#[tokio::test]
async fn a_user_made_beside_a_running_server_can_log_in(#[values(Sqlite, Postgres)] store: Store) {
    let app = TestApp::builder(AllInOne, store).start().await;
    let on = |arguments: &[&str]| {
        let with_config = [arguments, &["--config", "harness.toml"]].concat();
        run(app.directory(), &with_config)
    };
    on(&["user", "create", "root@example.org", "--password", "correct horse battery", "--role", "admin"]).must_exit(0);
    let root = User { email: "root@example.org".to_owned(), password: "correct horse battery".to_owned() };
    let session = app.login(&root).await;
    let me = app.get("/auth/me").bearer(&session.access_token).send().await.must_be(200).json();
    assert!(me["roles"].as_array().unwrap().contains(&Value::from("admin")), "{me}");

    let arguments = ["user", "create", "piped@example.org", "--password-stdin", "--config", "harness.toml"];
    run_with(app.directory(), &arguments, &[], "another good password\n").must_exit(0);
    app.login(&User { email: "piped@example.org".to_owned(), password: "another good password".to_owned() }).await;

    let again = on(&["user", "create", "root@example.org", "--password", "correct horse battery"]).must_exit(1);
    assert!(again.stderr.contains("already"), "{}", again.stderr);
    on(&["user", "create", "nonsense", "--password", "x"]).must_exit(2);

    let listed: Value = serde_json::from_str(&on(&["user", "list", "--format", "json"]).must_exit(0).stdout).unwrap();
    assert_eq!(listed["items"].as_array().unwrap().len(), 2, "{listed}");
    let shown = on(&["user", "show", "root@example.org"]).must_exit(0);
    assert!(shown.stdout.contains("root@example.org"), "{}", shown.stdout);
    let absent = on(&["user", "show", "nobody@example.org"]).must_exit(1);
    assert!(!absent.stderr.is_empty());
}

#[rstest]
#[tokio::test]
async fn what_the_command_line_does_to_a_user_counts_at_once(
    #[values(AllInOne, Split)] topology: Topology,
    #[values(Sqlite, Postgres)] store: Store,
) {
    let app = TestApp::builder(topology, store).settings("[gateway]\nrate_limit = false").start().await;
    let on = |arguments: &[&str]| run(app.directory(), &[arguments, &["--config", "harness.toml"]].concat());
    let said = |arguments: &[&str]| -> Value {
        let with_format = [arguments, &["--format", "json"]].concat();
        serde_json::from_str(&on(&with_format).must_exit(0).stdout).unwrap()
    };
    let (email, password) = ("ada@example.org", "correct horse battery");
    on(&["user", "create", email, "--password", password]).must_exit(0);
    let ada = User { email: email.to_owned(), password: password.to_owned() };
    let ends = async |session: &crate::support::Session| {
        let dead = eventually(Duration::from_secs(2), async || {
            let reply = app.get("/api/data/sources").bearer(&session.access_token).send().await;
            (reply.status == 401).then_some(())
        });
        dead.await.is_some()
    };

    let session = app.login(&ada).await;
    assert_eq!(said(&["user", "suspend", email])["status"], "suspended");
    assert!(ends(&session).await, "its tokens stop at once");
    let attempt = json!({"email": email, "password": password});
    app.post("/auth/login").json(&attempt).send().await.problem(403, "account-suspended");
    assert_eq!(said(&["user", "activate", email])["status"], "active");
    assert_eq!(said(&["user", "set-roles", email, "user", "admin"])["roles"], json!(["admin", "user"]));
    on(&["user", "set-roles", email, "--role", "nonsense"]).must_exit(2);
    on(&["user", "set-roles", email]).must_exit(2);

    let session = app.login(&ada).await;
    let arguments = ["user", "reset-password", email, "--password-stdin", "--config", "harness.toml"];
    run_with(app.directory(), &arguments, &[], "another good password\n").must_exit(0);
    assert!(ends(&session).await, "a new password ends every session");
    app.post("/auth/login").json(&attempt).send().await.problem(401, "invalid-credentials");
    let link = said(&["user", "reset-password", email]);
    let (_, token) = link["reset_link"].as_str().unwrap().split_once("token=").unwrap();
    let reset = json!({"token": token, "new_password": password});
    app.post("/auth/password/reset").json(&reset).send().await.must_be(204);
    on(&["user", "reset-password", email, "--password", "short"]).must_exit(2);

    let session = app.login(&ada).await;
    let lines = app.get("/audit?action=user.suspended").bearer(&session.access_token).send().await.must_be(200).json();
    assert_eq!(lines["items"][0]["actor"], json!({"type": "command-line", "id": null}));
    on(&["user", "delete", email]).must_exit(0);
    assert!(ends(&session).await, "nothing of it works");
    on(&["user", "show", email]).must_exit(1);
    on(&["user", "delete", email]).must_exit(1);
    on(&["user", "create", email, "--password", password]).must_exit(0);
}
