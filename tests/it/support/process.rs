//! One running `vestibule`: started, watched, and ended in every way a process can end.

use std::{
    collections::BTreeMap,
    fs::{File, OpenOptions},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};

/// The binary under test.
pub(crate) fn binary() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_vestibule"))
}

/// A command of the binary that sees nothing of the developer's environment.
pub(crate) fn command(directory: &Path) -> Command {
    let mut command = Command::new(binary());
    command.env_clear().current_dir(directory).stdin(Stdio::null());
    for kept in ["PATH", "TMPDIR", "LLVM_PROFILE_FILE"] {
        if let Some(value) = std::env::var_os(kept) {
            command.env(kept, value);
        }
    }
    command
}

/// Asks again and again until there is an answer; `None` when the time is over.
pub(crate) async fn eventually<T>(within: Duration, mut ask: impl AsyncFnMut() -> Option<T>) -> Option<T> {
    let start = Instant::now();
    loop {
        if let Some(answer) = ask().await {
            return Some(answer);
        }
        if start.elapsed() > within {
            return None;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// A server process. Killed when dropped; its log is shown when the test failed.
pub(crate) struct Process {
    /// `all`, or the role.
    pub(crate) name: &'static str,
    /// Where it listens: `http://host:port`.
    pub(crate) url: String,
    arguments: Vec<String>,
    environment: BTreeMap<String, String>,
    directory: PathBuf,
    log: PathBuf,
    child: Option<Child>,
}

impl Process {
    /// Describes a process; nothing runs yet.
    pub(crate) fn new(name: &'static str, url: String, directory: &Path, arguments: Vec<String>) -> Self {
        let log = directory.join(format!("{name}.log"));
        let directory = directory.to_owned();
        Self { name, url, arguments, environment: BTreeMap::new(), directory, log, child: None }
    }

    /// Adds environment variables.
    pub(crate) fn with_environment(mut self, environment: &BTreeMap<String, String>) -> Self {
        self.environment.clone_from(environment);
        self
    }

    /// Starts it; `ready` waits until it serves.
    pub(crate) fn start(&mut self) {
        let log = OpenOptions::new().create(true).append(true).open(&self.log).expect("the log can be written");
        let errors: File = log.try_clone().expect("a file can be shared");
        let mut command = command(&self.directory);
        command.args(&self.arguments).envs(&self.environment).stdout(log).stderr(errors);
        self.child = Some(command.spawn().expect("the binary starts"));
    }

    /// Waits for 200 of `/health/ready`, and says how long it took.
    pub(crate) async fn ready(&mut self, within: Duration) -> Duration {
        let start = Instant::now();
        let client = reqwest::Client::builder().no_proxy().build().expect("a client can be built");
        let url = format!("{}/health/ready", self.url);
        let answer = eventually(within, async || {
            if let Some(status) = self.exited() {
                panic!("{} ended with {status}:\n{}", self.name, self.log());
            }
            let answer = client.get(&url).timeout(Duration::from_secs(1)).send().await;
            answer.ok().filter(|answer| answer.status().is_success())
        });
        let ready = answer.await.is_some();
        assert!(ready, "{} is not ready after {within:?}:\n{}", self.name, self.log());
        start.elapsed()
    }

    /// How it ended; `None` while it runs.
    pub(crate) fn exited(&mut self) -> Option<ExitStatus> {
        self.child.as_mut()?.try_wait().expect("a child can be waited for")
    }

    /// Its process id.
    pub(crate) fn id(&self) -> u32 {
        self.child.as_ref().expect("the process runs").id()
    }

    /// SIGKILL: no chance to finish anything.
    pub(crate) fn kill_dash_nine(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Sends a signal by name: `TERM`, `INT`, `HUP`, `STOP`, `CONT`.
    pub(crate) fn signal(&self, name: &str) {
        let child = self.child.as_ref().expect("the process runs");
        let sent = Command::new("kill").args([format!("-{name}"), child.id().to_string()]).status();
        assert!(sent.expect("kill can be run").success(), "signal {name} to {}", self.name);
    }

    /// Waits for the end and gives the exit code; a process ended by a signal has none.
    pub(crate) async fn exit_code(&mut self, within: Duration) -> Option<i32> {
        let status = eventually(within, async || self.exited()).await;
        let status = status.unwrap_or_else(|| panic!("{} still runs after {within:?}:\n{}", self.name, self.log()));
        self.child = None;
        status.code()
    }

    /// Everything it wrote so far.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }
}

impl Drop for Process {
    #[expect(clippy::print_stderr, reason = "a failed test shows the log")]
    fn drop(&mut self) {
        self.kill_dash_nine();
        if std::thread::panicking() {
            let log = self.log();
            let lines: Vec<_> = log.lines().collect();
            let last = lines[lines.len().saturating_sub(30)..].join("\n");
            eprintln!("--- the end of the log of {} ---\n{last}", self.name);
        }
    }
}
