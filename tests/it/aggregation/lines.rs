//! `/data/transform` over lines.

use bytes::Bytes;
use futures_util::StreamExt as _;
use rstest::rstest;
use serde_json::{Value, json};
use tokio::sync::mpsc;

use crate::support::{
    Reply,
    Store::Sqlite,
    TestApp,
    Topology::{self, AllInOne, Split},
};

const NDJSON: &str = "application/x-ndjson";
const RULESET: &str = "[[aggregation.rulesets]]\nname = \"cheap\"\nrules = [{ op = \"filter\", where = \".p < 6\" }]\n\
                       [[aggregation.rulesets]]\nname = \"sorted\"\nrules = [{ op = \"sort\", by = \".p\" }]\n";

/// The first line.
fn rules(rules: &Value) -> String {
    format!("{}\n", json!({"rules": rules}))
}

#[rstest]
#[tokio::test]
async fn lines_are_transformed_one_by_one(#[values(AllInOne, Split)] topology: Topology) {
    let app = TestApp::builder(topology, Sqlite).settings(RULESET).start().await;
    let token = app.session_of("ada@example.org").await.access_token;
    let path = "/api/data/transform";
    let send = async |query: &str, body: String| -> Reply {
        app.post(&format!("{path}{query}")).bearer(&token).body(NDJSON, body).send().await
    };
    app.post(path).body(NDJSON, "{}").send().await.problem(401, "unauthenticated");

    let reply =
        send("?ruleset=cheap", "{\"p\":5.10}\n\n{\"p\":7}\n{\"p\":12e-1,\"n\":12345678901234567890123}".to_owned());
    let reply = reply.await.must_be(200);
    assert_eq!(reply.header("content-type"), Some(NDJSON));
    assert_eq!(reply.text(), "{\"p\":5.10}\n{\"p\":12e-1,\"n\":12345678901234567890123}\n");

    let many = json!([
        {"op": "filter", "where": ".n % 2 == 0"}, {"op": "flatten", "field": "t"}, {"op": "limit", "count": 400, "offset": 10},
        {"op": "set", "field": "m", "value": ".n * 2"}, {"op": "rename", "from": "t", "to": "tag"},
        {"op": "remove", "fields": ["x"]}, {"op": "select", "fields": ["n", "m", "tag"]},
    ]);
    let line = |n| format!("{{\"n\":{n},\"x\":1,\"t\":[\"a\",\"b\"]}}\n");
    let lines = (0..2000).map(line).collect::<Vec<_>>().concat();
    let reply = send("", rules(&many) + &lines).await.must_be(200).text();
    let read: Vec<&str> = reply.lines().collect();
    assert_eq!(read.len(), 400);
    assert_eq!(read[0], r#"{"n":10,"tag":"a","m":20}"#);
    assert_eq!(read[399], r#"{"n":408,"tag":"b","m":816}"#);
    assert_eq!(send("?ruleset=cheap", String::new()).await.must_be(200).text(), "");

    let reply = send("?ruleset=sorted", "{}".to_owned()).await;
    assert_eq!((reply.problem(422, "validation-failed"), reply.pointers()).1, ["/rules/0"]);
    let whole =
        json!([{"op": "remove", "fields": []}, {"op": "group", "by": ".", "into": {}}, {"op": "jq", "program": "."}]);
    let reply = send("", rules(&whole)).await;
    assert_eq!((reply.problem(422, "validation-failed"), reply.pointers()).1, ["/rules/1", "/rules/2"]);
    assert!(reply.text().contains("needs-the-whole"), "{}", reply.text());
    for (query, body) in [("", "{}"), ("", "[]"), ("", ""), ("", "{\"rules\":[],\"data\":1}"), ("?ruleset=nobody", "")]
    {
        send(query, body.to_owned()).await.problem(422, "validation-failed");
    }
    send("?x=1", String::new()).await.problem(400, "malformed-request");
}

#[rstest]
#[tokio::test]
async fn a_line_at_fault_is_named(#[values(AllInOne, Split)] topology: Topology) {
    let app = TestApp::builder(topology, Sqlite).settings(RULESET).start().await;
    let token = app.session_of("ada@example.org").await.access_token;
    let call = |body: String| app.post("/api/data/transform").bearer(&token).body(NDJSON, body);

    let bad = call(rules(&json!([])) + "{}\n{\n").send().await.problem(400, "malformed-request");
    assert_eq!(bad["line"], 3, "{bad}");
    let bad =
        call(rules(&json!([{"op": "limit", "count": 9}, {"op": "flatten", "field": "t"}])) + "{\"t\":[]}\n{\"t\":1}\n");
    let bad = bad.send().await;
    assert_eq!(
        (bad.problem(422, "validation-failed")["line"].clone(), bad.pointers()),
        (json!(3), vec!["/rules/1/field".to_owned()])
    );
    let endless = rules(&json!([{"op": "set", "field": "a", "value": "[repeat(1)]"}])) + "{}\n";
    assert_eq!(call(endless).send().await.problem(422, "transform-limit")["line"], 2);
    let long = format!("{}{:?}\n", rules(&json!([])), "x".repeat(2 << 20));
    assert_eq!(call(long).send().await.problem(400, "malformed-request")["line"], 2);

    // Later the status has been sent: what is whole says so by its end, what is not breaks off.
    let late: String = rules(&json!([])) + &"{\"a\":1}\n".repeat(3000) + "nonsense\n" + &"{}\n".repeat(10);
    assert!(call(late).attempt().await.is_err(), "the body breaks off");
}

#[rstest]
#[tokio::test]
async fn results_come_while_lines_are_still_sent(#[values(AllInOne, Split)] topology: Topology) {
    let app = TestApp::builder(topology, Sqlite).settings(RULESET).start().await;
    let token = app.session_of("ada@example.org").await.access_token;
    let (sender, receiver) = mpsc::unbounded_channel::<Bytes>();
    let body = futures_util::stream::unfold(receiver, |mut receiver| async move {
        receiver.recv().await.map(|piece| (Ok::<_, std::io::Error>(piece), receiver))
    });
    let say = |text: &'static str| sender.send(Bytes::from_static(text.as_bytes())).unwrap();
    say("{\"p\":1}\n");
    let request = reqwest::Client::new().post(format!("{}/api/data/transform?ruleset=cheap", app.url));
    let request = request.bearer_auth(&token).header("content-type", NDJSON).body(reqwest::Body::wrap_stream(body));
    let mut answer = request.send().await.unwrap().bytes_stream();
    let mut next = async || answer.next().await.map(|piece| String::from_utf8(piece.unwrap().to_vec()).unwrap());
    assert_eq!(next().await.as_deref(), Some("{\"p\":1}\n"));
    say("{\"p\":7}\n{\"p\":2");
    say("}\n");
    assert_eq!(next().await.as_deref(), Some("{\"p\":2}\n"));
    drop(sender);
    assert_eq!(next().await, None);
}
