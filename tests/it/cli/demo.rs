//! The demo: its printed tour works when it is pasted, line by line.

use std::{
    fs::File,
    net::TcpListener,
    process::{Child, Command, Stdio},
    time::Duration,
};

use crate::support::{command, eventually};

struct Demo(Child);

impl Drop for Demo {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test]
async fn the_printed_tour_works_line_by_line() {
    let directory = tempfile::tempdir().unwrap();
    // The tour names 127.0.0.1, so this test needs a port that is free there.
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let (printed, log) = (directory.path().join("tour"), directory.path().join("log"));
    let mut start = command(directory.path());
    start.args(["demo", "--port", &port.to_string()]);
    start.stdout(File::create(&printed).unwrap()).stderr(File::create(&log).unwrap());
    let mut demo = Demo(start.spawn().unwrap());
    let tour = eventually(Duration::from_secs(30), async || {
        std::fs::read_to_string(&printed).ok().filter(|text| text.contains("/health\n"))
    });
    let tour = tour.await.unwrap_or_else(|| panic!("no tour: {}", std::fs::read_to_string(&log).unwrap()));

    let lines = tour.lines().skip_while(|line| !line.starts_with('#'));
    let commands: Vec<_> = lines.filter(|line| !line.is_empty() && !line.starts_with('#')).collect();
    assert!(commands.len() >= 10, "{tour}");
    let script = format!("set -eu -o pipefail\n{}\n", commands.join("\necho\n"));
    let ran = Command::new("bash").args(["-c", &script]).stdin(Stdio::null()).output().unwrap();
    let (said, errors) = (String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
    assert!(ran.status.success(), "{errors}\n{said}");
    for word in ["\"complete\":true", "\"complete\":false", "429", "retry-after", "http_requests_total", "healthy"] {
        assert!(said.contains(word), "{word} not in\n{said}");
    }
    for refusal in ["internal", "no-route", "malformed-request", "validation-failed", "invalid-credentials"] {
        assert!(!said.contains(&format!("/problems/{refusal}")), "{said}");
    }

    Command::new("kill").args(["-TERM", &demo.0.id().to_string()]).status().unwrap();
    let ended = eventually(Duration::from_secs(10), async || demo.0.try_wait().unwrap()).await;
    assert_eq!(ended.expect("the demo ends").code(), Some(0));
}
