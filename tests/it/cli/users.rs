//! Users, made and seen from the command line beside a running server.

use rstest::rstest;
use serde_json::Value;

use super::{run, run_with};
use crate::support::{
    Store::{self, Postgres, Sqlite},
    TestApp,
    Topology::AllInOne,
    User,
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
