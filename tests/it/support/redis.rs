//! A Redis of a test's own, which can be taken away.

use std::{
    net::{TcpListener, TcpStream},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

/// A running server; it ends with the value.
pub(crate) struct Redis {
    server: Child,
    port: u16,
}

impl Redis {
    /// Starts one that keeps nothing on disk.
    pub(crate) fn start() -> Self {
        let port = TcpListener::bind("127.0.0.1:0").and_then(|socket| socket.local_addr()).expect("a free port").port();
        Self { server: serve(port), port }
    }

    /// Ends it at once.
    pub(crate) fn kill(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }

    /// Starts it again, empty, where it was.
    pub(crate) fn restart(&mut self) {
        self.kill();
        self.server = serve(self.port);
    }

    /// Sends it a signal by name: `STOP`, `CONT`.
    pub(crate) fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([format!("-{name}"), self.server.id().to_string()]).status();
        assert!(sent.expect("kill can be run").success(), "signal {name}");
    }

    /// `redis://host:port`.
    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Runs a command, such as `FLUSHALL`.
    pub(crate) fn command(&self, words: &[&str]) -> String {
        let output = Command::new("redis-cli").args(["-p", &self.port.to_string()]).args(words).output();
        String::from_utf8(output.expect("redis-cli is installed").stdout).expect("text").trim().to_owned()
    }
}

/// A server that answers at this port.
fn serve(port: u16) -> Child {
    let server = Command::new("redis-server")
        .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"])
        .stdout(Stdio::null())
        .spawn()
        .expect("redis-server is installed; run the tests with ./scripts/test");
    let started = Instant::now();
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        assert!(started.elapsed() < Duration::from_secs(10), "Redis does not start");
        std::thread::sleep(Duration::from_millis(20));
    }
    server
}

impl Drop for Redis {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}
