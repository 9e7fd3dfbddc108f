//! Documents that nobody would write: whatever they are, there is an answer, and it is quick.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use async_trait::async_trait;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{
    super::{
        adapters::{compile::compile, jaq::Jaq},
        application::{
            catalogue::Source,
            ports::{Call, RequestHeaders, SourceAnswer, SourceCaller},
        },
        config::AggregationConfig,
        domain::{data::take, outcome::SourceReport},
    },
    start::Service,
};

const TYPES: &str = r#"
    type Query { a(x: Int, l: [In!], e: E = A): A @source(name: "s") b: [A!]! @source(name: "s") n: N @source(name: "s") u: [U] @source(name: "s") }
    type Mutation { a(i: In!): A @source(name: "w", body: ".args.i") }
    type A implements N { a: A b(x: ID): [A!] @source(name: "t", with: {id: ".args.x // .parent.i"}) i: Int! s: String f: Float }
    type B { i: Int }
    interface N { a: A i: Int! }
    union U = A | B
    enum E { A B }
    input In { x: Int = 1 in: In l: [[E!]] s: Own }
    scalar Own
"#;

/// Answers everything with objects in objects.
struct Nested;

#[async_trait]
impl SourceCaller for Nested {
    async fn call(&self, source: &Arc<Source>, _: &Call, _: &RequestHeaders) -> SourceAnswer {
        let mut value = json!({"__typename": "A", "i": 1, "s": "x"});
        for _ in 0..70 {
            value = json!({"__typename": "A", "i": 1, "s": 2, "a": value});
        }
        if source.name == "t" {
            value = json!([value, null]);
        }
        let body = take(value.to_string().into_bytes()).expect("JSON");
        SourceAnswer { report: SourceReport::ok(Some(200)), body: Some(body) }
    }
}

fn service(limit: u64) -> Arc<Service> {
    let source =
        |name: &str, method: &str| json!({"name": name, "url": format!("http://fake/{name}"), "method": method});
    let config: AggregationConfig = serde_json::from_value(json!({
        "source_body_limit": "1MiB",
        "cache_size": "1MiB",
        "evaluation": {"workers": 1, "timeout": "250ms", "memory": "64MiB", "output_limit": "1MiB", "queue": 1},
        "sources": [source("s", "GET"), source("w", "POST"), {"name": "t", "url": "http://fake/{id}"}],
        "graphql": {"types": TYPES, "max_depth": limit, "max_complexity": limit, "max_aliases": limit, "list_size": 1},
    }))
    .expect("a configuration");
    assert_eq!(super::check(&config), []);
    let catalogue = compile(&config, &Jaq).expect("good sources");
    Service::start(&config, &catalogue, Arc::new(Nested)).expect("a good schema")
}

fn answer(service: &Service, document: &str, variables: Option<&str>) -> Result<Value, String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    let ran = runtime.block_on(service.rehearse(document, variables, &RequestHeaders::default()));
    ran.map(|(body, _)| serde_json::from_str(&body).expect("an answer is JSON"))
}

#[test]
fn the_deepest_document_has_an_answer() {
    // On a stack like that of a thread that serves requests.
    let deep = || {
        let service = service(1_000);
        let document = format!("{{ {} i {} }}", "a { ".repeat(62), "}".repeat(62));
        let mut answered = &answer(&service, &document, None).expect("an answer")["data"];
        for _ in 0..62 {
            answered = &answered["a"];
        }
        assert_eq!(answered["i"], 1);
        let deeper = format!("{{ {} i {} }}", "a { ".repeat(64), "}".repeat(64));
        assert!(answer(&service, &deeper, None).expect_err("too deep").contains("MAX_DEPTH_EXCEEDED"));
    };
    std::thread::Builder::new().stack_size(2 << 20).spawn(deep).expect("a thread").join().expect("it went well");
}

/// Words and signs of documents, in any order that nests.
fn documents() -> impl Strategy<Value = String> {
    let name = prop_oneof![
        4 => prop::sample::select(vec!["a", "b", "i", "s", "n", "u", "f", "A", "N", "U", "In", "E", "x", "l"]),
        1 => prop::sample::select(vec!["__typename", "__schema", "__type", "types", "fields", "name", "on", "query", "F", "G"]),
    ];
    let value = prop::sample::select(vec![
        "1",
        "-1.5e9",
        "99999999999999999999",
        "\"t\"",
        "A",
        "null",
        "true",
        "$v",
        "$w",
        "[]",
        "[A]",
        "{}",
        "{x: 1}",
        "{in: {x: $v}}",
        "[{l: [[B]]}]",
    ]);
    let arguments = prop::collection::vec((name.clone(), value), 0..3).prop_map(|arguments| {
        let arguments: Vec<String> = arguments.iter().map(|(name, value)| format!("{name}: {value}")).collect();
        if arguments.is_empty() { String::new() } else { format!("({})", arguments.join(", ")) }
    });
    let directive =
        prop::sample::select(vec!["", "", "", "@skip(if: $v)", "@include(if: true)", "@deprecated", "@x(y: 1)"]);
    let leaf = (name.clone(), arguments, directive)
        .prop_map(|(name, arguments, directive)| format!("{name}{arguments} {directive}"));
    let set = leaf.prop_recursive(5, 40, 4, move |inner| {
        let some = prop::collection::vec(inner, 1..4).prop_map(|items| items.join(" "));
        let head = prop_oneof![
            4 => prop::sample::select(vec!["a", "b", "n", "u", "x: a", "a(l: [])", "__schema", "types"]),
            1 => prop::sample::select(vec!["...", "... on A", "... on N", "... on U", "... on Nothing", "...F ..."]),
        ];
        (head, some).prop_map(|(head, inner)| format!("{head} {{ {inner} }}"))
    });
    let operation = prop::sample::select(vec![
        "",
        "query",
        "query Q",
        "query Q($v: Int, $w: In = {x: 2})",
        "query($v: Boolean!)",
        "mutation",
        "subscription S",
    ]);
    let rest = prop::sample::select(vec![
        "",
        "fragment F on A { i a { ...F } }",
        "fragment F on N { i ...G } fragment G on A { s }",
        "query R { a { i } }",
    ]);
    (operation, prop::collection::vec(set, 1..4), rest)
        .prop_map(|(operation, sets, rest)| format!("{operation} {{ {} }} {rest}", sets.join(" ")))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn every_document_has_an_answer(document in documents(), variables in prop::sample::select(vec!["{}", r#"{"v": 1}"#, r#"{"v": true, "w": {"in": {}}}"#, r#"{"w": [1e999]}"#])) {
        thread_local!(static SERVICE: Arc<Service> = service(200));
        let started = Instant::now();
        let answered = SERVICE.with(|service| answer(service, &document, Some(variables)));
        prop_assert!(started.elapsed() < Duration::from_secs(5));
        if let Err(refused) = answered {
            let refused: Value = serde_json::from_str(&refused).expect("a refusal is JSON");
            prop_assert!(refused["errors"].as_array().is_some_and(|errors| !errors.is_empty()));
        }
    }

    #[test]
    fn no_text_is_too_strange(document in "[ {}()\\[\\]:$!=@|&.\"#a-cA-C0-9_\\\\\n\u{feff}é-]{0,60}") {
        thread_local!(static SERVICE: Arc<Service> = service(200));
        let _ = SERVICE.with(|service| answer(service, &document, None));
    }
}
