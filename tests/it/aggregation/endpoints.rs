//! Configured endpoints: steps, their order, and the answer they make.

use rstest::rstest;
use serde_json::json;
use wiremock::ResponseTemplate;

use crate::support::{
    Backend,
    Store::Sqlite,
    TestApp,
    Topology::{self, AllInOne, Split},
};

#[rstest]
#[tokio::test]
async fn steps_use_what_earlier_steps_found(#[values(AllInOne, Split)] topology: Topology) {
    let users = Backend::answering(&json!({"id": 42, "team": "t 1"})).await;
    let orders = Backend::answering(&json!([{"product_id": 7}, {"product_id": 8}])).await;
    let products = Backend::answering(&json!({"name": "tea"})).await;
    let settings = format!(
        r#"
        [[aggregation.sources]]
        name = "profile"
        url = "{}/users/{{user_id}}"
        forward_headers = ["accept-language"]
        [[aggregation.sources]]
        name = "orders"
        url = "{}/orders/{{user_id}}"
        [[aggregation.sources]]
        name = "product"
        url = "{}/products/{{id}}"
        [[aggregation.endpoints]]
        path = "/dashboard/{{user_id}}"
        auth = "none"
        steps = [
          {{ source = "profile", as = "user", required = true, with = {{ user_id = ".path.user_id" }} }},
          {{ source = "orders", after = ["user"], with = {{ user_id = ".results.user.id | tostring" }} }},
          {{ source = "product", as = "products", after = ["orders"], for_each = ".results.orders[].product_id", with = {{ id = ".item | tostring" }}, concurrency = 2 }},
        ]
        response = "{{user: .results.user.team, orders: (.results.orders | length), products: .results.products}}"
        "#,
        users.url(),
        orders.url(),
        products.url()
    );
    let app = TestApp::builder(topology, Sqlite).settings(&settings).start().await;
    let reply = app.get("/api/data/dashboard/42").header("accept-language", "nl").send().await.must_be(200);
    assert_eq!(reply.json(), json!({"user": "t 1", "orders": 2, "products": [{"name": "tea"}, {"name": "tea"}]}));
    assert_eq!(reply.header("x-aggregation-complete"), Some("true"));
    assert_eq!(users.requests().await[0].headers.get("accept-language").unwrap(), "nl");
    assert!(users.requests().await[0].headers.get("traceparent").is_some());
    assert_eq!(orders.requests().await[0].url.path(), "/orders/42");
    let mut paths: Vec<_> = products.requests().await.iter().map(|request| request.url.path().to_owned()).collect();
    paths.sort();
    assert_eq!(paths, ["/products/7", "/products/8"]);

    drop(products);
    let partial = app.get("/api/data/dashboard/42").send().await.must_be(200);
    assert_eq!(partial.header("x-aggregation-complete"), Some("false"));
    assert_eq!(partial.json()["products"], json!([null, null]));
    drop(users);
    let failed = app.get("/api/data/dashboard/42").send().await;
    assert_eq!(failed.status, 502, "{}", failed.text());
}

#[tokio::test]
async fn an_endpoint_asks_for_a_token_unless_it_says_otherwise() {
    let backend = Backend::start().await;
    backend.answer(ResponseTemplate::new(200).set_body_json(json!({"a": 1}))).await;
    let settings = format!(
        "[[aggregation.sources]]\nname = \"s\"\nurl = \"{}\"\n\
         [[aggregation.endpoints]]\npath = \"/closed\"\nsteps = [{{ source = \"s\" }}]\n\
         [[aggregation.endpoints]]\npath = \"/open\"\nauth = \"none\"\nsteps = [{{ source = \"s\" }}]\n",
        backend.url()
    );
    let app = TestApp::simple().settings(&settings).start().await;
    app.get("/api/data/closed").send().await.problem(401, "unauthenticated");
    let open = app.get("/api/data/open").send().await.must_be(200).json();
    assert_eq!(open, json!({"s": {"a": 1}}), "without `response` the answer is the results");
    let token = app.session_of("ada@example.org").await.access_token;
    app.get("/api/data/closed").bearer(&token).send().await.must_be(200);
    let document = app.get("/openapi.json").send().await.must_be(200).json();
    let documented = |path: &str| document["paths"][path]["get"]["security"].clone();
    assert_eq!(documented("/api/data/closed"), json!([{"bearer": []}, {"api_key": []}]));
    assert!(document["paths"]["/api/data/open"]["get"].is_object());
    assert!(documented("/api/data/open").as_array().is_none_or(Vec::is_empty), "{document}");
    app.get("/api/data/closed?explain=true").bearer(&token).send().await.problem(403, "forbidden");
}
