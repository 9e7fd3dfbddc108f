//! Sources, endpoints and rulesets change while the role serves: at a change of the file, SIGHUP, and when the
//! administration asks.

use std::{path::Path, time::Duration};

use rstest::rstest;
use serde_json::{Value, json};

use crate::support::{
    Backend, KeptUpstream, Load,
    Store::Sqlite,
    TestApp,
    Topology::{self, AllInOne, Split},
    User, command, eventually,
};

const WITHIN: Duration = Duration::from_secs(10);

fn source(name: &str, url: &str, more: &str) -> String {
    format!("[[aggregation.sources]]\nname = \"{name}\"\nurl = \"{url}\"\n{more}\n")
}

fn endpoint(path: &str, source: &str) -> String {
    format!("[[aggregation.endpoints]]\npath = \"{path}\"\nauth = \"none\"\nsteps = [{{ source = \"{source}\" }}]\n")
}

/// Puts another file in the place of the one that was given, as a deployment does.
pub(super) fn replace(directory: &Path, settings: &str) {
    std::fs::write(directory.join("next"), settings).unwrap();
    std::fs::rename(directory.join("next"), directory.join("test.toml")).unwrap();
}

async fn becomes(app: &TestApp, path: &str, status: u16) -> bool {
    let seen = async || (app.get(path).send().await.status == status).then_some(());
    eventually(WITHIN, seen).await.is_some()
}

/// How a source of `/data/aggregate` ended, and what the cache had to do with it.
async fn told(app: &TestApp, token: &str, source: &str) -> Value {
    let asked = app.get(&format!("/api/data/aggregate?sources={source}")).bearer(token).send().await;
    let told = asked.must_be(200).json()["meta"]["sources"][source].clone();
    json!([told["status"], told["cache"]])
}

#[rstest]
#[tokio::test]
async fn endpoints_come_and_go_with_the_file(#[values(AllInOne, Split)] topology: Topology) {
    let backend = Backend::answering(&json!({"n": 1})).await;
    let first = source("s", &backend.url(), "") + &endpoint("/one/{id}", "s");
    let app = TestApp::builder(topology, Sqlite).settings(&first).start().await;
    app.get("/api/data/one/7").send().await.must_be(200);
    app.get("/api/data/two").send().await.problem(404, "no-route");
    assert_eq!(app.post("/api/data/one/7").send().await.problem(405, "method-not-allowed")["status"], 405);

    let second = source("s", &backend.url(), "select = \"{m: .n}\"") + &endpoint("/two", "s");
    replace(app.directory(), &second);
    assert!(becomes(&app, "/api/data/two", 200).await, "{}", app.logs());
    assert_eq!(app.get("/api/data/two").send().await.json(), json!({"s": {"m": 1}}));
    app.get("/api/data/one/7").send().await.must_be(404);
    let documented = async || {
        let document = app.get("/openapi.json").send().await.must_be(200).json();
        let has = |path: &str| document["paths"][path]["get"].is_object();
        (has("/api/data/two") && !has("/api/data/one/{id}")).then_some(())
    };
    assert!(eventually(WITHIN, documented).await.is_some());

    // One fault, and nothing of the file counts.
    let wrong = second + &endpoint("/three", "s") + &endpoint("/four", "nobody");
    replace(app.directory(), &wrong);
    let refused = async || app.logs().contains("aggregation.endpoints[2].steps[0].source").then_some(());
    assert!(eventually(WITHIN, refused).await.is_some(), "{}", app.logs());
    app.get("/api/data/two").send().await.must_be(200);
    app.get("/api/data/three").send().await.must_be(404);
}

#[rstest]
#[tokio::test]
async fn what_did_not_change_goes_on(#[values(AllInOne, Split)] topology: Topology) {
    let backend = Backend::answering(&json!({"n": 1})).await;
    let kept = |more: &str| source("kept", &backend.url(), &format!("cache = {{ ttl = \"10m\" }}\n{more}"));
    let down = |failures: u32| {
        let breaker = format!("breaker = {{ failures = {failures}, open_for = \"10m\" }}");
        source("down", "http://127.0.0.1:1/", &breaker)
    };
    let app = TestApp::builder(topology, Sqlite).settings(&(kept("") + &down(1))).start().await;
    let token = app.session_of("ada@example.org").await.access_token;
    assert_eq!(told(&app, &token, "kept").await, json!(["ok", "miss"]));
    assert_eq!(told(&app, &token, "down").await, json!(["error", "miss"]));
    assert_eq!(told(&app, &token, "down").await, json!(["open", "miss"]));

    let marked = |name: &str| source("s", &backend.url(), "") + &endpoint(name, "s");
    replace(app.directory(), &(marked("/second") + &kept("") + &down(1)));
    assert!(becomes(&app, "/api/data/second", 200).await, "{}", app.logs());
    assert_eq!(told(&app, &token, "kept").await, json!(["ok", "hit"]), "what is kept of its answers is still good");
    assert_eq!(told(&app, &token, "down").await, json!(["open", "miss"]), "its breaker is still open");

    replace(app.directory(), &(marked("/third") + &kept("expect = [200]") + &down(2)));
    assert!(becomes(&app, "/api/data/third", 200).await, "{}", app.logs());
    assert_eq!(told(&app, &token, "kept").await, json!(["ok", "miss"]), "it is another source");
    assert_eq!(told(&app, &token, "down").await, json!(["error", "miss"]), "it is another source");
}

#[rstest]
#[tokio::test]
async fn the_administration_tells_what_it_did(#[values(AllInOne, Split)] topology: Topology) {
    let backend = Backend::answering(&json!({})).await;
    let unwatched = "[gateway.reload]\nwatch = false\n";
    let first = unwatched.to_owned() + &source("s", &backend.url(), "");
    let mut app = TestApp::builder(topology, Sqlite).settings(&first).start().await;
    let user = User { email: "root@example.org".to_owned(), password: "correct horse battery staple".to_owned() };
    let made = command(app.directory())
        .args(["user", "create", &user.email, "--password", &user.password, "--role", "admin"])
        .args(["--config", "harness.toml"])
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let token = app.login(&user).await.access_token;
    let second = first.clone()
        + &endpoint("/two", "s")
        + "[[aggregation.rulesets]]\nname = \"r\"\nrules = [{ op = \"limit\", count = 1 }]\n\
           [aggregation.evaluation]\nqueue = 3\n";
    replace(app.directory(), &second);
    let done = app.post("/admin/reload").bearer(&token).send().await.must_be(200).json();
    // What another process serves is for that one to take.
    let here = match topology {
        AllInOne => json!(["aggregation.endpoints", "aggregation.evaluation.queue", "aggregation.rulesets"]),
        Split => json!([]),
    };
    assert_eq!(done, json!({"applied": here, "needs_restart": []}));
    if topology == Split {
        app.process("aggregation").signal("HUP");
    }
    assert!(becomes(&app, "/api/data/two", 200).await, "{}", app.logs());
    let ruled = json!({"data": [1, 2], "ruleset": "r"});
    let ruled = app.post("/api/data/transform").bearer(&token).json(&ruled).send().await;
    assert_eq!(ruled.must_be(200).json()["data"], json!([1]));

    replace(app.directory(), &(second + &endpoint("/three", "nobody")));
    let refused = app.post("/admin/reload").bearer(&token).send().await;
    refused.problem(422, "configuration-refused");
    assert_eq!(refused.pointers(), ["/aggregation/endpoints/1/steps/0/source"]);
    app.get("/api/data/two").send().await.must_be(200);
}

#[rstest]
#[tokio::test]
async fn no_request_fails_while_sources_and_endpoints_change(#[values(AllInOne, Split)] topology: Topology) {
    let one = KeptUpstream::start(Duration::from_millis(2));
    let url = format!("http://{}/", one.address);
    // Its answer is no JSON, which `expect` and a fallback make a whole answer all the same.
    let served = "[[aggregation.endpoints]]\npath = \"/one\"\nauth = \"none\"\n\
                  steps = [{ source = \"s\", fallback = 1 }]\n";
    let base = format!("[gateway]\nrate_limit = false\n{}{served}", source("s", &url, ""));
    let mut app = TestApp::builder(topology, Sqlite).settings(&base).start().await;
    let load = Load::start(&app.url, "/api/data/one", 8);
    let role = if topology == Split { "aggregation" } else { "all" };
    for round in 0..12 {
        let next = match round % 4 {
            0 => base.clone() + &endpoint("/more", "s"),
            1 => base.replace("name = \"s\"", "name = \"s\"\ntimeout = \"3s\""),
            2 => {
                source("before", &url, "")
                    + &base.replace("[gateway]\nrate_limit = false\n", "")
                    + "[gateway]\nrate_limit = false\n"
            }
            _ => base.clone(),
        };
        replace(app.directory(), &next);
        app.process(role).signal("HUP");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let tally = tokio::task::spawn_blocking(move || load.stop()).await.unwrap();
    assert!(tally.failures.is_empty(), "{} of {}: {:?}", tally.failures.len(), tally.good, tally.failures.first());
    assert_eq!(tally.connections, 8, "no connection was lost");
    assert!(tally.good > 200, "{tally:?}");
    let applied = app.process(role).log().matches("config_reloaded").count();
    assert!(applied >= 4, "{applied}");
}
