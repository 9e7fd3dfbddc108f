//! What no rule and no program touched leaves byte for byte as it came, whatever it is.

use std::sync::Arc;

use async_trait::async_trait;
use proptest::prelude::*;
use serde_json::json;

use super::{super::jaq::Jaq, compile};
use crate::{
    kernel::SystemClock,
    modules::aggregation::{
        application::{
            catalogue::Source,
            ports::{Call, RequestHeaders, SourceAnswer, SourceCaller},
            run_endpoint::{RunEndpoint, texts},
        },
        config::AggregationConfig,
        domain::{data::take, outcome::SourceReport},
    },
};

/// Answers every call with this text.
struct Says(String);

#[async_trait]
impl SourceCaller for Says {
    async fn call(&self, _: &Arc<Source>, _: &Call, _: &RequestHeaders) -> SourceAnswer {
        let body = take(self.0.clone().into_bytes()).expect("generated JSON is acceptable");
        SourceAnswer { report: SourceReport::ok(Some(200)), body: Some(body) }
    }
}

/// JSON as strange as it may be written.
fn strange() -> impl Strategy<Value = String> {
    let number = "-?(0|[1-9][0-9]{0,40})(\\.[0-9]{1,30})?([eE][+-]?[0-9]{1,3})?";
    let text = r#""([ -!#-\[\]-~é☃]|\\u00[0-7][0-9a-fA-F]|\\ud83d\\ude00|\\[nrt"/\\]){0,12}""#;
    let leaf = prop_oneof![number.prop_map(String::from), text, Just("null".to_owned()), Just("true".to_owned())];
    let space = "[ \\n\\t]{0,2}";
    leaf.prop_recursive(4, 40, 6, move |inner| {
        let array = (proptest::collection::vec(inner.clone(), 0..6), space)
            .prop_map(|(items, space)| format!("[{space}{}{space}]", items.join(&format!("{space},"))));
        let object = (proptest::collection::vec(inner, 0..6), space).prop_map(|(values, space)| {
            let members = values.iter().enumerate().map(|(at, value)| format!("\"\\u0062{}\"{space}:{value}", 9 - at));
            format!("{{{space}{}}}", members.collect::<Vec<_>>().join(","))
        });
        prop_oneof![array, object]
    })
}

fn config(response: Option<&str>) -> AggregationConfig {
    serde_json::from_value(json!({
        "source_body_limit": "1MiB",
        "cache_size": "1MiB",
        "evaluation": {"workers": 1, "timeout": "250ms", "memory": "64MiB", "output_limit": "1MiB", "queue": 1},
        "sources": [{"name": "s", "url": "http://fake/{x}"}],
        "endpoints": [{"path": "/e", "response": response, "steps": [
            {"source": "s", "as": "a", "with": {"x": "1"}},
            {"source": "s", "as": "b", "after": ["a"], "for_each": "1, 2", "with": {"x": ".item"}},
        ]}],
    }))
    .expect("a configuration")
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn untouched_parts_leave_as_they_came(text in strange()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
        let shaped = format!(r#"{{"first":{text},"all":[[{text},{text}]]}}"#);
        let plain = format!(r#"{{"a":{text},"b":[{text},{text}]}}"#);
        for (response, expected) in [(None, plain), (Some("{first: .results.a, all: [.results.b]}"), shaped)] {
            let catalogue = compile(&config(response), &Jaq).expect("a good configuration");
            let case = RunEndpoint { caller: Arc::new(Says(text.clone())), clock: Arc::new(SystemClock) };
            let scope = [("path", texts([])), ("query", texts([])), ("headers", texts([]))];
            let answer = runtime.block_on(case.run(&catalogue.endpoints[0], &scope, &RequestHeaders::default()));
            let answer = answer.expect("an answer");
            prop_assert_eq!(answer.response.get(), expected.as_str());
        }
    }
}
