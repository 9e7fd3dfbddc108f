//! A PostgreSQL of a test's own, which can be paused and filled up.

use std::{
    fs,
    net::TcpListener,
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use tempfile::TempDir;

/// A running server with a database `app`, which belongs to an ordinary user of that name.
pub(crate) struct PrivatePostgres {
    server: Child,
    port: u16,
    directory: TempDir,
}

impl PrivatePostgres {
    /// Starts one on an empty directory.
    pub(crate) fn start() -> Self {
        let directory = tempfile::Builder::new().prefix("vestibule-pg-").tempdir().expect("a temporary directory");
        let path = directory.path().display().to_string();
        if is_root() {
            run(Command::new("chown").args(["postgres", &path]));
        }
        let data = format!("{path}/data");
        let mut initdb = as_postgres("initdb");
        run(initdb.args(["-D", &data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-locale", "--no-sync"]));
        let port = TcpListener::bind("127.0.0.1:0").and_then(|socket| socket.local_addr()).expect("a free port").port();
        let server = as_postgres("postgres")
            .args(["-D", &data, "-p", &port.to_string(), "-c", "listen_addresses=127.0.0.1", "-c", "fsync=off"])
            .args(["-c", &format!("unix_socket_directories={path}")])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("postgres is installed; run the tests with ./scripts/test");
        let running = Self { server, port, directory };
        let started = Instant::now();
        while !running.try_sql("SELECT 1") {
            assert!(started.elapsed() < Duration::from_secs(20), "PostgreSQL does not start");
            std::thread::sleep(Duration::from_millis(50));
        }
        running.sql("CREATE ROLE app LOGIN");
        running.sql("CREATE DATABASE app OWNER app");
        running
    }

    /// What stands in `database.url`.
    pub(crate) fn url(&self) -> String {
        format!("postgres://app@127.0.0.1:{}/app", self.port)
    }

    /// Stops every process of the server where it stands: connections stay, and nobody answers.
    pub(crate) fn pause(&self) {
        self.signal("STOP");
    }

    /// Lets them go on.
    pub(crate) fn resume(&self) {
        self.signal("CONT");
    }

    /// Ends the connections of `app`, and lets it have no other.
    pub(crate) fn fill_up(&self) {
        self.sql("ALTER ROLE app CONNECTION LIMIT 0");
        self.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'app'");
    }

    /// Lets it have connections again.
    pub(crate) fn make_room(&self) {
        self.sql("ALTER ROLE app CONNECTION LIMIT -1");
    }

    fn sql(&self, statement: &str) {
        assert!(self.try_sql(statement), "{statement}");
    }

    fn try_sql(&self, statement: &str) -> bool {
        let url = format!("postgres://postgres@127.0.0.1:{}/postgres", self.port);
        let ran = Command::new("psql").args(["-X", "-q", "-d", &url, "-c", statement]).output();
        ran.expect("psql is installed").status.success()
    }

    /// To the server and to each of its children; a child has a session of its own.
    fn signal(&self, name: &str) {
        let server = self.server.id().to_string();
        let children = Command::new("pgrep").args(["-P", &server]).output().expect("pgrep can be run");
        let children = String::from_utf8_lossy(&children.stdout).into_owned();
        let _ = Command::new("kill").arg(format!("-{name}")).arg(&server).args(children.split_whitespace()).status();
    }
}

impl Drop for PrivatePostgres {
    fn drop(&mut self) {
        self.resume();
        // The server and its children end at once, and leave their files.
        let _ = Command::new("kill").args(["-QUIT", &self.server.id().to_string()]).status();
        let _ = self.server.wait();
        let _ = fs::remove_dir_all(self.directory.path());
    }
}

/// A program of the newest PostgreSQL; Debian keeps them off the PATH. They refuse to run as root.
fn as_postgres(program: &str) -> Command {
    let program = programs().map_or_else(|| PathBuf::from(program), |folder| folder.join(program));
    if !is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command.args(["--reuid=postgres", "--regid=postgres", "--init-groups", "--"]).arg(program).current_dir("/");
    command
}

fn programs() -> Option<PathBuf> {
    let versions = fs::read_dir("/usr/lib/postgresql").ok()?.filter_map(|entry| Some(entry.ok()?.path().join("bin")));
    versions.filter(|folder| folder.join("initdb").exists()).max()
}

fn is_root() -> bool {
    let id = Command::new("id").arg("-u").output().expect("id can be run");
    id.stdout.trim_ascii() == b"0"
}

fn run(command: &mut Command) {
    let ran = command.output().expect("the program can be run");
    assert!(ran.status.success(), "{command:?}: {}", String::from_utf8_lossy(&ran.stderr));
}
