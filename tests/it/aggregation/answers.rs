//! Honest answers through the front door: how long they are good, what the client has already, whose word a failure is.

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
async fn an_answer_says_how_long_it_is_good_and_is_sent_once(#[values(AllInOne, Split)] topology: Topology) {
    let (short, long, down) = (Backend::start().await, Backend::start().await, Backend::start().await);
    let body = r#"{"z": 1.10, "a": "\u00e9", "n": 12345678901234567890123}"#;
    let says = |age: &str| {
        ResponseTemplate::new(200).set_body_raw(body, "application/json").insert_header("cache-control", age)
    };
    short.answer(says("max-age=30")).await;
    long.answer(says("max-age=300")).await;
    let problem = json!({"title": "closed for today", "status": 503});
    let closed = ResponseTemplate::new(503).insert_header("retry-after", "120");
    down.answer(closed.set_body_raw(problem.to_string(), "application/problem+json")).await;
    let settings = format!(
        r#"
        [[aggregation.sources]]
        name = "short"
        url = "{}"
        [[aggregation.sources]]
        name = "long"
        url = "{}"
        [[aggregation.sources]]
        name = "down"
        url = "{}"
        required = true
        [[aggregation.endpoints]]
        path = "/both"
        auth = "none"
        steps = [{{ source = "short" }}, {{ source = "long" }}]
        response = "{{first: .results.short, second: .results.long}}"
        "#,
        short.url(),
        long.url(),
        down.url()
    );
    let app = TestApp::builder(topology, Sqlite).settings(&settings).start().await;
    let first = app.get("/api/data/both").send().await.must_be(200);
    assert_eq!(first.text(), format!(r#"{{"first":{body},"second":{body}}}"#), "byte for byte");
    assert_eq!(first.header("cache-control"), Some("max-age=30"));
    let tag = first.header("etag").expect("a tag").to_owned();
    assert!(tag.starts_with('"'), "{tag}");
    let second = app.get("/api/data/both").header("if-none-match", &tag).send().await;
    assert_eq!((second.status.as_u16(), second.text().as_str()), (304, ""));
    assert_eq!((second.header("etag"), second.header("cache-control")), (Some(tag.as_str()), Some("max-age=30")));
    assert_eq!(second.header("x-aggregation-complete"), Some("true"));

    let token = app.session_of("ada@example.org").await.access_token;
    let aggregated = app.get("/api/data/aggregate?sources=short,long").bearer(&token).send().await.must_be(200);
    let tag = aggregated.header("etag").expect("a tag").to_owned();
    let again = app.get("/api/data/aggregate?sources=short,long").bearer(&token).header("if-none-match", &tag);
    assert_eq!(again.send().await.status, 304, "how long it took makes no other answer");
    let failed = app.get("/api/data/aggregate?sources=short,down").bearer(&token).send().await;
    assert_eq!(failed.header("retry-after"), Some("120"));
    let told = failed.problem(502, "source-failed")["sources"]["down"].clone();
    assert_eq!((&told["http_status"], &told["problem"]), (&json!(503), &problem), "{told}");
}

#[rstest]
#[tokio::test]
async fn pages_are_followed_and_elements_share_calls(#[values(AllInOne, Split)] topology: Topology) {
    let (list, names) = (Backend::start().await, Backend::start().await);
    list.answer(ResponseTemplate::new(200).set_body_json(json!({"ids": [3, 1, 2]}))).await;
    names
        .answer(ResponseTemplate::new(200).set_body_json(json!([{"id": 1, "n": "one"}, {"id": 3, "n": "three"}])))
        .await;
    let settings = format!(
        r#"
        [[aggregation.sources]]
        name = "list"
        url = "{}/list"
        paginate = {{ by = "page", items = ".ids", size = 9 }}
        [[aggregation.sources]]
        name = "names"
        url = "{}/names?id={{ids}}"
        [[aggregation.endpoints]]
        path = "/named"
        auth = "none"
        steps = [
          {{ source = "list" }},
          {{ source = "names", after = ["list"], for_each = ".results.list[]", with = {{ ids = ".item" }}, batch = {{ size = 50, key = ".id" }} }},
        ]
        "#,
        list.url(),
        names.url()
    );
    let app = TestApp::builder(topology, Sqlite).settings(&settings).start().await;
    let reply = app.get("/api/data/named").send().await.must_be(200).json();
    let expected = json!({"list": [3, 1, 2], "names": [{"id": 3, "n": "three"}, {"id": 1, "n": "one"}, null]});
    assert_eq!(reply, expected);
    assert_eq!(list.requests().await[0].url.query(), Some("page=1"));
    let asked = names.requests().await;
    assert_eq!((asked.len(), asked[0].url.query()), (1, Some("id=3%2C1%2C2")));
}
