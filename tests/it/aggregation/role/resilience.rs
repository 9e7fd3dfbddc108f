//! What sources can be told to do when the world is not perfect: `retry`, `expect`, `cache`.

use std::time::Duration;

use serde_json::{Value, json};
use wiremock::{Mock, MockServer, ResponseTemplate, matchers::any};

use super::app::{As, TestRole, config};

fn role(server: &MockServer, more: &Value) -> TestRole {
    let mut source = json!({"name": "s", "url": format!("{}/{{id}}", server.uri()), "timeout": "1s"});
    source.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    TestRole::start(&config(&json!([source]), &json!([]), &json!([])))
}

async fn fails_so_often(server: &MockServer, times: u64, status: u16) {
    let failing = Mock::given(any()).respond_with(ResponseTemplate::new(status)).up_to_n_times(times);
    failing.with_priority(1).mount(server).await;
    answers(server, "1").await;
}

async fn answers(server: &MockServer, body: &str) {
    let answer = ResponseTemplate::new(200).set_body_raw(body, "application/json");
    Mock::given(any()).respond_with(answer.set_delay(Duration::from_millis(30))).mount(server).await;
}

async fn ask(role: &TestRole, id: &str) -> Value {
    let answer = role.get(As::User, &format!("/data/aggregate?sources=s&id={id}")).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let body = answer.json();
    json!([body["data"]["s"], body["meta"]["sources"]["s"]["status"], body["meta"]["sources"]["s"]["cache"]])
}

async fn calls(server: &MockServer) -> usize {
    server.received_requests().await.unwrap().len()
}

#[actix_web::test]
async fn a_source_is_tried_again_as_often_as_it_says() {
    let server = MockServer::start().await;
    fails_so_often(&server, 2, 503).await;
    let tried_once = role(&server, &json!({"retry": {"attempts": 1, "backoff": "1ms"}}));
    assert_eq!(ask(&tried_once, "1").await, json!([null, "error", "miss"]));
    assert_eq!(calls(&server).await, 2);
    assert_eq!(ask(&tried_once, "1").await, json!([1, "ok", "miss"]));

    server.reset().await;
    fails_so_often(&server, 2, 502).await;
    let tried_twice = role(&server, &json!({"retry": {"attempts": 2, "backoff": "1ms"}}));
    assert_eq!(ask(&tried_twice, "1").await, json!([1, "ok", "miss"]));

    for (status, more) in [(500, json!({"retry": {"attempts": 1}})), (503, json!({}))] {
        server.reset().await;
        fails_so_often(&server, 1, status).await;
        assert_eq!(
            ask(&role(&server, &more), "1").await,
            json!([null, "error", "miss"]),
            "{status} is not tried again"
        );
        assert_eq!(calls(&server).await, 1);
    }
}

#[actix_web::test]
async fn tries_stay_within_the_time_and_the_budget() {
    let server = MockServer::start().await;
    fails_so_often(&server, 1000, 503).await;
    let more = json!({"timeout": "200ms", "retry": {"attempts": 5, "backoff": "90ms"}});
    let started = std::time::Instant::now();
    ask(&role(&server, &more), "1").await;
    assert!(started.elapsed() < Duration::from_millis(600), "{:?}", started.elapsed());
    assert_eq!(calls(&server).await, 2, "90 ms and then 180 ms would be too late");

    server.reset().await;
    fails_so_often(&server, 1000, 503).await;
    let more = json!({"breaker": {"failures": 1000}, "retry": {"attempts": 5, "backoff": "1ms"}});
    let role = role(&server, &more);
    for _ in 0..20 {
        ask(&role, "1").await;
    }
    assert_eq!(calls(&server).await, 20 + 3 + 4, "a floor of three, and every fifth");
}

#[actix_web::test]
async fn expect_says_which_statuses_are_success() {
    let server = MockServer::start().await;
    let missing = ResponseTemplate::new(404).set_body_raw("[]", "application/json");
    Mock::given(any()).respond_with(missing).mount(&server).await;
    assert_eq!(ask(&role(&server, &json!({"expect": [200, 404]})), "1").await, json!([[], "ok", "miss"]));
    assert_eq!(ask(&role(&server, &json!({"expect": [201]})), "1").await, json!([null, "error", "miss"]));
}

#[actix_web::test]
async fn answers_are_kept_by_what_is_used_of_the_request() {
    let server = MockServer::start().await;
    answers(&server, r#"{"n":1.10}"#).await;
    let more = json!({"cache": {"ttl": "400ms"}, "forward_headers": ["accept-language"], "select": ".n"});
    let role = role(&server, &more);
    let expected = |used: &str| json!([1.10, "ok", used]);
    assert_eq!(ask(&role, "1").await, expected("miss"));
    assert_eq!(ask(&role, "1").await, expected("hit"));
    assert_eq!(ask(&role, "2").await, expected("miss"));
    let with = async |header: (&'static str, &'static str)| {
        let request = actix_web::test::TestRequest::get().uri("/data/aggregate?sources=s&id=1").insert_header(header);
        role.call(As::User, request).await.json()["meta"]["sources"]["s"]["cache"].clone()
    };
    assert_eq!(with(("accept-language", "nl")).await, "miss");
    assert_eq!(with(("accept-language", "nl")).await, "hit");
    assert_eq!(with(("x-other", "nl")).await, "hit", "what the source does not get does not count");
    assert_eq!(calls(&server).await, 3);
    tokio::time::sleep(Duration::from_millis(450)).await;
    assert_eq!(ask(&role, "1").await, expected("miss"));
}

#[actix_web::test]
async fn many_who_want_the_same_wait_for_one_call() {
    let server = MockServer::start().await;
    answers(&server, "1").await;
    let role = role(&server, &json!({"cache": {"ttl": "30s"}}));
    let told = futures_util::future::join_all((0..20).map(|_| ask(&role, "1"))).await;
    assert_eq!(told.iter().filter(|told| told[2] == "miss").count(), 1);
    assert_eq!((told.iter().filter(|told| told[2] == "hit").count(), calls(&server).await), (19, 1));
}

#[actix_web::test]
async fn failures_are_not_kept_and_an_old_answer_stands_in_for_a_while() {
    let server = MockServer::start().await;
    fails_so_often(&server, 1, 500).await;
    let role = role(&server, &json!({"cache": {"ttl": "100ms", "stale_if_error": "500ms"}}));
    assert_eq!(ask(&role, "1").await, json!([null, "error", "miss"]));
    assert_eq!(ask(&role, "1").await, json!([1, "ok", "miss"]));
    tokio::time::sleep(Duration::from_millis(150)).await;
    server.reset().await;
    fails_so_often(&server, 1000, 500).await;
    assert_eq!(ask(&role, "1").await, json!([1, "ok", "stale"]));
    tokio::time::sleep(Duration::from_millis(600)).await;
    assert_eq!(ask(&role, "1").await, json!([null, "error", "miss"]));
}

#[actix_web::test]
async fn an_old_answer_is_given_while_a_new_one_is_fetched_beside() {
    let server = MockServer::start().await;
    answers(&server, "1").await;
    let role = role(&server, &json!({"cache": {"ttl": "200ms", "stale_while_revalidate": "10s"}}));
    assert_eq!(ask(&role, "1").await, json!([1, "ok", "miss"]));
    tokio::time::sleep(Duration::from_millis(250)).await;
    server.reset().await;
    answers(&server, "2").await;
    let many = futures_util::future::join_all((0..8).map(|_| ask(&role, "1"))).await;
    assert!(many.iter().all(|told| *told == json!([1, "ok", "stale"])), "{many:?}");
    let renewed = async || (ask(&role, "1").await[0] == 2).then_some(());
    assert!(crate::support::eventually(Duration::from_secs(5), renewed).await.is_some());
    assert_eq!(ask(&role, "1").await[1], "ok");

    // Who does not answer is asked again, and the old answer is good until its time is over.
    server.reset().await;
    fails_so_often(&server, 1000, 500).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    for _ in 0..3 {
        assert_eq!(ask(&role, "1").await, json!([2, "ok", "stale"]));
    }
    let asked = async || (calls(&server).await >= 1).then_some(());
    assert!(crate::support::eventually(Duration::from_secs(5), asked).await.is_some());
}

#[actix_web::test]
async fn no_more_calls_are_under_way_than_a_source_may_have() {
    let server = MockServer::start().await;
    let slow = ResponseTemplate::new(200).set_body_raw("1", "application/json").set_delay(Duration::from_millis(300));
    Mock::given(any()).respond_with(slow).mount(&server).await;
    let role = role(&server, &json!({"max_in_flight": 2}));
    let ids: Vec<String> = (0..6).map(|id| id.to_string()).collect();
    let told = futures_util::future::join_all(ids.iter().map(|id| ask(&role, id))).await;
    let ended = |how: &str| told.iter().filter(|told| told[1] == how).count();
    assert_eq!((ended("ok"), ended("open"), calls(&server).await), (2, 4, 2), "{told:?}");
    assert_eq!(ask(&role, "1").await, json!([1, "ok", "miss"]), "places are free again");
}

#[actix_web::test]
async fn the_cache_is_bounded_by_bytes() {
    let server = MockServer::start().await;
    answers(&server, &format!("\"{}\"", "x".repeat(20_000))).await;
    let role = role(&server, &json!({"cache": {"ttl": "30s"}}));
    for id in 0..8 {
        ask(&role, &id.to_string()).await;
    }
    tokio::time::sleep(Duration::from_millis(700)).await;
    let mut hits = 0;
    for id in 0..8 {
        hits += usize::from(ask(&role, &id.to_string()).await[2] == "hit");
    }
    assert!(hits <= 2, "{hits} answers of 20 kB do not fit into half of 64 KiB");
}
