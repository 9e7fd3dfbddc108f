//! Endpoints from their configuration to their answer, with a fake source.

use std::{
    sync::Mutex,
    time::{Duration, Instant},
};

use async_trait::async_trait;

use super::{super::jaq::Jaq, *};
use crate::{
    kernel::{
        SystemClock,
        units::{ByteSize, Span},
    },
    modules::aggregation::{
        application::{
            error::AggregationError,
            ports::{Call, RequestHeaders, SourceAnswer, SourceCaller},
            run_endpoint::{EndpointAnswer, RunEndpoint, texts},
        },
        config::EvaluationConfig,
        domain::{
            data::take,
            outcome::{SourceReport, SourceStatus},
        },
    },
};

/// Answers as its address says: `http://fake/MS/STATUS/ARGUMENT`.
#[derive(Default)]
struct Fake {
    busy: Mutex<(usize, usize)>,
}

#[async_trait]
impl SourceCaller for Fake {
    async fn call(&self, source: &Arc<Source>, call: &Call, _: &RequestHeaders) -> SourceAnswer {
        let began = Instant::now();
        {
            let mut busy = self.busy.lock().expect("busy");
            busy.0 += 1;
            busy.1 = busy.1.max(busy.0);
        }
        let mut parts = call.url["http://fake/".len()..].split('/');
        let wait: u64 = parts.next().expect("ms").parse().expect("ms");
        let status: u16 = parts.next().expect("status").parse().expect("status");
        let argument = parts.next().unwrap_or("").to_owned();
        let in_time = wait <= u64::try_from(source.timeout.as_millis()).expect("small");
        tokio::time::sleep(Duration::from_millis(wait).min(source.timeout)).await;
        self.busy.lock().expect("busy").0 -= 1;
        let report =
            |status, http_status| SourceReport { status, duration: began.elapsed(), ..SourceReport::ok(http_status) };
        if !in_time {
            return SourceAnswer { report: report(SourceStatus::Timeout, None), body: None };
        }
        if status != 200 || argument == "bad" {
            return SourceAnswer { report: report(SourceStatus::Error, Some(status)), body: None };
        }
        let body = take(format!(r#"{{"id":"{argument}","ids":["x","bad","y"]}}"#).into_bytes()).expect("JSON");
        SourceAnswer { report: report(SourceStatus::Ok, Some(200)), body: Some(body) }
    }
}

fn config(endpoint: serde_json::Value) -> AggregationConfig {
    let source = |name: &str, ms: u32, status: u16| -> SourceConfig {
        serde_json::from_value(serde_json::json!({"name": name, "url": format!("http://fake/{ms}/{status}/{{id}}")}))
            .expect("source")
    };
    let endpoint: EndpointConfig = serde_json::from_value(endpoint).expect("endpoint");
    AggregationConfig {
        graphql: None,
        source_body_limit: ByteSize::mib(1),
        cache_size: ByteSize::mib(1),
        line_limit: ByteSize::mib(1),
        evaluation: EvaluationConfig {
            workers: 1,
            timeout: Span::millis(250),
            memory: ByteSize::mib(64),
            output_limit: ByteSize::mib(1),
            queue: 1,
        },
        sources: vec![
            source("quick", 10, 200),
            source("slow", 300, 200),
            source("broken", 10, 500),
            source("late", 9_000, 200),
        ],
        endpoints: vec![endpoint],
        rulesets: Vec::new(),
    }
}

async fn run(
    steps: serde_json::Value,
    response: Option<&str>,
) -> (Result<EndpointAnswer, AggregationError>, Arc<Fake>, u128) {
    let endpoint = serde_json::json!({"path": "/e/{id}", "timeout": "1s", "steps": steps, "response": response});
    let catalogue = compile(&config(endpoint), &Jaq).expect("a good configuration");
    let fake = Arc::new(Fake::default());
    let started = Instant::now();
    let use_case = RunEndpoint { caller: fake.clone(), clock: Arc::new(SystemClock) };
    let scope = [("path", texts([("id", "7")])), ("query", texts([])), ("headers", texts([]))];
    let answer = use_case.run(&catalogue.endpoints[0], &scope, &RequestHeaders::default()).await;
    let took = started.elapsed().as_millis();
    (answer, fake, took)
}

fn step(source: &str, name: &str, after: &[&str], id: &str) -> serde_json::Value {
    serde_json::json!({"source": source, "as": name, "after": after, "with": {"id": id}})
}

#[tokio::test]
async fn independent_steps_run_side_by_side_and_the_order_is_the_declared_one() {
    let steps = serde_json::json!([
        step("slow", "a", &[], ".path.id"),
        step("quick", "b", &[], "1"),
        step("slow", "c", &[], "2")
    ]);
    let (answer, _, took) = run(steps, None).await;
    let answer = answer.expect("an answer");
    assert!(took < 600, "one after the other would take 600 ms: {took}");
    let text = answer.response.get();
    assert!(
        answer.complete && text.starts_with(r#"{"a":{"id":"7""#) && text.find("\"b\"") < text.find("\"c\""),
        "{text}"
    );
}

#[tokio::test]
async fn a_step_starts_the_moment_what_it_needs_is_there() {
    let steps = serde_json::json!([
        step("quick", "a", &[], ".path.id"),
        step("slow", "b", &[], "1"),
        step("slow", "c", &["a"], ".results.a.id"),
    ]);
    let (answer, _, took) = run(steps, Some("{b: .results.b.id, c: .results.c.id}")).await;
    assert_eq!(answer.expect("an answer").response.get(), r#"{"b":"1","c":"7"}"#);
    assert!(took < 600, "in layers it would take 610 ms: {took}");
}

#[tokio::test]
async fn for_each_keeps_order_bounds_calls_and_tells_failures_by_null() {
    let mut each = step("quick", "each", &["a"], ".item");
    each["for_each"] = ".results.a.ids[], 1, 2, 3, 4".into();
    each["concurrency"] = 2.into();
    let (answer, fake, _) =
        run(serde_json::json!([step("quick", "a", &[], "1"), each]), Some(".results.each | map(.id)")).await;
    let answer = answer.expect("an answer");
    assert_eq!(answer.response.get(), r#"["x",null,"y","1","2","3","4"]"#);
    assert!(!answer.complete);
    assert_eq!(answer.timeline[1].calls, 7);
    assert_eq!(fake.busy.lock().expect("busy").1, 2);
}

#[tokio::test]
async fn optional_failures_are_told_and_what_depends_on_them_is_skipped() {
    let steps = serde_json::json!([
        step("broken", "a", &[], "1"),
        step("quick", "b", &["a"], ".results.a.id"),
        step("late", "c", &[], "1"),
        step("quick", "d", &["a"], "1"),
    ]);
    let (answer, _, took) = run(steps, Some("[.results[] | .id?]")).await;
    let answer = answer.expect("an answer");
    let statuses: Vec<_> = answer.timeline.iter().map(|step| step.report.status.as_str()).collect();
    assert_eq!(statuses, ["error", "skipped", "timeout", "ok"]);
    assert_eq!((answer.complete, answer.response.get()), (false, r#"[null,null,null,"1"]"#));
    assert!((1_000..1_900).contains(&took), "the endpoint's own deadline: {took}");
}

#[tokio::test]
async fn a_required_failure_ends_it_at_once() {
    let mut required = step("broken", "a", &[], "1");
    required["required"] = true.into();
    let (answer, _, took) = run(serde_json::json!([step("late", "b", &[], "1"), required]), None).await;
    let Err(AggregationError::RequiredSource { name, timeout: false, reports, .. }) = answer else {
        panic!("{answer:?}")
    };
    assert_eq!((name.as_str(), reports[0].1.status), ("a", SourceStatus::Skipped));
    assert!(took < 900, "{took}");

    let mut late = step("late", "a", &[], "1");
    late["required"] = true.into();
    let mut never = step("quick", "b", &["a"], "1");
    never["required"] = true.into();
    let (answer, ..) = run(serde_json::json!([never, late]), None).await;
    assert!(
        matches!(answer, Err(AggregationError::RequiredSource { timeout: true, ref name, .. }) if name == "a"),
        "{answer:?}"
    );
}

#[test]
fn every_fault_of_a_configuration_is_told_with_its_key() {
    let steps = serde_json::json!([
        {"source": "nobody"}, {"source": "quick", "with": {"id": ".[", "more": "1"}}, {"source": "quick", "as": "z", "after": ["q"]},
    ]);
    let mut config =
        config(serde_json::json!({"path": "/aggregate/x", "steps": steps, "response": ".results.nothing"}));
    config.sources[0].url = "http://{host}/".to_owned();
    config.sources[1].name = "late".to_owned();
    config.sources[2].forward_headers = vec!["Host".to_owned()];
    let rule = serde_json::json!({"op": "filter", "where": "nosuch"});
    config.rulesets = vec![RulesetConfig { name: "r".to_owned(), rules: vec![rule] }];
    let faults = compile(&config, &Jaq).expect_err("faults");
    let keys: Vec<_> = faults.iter().map(|fault| fault.key.as_str()).collect();
    for key in [
        "aggregation.sources[0].url",
        "aggregation.sources[3].name",
        "aggregation.sources[2].forward_headers[0]",
        "aggregation.endpoints[0].path",
        "aggregation.endpoints[0].steps[0].source",
        "aggregation.endpoints[0].steps[1].as",
        "aggregation.endpoints[0].steps[1].with.id",
        "aggregation.endpoints[0].steps[2].after",
        "aggregation.endpoints[0].response",
        "aggregation.rulesets[0].rules[0].where",
    ] {
        assert!(keys.contains(&key) || key.ends_with("steps[1].as"), "{key} is not in {keys:#?}");
    }
}

#[test]
fn a_step_that_nothing_uses_is_told() {
    let faults = |steps: serde_json::Value, response: &str| -> Vec<String> {
        let endpoint = serde_json::json!({"path": "/e", "steps": steps, "response": response});
        let faults = compile(&config(endpoint), &Jaq).err().unwrap_or_default();
        faults.into_iter().map(|fault| fault.key).collect()
    };
    let two = || vec![step("quick", "a", &[], "1"), step("slow", "b", &[], "1")];
    assert_eq!(faults(two().into(), ".results.a"), ["aggregation.endpoints[0].steps[1]"]);
    assert!(faults(two().into(), "{a: .results.a, b: .results.b}").is_empty());
    assert!(faults(two().into(), ".results | length").is_empty());
    let mut required = two();
    required[1]["required"] = true.into();
    assert!(faults(required.into(), ".results.a").is_empty(), "that it answers is all that is wanted");
    let mut waited_for = two();
    waited_for[0]["after"] = serde_json::json!(["b"]);
    assert!(faults(waited_for.into(), ".results.a").is_empty());
}

#[test]
fn headers_that_cannot_be_set_are_told() {
    let mut wrong = step("quick", "a", &[], "1");
    wrong["headers"] = serde_json::json!({"Host": "1", "x y": "1", "x-good": ".["});
    let endpoint = serde_json::json!({"path": "/e", "steps": [wrong]});
    let faults = compile(&config(endpoint), &Jaq).expect_err("faults");
    let keys: Vec<_> = faults.iter().map(|fault| fault.key.as_str()).collect();
    let key = |name: &str| format!("aggregation.endpoints[0].steps[0].headers.{name}");
    assert_eq!(keys, [key("host"), key("x y"), key("x-good")]);
}

#[tokio::test]
async fn a_step_that_is_not_wanted_is_skipped_and_nothing_is_missing() {
    let mut unwanted = step("quick", "b", &["a"], "1");
    unwanted["when"] = ".results.a.id == \"8\"".into();
    unwanted["required"] = true.into();
    let follows = step("quick", "c", &["b"], ".results.b.id");
    let mut wanted = step("quick", "d", &["a"], "2");
    wanted["when"] = ".results.a.id == .path.id".into();
    let (answer, ..) =
        run(serde_json::json!([step("quick", "a", &[], ".path.id"), unwanted, follows, wanted]), None).await;
    let answer = answer.expect("an answer");
    let statuses: Vec<_> = answer.timeline.iter().map(|step| step.report.status.as_str()).collect();
    assert_eq!(statuses, ["ok", "skipped", "skipped", "ok"]);
    assert!(answer.complete && answer.response.get().contains(r#""b":null,"c":null"#), "{}", answer.response.get());
}

#[tokio::test]
async fn a_fallback_stands_in_even_for_a_required_step() {
    let mut broken = step("broken", "a", &[], "1");
    broken["required"] = true.into();
    broken["fallback"] = serde_json::json!({"id": "none", "n": 1.5});
    let mut late = step("late", "b", &[], "1");
    late["fallback"] = serde_json::json!([]);
    let follows = step("quick", "c", &["a"], ".results.a.id");
    let (answer, ..) =
        run(serde_json::json!([broken, late, follows]), Some("[.results.a, .results.b, .results.c.id]")).await;
    let answer = answer.expect("an answer");
    assert_eq!(answer.response.get(), r#"[{"id":"none","n":1.5},[],"none"]"#);
    assert!(!answer.complete, "what stands in is not the whole");
}

#[tokio::test]
async fn equal_calls_of_for_each_are_made_once() {
    let mut each = step("quick", "each", &[], ".item");
    each["for_each"] = "range(12) | . % 3".into();
    let (answer, ..) = run(serde_json::json!([each]), Some(".results.each | map(.id) | join(\"\")")).await;
    let answer = answer.expect("an answer");
    assert_eq!((answer.response.get(), answer.timeline[0].calls), ("\"012012012012\"", 3));
}
