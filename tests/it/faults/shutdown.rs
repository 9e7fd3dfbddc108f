//! SIGTERM finishes what is in flight.

use std::time::{Duration, Instant};

use rstest::rstest;
use serde_json::json;
use wiremock::ResponseTemplate;

use crate::support::{
    Backend, KeptUpstream, Load, Manner, RawUpstream,
    Store::{self, Postgres, Sqlite},
    TestApp,
    Topology::{self, AllInOne, Split},
    eventually,
};

fn slow_route(url: &str) -> String {
    format!(
        "[[gateway.upstreams]]\nname = \"slow\"\ntargets = [{{ url = \"{url}\" }}]\n\
         [[gateway.routes]]\nname = \"slow\"\npath = \"/slow\"\nupstream = \"slow\"\n\
         [[aggregation.sources]]\nname = \"slow\"\nurl = \"{url}\"\ntimeout = \"5s\"\n"
    )
}

#[rstest]
#[tokio::test]
async fn sigterm_lets_requests_finish_and_exits_with_zero(
    #[values(AllInOne, Split)] topology: Topology,
    #[values(Sqlite, Postgres)] store: Store,
) {
    let backend = Backend::start().await;
    let slow = ResponseTemplate::new(200).set_delay(Duration::from_millis(1500)).set_body_json(json!({"done": true}));
    backend.answer(slow).await;
    let mut app = TestApp::builder(topology, store).settings(&slow_route(&backend.url())).start().await;
    let token = app.session_of("ada@example.org").await.access_token;
    let proxied = tokio::spawn(app.get("/slow").send());
    let merged = tokio::spawn(app.get("/api/data/aggregate?sources=slow").bearer(&token).send());
    let both = eventually(Duration::from_secs(5), async || (backend.requests().await.len() == 2).then_some(()));
    assert!(both.await.is_some(), "both calls are under way");

    let start = Instant::now();
    for process in &app.processes {
        process.signal("TERM");
    }
    assert_eq!(proxied.await.unwrap().must_be(200).json(), json!({"done": true}));
    let merged = merged.await.unwrap().must_be(200).json();
    assert_eq!((&merged["data"]["slow"]["done"], &merged["meta"]["complete"]), (&json!(true), &json!(true)));
    for process in &mut app.processes {
        assert_eq!(process.exit_code(Duration::from_secs(10)).await, Some(0), "{}", process.log());
    }
    assert!(start.elapsed() < Duration::from_secs(8), "{:?}", start.elapsed());
}

#[tokio::test]
async fn an_idle_server_ends_at_once() {
    let mut app = TestApp::simple().start().await;
    app.get("/health").send().await.must_be(200);
    for signal in ["TERM", "INT"] {
        let start = Instant::now();
        app.processes[0].signal(signal);
        assert_eq!(app.processes[0].exit_code(Duration::from_secs(10)).await, Some(0));
        assert!(start.elapsed() < Duration::from_secs(3), "{signal}: {:?}", start.elapsed());
        app.start().await;
    }
}

#[rstest]
#[tokio::test]
async fn no_request_fails_when_it_ends_under_load(#[values(AllInOne, Split)] topology: Topology) {
    let upstream = KeptUpstream::start(Duration::from_millis(5));
    let settings = format!("[gateway]\nrate_limit = false\n{}", slow_route(&format!("http://{}", upstream.address)));
    let mut app = TestApp::builder(topology, Sqlite).settings(&settings).start().await;
    let load = Load::start(&app.url, "/slow", 8);
    tokio::time::sleep(Duration::from_millis(700)).await;
    let start = Instant::now();
    app.process("gateway").signal("TERM");
    assert_eq!(app.process("gateway").exit_code(Duration::from_secs(10)).await, Some(0));
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
    let ended = eventually(Duration::from_secs(5), async || (!load.goes_on()).then_some(()));
    assert!(ended.await.is_some());
    let tally = tokio::task::spawn_blocking(move || load.stop()).await.unwrap();
    assert!(tally.failures.is_empty(), "{} of {}: {:?}", tally.failures.len(), tally.good, tally.failures);
    assert_eq!(tally.refused, 8);
    assert!(tally.good > 100, "{tally:?}");
}

#[tokio::test]
async fn a_second_sigterm_ends_it_at_once() {
    let raw = RawUpstream::start(Manner::Hang).await;
    let mut app = TestApp::simple().settings(&slow_route(&raw.url())).start().await;
    let hanging = tokio::spawn(app.get("/slow").attempt());
    assert!(eventually(Duration::from_secs(5), async || (raw.heads().len() == 1).then_some(())).await.is_some());
    let start = Instant::now();
    app.processes[0].signal("TERM");
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(app.processes[0].exited().is_none(), "it waits for the request");
    app.processes[0].signal("TERM");
    app.processes[0].exit_code(Duration::from_secs(3)).await;
    assert!(start.elapsed() < Duration::from_secs(3), "{:?}", start.elapsed());
    assert!(hanging.await.unwrap().is_err());
}

#[tokio::test]
async fn what_does_not_finish_in_time_is_cut() {
    let raw = RawUpstream::start(Manner::Hang).await;
    let settings = format!("[server]\nshutdown_timeout = \"1s\"\n{}", slow_route(&raw.url()));
    let mut app = TestApp::simple().settings(&settings).start().await;
    let hanging = tokio::spawn(app.get("/slow").attempt());
    assert!(eventually(Duration::from_secs(5), async || (raw.heads().len() == 1).then_some(())).await.is_some());
    let start = Instant::now();
    app.processes[0].signal("TERM");
    app.processes[0].exit_code(Duration::from_secs(6)).await;
    assert!((900..5000).contains(&start.elapsed().as_millis()), "{:?}", start.elapsed());
    drop(hanging);
}
