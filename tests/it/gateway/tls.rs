//! TLS as it is deployed: the binary with certificates from files, towards clients and towards targets.

use std::{path::Path, time::Duration};

use reqwest::{Certificate, Client, Identity, tls::TlsInfo};
use rustls::pki_types::{CertificateDer, pem::PemObject as _};
use serde_json::json;
use tempfile::TempDir;

use super::upstream;
use crate::support::{Authority, Backend, GuardedTarget, Process, TestApp, command, eventually, free_host};

const EMAIL: &str = "ada@example.org";
const PASSWORD: &str = "correct horse battery staple";

/// The binary behind TLS; operators have a port of their own, without.
struct Secured {
    process: Process,
    directory: TempDir,
    /// Where it listens.
    address: std::net::SocketAddr,
    authority: Authority,
}

impl Secured {
    /// With certificates of an authority: one of this machine's address for whoever asks for another name than `shop.test`.
    async fn start(tls: &str, gateway: &str) -> Self {
        let directory = tempfile::Builder::new().prefix("vestibule-it-").tempdir().unwrap();
        let host = free_host();
        let authority = Authority::new();
        std::fs::write(directory.path().join("ca.pem"), &authority.pem).unwrap();
        authority.issue(&[&host.to_string(), "other.test"]).write(directory.path(), "own");
        authority.issue(&["shop.test"]).write(directory.path(), "shop");
        let settings = format!(
            "[server]\nhost = \"{host}\"\noperations = {{ host = \"{host}\", port = 8003 }}\n\
             tls = {{ cert = \"own.pem\", key = \"own.key\", {tls} }}\n\
             [database]\nurl = \"sqlite://v.db\"\n[log]\nformat = \"json\"\n[auth]\nissuer = \"https://{host}:8000\"\n{gateway}"
        );
        std::fs::write(directory.path().join("c.toml"), settings).unwrap();
        let user = ["user", "create", EMAIL, "--password", PASSWORD, "--config", "c.toml"];
        assert!(command(directory.path()).args(user).output().unwrap().status.success());
        let arguments = ["serve", "--config", "c.toml"].map(str::to_owned).to_vec();
        let mut process = Process::new("all", format!("http://{host}:8003"), directory.path(), arguments);
        process.start();
        process.ready(Duration::from_secs(30)).await;
        Self { process, directory, address: (host, 8000).into(), authority }
    }

    /// A client of its own connections.
    fn client(&self, identity: Option<Identity>) -> Client {
        let trusted = Certificate::from_pem(self.authority.pem.as_bytes()).unwrap();
        let mut builder = Client::builder().no_proxy().tls_certs_only([trusted]).tls_info(true);
        for name in ["shop.test", "other.test", "nobody.test"] {
            builder = builder.resolve(name, self.address);
        }
        builder = match identity {
            Some(identity) => builder.identity(identity),
            None => builder,
        };
        builder.timeout(Duration::from_secs(20)).build().unwrap()
    }

    fn url(&self, host: &str, path: &str) -> String {
        format!("https://{host}:{}{path}", self.address.port())
    }

    /// The certificate that a request of this client was answered with.
    async fn shown(&self, client: &Client, host: &str) -> Option<Vec<u8>> {
        let answer = client.get(self.url(host, "/health/live")).send().await.ok()?;
        answer.extensions().get::<TlsInfo>()?.peer_certificate().map(<[u8]>::to_vec)
    }

    fn der(&self, name: &str) -> Vec<u8> {
        let text = std::fs::read(self.directory.path().join(format!("{name}.pem"))).unwrap();
        CertificateDer::from_pem_slice(&text).unwrap().to_vec()
    }

    /// Gives operators' metrics.
    async fn metrics(&self) -> String {
        let url = format!("{}/metrics", self.process.url);
        Client::builder().no_proxy().build().unwrap().get(url).send().await.unwrap().text().await.unwrap()
    }
}

const BY_NAME: &str = "sni = [{ names = [\"shop.test\"], cert = \"shop.pem\", key = \"shop.key\" }]";

#[tokio::test]
async fn https_serves_roles_and_upstreams() {
    let backend = Backend::answering(&json!({"hello": "world"})).await;
    let secured = Secured::start(BY_NAME, &upstream(&backend.url(), "", "auth = \"required\"")).await;
    let client = secured.client(None);
    let login = json!({"email": EMAIL, "password": PASSWORD});
    let answer = client.post(secured.url("shop.test", "/auth/login")).json(&login).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    assert!(answer.headers().contains_key("strict-transport-security"));
    let session: serde_json::Value = answer.json().await.unwrap();
    let token = session["access_token"].as_str().unwrap();
    let answer = client.get(secured.url("other.test", "/u/x")).bearer_auth(token).send().await.unwrap();
    assert_eq!(answer.json::<serde_json::Value>().await.unwrap(), json!({"hello": "world"}));
    let seen = &backend.requests().await[0];
    assert_eq!(seen.headers["x-forwarded-proto"], "https");
    let plain = Client::builder().no_proxy().build().unwrap();
    let unencrypted = plain.get(format!("http://{}/health/live", secured.address)).send().await;
    assert!(unencrypted.is_err() || !unencrypted.unwrap().status().is_success(), "nothing is served without TLS");
}

#[tokio::test]
async fn certificates_are_chosen_by_name_and_new_ones_are_taken_from_changed_files() {
    let secured = Secured::start(BY_NAME, "").await;
    let (own, shop) = (secured.der("own"), secured.der("shop"));
    let kept = secured.client(None);
    assert_eq!(secured.shown(&kept, "shop.test").await, Some(shop.clone()));
    assert_eq!(secured.shown(&kept, "other.test").await, Some(own.clone()));
    assert_eq!(secured.shown(&kept, "nobody.test").await, None, "the one that is shown to others is not of that name");

    let next = secured.authority.issue(&["shop.test"]);
    next.write(secured.directory.path(), "shop");
    let taken = async || {
        let shown = secured.shown(&secured.client(None), "shop.test").await;
        (shown == Some(next.der())).then_some(())
    };
    assert!(eventually(Duration::from_secs(10), taken).await.is_some(), "{}", secured.process.log());
    assert_eq!(secured.shown(&kept, "shop.test").await, Some(shop), "an open connection goes on");
    assert_eq!(secured.shown(&secured.client(None), "other.test").await, Some(own), "the other one stayed");

    std::fs::write(secured.directory.path().join("shop.pem"), "no certificate").unwrap();
    let counted = async || {
        let metrics = secured.metrics().await;
        let errors = metrics.lines().find_map(|line| line.strip_prefix("tls_reloads_total{outcome=\"error\"} "));
        (errors.is_some_and(|errors| errors != "0")).then_some(())
    };
    assert!(eventually(Duration::from_secs(10), counted).await.is_some(), "{}", secured.process.log());
    assert!(secured.process.log().contains("tls_reload_failed") && secured.process.log().contains("shop.pem"));
    assert_eq!(secured.shown(&secured.client(None), "shop.test").await, Some(next.der()), "the last good one serves");
}

#[tokio::test]
async fn clients_show_who_they_are() {
    let backend = Backend::answering(&json!({})).await;
    for (mode, needed) in [("required", true), ("optional", false)] {
        let tls = format!("client_ca = \"ca.pem\", client_auth = \"{mode}\"");
        let secured = Secured::start(&tls, &upstream(&backend.url(), "", "")).await;
        let asked = async |client: &Client| {
            let answer = client.get(secured.url("other.test", "/u/x")).header("client-cert", ":forged:").send().await;
            answer.ok().map(|answer| answer.status().as_u16())
        };
        let identity = |authority: &Authority| {
            let issued = authority.issue(&["a client"]);
            Identity::from_pem(format!("{}{}", issued.key, issued.cert).as_bytes()).unwrap()
        };
        let before = backend.requests().await.len();
        assert_eq!(asked(&secured.client(Some(identity(&Authority::new())))).await, None, "{mode}: a stranger");
        assert_eq!(asked(&secured.client(None)).await, (!needed).then_some(200), "{mode}: nobody");
        assert_eq!(asked(&secured.client(Some(identity(&secured.authority)))).await, Some(200), "{mode}: one of ours");
        let requests = backend.requests().await;
        let told: Vec<_> = requests[before..].iter().map(|seen| seen.headers.get("client-cert").cloned()).collect();
        assert_eq!(told.len(), if needed { 1 } else { 2 });
        let last = told.last().unwrap().as_ref().unwrap().to_str().unwrap();
        assert!(last.starts_with(":MII") && last.ends_with(':'), "{last}");
        assert!(told[..told.len() - 1].iter().all(Option::is_none), "what a client claims is dropped: {told:?}");
        let failed = secured.metrics().await;
        assert!(failed.contains("tls_handshakes_failed_total"), "{failed}");
    }
}

/// What `serve` and `config check` say of these settings: the exit code and the text.
fn refused(directory: &Path, settings: &str) {
    let (settings, expected) = settings.split_once('|').unwrap();
    let text = format!("[database]\nurl = \"sqlite://v.db\"\n{settings}\n");
    std::fs::write(directory.join("c.toml"), text).unwrap();
    for arguments in [["serve", "--config", "c.toml"].as_slice(), &["config", "check", "--config", "c.toml"]] {
        let ran = command(directory).args(arguments).output().unwrap();
        let said = format!("{}{}", String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
        assert_eq!(ran.status.code(), Some(2), "{arguments:?} with {settings}: {said}");
        for word in expected.split(' ') {
            assert!(said.contains(word), "{arguments:?} with {settings}: {word} not in {said}");
        }
        assert!(!said.contains("panicked"), "{said}");
    }
}

#[test]
fn wrong_files_stop_the_start_by_name() {
    let directory = tempfile::tempdir().unwrap();
    let authority = Authority::new();
    authority.issue(&["a.test"]).write(directory.path(), "one");
    authority.issue(&["a.test"]).write(directory.path(), "other");
    std::fs::write(directory.path().join("broken.pem"), "-----BEGIN NOTHING-----").unwrap();
    std::fs::write(directory.path().join("ca.pem"), &authority.pem).unwrap();
    let own = |settings: &str| format!("[server]\ntls = {{ {settings} }}");
    let target = |tls: &str| {
        format!("[[gateway.upstreams]]\nname = \"u\"\ntargets = [{{ url = \"https://a.test\" }}]\ntls = {{ {tls} }}")
    };
    for case in [
        own("cert = \"missing.pem\", key = \"one.key\"") + "|server.tls.cert missing.pem",
        own("cert = \"broken.pem\", key = \"one.key\"") + "|server.tls.cert broken.pem",
        own("cert = \"one.pem\", key = \"missing.key\"") + "|server.tls.key missing.key",
        own("cert = \"one.pem\", key = \"one.pem\"") + "|server.tls.key one.pem",
        own("cert = \"one.pem\", key = \"other.key\"") + "|server.tls.key other.key one.pem",
        own("cert = \"one.pem\", key = \"one.key\", client_ca = \"gone.pem\"") + "|server.tls.client_ca gone.pem",
        own(
            "cert = \"one.pem\", key = \"one.key\", sni = [{ names = [\"b\"], cert = \"one.pem\", key = \"other.key\" }]",
        ) + "|server.tls.sni[0].key other.key",
        target("ca = \"gone.pem\"") + "|gateway.upstreams[0].tls.ca gone.pem",
        target("ca = \"ca.pem\", cert = \"one.pem\", key = \"other.key\"") + "|gateway.upstreams[0].tls.key",
        target("ca = \"ca.pem\", cert = \"one.pem\"") + "|gateway.upstreams[0].tls.key",
    ] {
        refused(directory.path(), &case);
    }
}

/// An application with an upstream behind TLS that asks for a certificate; its files lie in this directory.
async fn with_target(authority: &Authority, target: &GuardedTarget, files: &Path, more: &str) -> TestApp {
    std::fs::write(files.join("ca.pem"), &authority.pem).unwrap();
    authority.issue(&["gateway"]).write(files, "own");
    let file = |name: &str| files.join(name).display().to_string();
    let (ca, cert, key) = (file("ca.pem"), file("own.pem"), file("own.key"));
    let tls =
        format!("tls = {{ ca = \"{ca}\", cert = \"{cert}\", key = \"{key}\", server_name = \"inner.test\" }}\n{more}");
    TestApp::simple().settings(&upstream(&format!("https://{}", target.address), &tls, "")).start().await
}

#[tokio::test]
async fn targets_are_verified_and_told_who_asks_and_new_certificates_are_taken() {
    let (authority, files) = (Authority::new(), tempfile::tempdir().unwrap());
    let target = GuardedTarget::start(&authority, "inner.test").await;
    let app = with_target(&authority, &target, files.path(), "").await;
    let ask = async || {
        let reply = app.get("/u/x").send().await;
        (reply.status, target.shown.lock().unwrap().last().cloned())
    };
    let der = || CertificateDer::from_pem_file(files.path().join("own.pem")).unwrap().to_vec();
    let first = der();
    assert_eq!(app.get("/u/x").send().await.must_be(200).text(), "HTTP/1.1");
    assert_eq!(ask().await, (200, Some(first.clone())));

    authority.issue(&["gateway"]).write(files.path(), "own");
    let next = der();
    assert_ne!(next, first);
    let taken = async || (ask().await == (200, Some(next.clone()))).then_some(());
    assert!(eventually(Duration::from_secs(10), taken).await.is_some(), "{}", app.logs());

    std::fs::write(files.path().join("own.pem"), "no certificate").unwrap();
    let expected = "upstream_tls_reloads_total{upstream=\"u\",outcome=\"error\"} 1";
    let counted = async || app.get("/metrics").send().await.text().contains(expected).then_some(());
    assert!(
        eventually(Duration::from_secs(10), counted).await.is_some(),
        "{}",
        app.get("/metrics").send().await.text()
    );
    assert!(app.logs().contains("upstream_tls_reload_failed") && app.logs().contains("own.pem"), "{}", app.logs());
    assert_eq!(ask().await, (200, Some(next)), "the last good one is shown");
}

#[tokio::test]
async fn targets_may_speak_http_2_behind_tls() {
    let (authority, files) = (Authority::new(), tempfile::tempdir().unwrap());
    let target = GuardedTarget::start(&authority, "inner.test").await;
    let app = with_target(&authority, &target, files.path(), "protocol = \"h2\"").await;
    for _ in 0..5 {
        assert_eq!(app.get("/u/x").send().await.must_be(200).text(), "HTTP/2.0");
    }
    assert!(!target.shown.lock().unwrap().is_empty(), "it asked for a certificate");
}

#[tokio::test]
async fn a_target_of_another_authority_or_name_is_not_asked() {
    let (authority, files) = (Authority::new(), tempfile::tempdir().unwrap());
    let elsewhere = GuardedTarget::start(&authority, "elsewhere.test").await;
    let app = with_target(&authority, &elsewhere, files.path(), "").await;
    app.get("/u/x").send().await.problem(502, "bad-gateway");
    let stranger = GuardedTarget::start(&Authority::new(), "inner.test").await;
    let app = with_target(&authority, &stranger, files.path(), "").await;
    app.get("/u/x").send().await.problem(502, "bad-gateway");
}
