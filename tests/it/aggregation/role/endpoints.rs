//! Configured endpoints.

use serde_json::json;
use wiremock::{
    Mock, MockServer, ResponseTemplate,
    matchers::{body_json, header, method, path},
};

use super::app::{As, TestRole, config};

async fn shop() -> MockServer {
    let server = MockServer::start().await;
    for (at, body) in [
        ("/users/4%2F2", json!({"id": 42, "name": "Ann"})),
        ("/orders/42", json!([{"product_id": "b"}, {"product_id": "gone"}, {"product_id": "a"}])),
        ("/products/a", json!({"title": "A"})),
        ("/products/b", json!({"title": "B"})),
    ] {
        Mock::given(method("GET"))
            .and(path(at))
            .respond_with(ResponseTemplate::new(200).set_body_json(body))
            .mount(&server)
            .await;
    }
    server
}

fn dashboard(server: &MockServer, auth: &str) -> vestibule::modules::aggregation::AggregationConfig {
    let source = |name: &str| json!({"name": name, "url": format!("{}/{name}/{{id}}", server.uri())});
    let endpoint = json!({
        "path": "/dashboard/{user_id}",
        "auth": auth,
        "steps": [
            {"source": "users", "as": "user", "required": true, "with": {"id": ".path.user_id"}},
            {"source": "orders", "after": ["user"], "with": {"id": ".results.user.id"}},
            {"source": "products", "after": ["orders"], "for_each": ".results.orders[].product_id", "with": {"id": ".item"}},
        ],
        "response": "{name: .results.user.name, titles: [.results.products[].title?], lang: .query.lang, auth: .headers.authorization}",
    });
    config(&json!([source("users"), source("orders"), source("products")]), &json!([endpoint]), &json!([]))
}

#[actix_web::test]
async fn a_chain_of_calls_makes_one_answer() {
    let server = shop().await;
    let role = TestRole::start(&dashboard(&server, "required"));
    let request = actix_web::test::TestRequest::get().uri("/data/dashboard/4%2F2?lang=de");
    let answer = role.call(As::User, request.insert_header(("authorization", "Bearer x"))).await;
    assert_eq!(answer.text, r#"{"name":"Ann","titles":["B",null,"A"],"lang":"de","auth":null}"#);
    assert_eq!((answer.status, answer.complete.as_deref()), (200, Some("false")));

    let explained = role.get(As::Operator, "/data/dashboard/4%2F2?explain=true").await.json();
    assert_eq!((&explained["response"]["name"], &explained["explain"][2]["calls"]), (&json!("Ann"), &json!(3)));
    assert_eq!(role.get(As::User, "/data/dashboard/4%2F2?explain=true").await.status, 403);
    assert_eq!(role.get(As::Nobody, "/data/dashboard/4%2F2").await.status, 401);
    assert_eq!(role.get(As::User, "/data/dashboard/7").await.status, 502);
    let listed = role.get(As::User, "/data/endpoints").await.json();
    assert_eq!(
        (&listed["items"][0]["path"], &listed["items"][0]["arguments"]),
        (&json!("/data/dashboard/{user_id}"), &json!(["user_id"]))
    );
}

#[actix_web::test]
async fn an_open_endpoint_needs_no_token() {
    let server = shop().await;
    for auth in ["none", "optional"] {
        let role = TestRole::start(&dashboard(&server, auth));
        assert_eq!(role.get(As::Nobody, "/data/dashboard/4%2F2").await.status, 200, "{auth}");
        assert_eq!(role.get(As::Nobody, "/data/dashboard/4%2F2?explain=true").await.status, 401, "{auth}");
    }
}

#[actix_web::test]
async fn a_step_sends_headers_made_of_what_was_found() {
    let server = shop().await;
    Mock::given(path("/tagged")).respond_with(ResponseTemplate::new(200).set_body_json(json!(1))).mount(&server).await;
    let sources = json!([
        {"name": "users", "url": format!("{}/users/4%2F2", server.uri())},
        {"name": "tagged", "url": format!("{}/tagged", server.uri()), "forward_headers": ["x-tenant"]},
    ]);
    let headers = json!({
        "X-Tenant": ".results.users.id", "x-absent": ".results.users.nothing", "x-item": ".item", "accept": "\"text/json\"",
    });
    let steps = json!([
        {"source": "users"},
        {"source": "tagged", "after": ["users"], "for_each": "1, 2, 1", "headers": headers},
        {"source": "tagged", "as": "split", "headers": {"x-split": "\"a\\r\\nb: c\""}},
    ]);
    let endpoints = json!([{"path": "/tagged", "steps": steps, "response": "[.results.tagged, .results.split]"}]);
    let role = TestRole::start(&config(&sources, &endpoints, &json!([])));
    let request = actix_web::test::TestRequest::get().uri("/data/tagged").insert_header(("x-tenant", "mallory"));
    assert_eq!(role.call(As::User, request).await.json(), json!([[1, 1, 1], null]));
    let requests = server.received_requests().await.unwrap();
    let seen = |name: &str| -> Vec<Vec<String>> {
        let tagged = requests.iter().filter(|request| request.url.path() == "/tagged");
        let values = tagged.map(|request| request.headers.get_all(name).iter());
        values.map(|values| values.map(|value| value.to_str().unwrap().to_owned()).collect()).collect()
    };
    assert_eq!(seen("x-tenant"), [["42"], ["42"]], "what the step says stands in place of what the client says");
    assert_eq!((seen("x-absent"), seen("accept")), (vec![vec![]; 2], vec![vec!["text/json".to_owned()]; 2]));
    let mut items = seen("x-item");
    items.sort();
    assert_eq!(items, [["1"], ["2"]], "calls that differ in a header are two, equal ones are one");
}

#[actix_web::test]
async fn a_step_sends_a_body_made_of_what_was_found() {
    let server = shop().await;
    let expected = json!({"user": 42, "many": [1, 2], "exact": 1.5});
    let posted = Mock::given(method("POST")).and(path("/price")).and(body_json(&expected));
    let posted = posted.and(header("content-type", "application/json"));
    posted.respond_with(ResponseTemplate::new(201).set_body_json(json!({"amount": 3}))).expect(1).mount(&server).await;
    let sources = json!([
        {"name": "users", "url": format!("{}/users/4%2F2", server.uri())},
        {"name": "price", "url": format!("{}/price", server.uri()), "method": "POST"},
    ]);
    let steps = json!([
        {"source": "users"},
        {"source": "price", "after": ["users"], "body": "{user: .results.users.id, many: [1, 2], exact: 1.5}"},
    ]);
    let endpoints = json!([{"path": "/offer", "steps": steps, "response": ".results.price"}]);
    let role = TestRole::start(&config(&sources, &endpoints, &json!([])));
    assert_eq!(role.get(As::User, "/data/offer").await.text, r#"{"amount":3}"#);
}
