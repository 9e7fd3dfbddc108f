//! Sources that answer in pages, elsewhere, or compressed.

use serde_json::{Value, json};
use wiremock::{
    Mock, MockServer, ResponseTemplate,
    matchers::{headers, path, query_param, query_param_is_missing},
};

use super::app::{As, TestRole, config};

fn ok(body: &str) -> ResponseTemplate {
    ResponseTemplate::new(200).set_body_raw(body, "application/json")
}

fn role(url: &str, more: &Value) -> TestRole {
    let mut source = json!({"name": "s", "url": url, "timeout": "1s"});
    source.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    TestRole::start(&config(&json!([source]), &json!([]), &json!([])))
}

/// The text of what the source gave, and what is told of it.
async fn ask(role: &TestRole) -> (String, Value) {
    let answer = role.get(As::User, "/data/aggregate?sources=s").await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let data = answer.text.split_once("{\"data\":{\"s\":").unwrap().1.split_once("},\"meta\"").unwrap().0.to_owned();
    (data, answer.json()["meta"]["sources"]["s"].clone())
}

#[actix_web::test]
async fn a_cursor_is_followed_and_items_stay_as_they_were() {
    let server = MockServer::start().await;
    let page = |cursor: &str, body: &str| match cursor {
        "" => Mock::given(path("/a"))
            .and(query_param("limit", "2"))
            .and(query_param_is_missing("cursor"))
            .respond_with(ok(body)),
        _ => Mock::given(path("/a"))
            .and(query_param("limit", "2"))
            .and(query_param("cursor", cursor))
            .respond_with(ok(body)),
    };
    page("", r#"{"data": {"items": [1.10, {"b" : 1, "a": 2}]}, "next": "x&y"}"#).mount(&server).await;
    page("x&y", r#"{"data": {"items": [12345678901234567890123]}, "next": 7}"#).mount(&server).await;
    page("7", r#"{"data": {"items": ["\u00e9"]}, "next": null}"#).mount(&server).await;
    let paginate = json!({"by": "cursor", "items": ".data.items", "cursor": ".next"});
    let url = format!("{}/a?limit=2", server.uri());
    let (data, told) = ask(&role(&url, &json!({"paginate": paginate}))).await;
    assert_eq!(data, r#"[1.10,{"b" : 1, "a": 2},12345678901234567890123,"\u00e9"]"#);
    assert_eq!((&told["pages"], &told["cut"]), (&json!(3), &json!(false)), "{told}");

    let paginate = json!({"by": "cursor", "items": ".data.items", "cursor": ".next", "max_pages": 2});
    let (data, told) = ask(&role(&url, &json!({"paginate": paginate, "select": "length"}))).await;
    assert_eq!((data.as_str(), &told["pages"], &told["cut"]), ("3", &json!(2), &json!(true)), "{told}");
}

#[actix_web::test]
async fn a_cursor_that_leads_back_ends_it() {
    let server = MockServer::start().await;
    Mock::given(path("/a")).respond_with(ok(r#"{"items": [1], "next_cursor": "same"}"#)).mount(&server).await;
    let paginate = json!({"by": "cursor", "items": ".items", "cursor": ".next_cursor", "max_pages": 50});
    let (data, told) = ask(&role(&format!("{}/a", server.uri()), &json!({"paginate": paginate}))).await;
    assert_eq!((data.as_str(), &told["cut"]), ("[1,1]", &json!(true)), "{told}");
}

#[actix_web::test]
async fn pages_are_counted() {
    let server = MockServer::start().await;
    for (number, body) in [("1", "[1,2]"), ("2", "[3,4]"), ("3", "[5]")] {
        Mock::given(path("/a")).and(query_param("p", number)).respond_with(ok(body)).mount(&server).await;
    }
    let paginate = json!({"by": "page", "param": "p", "size": 2});
    let (data, told) = ask(&role(&format!("{}/a", server.uri()), &json!({"paginate": paginate}))).await;
    assert_eq!((data.as_str(), &told["pages"]), ("[1,2,3,4,5]", &json!(3)));
    let paginate = json!({"by": "page", "param": "p"});
    let (data, told) = ask(&role(&format!("{}/a", server.uri()), &json!({"paginate": paginate}))).await;
    assert_eq!(
        (data.as_str(), &told["detail"]),
        ("null", &json!("page 4: answered 404")),
        "no part of a list as if it were all"
    );
}

#[actix_web::test]
async fn links_are_followed_at_home_only() {
    let server = MockServer::start().await;
    let elsewhere = MockServer::start().await;
    let linked = |to: &str| ok("[1]").insert_header("link", format!("<{to}>; rel=\"next\""));
    Mock::given(path("/a")).respond_with(linked("/b?x=1")).mount(&server).await;
    Mock::given(path("/b")).respond_with(ok("[2]")).mount(&server).await;
    Mock::given(path("/away")).respond_with(linked(&elsewhere.uri())).mount(&server).await;
    Mock::given(path("/metadata")).respond_with(linked("http://169.254.169.254/")).mount(&server).await;
    let paginate = json!({"paginate": {"by": "link"}});
    assert_eq!(ask(&role(&format!("{}/a", server.uri()), &paginate)).await.0, "[1,2]");
    for at in ["away", "metadata"] {
        let (data, told) = ask(&role(&format!("{}/{at}", server.uri()), &paginate)).await;
        assert_eq!((data.as_str(), &told["status"]), ("null", &json!("error")), "{told}");
    }
    assert!(elsewhere.received_requests().await.unwrap().is_empty());
}

#[actix_web::test]
async fn pages_together_stay_within_time_and_size() {
    let server = MockServer::start().await;
    let large = format!("[\"{}\"]", "x".repeat(30_000));
    Mock::given(path("/large")).respond_with(ok(&large)).mount(&server).await;
    let slow = ok("[1]").set_delay(std::time::Duration::from_millis(400));
    Mock::given(path("/slow")).respond_with(slow).mount(&server).await;
    let paginate = json!({"paginate": {"by": "page"}});
    let (_, told) = ask(&role(&format!("{}/large", server.uri()), &paginate)).await;
    assert_eq!(told["detail"], "page 3: the answer is too large", "{told}");
    let (_, told) = ask(&role(&format!("{}/slow", server.uri()), &paginate)).await;
    assert_eq!((&told["status"], &told["detail"]), (&json!("timeout"), &json!("page 3: no answer in time")), "{told}");
}

#[actix_web::test]
async fn redirects_are_followed_where_that_is_allowed() {
    let (server, named, other) = (MockServer::start().await, MockServer::start().await, MockServer::start().await);
    for backend in [&server, &named, &other] {
        Mock::given(path("/end")).respond_with(ok("\"here\"")).mount(backend).await;
    }
    let to = |url: String| ResponseTemplate::new(302).insert_header("location", url.as_str());
    Mock::given(path("/home")).respond_with(to("/end".to_owned())).mount(&server).await;
    Mock::given(path("/named")).respond_with(to(format!("{}/end", named.uri()))).mount(&server).await;
    Mock::given(path("/other")).respond_with(to(format!("{}/end", other.uri()))).mount(&server).await;
    Mock::given(path("/round")).respond_with(to("/round".to_owned())).mount(&server).await;
    let more = json!({"redirects": {"max": 2, "to": [named.uri()]}, "forward_headers": ["x-user-id"]});
    for (at, expected) in [("home", "\"here\""), ("named", "\"here\""), ("other", "null"), ("round", "null")] {
        let (data, told) = ask(&role(&format!("{}/{at}", server.uri()), &more)).await;
        assert_eq!(data, expected, "{at}: {told}");
    }
    assert!(other.received_requests().await.unwrap().is_empty());
    let [seen] = &named.received_requests().await.unwrap()[..] else { panic!("one request") };
    assert!(!seen.headers.contains_key("x-user-id") && !seen.headers.contains_key("traceparent"), "{:?}", seen.headers);
    assert_eq!(ask(&role(&format!("{}/home", server.uri()), &json!({}))).await.1["http_status"], 302);
}

#[actix_web::test]
async fn a_source_may_compress() {
    let zipped: &[u8] = &[
        31, 139, 8, 0, 0, 0, 0, 0, 2, 3, 171, 86, 202, 83, 178, 50, 212, 51, 52, 168, 5, 0, 37, 255, 113, 113, 10, 0,
        0, 0,
    ];
    // The same text in blocks that are not compressed (RFC 7932 §9.2, RFC 8878 §3.1.1).
    let brotli: &[u8] = &[0x8b, 0x04, 0x80, b'{', b'"', b'n', b'"', b':', b'1', b'.', b'1', b'0', b'}', 0x03];
    let zstd: &[u8] =
        &[0x28, 0xb5, 0x2f, 0xfd, 0x20, 10, 0x51, 0, 0, b'{', b'"', b'n', b'"', b':', b'1', b'.', b'1', b'0', b'}'];
    for (encoding, bytes) in [("gzip", zipped), ("br", brotli), ("zstd", zstd)] {
        let server = MockServer::start().await;
        let compressed = ResponseTemplate::new(200).set_body_raw(bytes.to_vec(), "application/json");
        let compressed = compressed.insert_header("content-encoding", encoding);
        Mock::given(headers("accept-encoding", vec!["zstd", "br", "gzip"]))
            .respond_with(compressed)
            .mount(&server)
            .await;
        let (data, told) = ask(&role(&server.uri(), &json!({"compressed": true}))).await;
        assert_eq!(data, r#"{"n":1.10}"#, "{encoding}: {told}");
    }
}
