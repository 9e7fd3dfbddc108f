//! Sources that are questions to the configured databases, from outside.

use rstest::rstest;
use serde_json::json;

use crate::support::{
    Store::{self, Postgres, Sqlite},
    TestApp,
    Topology::{self, AllInOne, Split},
};

#[rstest]
#[tokio::test]
async fn a_source_may_be_a_question(
    #[values(AllInOne, Split)] topology: Topology,
    #[values(Sqlite, Postgres)] store: Store,
) {
    let settings = r#"
        [[aggregation.sources]]
        name = "people"
        sql = "select email, email as again, ':x' as x from users where email = :email"
        database = "auth"
        cache = { ttl = "30s" }
        [[aggregation.sources]]
        name = "many"
        sql = "with recursive n(i) as (select 1 union all select i + 1 from n where i < 100) select i from n"
        max_rows = 5
        [[aggregation.sources]]
        name = "endless"
        sql = "with recursive n(i) as (select 1 union all select i + 1 from n) select count(*) from n"
        timeout = "300ms"
        [[aggregation.sources]]
        name = "wrong"
        sql = "select secret from nowhere"
    "#;
    let app = TestApp::builder(topology, store).settings(settings).start().await;
    let token = app.session_of("ada@example.org").await.access_token;
    let ask = async |query: &str| {
        let asked = app.get(&format!("/api/data/aggregate?{query}")).bearer(&token).send().await;
        asked.must_be(200).json()
    };
    let found = ask("sources=people&email=ada@example.org").await;
    let expected = json!([{"email": "ada@example.org", "again": "ada@example.org", "x": ":x"}]);
    assert_eq!(found["data"]["people"], expected, "{found}");
    let injected = ask("sources=people&email=x'%20or%20'1'='1").await;
    assert_eq!((&injected["data"]["people"], &injected["meta"]["complete"]), (&json!([]), &json!(true)), "{injected}");
    assert_eq!(ask("sources=people&email=ada@example.org").await["meta"]["sources"]["people"]["cache"], "hit");

    let bounded = ask("sources=many,endless,wrong").await;
    let told = |name: &str| &bounded["meta"]["sources"][name];
    assert_eq!(told("many")["detail"], "more than 5 rows", "{bounded}");
    assert_eq!(told("endless")["status"], "timeout", "{bounded}");
    assert_eq!(told("wrong")["detail"], "the database refuses the question", "its words are for the log: {bounded}");
    let listed = app.get("/api/data/sources").bearer(&token).send().await.must_be(200).text();
    assert!(listed.contains("\"email\"") && !listed.contains("select"), "{listed}");
}
