//! What happens when the machine has no more to give: descriptors, disk space, somebody who reads the log.

use std::{
    path::PathBuf,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use reqwest::Method;
use serde_json::json;
use tokio::net::TcpStream;

use crate::support::{TestApp, command, eventually, free_host};

fn address(app: &TestApp) -> String {
    app.url.trim_start_matches("http://").to_owned()
}

/// Processor time of a process so far, in seconds.
fn processor_seconds(id: u32) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).expect("the process runs");
    let fields: Vec<_> = stat.rsplit_once(')').expect("a name").1.split_whitespace().collect();
    let ticks = |at: usize| fields[at].parse::<f64>().expect("ticks");
    (ticks(11) + ticks(12)) / 100.0
}

#[tokio::test]
async fn without_descriptors_it_waits_without_spinning_and_serves_on() {
    let app = TestApp::simple().settings("[server]\nhead_timeout = \"3s\"").start().await;
    let id = app.processes[0].id();
    let limited = Command::new("prlimit").args([format!("--pid={id}"), "--nofile=256:256".to_owned()]).status();
    assert!(limited.expect("prlimit can be run").success());
    // One that is kept alive is served on, as often as it asks.
    let kept = reqwest::Client::builder().no_proxy().pool_max_idle_per_host(1).build().unwrap();
    let live = format!("{}/health/live", app.url);
    assert_eq!(kept.get(&live).send().await.unwrap().status(), 200);
    let mut idle = Vec::new();
    for _ in 0..400 {
        idle.push(TcpStream::connect(address(&app)).await.unwrap());
    }
    let before = processor_seconds(id);
    for _ in 0..10 {
        tokio::time::sleep(Duration::from_millis(100)).await;
        let answer = kept.get(&live).timeout(Duration::from_secs(2)).send().await.unwrap();
        assert_eq!(answer.status(), 200);
    }
    let spent = processor_seconds(id) - before;
    assert!(spent < 0.5, "{spent} s of processor time in a second of nothing to do");
    drop(idle);
    let recovered = eventually(Duration::from_secs(10), async || {
        let answer = app.get("/health/ready").attempt().await.ok()?;
        (answer.status == 200).then_some(())
    });
    assert!(recovered.await.is_some(), "new connections are accepted again");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_idle_connections_leave_room_for_others() {
    let app = TestApp::simple().settings("[server]\nhead_timeout = \"20s\"").start().await;
    let mut idle = Vec::with_capacity(10_000);
    while idle.len() < 10_000 {
        let to = address(&app);
        let some = (0..200).map(|_| TcpStream::connect(to.clone()));
        idle.extend(futures_util::future::try_join_all(some).await.expect("a connection is taken"));
    }
    for _ in 0..5 {
        let start = Instant::now();
        app.get("/health/live").send().await.must_be(200);
        app.get("/auth/me").send().await.must_be(401);
        assert!(start.elapsed() < Duration::from_secs(2), "{:?}", start.elapsed());
    }
    let status = std::fs::read_to_string(format!("/proc/{}/status", app.processes[0].id())).unwrap();
    let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap().trim().to_owned();
    let resident: u64 = resident.trim_end_matches(" kB").trim().parse().unwrap();
    assert!(resident < 1 << 20, "{resident} kB with 10 000 connections");
}

#[tokio::test]
async fn a_log_that_nobody_reads_stops_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let host = free_host();
    let mut child = command(directory.path())
        .args(["serve", "--host", &host.to_string(), "--port", "8000"])
        .env("VESTIBULE__LOG__FORMAT", "json")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let client = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(5)).build().unwrap();
    let url = format!("http://{host}:8000");
    let ready = eventually(Duration::from_secs(20), async || {
        let answer = client.get(format!("{url}/health/ready")).send().await.ok()?;
        answer.status().is_success().then_some(())
    });
    assert!(ready.await.is_some());
    for number in 0..6000 {
        let answer = client.get(format!("{url}/health/live?{number}")).send().await;
        assert_eq!(answer.expect("an answer comes").status(), 200, "request {number}");
    }
    let metrics = client.get(format!("{url}/metrics")).send().await.unwrap().text().await.unwrap();
    let dropped = metrics.lines().find_map(|line| line.strip_prefix("log_lines_dropped_total "));
    assert!(dropped.is_some_and(|count| count.trim() != "0"), "lines that nobody took are counted: {dropped:?}");
    let _ = child.kill();
    let _ = child.wait();
}

/// A file system of a few megabytes, for whoever may mount one; unmounted when dropped.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn mount(at: PathBuf) -> Option<Self> {
        std::fs::create_dir_all(&at).ok()?;
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", "size=3m", "tmpfs"]).arg(&at).output().ok()?;
        mounted.status.success().then_some(Self(at))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[tokio::test]
async fn with_a_full_disk_writes_wait_and_reads_go_on() {
    let directory = tempfile::tempdir().unwrap();
    // Only root can; elsewhere there is nothing to fill.
    let Some(disk) = SmallDisk::mount(directory.path().join("disk")) else { return };
    let file = disk.0.join("vestibule.db");
    let settings = format!("[database]\nurl = \"sqlite://{}\"\n[gateway]\nrate_limit = false\n", file.display());
    let app = TestApp::simple().settings(&settings).start().await;
    let session = app.session_of("ada@example.org").await;
    std::fs::write(disk.0.join("filler"), vec![0; 3 << 20]).unwrap_err();

    let body = json!({"email": "bob@example.org", "password": "correct horse battery staple"});
    let register = async || app.post("/auth/register").json(&body).attempt().await.unwrap();
    let refused = eventually(Duration::from_secs(20), async || {
        let answer = register().await;
        assert!(matches!(answer.status, 201 | 429 | 503), "{}", answer.text());
        (answer.status == 503).then_some(answer)
    });
    let refused = refused.await.expect("a write is refused");
    refused.problem(503, "unavailable");
    assert!(refused.header("retry-after").is_some());
    app.get("/auth/me").bearer(&session.access_token).send().await.must_be(200);
    app.call(Method::GET, "/health/live").send().await.must_be(200);

    std::fs::remove_file(disk.0.join("filler")).unwrap();
    let recovered = eventually(Duration::from_secs(10), async || (register().await.status == 201).then_some(()));
    assert!(recovered.await.is_some(), "writes work again without a restart");
}
