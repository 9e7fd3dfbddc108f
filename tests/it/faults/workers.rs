//! Evaluation workers end with their server, however it ends.

use std::{path::Path, time::Duration};

use rstest::rstest;
use serde_json::json;

use crate::support::TestApp;

/// The processes whose parent is `parent`.
fn children(parent: u32) -> Vec<u32> {
    let processes = std::fs::read_dir("/proc").expect("/proc").filter_map(Result::ok);
    let ids = processes.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    ids.filter(|id| parent_of(*id) == Some(parent)).collect()
}

fn parent_of(id: u32) -> Option<u32> {
    let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_worker_outlives_its_server(#[values("KILL", "TERM")] signal: &str) {
    let mut app = TestApp::simple().start().await;
    let token = app.session_of("ada@example.org").await.access_token;
    let endless = json!({"data": 1, "rules": [{"op": "jq", "program": "last(repeat(1))"}]});
    let first = app.post("/api/data/transform").bearer(&token).json(&endless).send().await;
    first.problem(422, "transform-limit");
    let hostile: Vec<_> = (0..2)
        .map(|_| {
            let call = app.post("/api/data/transform").bearer(&token).json(&endless);
            tokio::spawn(async move { call.attempt().await.map(|reply| reply.status) })
        })
        .collect();
    tokio::time::sleep(Duration::from_millis(120)).await;
    let workers = children(app.process("aggregation").id());
    assert!(!workers.is_empty(), "workers run while programs do");
    if signal == "KILL" {
        app.kill_dash_nine();
    } else {
        app.process("aggregation").signal(signal);
        let code = app.process("aggregation").exit_code(Duration::from_secs(10)).await;
        assert_eq!(code, Some(0));
    }
    let gone = |id: &u32| !Path::new(&format!("/proc/{id}")).exists();
    for _ in 0..60 {
        if workers.iter().all(gone) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(workers.iter().all(gone), "workers are left: {workers:?}");
    for call in hostile {
        let _ = call.await;
    }
}
