//! The configuration is read again while the gateway serves.

use std::{
    io::Write as _,
    path::Path,
    time::{Duration, Instant},
};

use rstest::rstest;
use serde_json::{Value, json};

use super::upstream;
use crate::support::{
    Backend, KeptUpstream, Load,
    Store::Sqlite,
    TestApp,
    Topology::{self, AllInOne, Split},
    User, command, eventually,
};

/// An administrator's token.
async fn admin(app: &TestApp) -> String {
    let user = User { email: "root@example.org".to_owned(), password: "correct horse battery staple".to_owned() };
    let made = command(app.directory())
        .args(["user", "create", &user.email, "--password", &user.password, "--role", "admin"])
        .args(["--config", "harness.toml"])
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    app.login(&user).await.access_token
}

/// Puts another file in the place of the one that was given, as a deployment does.
fn replace(directory: &Path, settings: &str) {
    std::fs::write(directory.join("next"), settings).unwrap();
    std::fs::rename(directory.join("next"), directory.join("test.toml")).unwrap();
}

fn with_second(url: &str) -> String {
    upstream(url, "", "") + "[[gateway.routes]]\nname = \"second\"\npath = \"/second\"\nupstream = \"u\"\n"
}

/// Whether `/second` is there, or not, within some seconds.
async fn second_becomes(app: &TestApp, status: u16) -> bool {
    let seen = async || (app.get("/second").send().await.status == status).then_some(());
    eventually(Duration::from_secs(5), seen).await.is_some()
}

#[rstest]
#[tokio::test]
async fn a_changed_file_is_enough_and_a_wrong_one_changes_nothing(#[values(AllInOne, Split)] topology: Topology) {
    let backend = Backend::answering(&json!({"hello": "world"})).await;
    let app = TestApp::builder(topology, Sqlite).settings(&upstream(&backend.url(), "", "")).start().await;
    app.get("/second").send().await.must_be(404);
    replace(app.directory(), &with_second(&backend.url()));
    assert!(second_becomes(&app, 200).await);

    replace(app.directory(), &(with_second(&backend.url()) + "upstrem = \"u\"\n"));
    let told = eventually(Duration::from_secs(5), async || app.logs().contains("config_reload_refused").then_some(()));
    assert!(told.await.is_some());
    let logs = app.logs();
    assert!(logs.contains("test.toml:19:1: gateway.routes[1].upstrem: unknown key"), "{logs}");
    app.get("/second").send().await.must_be(200);
    let metrics = app.get("/metrics").send().await.text();
    for line in ["config_reloads_total{outcome=\"applied\"} 1", "config_reloads_total{outcome=\"refused\"} 1"] {
        assert!(metrics.contains(line), "{line} in\n{metrics}");
    }
}

#[tokio::test]
async fn nothing_is_watched_when_that_is_not_wanted_and_sighup_works() {
    let backend = Backend::answering(&json!({})).await;
    let unwatched = |settings: String| settings + "[gateway.reload]\nwatch = false\n";
    let app = TestApp::simple().settings(&unwatched(upstream(&backend.url(), "", ""))).start().await;
    replace(app.directory(), &unwatched(with_second(&backend.url())));
    tokio::time::sleep(Duration::from_secs(1)).await;
    app.get("/second").send().await.must_be(404);
    app.processes[0].signal("HUP");
    assert!(second_becomes(&app, 200).await);
}

#[tokio::test]
async fn a_role_without_the_gateway_survives_sighup() {
    let mut app = TestApp::builder(Split, Sqlite).start().await;
    for role in ["auth", "aggregation"] {
        app.process(role).signal("HUP");
    }
    tokio::time::sleep(Duration::from_millis(300)).await;
    for role in ["auth", "aggregation"] {
        assert!(app.process(role).exited().is_none());
    }
    app.session_of("ada@example.org").await;
}

#[rstest]
#[tokio::test]
async fn the_administration_reloads_and_tells_what_waits(#[values(AllInOne, Split)] topology: Topology) {
    let backend = Backend::answering(&json!({})).await;
    let unwatched = |settings: String| settings + "[gateway.reload]\nwatch = false\n";
    let first = unwatched(upstream(&backend.url(), "", ""));
    let app = TestApp::builder(topology, Sqlite).settings(&first).start().await;
    let token = admin(&app).await;
    let reload = async || app.post("/admin/reload").bearer(&token).send().await;

    let nobody = app.session_of("ada@example.org").await.access_token;
    app.post("/admin/reload").bearer(&nobody).send().await.problem(403, "forbidden");
    app.post("/admin/reload").send().await.must_be(401);

    assert_eq!(reload().await.must_be(200).json(), json!({"applied": [], "needs_restart": []}));
    let second = unwatched(with_second(&backend.url()));
    replace(app.directory(), &(second.clone() + "[log]\nlevel = \"debug\"\n[auth.lockout]\nfailures = 7\n"));
    let told = reload().await.must_be(200).json();
    assert_eq!(told, json!({"applied": ["gateway.routes"], "needs_restart": ["auth.lockout.failures", "log.level"]}));
    app.get("/second").send().await.must_be(200);

    replace(app.directory(), &(second.clone() + "[gateway.breaker]\nfailures = \"many\"\n"));
    let refused = reload().await;
    let body = refused.problem(422, "configuration-refused");
    assert_eq!(refused.pointers(), ["/gateway/breaker/failures"], "{body}");
    replace(app.directory(), &second.replace("upstream = \"u\"", "upstream = \"nobody\""));
    let refused = reload().await;
    assert_eq!(refused.pointers(), ["/gateway/routes/0/upstream", "/gateway/routes/1/upstream"]);
    let place = |fault: &Value| fault["place"].as_str().unwrap().starts_with("test.toml:");
    assert!(refused.json()["errors"].as_array().unwrap().iter().all(place), "{}", refused.text());
    app.get("/second").send().await.must_be(200);
}

/// Eight threads ask without a pause for `seconds` while the configuration changes `a_second` times a second.
async fn load_with_reloads(seconds: u64, a_second: u32) {
    let one = KeptUpstream::start(Duration::ZERO);
    let url = format!("http://{}", one.address);
    let app = TestApp::simple().settings(&upstream(&url, "", "")).start().await;
    let load = Load::start(&app.url, "/u/x", 8);
    let started = Instant::now();
    let mut reloads = 0;
    while started.elapsed() < Duration::from_secs(seconds) {
        // In turn: a route more, another time limit, a target more, and back.
        let two = format!("{{ url = \"{url}\" }}, {{ url = \"{url}/\", weight = 2 }}");
        let next = match reloads % 4 {
            0 => with_second(&url),
            1 => upstream(&url, "timeout = \"7s\"", ""),
            2 => upstream(&url, "", "").replace(&format!("{{ url = \"{url}\" }}"), &two),
            _ => upstream(&url, "", ""),
        };
        replace(app.directory(), &next);
        app.processes[0].signal("HUP");
        reloads += 1;
        tokio::time::sleep(Duration::from_secs(1) / a_second).await;
    }
    let tally = tokio::task::spawn_blocking(move || load.stop()).await.unwrap();
    assert!(tally.failures.is_empty(), "{} of {}: {:?}", tally.failures.len(), tally.good, tally.failures.first());
    assert_eq!(tally.connections, 8, "no connection was lost");
    assert!(tally.good > 1000, "{tally:?}");
    let metrics = app.get("/metrics").send().await.text();
    let applied = metrics.lines().find_map(|line| line.strip_prefix("config_reloads_total{outcome=\"applied\"} "));
    assert!(applied.unwrap().parse::<usize>().unwrap() >= reloads / 2, "{applied:?} of {reloads}");
    // Shown at the end of a longer run.
    let _ = writeln!(std::io::stderr(), "{} answers, {reloads} changes, {applied:?} reloads, no failure", tally.good);
}

#[tokio::test]
async fn no_request_fails_while_the_configuration_changes() {
    // A whole minute on request: VESTIBULE_TEST_RELOAD_SECONDS=60.
    let seconds = std::env::var_os("VESTIBULE_TEST_RELOAD_SECONDS").and_then(|text| text.to_str()?.parse().ok());
    let (seconds, a_second) = seconds.map_or((4, 4), |seconds| (seconds, 1));
    load_with_reloads(seconds, a_second).await;
}
