//! A real browser: headless Chromium, driven by a chromedriver of its own.

use std::{
    io::{BufRead as _, BufReader, ErrorKind},
    os::unix::{fs::MetadataExt as _, process::CommandExt as _},
    panic::Location,
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::Duration,
};

use fantoccini::{
    Client, ClientBuilder, Locator,
    actions::{InputSource as _, KeyAction, KeyActions},
    wd::WebDriverCompatibleCommand,
};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};

use super::eventually;

/// What every page is looked at for.
const LOOK: &str = include_str!("browser/look.js");

/// A browser with one window. It ends when dropped, with all its processes and files.
pub(crate) struct Browser {
    client: Client,
    _driver: Driver,
}

struct Driver {
    process: Child,
    /// Where it and its browser keep their files.
    files: PathBuf,
}

impl Drop for Driver {
    fn drop(&mut self) {
        let group = format!("-{}", self.process.id());
        let _ = Command::new("kill").args(["-KILL", "--", &group]).stderr(Stdio::null()).status();
        let _ = self.process.wait();
        // Until the last process of the browser is gone, it may write.
        for _ in 0..100 {
            if std::fs::remove_dir_all(&self.files).is_err_and(|error| error.kind() == ErrorKind::NotFound) {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Browser {
    /// A new browser that knows nothing.
    pub(crate) async fn start() -> Self {
        Self::start_with(&[]).await
    }

    async fn start_with(more: &[&str]) -> Self {
        let program = std::env::var_os("VESTIBULE_TEST_CHROMEDRIVER").unwrap_or_else(|| "chromedriver".into());
        let files = tempfile::tempdir().expect("a directory").keep();
        let mut command = Command::new(program);
        command.arg("--port=0").env("TMPDIR", &files).stdin(Stdio::null()).stderr(Stdio::null());
        // A group of its own, so that the browser ends with it.
        command.process_group(0);
        let child = command.stdout(Stdio::piped()).spawn();
        let process = child.expect("chromedriver is installed; run the tests with ./scripts/test");
        let mut driver = Driver { process, files };
        let lines = BufReader::new(driver.process.stdout.take().expect("a pipe")).lines();
        let told = lines.map_while(Result::ok).find_map(|line| {
            let (_, port) = line.split_once("started successfully on port ")?;
            port.trim_end_matches('.').parse::<u16>().ok()
        });
        let port = told.expect("chromedriver tells its port");
        // The sandbox refuses to run as root.
        let is_root = std::fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0);
        let mut arguments =
            vec!["--headless=new", "--disable-gpu", "--disable-dev-shm-usage", "--no-proxy-server", "--no-first-run"];
        if is_root {
            arguments.push("--no-sandbox");
        }
        arguments.extend(more);
        let capabilities = json!({
            "goog:chromeOptions": {"args": arguments},
            "goog:loggingPrefs": {"browser": "ALL"},
        });
        let Value::Object(capabilities) = capabilities else { unreachable!("an object was written") };
        let mut builder = ClientBuilder::new(HttpConnector::new());
        let client = builder.capabilities(capabilities).connect(&format!("http://127.0.0.1:{port}")).await;
        Self { client: client.expect("the browser starts"), _driver: driver }
    }

    /// A new browser for which `localhost` is where the application listens: to browsers a name is a relying party, and this
    /// one is secure without TLS.
    #[cfg(feature = "passkeys")]
    pub(crate) async fn start_at(app: &super::TestApp) -> Self {
        let host = url::Url::parse(&app.url).expect("a URL").host_str().expect("a host").to_owned();
        Self::start_with(&[&format!("--host-resolver-rules=MAP localhost {host}")]).await
    }

    /// Plays an authenticator that keeps passkeys and says that it verified its user (WebDriver, Web Authentication §11).
    #[cfg(feature = "passkeys")]
    pub(crate) async fn add_authenticator(&self) {
        let wanted = json!({
            "protocol": "ctap2",
            "transport": "internal",
            "hasResidentKey": true,
            "hasUserVerification": true,
            "isUserConsenting": true,
            "isUserVerified": true,
        });
        self.command("webauthn/authenticator", wanted).await;
    }

    /// What a script's promise gives.
    #[cfg(feature = "passkeys")]
    pub(crate) async fn run(&self, script: &str, argument: Value) -> Value {
        // A function of its own, since the last argument of an asynchronous script is where its answer goes.
        let script = format!(
            "const end = arguments[arguments.length - 1]; (async function () {{ {script} }})(arguments[0])\
             .then((value) => end({{value}}), (error) => end({{error: String(error)}}))"
        );
        let answer = self.client.execute_async(&script, vec![argument]).await.unwrap();
        assert!(answer["error"].is_null(), "{answer}");
        answer["value"].clone()
    }

    /// Opens an address.
    pub(crate) async fn open(&self, url: &str) {
        self.client.goto(url).await.unwrap();
    }

    /// Where it is.
    pub(crate) async fn url(&self) -> String {
        self.client.current_url().await.unwrap().to_string()
    }

    /// Waits until the title says this before the product's name.
    #[track_caller]
    pub(crate) fn shows(&self, title: &str) -> impl Future<Output = ()> {
        let caller = Location::caller();
        async move {
            let mut last = String::new();
            let is_there = eventually(Duration::from_secs(10), async || {
                // Between two pages there is none.
                last = self.client.title().await.unwrap_or_default();
                (last.split(" · ").next() == Some(title)).then_some(())
            });
            let is_there = is_there.await.is_some();
            assert!(is_there, "{caller}: expected {title:?}, and there is {last:?}:\n{}", self.text().await);
        }
    }

    /// What the page says.
    pub(crate) async fn text(&self) -> String {
        self.client.find(Locator::Css("body")).await.unwrap().text().await.unwrap()
    }

    /// Types into the field with this label, in place of what is there.
    pub(crate) async fn fill(&self, label: &str, text: &str) {
        let field = format!("//input[@id=//label[normalize-space()='{label}']/@for]");
        let field = self.client.find(Locator::XPath(&field)).await.unwrap();
        field.clear().await.unwrap();
        field.send_keys(text).await.unwrap();
    }

    /// Clicks the button or link that says this.
    pub(crate) async fn click(&self, text: &str) {
        let named = format!("//*[self::button or self::a][normalize-space()='{text}']");
        self.client.find(Locator::XPath(&named)).await.unwrap().click().await.unwrap();
    }

    /// Presses keys, wherever the focus is. Tab and Enter are `\u{e004}` and `\u{e007}`, as in the WebDriver standard.
    pub(crate) async fn press(&self, keys: &str) {
        let pressed = keys.chars().flat_map(|value| [KeyAction::Down { value }, KeyAction::Up { value }]);
        let keys = pressed.fold(KeyActions::new("keyboard".to_owned()), KeyActions::then);
        self.client.perform_actions(keys).await.unwrap();
    }

    /// Forgets every cookie of the page's host.
    pub(crate) async fn forget_cookies(&self) {
        self.client.delete_all_cookies().await.unwrap();
    }

    /// What a script finds out.
    pub(crate) async fn evaluate(&self, script: &str) -> Value {
        self.client.execute(script, Vec::new()).await.unwrap()
    }

    /// What has the focus: its text or its field's name.
    pub(crate) async fn focused(&self) -> String {
        let script = "const e = document.activeElement; return e.name === 'decision' || !e.name ? e.innerText : e.name";
        self.evaluate(script).await.as_str().unwrap_or_default().to_owned()
    }

    /// Looks at the page as everybody does: in light and dark, on a desk and on the smallest phone. It must be readable,
    /// labelled, and within the window, and the browser must have nothing to complain about. With
    /// `VESTIBULE_TEST_SCREENSHOTS=DIR` pictures are kept there.
    pub(crate) async fn look(&self, name: &str) {
        let mut faults = Vec::new();
        for theme in ["light", "dark"] {
            let feature = json!({"name": "prefers-color-scheme", "value": theme});
            self.devtools("Emulation.setEmulatedMedia", json!({"features": [feature]})).await;
            for (device, width, height) in [("desk", 1280, 800), ("phone", 320, 568)] {
                let size = json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": false});
                self.devtools("Emulation.setDeviceMetricsOverride", size).await;
                let found = self.evaluate(LOOK).await;
                let found = found.as_array().unwrap().iter().map(|fault| format!("{theme}, {device}: {fault}"));
                faults.extend(found);
                self.photograph(&format!("{name}-{theme}-{device}")).await;
            }
        }
        self.is_content().await;
        assert!(faults.is_empty(), "{name} at {}:\n{}", self.url().await, faults.join("\n"));
    }

    /// Fails when the browser complained of anything since the last time.
    pub(crate) async fn is_content(&self) {
        let complaints = self.complaints().await;
        assert!(complaints.is_empty(), "at {}:\n{}", self.url().await, complaints.join("\n"));
    }

    async fn photograph(&self, name: &str) {
        let Some(directory) = std::env::var_os("VESTIBULE_TEST_SCREENSHOTS") else { return };
        let picture = self.client.screenshot().await.unwrap();
        std::fs::create_dir_all(&directory).unwrap();
        std::fs::write(PathBuf::from(directory).join(format!("{name}.png")), picture).unwrap();
    }

    /// The warnings and errors in the console since the last time, without the answers' statuses, which are what they
    /// should be.
    async fn complaints(&self) -> Vec<String> {
        let log = self.command("se/log", json!({"type": "browser"})).await;
        let mut lines: Vec<_> = log.as_array().unwrap().iter().map(ToString::to_string).collect();
        lines.retain(|line| !line.contains("\"level\":\"DEBUG\"") && !line.contains("responded with a status of 4"));
        lines
    }

    async fn devtools(&self, command: &str, parameters: Value) {
        self.command("goog/cdp/execute", json!({"cmd": command, "params": parameters})).await;
    }

    async fn command(&self, path: &'static str, body: Value) -> Value {
        self.client.issue_cmd(DriverCommand { path, body }).await.unwrap()
    }
}

/// What chromedriver knows beyond the standard.
#[derive(Debug)]
struct DriverCommand {
    path: &'static str,
    body: Value,
}

impl WebDriverCompatibleCommand for DriverCommand {
    fn endpoint(&self, base: &url::Url, session: Option<&str>) -> Result<url::Url, url::ParseError> {
        base.join(&format!("session/{}/{}", session.unwrap_or_default(), self.path))
    }

    fn method_and_body(&self, _: &url::Url) -> (http::Method, Option<String>) {
        (http::Method::POST, Some(self.body.to_string()))
    }
}
