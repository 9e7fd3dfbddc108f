//! `/data/aggregate`

use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use wiremock::{
    Mock, MockServer, ResponseTemplate,
    matchers::{header, method, path},
};

use super::app::{As, TestRole, config};

fn ok(body: &str) -> ResponseTemplate {
    ResponseTemplate::new(200).set_body_raw(body, "application/json")
}

async fn answers(server: &MockServer, at: &str, answer: ResponseTemplate) {
    Mock::given(method("GET")).and(path(at)).respond_with(answer).mount(server).await;
}

fn source(server: &MockServer, name: &str, path: &str) -> Value {
    json!({"name": name, "url": format!("{}{path}", server.uri()), "timeout": "300ms"})
}

#[actix_web::test]
async fn sources_stand_side_by_side_byte_for_byte_in_the_order_asked_for() {
    let server = MockServer::start().await;
    answers(&server, "/users/4%2F2", ok(r#"{"b": 1.10, "a": 12345678901234567890123}"#)).await;
    answers(&server, "/empty", ResponseTemplate::new(204)).await;
    answers(&server, "/full", ok(r#"{"id": 1, "secret": 2}"#)).await;
    let mut selected = source(&server, "selected", "/full");
    selected["select"] = "{id}".into();
    let sources = json!([source(&server, "user", "/users/{id}"), source(&server, "empty", "/empty"), selected]);
    let role = TestRole::start(&config(&sources, &json!([]), &json!([])));

    let answer = role.get(As::User, "/data/aggregate?sources=selected,user,empty&id=4%2F2").await;
    let data = r#"{"data":{"selected":{"id":1},"user":{"b": 1.10, "a": 12345678901234567890123},"empty":null},"meta":"#;
    assert!(answer.text.starts_with(data), "{}", answer.text);
    let meta = &answer.json()["meta"];
    assert_eq!((&meta["complete"], answer.complete.as_deref()), (&json!(true), Some("true")));
    assert_eq!((&meta["sources"]["user"]["status"], &meta["sources"]["user"]["cache"]), (&json!("ok"), &json!("miss")));
    assert_eq!(meta["sources"]["empty"]["http_status"], 204);
}

#[actix_web::test]
async fn what_fails_is_told_and_nothing_more() {
    let server = MockServer::start().await;
    answers(&server, "/good", ok("1")).await;
    answers(&server, "/error", ResponseTemplate::new(503)).await;
    answers(&server, "/html", ok("<html>")).await;
    answers(&server, "/deep", ok(&("[".repeat(10_000) + &"]".repeat(10_000)))).await;
    answers(&server, "/large", ok(&format!("\"{}\"", "x".repeat(70_000)))).await;
    answers(&server, "/slow", ok("1").set_delay(Duration::from_secs(5))).await;
    answers(&server, "/digits", ok(&format!("{{\"id\":{}}}", "9".repeat(60_000)))).await;
    answers(&server, "/twice", ok(r#"{"a":1,"a":2}"#)).await;
    let metadata = "http://169.254.169.254/latest/meta-data";
    answers(&server, "/moved", ResponseTemplate::new(302).insert_header("location", metadata)).await;
    let names = ["good", "error", "html", "deep", "large", "slow", "moved", "digits", "twice"];
    let mut sources: Vec<_> = names.iter().map(|name| source(&server, name, &format!("/{name}"))).collect();
    sources.push(json!({"name": "dead", "url": "http://127.0.0.1:1/"}));
    let role = TestRole::start(&config(&sources.into(), &json!([]), &json!([])));

    let answer =
        role.get(As::User, "/data/aggregate?sources=good,error,html,deep,large,slow,moved,digits,twice,dead").await;
    assert_eq!((answer.status, answer.complete.as_deref()), (200, Some("false")), "{}", answer.text);
    let body = answer.json();
    assert_eq!(body["data"]["good"], 1);
    let status = |name: &str| body["meta"]["sources"][name]["status"].as_str().unwrap().to_owned();
    for name in ["error", "html", "deep", "large", "moved", "digits", "twice", "dead"] {
        assert_eq!((status(name).as_str(), &body["data"][name]), ("error", &Value::Null), "{name}");
    }
    assert_eq!(status("slow"), "timeout");
    assert_eq!(body["meta"]["sources"]["error"]["http_status"], 503);
    assert_eq!(body["meta"]["sources"]["moved"]["http_status"], 302);
}

#[actix_web::test]
async fn a_required_source_decides() {
    let server = MockServer::start().await;
    answers(&server, "/good", ok("1")).await;
    answers(&server, "/error", ResponseTemplate::new(500)).await;
    answers(&server, "/slow", ok("1").set_delay(Duration::from_secs(5))).await;
    let required = |name: &str| {
        let mut source = source(&server, name, &format!("/{name}"));
        source["required"] = true.into();
        source
    };
    let sources = json!([source(&server, "good", "/good"), required("error"), required("slow")]);
    let role = TestRole::start(&config(&sources, &json!([]), &json!([])));
    let failed = role.get(As::User, "/data/aggregate?sources=good,error").await;
    assert_eq!(
        (failed.status, &failed.json()["sources"]["error"]["http_status"]),
        (502, &json!(500)),
        "{}",
        failed.text
    );
    let late = role.get(As::User, "/data/aggregate?sources=good,slow").await;
    assert_eq!((late.status, &late.json()["sources"]["slow"]["status"]), (504, &json!("timeout")), "{}", late.text);
}

#[actix_web::test]
async fn bad_calls_are_refused_before_anything_is_called() {
    let server = MockServer::start().await;
    let role = TestRole::start(&config(&json!([source(&server, "user", "/users/{id}")]), &json!([]), &json!([])));
    for (query, code) in [
        ("", "malformed-request"),
        ("?sources=", "malformed-request"),
        ("?sources=user&sources=user&id=1", "malformed-request"),
        ("?sources=user&id=1&id=2", "malformed-request"),
        ("?sources=nosuch", "unknown-source"),
        ("?sources=user", "missing-argument"),
        ("?sources=user&id=..", "bad-argument"),
        ("?sources=user&id=", "bad-argument"),
    ] {
        let answer = role.get(As::User, &format!("/data/aggregate{query}")).await;
        assert_eq!((answer.status, answer.code), (400, Some(code)), "{query}: {}", answer.text);
    }
    assert!(server.received_requests().await.unwrap().is_empty());
    for path in ["/data/aggregate?sources=user&id=1", "/data/sources", "/data/endpoints"] {
        assert_eq!(role.get(As::Nobody, path).await.status, 401, "{path}");
    }
    assert_eq!(role.get(As::User, "/data/aggregate?sources=user&id=1&explain=true").await.status, 403);
    let listed = role.get(As::User, "/data/sources").await.json();
    assert_eq!((&listed["items"][0]["name"], &listed["items"][0]["arguments"]), (&json!("user"), &json!(["id"])));
}

#[actix_web::test]
async fn only_named_headers_are_passed_on() {
    let server = MockServer::start().await;
    let expected = Mock::given(method("GET")).and(path("/h")).and(header("accept-language", "de"));
    expected.and(header("accept-encoding", "identity")).respond_with(ok("1")).mount(&server).await;
    let mut named = source(&server, "h", "/h");
    named["forward_headers"] = json!(["Accept-Language"]);
    let role = TestRole::start(&config(&json!([named]), &json!([]), &json!([])));
    let request = actix_web::test::TestRequest::get().uri("/data/aggregate?sources=h");
    let request = request.insert_header(("accept-language", "de")).insert_header(("cookie", "a=b"));
    let answer = role.call(As::User, request).await;
    assert_eq!(answer.json()["data"]["h"], 1, "{}", answer.text);
    assert!(!server.received_requests().await.unwrap()[0].headers.contains_key("cookie"));
}

#[actix_web::test]
async fn who_asks_is_what_the_token_says() {
    let server = MockServer::start().await;
    answers(&server, "/h", ok("1")).await;
    let mut named = source(&server, "h", "/h");
    named["forward_headers"] = json!(["x-user-id", "x-user-roles", "x_user_email", "x-api-key"]);
    let role = TestRole::start(&config(&json!([named]), &json!([]), &json!([])));
    let request = actix_web::test::TestRequest::get().uri("/data/aggregate?sources=h");
    let spoofed = [("x-user-id", "mallory"), ("x-user-roles", "admin"), ("x_user_email", "m@x"), ("x-api-key", "vk_1")];
    let request = spoofed.into_iter().fold(request, actix_web::test::TestRequest::insert_header);
    assert_eq!(role.call(As::User, request).await.json()["data"]["h"], 1);
    let headers = &server.received_requests().await.unwrap()[0].headers;
    let sent = |name: &str| headers.get(name).map(|value| value.to_str().unwrap().to_owned());
    assert!(sent("x-user-id").is_some_and(|id| id.len() == 36), "{headers:?}");
    assert_eq!((sent("x_user_email"), sent("x-api-key")), (None, None));
    assert_ne!(sent("x-user-roles").as_deref(), Some("admin"));
}

#[actix_web::test]
async fn an_answer_framed_in_two_ways_is_none() {
    let twice = "HTTP/1.1 200 OK\r\ncontent-length: 3\r\ntransfer-encoding: chunked\r\n\r\n1\r\n7\r\n0\r\n\r\n";
    let upgraded = "HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n1";
    for answer in [twice, upgraded] {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        tokio::task::spawn_local(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let _ = stream.read(&mut [0; 4096]).await;
            let _ = stream.write_all(answer.as_bytes()).await;
        });
        let sources = json!([{"name": "s", "url": url, "timeout": "2s"}]);
        let role = TestRole::start(&config(&sources, &json!([]), &json!([])));
        let answer = role.get(As::User, "/data/aggregate?sources=s").await.json();
        assert_eq!((&answer["data"]["s"], &answer["meta"]["sources"]["s"]["status"]), (&Value::Null, &json!("error")));
    }
}

#[actix_web::test]
async fn a_source_that_fails_too_often_is_left_alone_for_a_while() {
    let server = MockServer::start().await;
    answers(&server, "/error", ResponseTemplate::new(503)).await;
    let mut down = source(&server, "down", "/error");
    down["breaker"] = json!({"failures": 2, "open_for": "300ms"});
    let role = TestRole::start(&config(&json!([down]), &json!([]), &json!([])));
    let status =
        async || role.get(As::User, "/data/aggregate?sources=down").await.json()["meta"]["sources"]["down"].clone();
    for _ in 0..2 {
        assert_eq!(status().await["http_status"], 503);
    }
    assert_eq!(status().await["status"], "open");
    assert_eq!(server.received_requests().await.unwrap().len(), 2);
    server.reset().await;
    answers(&server, "/error", ok("1")).await;
    tokio::time::sleep(Duration::from_millis(400)).await;
    assert_eq!(status().await["status"], "ok");
}
