//! The application under test: the real binary, in a directory of its own, on an address of its own, with the roles placed
//! and the data kept as the test asks.

use std::{collections::BTreeMap, fmt::Write as _, net::Ipv4Addr, path::Path, time::Duration};

use reqwest::Method;
use tempfile::TempDir;

use super::{
    client::{Call, Session, User},
    free_host,
    mailbox::Mailbox,
    placement::{Database, Store, Topology},
    process::Process,
};

/// How long a start may take: generous, for a machine that does a lot at once.
const READY_WITHIN: Duration = Duration::from_secs(20);

/// What a test asks for before the start.
pub(crate) struct AppBuilder {
    topology: Topology,
    store: Store,
    settings: String,
    environment: BTreeMap<String, String>,
}

impl AppBuilder {
    /// Adds settings, as a configuration file that is read after the harness's own.
    pub(crate) fn settings(mut self, toml: &str) -> Self {
        writeln!(self.settings, "{toml}").expect("a string can be written to");
        self
    }

    /// Adds an environment variable.
    pub(crate) fn environment(mut self, name: &str, value: &str) -> Self {
        self.environment.insert(name.to_owned(), value.to_owned());
        self
    }

    /// Starts every process and waits until all are ready.
    pub(crate) async fn start(self) -> TestApp {
        let places: &[_] = match self.topology {
            Topology::AllInOne => &[("all", None, 8000)],
            Topology::Split => &[
                ("auth", Some("auth"), 8001),
                ("aggregation", Some("aggregation"), 8003),
                ("gateway", Some("gateway"), 8002),
            ],
        };
        self.start_at(places).await
    }

    /// Starts one whose readiness is told at another address than the front door's.
    pub(crate) async fn start_at_operations(self, url: &str) -> TestApp {
        let url = url.to_owned();
        self.start_with(&[("all", None, 8000)], Some(url)).await
    }

    /// Starts the same all-in-one application twice, at the same moment and on the same database.
    pub(crate) async fn start_twins(self) -> TestApp {
        self.start_at(&[("all", None, 8000), ("twin", None, 8001)]).await
    }

    async fn start_at(self, places: &[(&'static str, Option<&str>, u16)]) -> TestApp {
        self.start_with(places, None).await
    }

    async fn start_with(self, places: &[(&'static str, Option<&str>, u16)], operations: Option<String>) -> TestApp {
        let directory = tempfile::Builder::new().prefix("vestibule-it-").tempdir().expect("a temporary directory");
        let database = Database::create(self.store, directory.path());
        let host = free_host();
        let front_port = if self.topology == Topology::AllInOne { 8000 } else { 8002 };
        let url = format!("http://{host}:{front_port}");
        let own = own_settings(host, &url, directory.path(), &database, self.topology);
        std::fs::write(directory.path().join("harness.toml"), own).expect("the configuration can be written");
        std::fs::write(directory.path().join("test.toml"), &self.settings).expect("the configuration can be written");

        let processes = places.iter().map(|(name, role, port)| {
            let mut arguments = vec!["serve".to_owned()];
            arguments.extend(role.iter().flat_map(|role| ["--role".to_owned(), (*role).to_owned()]));
            // A role alone has its own port; saying it would hide that.
            if role.is_none() {
                arguments.extend(["--port".to_owned(), port.to_string()]);
            }
            arguments.extend(["--config", "harness.toml", "--config", "test.toml"].map(str::to_owned));
            let told_at = operations.clone().unwrap_or_else(|| format!("http://{host}:{port}"));
            Process::new(name, told_at, directory.path(), arguments).with_environment(&self.environment)
        });
        let processes = processes.collect();
        let client = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none());
        let client = client.timeout(Duration::from_secs(30)).build().expect("a client can be built");
        let mailbox = Mailbox::new(directory.path().join("mail"));
        let mut app = TestApp { processes, client, url, mailbox, directory, database };
        app.start().await;
        app
    }
}

/// The part of the configuration that the harness decides.
fn own_settings(host: Ipv4Addr, url: &str, directory: &Path, database: &Database, topology: Topology) -> String {
    let directory = directory.display();
    let mut text = format!(
        "[server]\nhost = \"{host}\"\nshutdown_timeout = \"10s\"\n\n[database]\nurl = \"{}\"\nmax_connections = 5\n\n\
         [log]\nformat = \"json\"\nlevel = \"info\"\n\n[mail]\ntransport = \"file:{directory}/mail\"\n\n\
         [auth]\nissuer = \"{url}\"\n",
        database.url(),
    );
    if topology == Topology::Split {
        let services = format!("\n[services]\nauth = \"http://{host}:8001\"\naggregation = \"http://{host}:8003\"\n");
        text.push_str(&services);
    }
    text
}

/// A running application.
pub(crate) struct TestApp {
    /// Its processes; the gateway, or the only one, is the last. They end before the database is dropped.
    pub(crate) processes: Vec<Process>,
    client: reqwest::Client,
    /// The front door: `http://host:port`.
    pub(crate) url: String,
    /// The mails it sent.
    pub(crate) mailbox: Mailbox,
    directory: TempDir,
    #[expect(dead_code, reason = "kept for its drop, which removes the database")]
    database: Database,
}

impl TestApp {
    /// An application with the default settings.
    pub(crate) fn builder(topology: Topology, store: Store) -> AppBuilder {
        AppBuilder { topology, store, settings: String::new(), environment: BTreeMap::new() }
    }

    /// All roles in one process on SQLite: for what has nothing to do with placement or storage.
    pub(crate) fn simple() -> AppBuilder {
        Self::builder(Topology::AllInOne, Store::Sqlite)
    }

    /// Starts the processes that were ended, and gives the longest time one of them took.
    pub(crate) async fn start(&mut self) -> Duration {
        for process in &mut self.processes {
            process.start();
        }
        let mut longest = Duration::ZERO;
        for process in &mut self.processes {
            longest = longest.max(process.ready(READY_WITHIN).await);
        }
        longest
    }

    /// SIGKILL to every process.
    pub(crate) fn kill_dash_nine(&mut self) {
        self.processes.iter_mut().for_each(Process::kill_dash_nine);
    }

    /// The process that holds a role.
    pub(crate) fn process(&mut self, role: &str) -> &mut Process {
        let holds = |process: &&mut Process| process.name == role || process.name == "all";
        self.processes.iter_mut().find(holds).expect("some process holds the role")
    }

    /// The directory the processes run in.
    pub(crate) fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// The logs of all processes.
    pub(crate) fn logs(&self) -> String {
        self.processes.iter().map(Process::log).collect()
    }

    /// A call of the front door.
    pub(crate) fn call(&self, method: Method, path: &str) -> Call {
        Call::new(self.client.request(method, format!("{}{path}", self.url)))
    }

    /// GET at the front door.
    pub(crate) fn get(&self, path: &str) -> Call {
        self.call(Method::GET, path)
    }

    /// POST at the front door.
    pub(crate) fn post(&self, path: &str) -> Call {
        self.call(Method::POST, path)
    }

    /// A call straight at the process of a role, past the gateway.
    pub(crate) fn call_role(&self, role: &str, method: Method, path: &str) -> Call {
        let named = |name: &str| self.processes.iter().find(|process| process.name == name);
        let process = named(role).or_else(|| named("all"));
        let url = &process.expect("some process holds the role").url;
        Call::new(self.client.request(method, format!("{url}{path}")))
    }

    /// Registers an address with a good password.
    pub(crate) async fn register(&self, email: &str) -> User {
        let user = User { email: email.to_owned(), password: "correct horse battery staple".to_owned() };
        let body = serde_json::json!({"email": user.email, "password": user.password});
        self.post("/auth/register").json(&body).send().await.must_be(201);
        user
    }

    /// Follows the link of the verification mail.
    pub(crate) async fn verify(&self, user: &User) {
        let token = self.mailbox.token_for(&user.email).await;
        self.post("/auth/verify-email").json(&serde_json::json!({"token": token})).send().await.must_be(204);
    }

    /// Logs in.
    pub(crate) async fn login(&self, user: &User) -> Session {
        let body = serde_json::json!({"email": user.email, "password": user.password});
        self.post("/auth/login").json(&body).send().await.must_be(200).parse()
    }

    /// A registered, verified, logged-in user.
    pub(crate) async fn session_of(&self, email: &str) -> Session {
        let user = self.register(email).await;
        self.verify(&user).await;
        self.login(&user).await
    }
}
