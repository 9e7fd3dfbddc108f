//! What holds for every endpoint, whoever answers first: tried on endpoints made at random.

use std::{
    collections::HashMap,
    hash::{DefaultHasher, Hash as _, Hasher as _},
    sync::Mutex,
};

use async_trait::async_trait;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{super::jaq::Jaq, *};
use crate::{
    kernel::SystemClock,
    modules::aggregation::{
        application::{
            ports::{Call, RequestHeaders, SourceAnswer, SourceCaller},
            run_endpoint::{EndpointAnswer, RunEndpoint, texts},
        },
        domain::{
            data::take,
            outcome::{SourceReport, SourceStatus},
        },
    },
};

/// A step made at random; its source is its own.
#[derive(Debug, Clone)]
struct Made {
    /// A bit for each earlier step.
    after: u8,
    for_each: Option<Vec<u8>>,
    fails: bool,
}

/// Every source answers with a digest of what it was asked, after it let the others go first so often.
struct Fake {
    patience: Vec<u8>,
    fails: Vec<bool>,
    asked: Mutex<HashMap<(String, Call), usize>>,
}

#[async_trait]
impl SourceCaller for Fake {
    async fn call(&self, source: &Arc<Source>, call: &Call, _: &RequestHeaders) -> SourceAnswer {
        *self.asked.lock().unwrap().entry((source.name.clone(), call.clone())).or_default() += 1;
        let index: usize = source.name[1..].parse().unwrap();
        for _ in 0..self.patience[index] {
            tokio::task::yield_now().await;
        }
        let mut digest = DefaultHasher::new();
        call.hash(&mut digest);
        answer(!self.fails[index], &json!({"digest": digest.finish().to_string()}))
    }
}

fn answer(is_ok: bool, body: &Value) -> SourceAnswer {
    if !is_ok {
        return SourceAnswer { report: SourceReport::failed(SourceStatus::Error, "failed"), body: None };
    }
    SourceAnswer { report: SourceReport::ok(Some(200)), body: Some(take(body.to_string().into_bytes()).unwrap()) }
}

fn catalogue(steps: &[Made]) -> Catalogue {
    let step = |(index, made): (usize, &Made)| {
        let after: Vec<String> =
            (0..index).filter(|other| made.after >> other & 1 == 1).map(|other| format!("s{other}")).collect();
        let seen: Vec<String> = after.iter().map(|name| format!(".results.{name}")).collect();
        let mut step = json!({"source": format!("s{index}"), "after": after});
        step["with"] = json!({"a": format!("[.item, {}] | tojson", if seen.is_empty() { "0".to_owned() } else { seen.join(", ") })});
        if let Some(items) = &made.for_each {
            let items: Vec<String> = items.iter().map(ToString::to_string).collect();
            step["for_each"] = if items.is_empty() { "empty".to_owned() } else { items.join(", ") }.into();
        }
        step
    };
    let sources: Vec<Value> =
        (0..steps.len()).map(|n| json!({"name": format!("s{n}"), "url": format!("http://fake/{n}/{{a}}")})).collect();
    let config = json!({
        "source_body_limit": "1MiB",
        "cache_size": "1MiB",
        "evaluation": {"workers": 1, "timeout": "250ms", "memory": "64MiB", "output_limit": "1MiB", "queue": 1},
        "sources": sources,
        "endpoints": [{"path": "/e", "steps": steps.iter().enumerate().map(step).collect::<Vec<_>>()}],
    });
    compile(&serde_json::from_value(config).unwrap(), &Jaq).expect("a good configuration")
}

fn run(catalogue: &Catalogue, steps: &[Made], patience: &[u8]) -> (EndpointAnswer, Arc<Fake>) {
    let fails = steps.iter().map(|made| made.fails).collect();
    let fake = Arc::new(Fake { patience: patience.to_vec(), fails, asked: Mutex::default() });
    let use_case = RunEndpoint { caller: fake.clone(), clock: Arc::new(SystemClock) };
    let scope = [("path", texts([])), ("query", texts([])), ("headers", texts([]))];
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let headers = RequestHeaders::default();
    let answer = runtime.block_on(use_case.run(&catalogue.endpoints[0], &scope, &headers));
    (answer.expect("no step is required"), fake)
}

fn steps() -> impl Strategy<Value = Vec<Made>> {
    let made = (any::<u8>(), prop::option::of(prop::collection::vec(0_u8..4, 0..6)), prop::bool::weighted(0.2));
    let made = made.prop_map(|(after, for_each, fails)| Made { after, for_each, fails });
    prop::collection::vec(made, 1..6)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn who_answers_first_changes_nothing(steps in steps(), patience in prop::collection::vec(0_u8..20, 6)) {
        let catalogue = catalogue(&steps);
        let (at_once, _) = run(&catalogue, &steps, &[0; 6]);
        let (late, fake) = run(&catalogue, &steps, &patience);
        prop_assert_eq!(at_once.response.get(), late.response.get());
        prop_assert_eq!(at_once.complete, late.complete);
        let told = |answer: &EndpointAnswer| -> Vec<_> {
            answer.timeline.iter().map(|step| (step.name.clone(), step.report.status, step.calls)).collect()
        };
        prop_assert_eq!(told(&at_once), told(&late));
        // However often an element stands in a list, and however the answers come in: once.
        for (asked, times) in fake.asked.lock().unwrap().iter() {
            prop_assert_eq!(*times, 1, "{:?}", asked);
        }
    }
}
