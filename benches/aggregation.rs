//! What an endpoint costs besides its sources: planned steps with answers that are there at once, grouped without looking
//! into them, and what looking costs. `cargo bench --bench aggregation`; `docs/PERFORMANCE.md` has the figures.

use std::{collections::BTreeMap, hint::black_box};

use criterion::{Criterion, criterion_group, criterion_main};
use serde_json::{Value, json};
use tokio::runtime::{Builder, Runtime};
use vestibule::{
    config::{Config, Sources, load},
    modules::aggregation::{Prepared, Rehearsal, api::RunRequest, transform},
};

/// About a kilobyte, as a profile or an order has it.
fn document(name: &str) -> Value {
    let items: Vec<Value> =
        (0..12).map(|n| json!({"id": n, "name": format!("{name} {n}"), "price": 12.5, "tags": ["a", "b"]})).collect();
    json!({"id": 42, "kind": name, "items": items})
}

/// An endpoint of these steps over three sources that are there at once.
fn prepared(steps: &Value, response: Option<&str>) -> (Rehearsal, Prepared) {
    let config: Config = load(&Sources::default()).expect("the defaults are good").config;
    let names = ["profile", "orders", "offers"];
    let sources: Vec<Value> =
        names.iter().map(|name| json!({"name": name, "url": format!("http://127.0.0.1:9/{name}/{{id}}")})).collect();
    let mut settings = serde_json::to_value(&config.aggregation).expect("settings are plain data");
    settings["sources"] = sources.into();
    settings["endpoints"] = json!([{"path": "/screen/{id}", "steps": steps, "response": response}]);
    let settings = serde_json::from_value(settings).expect("settings");
    let answers: BTreeMap<String, String> = names.map(|name| (name.to_owned(), document(name).to_string())).into();
    let rehearsal = Rehearsal::new(&settings, Some(&answers), &[]).expect("a good endpoint");
    let request = RunRequest { name: "/screen/42".to_owned(), ..RunRequest::default() };
    let prepared = rehearsal.prepare(&request).expect("it is there");
    (rehearsal, prepared)
}

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_time().build().expect("a runtime")
}

fn endpoints(criterion: &mut Criterion) {
    let path = json!({"id": ".path.id"});
    let beside = json!([
        {"source": "profile", "with": path}, {"source": "orders", "with": path}, {"source": "offers", "with": path},
    ]);
    let chain = json!([
        {"source": "profile", "with": path},
        {"source": "orders", "after": ["profile"], "with": {"id": ".results.profile.id"}},
        {"source": "offers", "after": ["orders"], "with": {"id": ".results.orders.id"}},
    ]);
    let shaped = "{user: .results.profile.kind, orders: [.results.orders.items[] | {id, name}], offers: (.results.offers.items | length)}";
    for (name, steps, response) in [
        ("three beside each other", &beside, None),
        ("three in a chain", &chain, None),
        ("three and a response", &beside, Some(shaped)),
    ] {
        let (rehearsal, prepared) = prepared(steps, response);
        criterion.bench_function(&format!("endpoint/{name}"), |bench| {
            bench.to_async(runtime()).iter(async || {
                let outcome = rehearsal.run(black_box(&prepared)).await.expect("it runs");
                black_box(outcome.answer.expect("an answer"))
            });
        });
    }
}

fn rules(criterion: &mut Criterion) {
    let data = json!([document("a")["items"]])[0].to_string();
    for (name, rules) in [
        ("select", json!([{"op": "select", "fields": ["id", "name"]}])),
        ("filter", json!([{"op": "filter", "where": ".id > 3"}])),
    ] {
        let rules = rules.to_string();
        criterion.bench_function(&format!("rules/{name}, compiled anew"), |bench| {
            bench.iter(|| transform(black_box(&rules), data.clone().into_bytes()).expect("it can be done"));
        });
    }
}

fn config() -> Criterion {
    Criterion::default().sample_size(50).without_plots()
}

criterion_group! { name = aggregation; config = config(); targets = endpoints, rules }
criterion_main!(aggregation);
