//! What instances keep for each other, and answers that do not keep to their schema.

use std::sync::Arc;

use serde_json::{Value, json};
use vestibule::platform::redis::{RedisSettings, RedisValues};
use wiremock::{Mock, MockServer, ResponseTemplate, matchers::any};

use super::app::{As, TestRole, config};
use crate::support::Redis;

async fn ask(role: &TestRole) -> Value {
    let answer = role.get(As::User, "/data/aggregate?sources=s").await;
    let body = answer.json();
    json!([body["data"]["s"], body["meta"]["sources"]["s"]["status"], body["meta"]["sources"]["s"]["cache"]])
}

fn instance(url: &str, redis: &Redis, cache: &Value) -> TestRole {
    let settings = RedisSettings {
        url: redis.url(),
        prefix: "test".to_owned(),
        connect_timeout: std::time::Duration::from_secs(1),
        response_timeout: std::time::Duration::from_millis(500),
    };
    let values = RedisValues::start(&settings, "source").unwrap();
    let sources = json!([{"name": "s", "url": url, "timeout": "1s", "cache": cache}]);
    TestRole::start_with(&config(&sources, &json!([]), &json!([])), Some(Arc::new(values)))
}

async fn left(redis: &Redis) {
    for _ in 0..100 {
        if redis.command(&["DBSIZE"]) != "0" {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    panic!("nothing was left in Redis");
}

#[actix_web::test]
async fn what_one_instance_has_another_need_not_fetch() {
    let (server, redis) = (MockServer::start().await, Redis::start());
    let answer = ResponseTemplate::new(200).set_body_raw(r#"{"n": 1.10}"#, "application/json");
    Mock::given(any()).respond_with(answer.insert_header("cache-control", "max-age=60")).mount(&server).await;
    let cache = json!({"ttl": "300ms", "stale_if_error": "30s"});
    let (first, second) = (instance(&server.uri(), &redis, &cache), instance(&server.uri(), &redis, &cache));
    assert_eq!(ask(&first).await, json!([{"n": 1.10}, "ok", "miss"]));
    left(&redis).await;
    let answer = second.get(As::User, "/data/aggregate?sources=s").await;
    assert!(answer.text.starts_with(r#"{"data":{"s":{"n": 1.10}},"#), "byte for byte: {}", answer.text);
    assert_eq!(answer.json()["meta"]["sources"]["s"]["cache"], "hit");
    assert!(answer.header("cache-control").is_some_and(|said| said.starts_with("max-age=5")), "{:?}", answer.headers);
    assert_eq!(server.received_requests().await.unwrap().len(), 1);
    assert!(!redis.command(&["KEYS", "*"]).contains("http"), "what is asked for is nobody's business");

    server.reset().await;
    tokio::time::sleep(std::time::Duration::from_millis(350)).await;
    let third = instance(&server.uri(), &redis, &cache);
    assert_eq!(ask(&third).await, json!([{"n": 1.10}, "ok", "stale"]), "another's old answer stands in too");
}

#[actix_web::test]
async fn without_redis_it_goes_on_alone() {
    let (server, redis) = (MockServer::start().await, Redis::start());
    let answer = ResponseTemplate::new(200).set_body_raw("1", "application/json");
    Mock::given(any()).respond_with(answer).mount(&server).await;
    let role = instance(&server.uri(), &redis, &json!({"ttl": "20ms"}));
    assert_eq!(ask(&role).await, json!([1, "ok", "miss"]));
    drop(redis);
    for _ in 0..4 {
        tokio::time::sleep(std::time::Duration::from_millis(30)).await;
        let started = std::time::Instant::now();
        assert_eq!(ask(&role).await, json!([1, "ok", "miss"]));
        assert!(started.elapsed() < std::time::Duration::from_millis(400), "{:?}", started.elapsed());
    }
}

#[actix_web::test]
async fn an_answer_keeps_to_its_schema_and_size() {
    let server = MockServer::start().await;
    let answer = ResponseTemplate::new(200).set_body_raw(r#"{"id": "seven"}"#, "application/json");
    Mock::given(any()).respond_with(answer).mount(&server).await;
    let folder = tempfile::tempdir().unwrap();
    let role = |kind: &str, limit: &str| {
        let path = folder.path().join(format!("{kind}.json"));
        std::fs::write(&path, json!({"properties": {"id": {"type": kind}}}).to_string()).unwrap();
        let source = json!({"name": "s", "url": server.uri(), "schema": path, "body_limit": limit, "select": ".id"});
        TestRole::start(&config(&json!([source]), &json!([]), &json!([])))
    };
    assert_eq!(ask(&role("string", "1KiB")).await, json!(["seven", "ok", "miss"]));
    assert_eq!(ask(&role("string", "10B")).await, json!([null, "error", "miss"]));
    let wrong = role("integer", "1KiB").get(As::User, "/data/aggregate?sources=s").await.json();
    let told = wrong["meta"]["sources"]["s"]["detail"].as_str().unwrap().to_owned();
    assert!(told.starts_with("schema: /id") && !told.contains("seven"), "{told}");
}
