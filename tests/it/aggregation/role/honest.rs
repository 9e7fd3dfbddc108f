//! What an answer says of itself: how long it is good, whether the client has it, when to come again.

use actix_web::test::TestRequest;
use serde_json::{Value, json};
use wiremock::{Mock, MockServer, ResponseTemplate, matchers::path};

use super::app::{Answer, As, TestRole, config};

async fn says(server: &MockServer, at: &str, headers: &[(&str, &str)]) {
    let answer = ResponseTemplate::new(200).set_body_raw(r#"{"n": 1.10}"#, "application/json");
    let answer = headers.iter().fold(answer, |answer, (name, value)| answer.append_header(*name, *value));
    Mock::given(path(at)).respond_with(answer).mount(server).await;
}

fn source(server: &MockServer, name: &str, more: &Value) -> Value {
    let mut source = json!({"name": name, "url": format!("{}/{name}", server.uri()), "timeout": "1s"});
    source.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    source
}

async fn backend() -> MockServer {
    let server = MockServer::start().await;
    says(&server, "/minute", &[("cache-control", "public, max-age=60"), ("age", "20")]).await;
    says(&server, "/hour", &[("cache-control", "max-age=3600")]).await;
    says(&server, "/own", &[("cache-control", "private, max-age=600")]).await;
    says(&server, "/never", &[("cache-control", "no-store")]).await;
    says(&server, "/silent", &[]).await;
    server
}

fn sources(server: &MockServer) -> Value {
    let mut sources: Vec<Value> = ["minute", "hour", "own", "never", "silent", "gone"]
        .iter()
        .map(|name| source(server, name, &json!({})))
        .collect();
    sources.push(source(server, "needed", &json!({"required": true})));
    sources.into()
}

#[actix_web::test]
async fn an_answer_is_as_good_as_the_strictest_of_its_parts() {
    let server = backend().await;
    let role = TestRole::start(&config(&sources(&server), &json!([]), &json!([])));
    for (names, expected) in [
        ("hour,minute", Some("max-age=40")),
        ("hour,own", Some("private, max-age=600")),
        ("hour,never", Some("no-store")),
        ("hour,silent", Some("no-cache")),
        ("silent", None),
        ("hour,gone", Some("no-store")),
    ] {
        let answer = role.get(As::User, &format!("/data/aggregate?sources={names}")).await;
        assert_eq!(answer.header("cache-control").as_deref(), expected, "{names}: {}", answer.text);
        assert_eq!(answer.header("vary").as_deref(), Some("authorization, x-api-key"));
    }
    let explained = role.get(As::Operator, "/data/aggregate?sources=hour&explain=true").await;
    assert_eq!((explained.header("cache-control").as_deref(), explained.header("etag")), (Some("no-store"), None));
}

#[actix_web::test]
async fn a_kept_part_has_less_time_left() {
    let server = MockServer::start().await;
    says(&server, "/s", &[("cache-control", "max-age=60")]).await;
    let kept = json!([source(&server, "s", &json!({"cache": {"ttl": "50ms", "stale_if_error": "1m"}}))]);
    let role = TestRole::start(&config(&kept, &json!([]), &json!([])));
    let left = async || role.get(As::User, "/data/aggregate?sources=s").await.header("cache-control");
    assert_eq!(left().await.as_deref(), Some("max-age=60"));
    assert_eq!(left().await.as_deref(), Some("max-age=59"), "no longer a whole minute");
    tokio::time::sleep(std::time::Duration::from_millis(80)).await;
    server.reset().await;
    assert_eq!(left().await.as_deref(), Some("no-cache"), "it stands in for one that failed");
}

async fn again(role: &TestRole, at: &str, tag: &str) -> Answer {
    role.call(As::User, TestRequest::get().uri(at).insert_header(("if-none-match", tag))).await
}

#[actix_web::test]
async fn what_the_client_has_is_not_sent_again() {
    let server = backend().await;
    let forwarding = json!([source(&server, "hour", &json!({"forward_headers": ["accept-language", "x-user-id"]}))]);
    let endpoints = json!([
        {"path": "/plain", "auth": "none", "steps": [{"source": "hour"}], "response": "{all: .results.hour}"},
        {"path": "/read", "auth": "none", "steps": [{"source": "hour"}], "response": "{n: .results.hour.n, t: .headers.\"x-tenant\"}"},
    ]);
    let role = TestRole::start(&config(&forwarding, &endpoints, &json!([])));
    for (at, vary) in [
        ("/data/plain", "accept-language, authorization, x-api-key"),
        ("/data/read", "accept-language, authorization, x-api-key, x-tenant"),
        ("/data/aggregate?sources=hour", "authorization, x-api-key, accept-language"),
    ] {
        let first = role.get(As::User, at).await;
        let tag = first.header("etag").unwrap();
        assert_eq!(first.header("vary").as_deref(), Some(vary), "{at}");
        assert_eq!(tag.starts_with("W/"), at.contains("aggregate"), "its body also tells how long it took");
        for known in [tag.clone(), format!("\"other\", {tag}"), "*".to_owned()] {
            let second = again(&role, at, &known).await;
            assert_eq!((second.status, second.text.as_str()), (304, ""), "{at} {known}");
            assert_eq!(second.header("etag").as_deref(), Some(tag.as_str()));
            assert_eq!(second.header("cache-control").as_deref(), Some("max-age=3600"));
        }
        assert_eq!(again(&role, at, "\"other\"").await.status, 200);
    }
    assert_eq!(role.get(As::Nobody, "/data/plain").await.text, r#"{"all":{"n": 1.10}}"#, "byte for byte");
}

#[actix_web::test]
async fn a_source_s_own_words_reach_the_client() {
    let server = backend().await;
    let problem = json!({"type": "about:blank", "title": "closed", "status": 503, "code": "maintenance"});
    let down = ResponseTemplate::new(503).insert_header("retry-after", "17");
    let down = down.set_body_raw(problem.to_string(), "application/problem+json");
    Mock::given(path("/needed")).respond_with(down.clone()).mount(&server).await;
    Mock::given(path("/gone")).respond_with(down).mount(&server).await;
    let mut all = sources(&server);
    all[6]["breaker"] = json!({"failures": 2, "open_for": "9s"});
    let endpoint = json!({"path": "/e", "steps": [{"source": "needed", "required": true}]});
    let role = TestRole::start(&config(&all, &json!([endpoint]), &json!([])));

    let partial = role.get(As::User, "/data/aggregate?sources=hour,gone").await.json();
    assert_eq!(partial["meta"]["sources"]["gone"]["problem"], problem);
    assert_eq!(partial["meta"]["sources"]["gone"]["retry_after"], 17);

    for at in ["/data/aggregate?sources=hour,needed", "/data/e"] {
        let failed = role.get(As::User, at).await;
        assert_eq!((failed.status, failed.retry_after.as_deref()), (502, Some("17")), "{at}: {}", failed.text);
        let told = failed.json()["sources"]["needed"].clone();
        assert_eq!((&told["http_status"], &told["problem"]), (&json!(503), &problem), "{told}");
    }
    let open = role.get(As::User, "/data/e").await;
    assert_eq!((open.status, open.retry_after.as_deref()), (502, Some("9")), "{}", open.text);
    assert_eq!(open.json()["sources"]["needed"]["status"], "open");
}
