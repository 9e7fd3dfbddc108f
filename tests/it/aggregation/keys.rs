//! What sources and steps can be told in the configuration, each key seen at work through the front door.

use std::time::Duration;

use futures_util::future::join_all;
use rstest::rstest;
use serde_json::{Value, json};
use wiremock::{
    Mock, MockServer, ResponseTemplate,
    matchers::{body_json, header, method, path},
};

use crate::support::{
    Store::Sqlite,
    TestApp,
    Topology::{self, AllInOne, Split},
    eventually,
};

fn ok(body: &Value) -> ResponseTemplate {
    ResponseTemplate::new(200).set_body_json(body)
}

async fn at(server: &MockServer, place: &str, answer: ResponseTemplate) {
    Mock::given(path(place)).respond_with(answer).mount(server).await;
}

#[rstest]
#[tokio::test]
async fn every_key_of_a_source_does_what_it_says(#[values(AllInOne, Split)] topology: Topology) {
    let server = MockServer::start().await;
    let once = Mock::given(path("/flaky")).respond_with(ResponseTemplate::new(503)).up_to_n_times(1);
    once.with_priority(1).mount(&server).await;
    at(&server, "/flaky", ok(&json!(1))).await;
    at(&server, "/gone", ResponseTemplate::new(404).set_body_json(json!([]))).await;
    at(&server, "/down", ResponseTemplate::new(503)).await;
    at(&server, "/user", ok(&json!({"id": 7, "name": "Ada", "secret": 1}))).await;
    at(&server, "/wrong", ok(&json!({"id": "seven"}))).await;
    at(&server, "/long", ok(&json!("x".repeat(2_000)))).await;
    at(&server, "/moved", ResponseTemplate::new(307).insert_header("location", "/user")).await;
    let agreed = Mock::given(method("PUT")).and(path("/agreed")).and(header("accept-language", "nl"));
    agreed.respond_with(ok(&json!("put"))).mount(&server).await;
    let text: &[u8] = &[0x8b, 0x04, 0x80, b'{', b'"', b'n', b'"', b':', b'1', b'.', b'1', b'0', b'}', 0x03];
    let compressed = ResponseTemplate::new(200).set_body_raw(text, "application/json");
    at(&server, "/compressed", compressed.insert_header("content-encoding", "br")).await;

    let mut settings = String::new();
    for (name, place, more) in [
        ("flaky", "/flaky", "retry = { attempts = 1, backoff = \"1ms\" }"),
        ("gone", "/gone", "expect = [200, 404]"),
        ("down", "/down", "breaker = { failures = 1, open_for = \"1m\" }"),
        ("user", "/user", "schema = \"user.json\"\nselect = \"{id, name}\"\ncache = { ttl = \"1m\" }"),
        ("wrong", "/wrong", "schema = \"user.json\""),
        ("long", "/long", "body_limit = \"1KiB\""),
        ("moved", "/moved", "redirects = { max = 1 }\nselect = \".id\""),
        ("unmoved", "/moved", ""),
        ("agreed", "/agreed", "method = \"PUT\"\nforward_headers = [\"accept-language\"]"),
        ("compressed", "/compressed", "compressed = true"),
        ("full", "/user", "max_in_flight = 1"),
    ] {
        let url = server.uri() + place;
        let source = format!("name = \"{name}\"\nurl = \"{url}\"\n{more}\n");
        settings += "[[aggregation.sources]]\n";
        settings += &source;
    }
    let schema = json!({"type": "object", "properties": {"id": {"type": "integer"}}});
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("user.json"), schema.to_string()).unwrap();
    let settings = settings.replace("user.json", folder.path().join("user.json").to_str().unwrap());
    let app = TestApp::builder(topology, Sqlite).settings(&settings).start().await;
    let token = app.session_of("ada@example.org").await.access_token;
    let ask = async || {
        let names = "flaky,gone,down,user,wrong,long,moved,unmoved,agreed,compressed,full";
        let asked = app.get(&format!("/api/data/aggregate?sources={names}")).header("accept-language", "nl");
        asked.bearer(&token).send().await.must_be(200)
    };
    let first = ask().await;
    let data = "{\"data\":{\"flaky\":1,\"gone\":[],\"down\":null,\"user\":{\"id\":7,\"name\":\"Ada\"},\"wrong\":null,\
                \"long\":null,\"moved\":7,\"unmoved\":null,\"agreed\":\"put\",\"compressed\":{\"n\":1.10},\"full\":{";
    assert!(first.text().starts_with(data), "{}", first.text());
    let first = first.json();
    let told = |answer: &Value, name: &str, key: &str| answer["meta"]["sources"][name][key].clone();
    assert_eq!(told(&first, "wrong", "detail"), "schema: /id: it is not of type \"integer\"");
    assert_eq!(told(&first, "long", "detail"), "the answer is too large");
    assert_eq!(told(&first, "unmoved", "http_status"), 307);
    assert_eq!(told(&first, "user", "cache"), "miss");
    let second = ask().await.json();
    assert_eq!((told(&second, "user", "cache"), told(&second, "down", "status")), (json!("hit"), json!("open")));
}

#[rstest]
#[tokio::test]
async fn every_key_of_a_step_does_what_it_says(#[values(AllInOne, Split)] topology: Topology) {
    let server = MockServer::start().await;
    at(&server, "/user", ok(&json!({"id": 7, "tenant": "t1"}))).await;
    at(&server, "/down", ResponseTemplate::new(500)).await;
    at(&server, "/one", ok(&json!({"n": 1}))).await;
    let priced = Mock::given(method("POST")).and(path("/price")).and(body_json(json!({"user": 7})));
    priced.and(header("x-tenant", "t1")).respond_with(ok(&json!({"amount": 1}))).mount(&server).await;
    let source = |name: &str, more: &str| {
        format!("[[aggregation.sources]]\nname = \"{name}\"\nurl = \"{}/{name}\"\n{more}\n", server.uri())
    };
    let settings = source("user", "")
        + &source("down", "")
        + &source("one", "")
        + &source("price", "method = \"POST\"")
        + r#"
        [[aggregation.endpoints]]
        path = "/screen"
        auth = "none"
        timeout = "5s"
        steps = [
          { source = "user", required = true },
          { source = "price", after = ["user"], headers = { "x-tenant" = ".results.user.tenant" }, body = "{user: .results.user.id}" },
          { source = "one", as = "wanted", when = ".query.more == \"1\"" },
          { source = "down", required = true, fallback = { n = 0 } },
          { source = "one", as = "each", after = ["user"], for_each = "1, 2, .results.user.id", concurrency = 2 },
        ]
        [[aggregation.endpoints]]
        path = "/lost"
        auth = "none"
        steps = [{ source = "down", required = true }]
    "#;
    let app = TestApp::builder(topology, Sqlite).settings(&settings).start().await;
    let screen = app.get("/api/data/screen").send().await.must_be(200);
    let one = json!({"n": 1});
    let expected = json!({
        "user": {"id": 7, "tenant": "t1"}, "price": {"amount": 1}, "wanted": null, "down": {"n": 0}, "each": [one, one, one],
    });
    assert_eq!((screen.json(), screen.header("x-aggregation-complete")), (expected, Some("false")));
    assert_eq!(app.get("/api/data/screen?more=1").send().await.json()["wanted"], one);
    let lost = app.get("/api/data/lost").send().await.problem(502, "source-failed");
    assert_eq!(lost["sources"]["down"]["http_status"], 500, "{lost}");
}

/// What a source answered, how it ended, and what the cache had to do with it.
async fn told(app: &TestApp, token: &str, source: &str) -> Value {
    let path = format!("/api/data/aggregate?sources={source}");
    let answer = app.get(&path).bearer(token).send().await.must_be(200).json();
    let meta = &answer["meta"]["sources"][source];
    json!([answer["data"][source], meta["status"], meta["cache"]])
}

#[rstest]
#[tokio::test]
async fn kept_answers_stand_in_and_calls_are_bounded(#[values(AllInOne, Split)] topology: Topology) {
    let server = MockServer::start().await;
    at(&server, "/kept", ok(&json!(1))).await;
    at(&server, "/slow", ok(&json!(1)).set_delay(Duration::from_millis(1500))).await;
    let mut settings = "[gateway]\nrate_limit = false\n".to_owned();
    for (name, place, more) in [
        ("renewed", "/kept", "cache = { ttl = \"300ms\", stale_while_revalidate = \"1m\" }"),
        ("insured", "/kept", "cache = { ttl = \"300ms\", stale_if_error = \"1m\" }"),
        ("shared", "/slow", "cache = { ttl = \"1m\" }\ntimeout = \"10s\""),
        ("bounded", "/slow", "max_in_flight = 1\ntimeout = \"10s\""),
    ] {
        let source = format!("name = \"{name}\"\nurl = \"{}{place}\"\n{more}\n", server.uri());
        settings += "[[aggregation.sources]]\n";
        settings += &source;
    }
    let app = TestApp::builder(topology, Sqlite).settings(&settings).start().await;
    let token = app.session_of("ada@example.org").await.access_token;
    let told = |source: &'static str| told(&app, &token, source);

    // Eight who want the same are answered by one call; of eight who may not share, all but one are turned away.
    let same = join_all((0..8).map(|_| told("shared"))).await;
    assert!(same.iter().all(|one| one[0] == 1 && one[1] == "ok"), "{same:?}");
    let slow = server.received_requests().await.unwrap().iter().filter(|call| call.url.path() == "/slow").count();
    assert_eq!(slow, 1, "calls for all eight");
    let alone = join_all((0..8).map(|_| told("bounded"))).await;
    assert_eq!(alone.iter().filter(|one| one[1] == "ok").count(), 1, "{alone:?}");
    assert_eq!(alone.iter().filter(|one| one[1] == "open").count(), 7, "{alone:?}");

    assert_eq!(told("renewed").await, json!([1, "ok", "miss"]));
    assert_eq!(told("insured").await, json!([1, "ok", "miss"]));
    server.reset().await;
    at(&server, "/kept", ResponseTemplate::new(500)).await;
    tokio::time::sleep(Duration::from_millis(400)).await;
    assert_eq!(told("renewed").await, json!([1, "ok", "stale"]));
    assert_eq!(told("insured").await, json!([1, "ok", "stale"]));
    server.reset().await;
    at(&server, "/kept", ok(&json!(2))).await;
    let renewed = async || (told("renewed").await[0] == 2).then_some(());
    assert!(eventually(Duration::from_secs(5), renewed).await.is_some());
}
