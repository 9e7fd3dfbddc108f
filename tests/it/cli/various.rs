//! The other commands, and starts that cannot succeed.

use serde_json::{Value, json};

use super::run;
use crate::support::{TestApp, free_host};

#[test]
fn help_and_completions() {
    let directory = tempfile::tempdir().unwrap();
    let help = run(directory.path(), &["--help"]).must_exit(0).stdout;
    for command in [
        "serve",
        "demo",
        "migrate",
        "config",
        "route",
        "aggregate",
        "transform",
        "user",
        "openapi",
        "health",
        "completions",
    ] {
        assert!(help.contains(command), "{command} not in\n{help}");
    }
    for arguments in [
        &["serve", "--help"],
        &["user", "--help"],
        &["config", "--help"],
        &["route", "--help"],
        &["aggregate", "--help"],
    ] {
        run(directory.path(), arguments).must_exit(0);
    }
    let script = run(directory.path(), &["completions", "bash"]).must_exit(0).stdout;
    assert!(script.contains("vestibule"));
    run(directory.path(), &["--version"]).must_exit(0);
    run(directory.path(), &["dance"]).must_exit(2);
    run(directory.path(), &["serve", "--role", "dance"]).must_exit(2);
}

#[test]
fn the_document_is_written_to_stdout() {
    let directory = tempfile::tempdir().unwrap();
    let document: Value = serde_json::from_str(&run(directory.path(), &["openapi"]).must_exit(0).stdout).unwrap();
    assert!(document["paths"]["/auth/login"]["post"].is_object());
    let of_role = run(directory.path(), &["openapi", "--role", "aggregation"]).must_exit(0).stdout;
    let of_role: Value = serde_json::from_str(&of_role).unwrap();
    assert!(of_role["paths"]["/auth/login"].is_null(), "{of_role}");
}

#[tokio::test]
async fn the_served_document_is_the_printed_one() {
    let app = TestApp::simple().start().await;
    let served = app.get("/openapi.json").send().await.must_be(200).json();
    let printed: Value = serde_json::from_str(&run(app.directory(), &["openapi"]).must_exit(0).stdout).unwrap();
    assert_eq!(served["paths"], printed["paths"]);
}

#[tokio::test]
async fn health_tells_by_its_exit_code() {
    let mut app = TestApp::simple().start().await;
    let url = app.url.clone();
    run(app.directory(), &["health", &url]).must_exit(0);
    run(app.directory(), &["health", "--config", "harness.toml"]).must_exit(0);
    app.kill_dash_nine();
    run(app.directory(), &["health", &url]).must_exit(1);
}

#[test]
fn routes_are_explained() {
    let directory = tempfile::tempdir().unwrap();
    let text = "[[gateway.upstreams]]\nname = \"catalog\"\ntargets = [{ url = \"http://127.0.0.1:9001\" }]\n\
                [[gateway.routes]]\nname = \"items\"\npath = \"/catalog/{*rest}\"\nmethods = [\"GET\"]\n\
                upstream = \"catalog\"\nauth = \"required\"\nrate_limit = { limit = \"100/minute\", per = \"ip\" }\n";
    std::fs::write(directory.path().join("c.toml"), text).unwrap();
    let listed = run(directory.path(), &["route", "list", "--config", "c.toml"]).must_exit(0).stdout;
    assert!(listed.contains("items") && listed.contains("/auth"), "{listed}");
    let explain =
        |method: &str, url: &str| run(directory.path(), &["route", "explain", method, url, "--config", "c.toml"]);
    let met = explain("GET", "/catalog/a/../b").must_exit(0).stdout;
    for word in ["items", "catalog", "/catalog/b", "100/minute", "required"] {
        assert!(met.contains(word), "{word} not in\n{met}");
    }
    let local = explain("POST", "/auth/login").must_exit(0).stdout;
    assert!(local.contains("auth"), "{local}");
    for (method, url, word) in [("GET", "/nothing", "no-route"), ("POST", "/catalog/a", "405")] {
        let ran = explain(method, url);
        let said = format!("{}{}", ran.stdout, ran.stderr);
        assert!(said.contains(word) || said.contains("method-not-allowed"), "{said}");
    }
}

#[test]
fn all_that_a_request_would_meet_is_explained() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("body.json"), "{\"type\": \"object\"}").unwrap();
    let text = "[[gateway.issuers]]\nname = \"partner\"\nissuer = \"https://partner.example\"\naudience = \"shop\"\n\
                [[gateway.upstreams]]\nname = \"catalog\"\ntargets = [{ url = \"http://127.0.0.1:9001\" }]\n\
                connect_timeout = \"700ms\"\ntimeout = \"4s\"\nidle_timeout = \"90s\"\nhedge = { after = \"50ms\" }\n\
                retry = { attempts = 3 }\n\
                [[gateway.upstreams]]\nname = \"next\"\ntargets = [{ url = \"http://127.0.0.1:9002\" }]\n\
                [[gateway.routes]]\nname = \"items\"\npath = \"/catalog/{*rest}\"\nauth = \"required\"\n\
                split = [{ upstream = \"catalog\", percent = 90 }, { upstream = \"next\", percent = 10 }]\n\
                sticky = \"cookie:lane\"\nissuers = [\"self\", \"partner\"]\ntimeout = \"8s\"\nbody_limit = \"2KiB\"\n\
                mirror = { upstream = \"next\", percent = 7 }\nrequest_schema = \"body.json\"\n\
                deprecated = { since = \"2026-01-01\", sunset = \"2027-01-01\" }\nupgrade = [\"websocket\"]\n\
                rate_limit = { limit = \"100/minute\", per = \"ip\", pace = \"9/second\", mode = \"leased\" }\n\
                response_headers = { set = { x-shop = \"one\" } }\n\
                [[gateway.routes]]\nname = \"kept\"\npath = \"/kept\"\nupstream = \"catalog\"\n\
                cache = { ttl = \"30s\", stale_if_error = \"5m\" }\nrate_limit = false\n";
    std::fs::write(directory.path().join("c.toml"), text).unwrap();
    let explain = |url: &str, format: &str| {
        let ran = run(directory.path(), &["route", "explain", "GET", url, "--config", "c.toml", "--format", format]);
        ran.must_exit(0).stdout
    };
    let met: serde_json::Value = serde_json::from_str(&explain("/catalog/b", "json")).unwrap();
    for (pointer, expected) in [
        ("/route/issuers/1", json!("partner")),
        ("/targets", json!(["http://127.0.0.1:9001", "http://127.0.0.1:9002"])),
        ("/timeout_ms", json!(8000)),
        ("/body_limit", json!(2048)),
        ("/limits/0/pace", json!("9/second")),
        ("/limits/0/mode", json!("leased")),
        ("/split/1/percent", json!(10)),
        ("/sticky", json!("cookie:lane")),
        ("/mirror/percent", json!(7)),
        ("/deprecated/sunset", json!("2027-01-01")),
        ("/upgrade", json!(["websocket"])),
        ("/response_headers/set/x-shop", json!("one")),
        ("/upstreams/0/connect_timeout", json!("700ms")),
        ("/upstreams/0/timeout", json!("4s")),
        ("/upstreams/0/idle_timeout", json!("90s")),
        ("/upstreams/0/hedge/after", json!("50ms")),
        ("/upstreams/0/retry/attempts", json!(3)),
        ("/upstreams/1/name", json!("next")),
    ] {
        assert_eq!(met.pointer(pointer), Some(&expected), "{pointer} of {met:#}");
    }
    assert!(met["request_schema"].as_str().unwrap().ends_with("body.json"), "{met:#}");
    let kept: serde_json::Value = serde_json::from_str(&explain("/kept", "json")).unwrap();
    assert_eq!((&kept["cache"]["ttl"], &kept["limits"]), (&json!("30s"), &json!([])), "{kept:#}");
    let text = explain("/catalog/b", "table");
    for word in ["hedge", "50ms", "cookie:lane", "sunset 2027-01-01", "mirror"] {
        assert!(text.contains(word), "{word} not in\n{text}");
    }
}

#[test]
fn migrations_go_up_and_down() {
    let directory = tempfile::tempdir().unwrap();
    for (arguments, word) in [
        (["migrate", "status"], "false"),
        (["migrate", "up"], ""),
        (["migrate", "status"], "true"),
        (["migrate", "down"], ""),
        (["migrate", "up"], ""),
    ] {
        let ran = run(directory.path(), &arguments).must_exit(0);
        let said = format!("{}{}", ran.stdout, ran.stderr).to_lowercase();
        assert!(said.contains(word), "{word} not in {said}");
    }
}

#[tokio::test]
async fn a_port_in_use_is_one_clear_line() {
    let app = TestApp::simple().start().await;
    let ran = run(app.directory(), &["serve", "--config", "harness.toml"]).must_exit(1);
    assert!(ran.stderr.to_lowercase().contains("in use"), "{}", ran.stderr);
    assert!(!ran.stderr.contains("panicked"), "{}", ran.stderr);
}

#[test]
fn a_database_out_of_reach_is_one_clear_line() {
    let directory = tempfile::tempdir().unwrap();
    let host = free_host();
    let text =
        format!("[server]\nhost = \"{host}\"\n[database]\nurl = \"postgres://nobody:hunter2@{host}:8001/none\"\n");
    std::fs::write(directory.path().join("c.toml"), text).unwrap();
    let ran = run(directory.path(), &["serve", "--config", "c.toml"]).must_exit(1);
    assert!(ran.stderr.contains("database"), "{}", ran.stderr);
    assert!(!ran.stderr.contains("panicked") && !ran.stderr.contains("hunter2"), "{}", ran.stderr);
    std::fs::write(directory.path().join("c.toml"), "[database]\nurl = \"sqlite:///proc/none/x.db\"\n").unwrap();
    run(directory.path(), &["serve", "--config", "c.toml", "--host", &host.to_string()]).must_exit(1);
}
