//! `batch`: many elements of `for_each` in one call.

use serde_json::{Value, json};
use wiremock::{
    Mock, MockServer, Request, ResponseTemplate,
    matchers::{body_json, method, path, query_param},
};

use super::app::{As, TestRole, config};

/// An endpoint that asks for these elements.
fn role(server: &MockServer, elements: &str, step: &Value, required: bool) -> TestRole {
    let mut products = json!({"source": "products", "for_each": elements, "required": required});
    products.as_object_mut().unwrap().extend(step.as_object().unwrap().clone());
    let posted = step.get("body").is_some();
    let mut source = json!({"name": "products", "url": format!("{}/products?ids={{ids}}", server.uri())});
    if posted {
        source = json!({"name": "products", "url": format!("{}/products", server.uri()), "method": "POST"});
    }
    TestRole::start(&config(&json!([source]), &json!([{"path": "/e", "steps": [products]}]), &json!([])))
}

/// Answers with an object for each id asked for, last first, but none for "gone".
fn catalogue(request: &Request) -> ResponseTemplate {
    let ids = request.url.query_pairs().find(|(name, _)| name == "ids").unwrap().1.into_owned();
    let found =
        ids.split(',').rev().filter(|id| *id != "gone").map(|id| format!("{{\"id\": \"{id}\", \"price\": 1.10}}"));
    let body = format!("[{}]", found.collect::<Vec<_>>().join(","));
    ResponseTemplate::new(200).set_body_raw(body, "application/json")
}

#[actix_web::test]
async fn many_elements_share_calls_and_come_back_in_order() {
    let server = MockServer::start().await;
    Mock::given(path("/products")).respond_with(catalogue).mount(&server).await;
    let step = json!({"with": {"ids": ".item"}, "batch": {"size": 2, "key": ".id"}});
    let role = role(&server, r#"("c", "a", "c", "gone", "b")"#, &step, false);
    let answer = role.get(As::Operator, "/data/e?explain=true").await.json();
    let prices: Vec<_> =
        answer["response"]["products"].as_array().unwrap().iter().map(|one| one["id"].clone()).collect();
    assert_eq!(prices, [json!("c"), json!("a"), json!("c"), Value::Null, json!("b")]);
    assert_eq!(
        (&answer["complete"], &answer["explain"][0]["calls"]),
        (&json!(true), &json!(2)),
        "what is not there is no failure"
    );
    let mut asked: Vec<_> = server
        .received_requests()
        .await
        .unwrap()
        .iter()
        .map(|request| request.url.query().unwrap().to_owned())
        .collect();
    asked.sort();
    assert_eq!(asked, ["ids=c%2Ca", "ids=gone%2Cb"]);
    let exact = role.get(As::User, "/data/e").await.text;
    assert!(exact.contains(r#"[{"id": "c", "price": 1.10},"#), "byte for byte: {exact}");
}

#[actix_web::test]
async fn elements_may_stand_in_the_body_and_the_answer_may_be_an_object() {
    let server = MockServer::start().await;
    let answers = ResponseTemplate::new(200).set_body_raw(r#"{"2": "two", "1": [1.0]}"#, "application/json");
    Mock::given(method("POST")).and(body_json(json!({"ids": [1, 2, 3]}))).respond_with(answers).mount(&server).await;
    let step = json!({"body": "{ids: .item}", "batch": {"size": 100}});
    let role = role(&server, "1, 2, 3, 1", &step, false);
    assert_eq!(role.get(As::User, "/data/e").await.text, r#"{"products":[[1.0],"two",null,[1.0]]}"#);
}

#[actix_web::test]
async fn a_call_that_fails_takes_only_its_own_elements() {
    let server = MockServer::start().await;
    let failing = Mock::given(query_param("ids", "a,b")).respond_with(ResponseTemplate::new(500));
    failing.with_priority(1).mount(&server).await;
    Mock::given(query_param("ids", "d"))
        .respond_with(ResponseTemplate::new(200).set_body_json(json!("no array")))
        .with_priority(1)
        .mount(&server)
        .await;
    Mock::given(path("/products")).respond_with(catalogue).mount(&server).await;
    let step = json!({"with": {"ids": ".item"}, "batch": {"size": 2, "key": ".id"}});
    let role = role(&server, r#""a", "b", "c", "x,y", null, "e", "d""#, &step, true);
    let answer = role.get(As::User, "/data/e").await;
    let found: Vec<_> = answer.json()["products"].as_array().unwrap().iter().map(|one| !one.is_null()).collect();
    assert_eq!(found, [false, false, true, false, false, true, false], "{}", answer.text);
    assert_eq!((answer.status, answer.complete.as_deref()), (200, Some("false")));
}
