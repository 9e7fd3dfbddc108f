//! Sources that are roles of the installation, wherever those run.

use rstest::rstest;
use serde_json::json;

use crate::support::{
    Store::Sqlite,
    TestApp,
    Topology::{self, AllInOne, Split},
};

#[rstest]
#[tokio::test]
async fn a_role_is_a_source_like_any_other(#[values(AllInOne, Split)] topology: Topology) {
    let settings = r#"
        [[aggregation.sources]]
        name = "me"
        role = "auth"
        url = "/auth/me"
        forward_headers = ["authorization"]
        [[aggregation.sources]]
        name = "stranger"
        role = "auth"
        url = "/auth/me"
        [[aggregation.sources]]
        name = "login"
        role = "auth"
        url = "/auth/login"
        method = "POST"
        [[aggregation.endpoints]]
        path = "/screen"
        steps = [
          { source = "me", required = true },
          { source = "login", body = "{email: \"ada@example.org\", password: \"wrong\"}" },
        ]
        response = "{email: .results.me.email, login: .results.login}"
    "#;
    let app = TestApp::builder(topology, Sqlite).settings(settings).start().await;
    let token = app.session_of("ada@example.org").await.access_token;
    let asked = app.get("/api/data/aggregate?sources=me,stranger").bearer(&token).send().await.must_be(200).json();
    assert_eq!(asked["data"]["me"]["email"], "ada@example.org", "{asked}");
    let told = |name: &str| &asked["meta"]["sources"][name];
    assert_eq!((&told("me")["status"], &told("me")["http_status"]), (&json!("ok"), &json!(200)));
    // Without what was not forwarded it knows nobody, and says so in its own words.
    assert_eq!(
        (&told("stranger")["http_status"], &told("stranger")["problem"]["code"]),
        (&json!(401), &json!("unauthenticated"))
    );
    let screen = app.get("/api/data/screen").bearer(&token).send().await.must_be(200);
    assert_eq!(screen.json(), json!({"email": "ada@example.org", "login": null}));
    assert_eq!(screen.header("x-aggregation-complete"), Some("false"));
    let many = futures_util::future::join_all((0..20).map(|_| app.get("/api/data/screen").bearer(&token).send())).await;
    assert!(many.iter().all(|answer| answer.status == 200));
}
