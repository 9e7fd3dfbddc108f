//! GraphQL through the front door: one query over several sources, whoever may ask, wherever the role runs.

use std::time::Duration;

use rstest::rstest;
use serde_json::json;

use super::reload::replace;
use crate::support::{
    Backend,
    Store::Sqlite,
    TestApp,
    Topology::{self, AllInOne, Split},
    eventually,
};

#[rstest]
#[tokio::test]
async fn one_query_asks_several_sources(#[values(AllInOne, Split)] topology: Topology) {
    let users = Backend::answering(&json!({"id": 42, "name": "Ada"})).await;
    let orders = Backend::answering(&json!([{"id": 7, "total": 19.9}, {"id": 9, "total": 5}])).await;
    let settings = format!(
        r#"
        [[aggregation.sources]]
        name = "profile"
        url = "{}/users/{{user_id}}"
        forward_headers = ["accept-language"]
        [[aggregation.sources]]
        name = "orders"
        url = "{}/orders?customer={{customer}}"
        [aggregation.graphql]
        types = """
        type Query {{ user(id: ID!): User @source(name: "profile", with: {{user_id: ".args.id"}}) }}
        type User {{ id: ID! name: String orders: [Order!] @source(name: "orders", with: {{customer: ".parent.id"}}) }}
        type Order {{ id: ID! total: Float }}
        """
        "#,
        users.url(),
        orders.url()
    );
    let app = TestApp::builder(topology, Sqlite).settings(&settings).start().await;
    let asked = json!({"query": "query Screen($id: ID!) { user(id: $id) { name orders { id total } } }", "variables": {"id": 42}, "operationName": "Screen"});
    app.post("/api/graphql").json(&asked).send().await.problem(401, "unauthenticated");
    assert_eq!(users.requests().await.len(), 0);
    let token = app.session_of("ada@example.org").await.access_token;
    let post = || app.post("/api/graphql").bearer(&token).header("accept-language", "nl").json(&asked);
    let reply = post().send().await.must_be(200);
    let expected = json!({"name": "Ada", "orders": [{"id": "7", "total": 19.9}, {"id": "9", "total": 5}]});
    assert_eq!(reply.json(), json!({"data": {"user": expected}}));
    assert_eq!(reply.header("x-aggregation-complete"), Some("true"));
    assert_eq!(reply.header("content-type"), Some("application/graphql-response+json"));
    assert_eq!(users.requests().await[0].headers.get("accept-language").unwrap(), "nl");
    assert_eq!(orders.requests().await[0].url.query(), Some("customer=42"));

    let get = app.get("/api/graphql?query=%7Buser(id:42)%7Bid%7D%7D").bearer(&token).send().await.must_be(200);
    assert_eq!(get.json(), json!({"data": {"user": {"id": "42"}}}));

    drop(orders);
    let partial = post().send().await.must_be(200);
    assert_eq!(partial.json()["data"], json!({"user": {"name": "Ada", "orders": null}}));
    assert_eq!(partial.json()["errors"][0]["path"], json!(["user", "orders"]));
    assert_eq!(partial.header("x-aggregation-complete"), Some("false"));

    let wrong = app.post("/api/graphql").bearer(&token).json(&json!({"query": "{ nothing }"})).send().await;
    assert_eq!(
        (wrong.status, wrong.json()["errors"][0]["extensions"]["code"].clone()),
        (400, json!("GRAPHQL_VALIDATION_FAILED"))
    );
    let document = app.get("/openapi.json").send().await.must_be(200).json();
    for method in ["get", "post"] {
        let security = document["paths"]["/api/graphql"][method]["security"].clone();
        assert_eq!(security, json!([{"bearer": []}, {"api_key": []}]));
    }
    let metrics = app.get("/metrics").send().await.text();
    assert!(metrics.contains("operation=\"graphql\"") || topology == Split, "{metrics}");
}

#[rstest]
#[tokio::test]
async fn the_schema_changes_with_the_file(#[values(AllInOne, Split)] topology: Topology) {
    let users = Backend::answering(&json!({"id": 42, "name": "Ada"})).await;
    let source = format!("[[aggregation.sources]]\nname = \"profile\"\nurl = \"{}\"\n", users.url());
    let schema = |path: &str, field: &str| {
        let types = format!("type Query {{ user: User @source(name: \"profile\") }} type User {{ {field} }}");
        format!("{source}[aggregation.graphql]\npath = \"{path}\"\nauth = \"none\"\ntypes = '{types}'\n")
    };
    let app = TestApp::builder(topology, Sqlite).settings(&source).start().await;
    let asked = json!({"query": "{ user { name } }"});
    let ask = |path: &'static str| app.post(path).json(&asked).send();
    assert_eq!(ask("/api/graphql").await.status, 404);
    let serves = async |path: &'static str| {
        let good = async || (ask(path).await.status == 200).then_some(());
        eventually(Duration::from_secs(10), good).await.is_some()
    };

    replace(app.directory(), &schema("/graphql", "name: String"));
    assert!(serves("/api/graphql").await, "{}", app.logs());
    assert_eq!(ask("/api/graphql").await.json(), json!({"data": {"user": {"name": "Ada"}}}));

    replace(app.directory(), &schema("/graph", "name: String! id: ID"));
    assert!(serves("/api/graph").await, "{}", app.logs());
    assert_eq!(ask("/api/graphql").await.status, 404);

    replace(app.directory(), &schema("/graph", "name: Nobody"));
    let refused = async || app.logs().contains("config_reload_refused").then_some(());
    assert!(eventually(Duration::from_secs(10), refused).await.is_some(), "{}", app.logs());
    assert_eq!(ask("/api/graph").await.must_be(200).json(), json!({"data": {"user": {"name": "Ada"}}}));
}
