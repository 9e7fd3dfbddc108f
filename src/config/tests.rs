//! What the loader answers to good and bad input.

use std::{collections::BTreeMap, fs, path::Path};

use insta::assert_snapshot;
use proptest::prelude::*;

use super::*;
use crate::kernel::settings::SettingFault;

fn environment(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect()
}

/// A folder with one `config.toml`, and what loading it gives.
fn load_text(text: &str) -> Result<Loaded, String> {
    load_with(text, &[])
}

fn load_with(text: &str, variables: &[(&str, &str)]) -> Result<Loaded, String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config.toml");
    fs::write(&path, text).unwrap();
    let sources = Sources { files: vec![path], environment: environment(variables), overrides: Vec::new() };
    load(&sources).map_err(|faults| shown(&faults, folder.path()))
}

fn load_environment(variables: &[(&str, &str)]) -> Result<Loaded, String> {
    let sources = Sources { environment: environment(variables), ..Sources::default() };
    load(&sources).map_err(|faults| shown(&faults, Path::new("/")))
}

/// One fault a line, without the folder's name.
fn shown(faults: &[Fault], folder: &Path) -> String {
    let lines: Vec<_> = faults.iter().map(ToString::to_string).collect();
    lines.join("\n").replace(&format!("{}/", folder.display()), "")
}

#[test]
fn the_defaults_load() {
    let loaded = load(&Sources::default()).unwrap();
    assert_eq!(loaded.config.server.port, 8000);
    assert_eq!(loaded.config.database.url, "sqlite://data/vestibule.db");
    assert!(!loaded.was_set("server.port"));
    assert!(!loaded.was_set("server"));
}

#[test]
fn every_fault_is_told_at_once() {
    let faults = load_text(
        r#"[server]
porrt = 1
workers = "many"

[gateway]
[[gateway.routes]]
name = "a"
path = "/a"
upstrem = "catalog"
timeout = "5 seconds"
"#,
    );
    assert_snapshot!(faults.unwrap_err(), @r#"
    config.toml:2:1: server.porrt: unknown key, did you mean `port`? expected one of `host`, `port`, `workers`, `drain`, `shutdown_timeout`, `body_limit`, `head_timeout`, `trusted_proxies`, `tls`, `http2`, `docs`, `operations`
    config.toml:3:1: server.workers: expected a whole number, at least 0, found "many"
    config.toml:9:1: gateway.routes[0].upstrem: unknown key, did you mean `upstream`? expected one of `name`, `path`, `methods`, `hosts`, `headers`, `upstream`, `split`, `sticky`, `mirror`, `strip_prefix`, `rewrite`, `auth`, `issuers`, `roles`, `scopes`, `rate_limit`, `timeout`, `body_limit`, `upgrade`, `cache`, `request_schema`, `deprecated`, `compression`, `request_headers`, `response_headers`
    config.toml:10:1: gateway.routes[0].timeout: expected a duration such as "250ms", "30s", "15m", "12h" or "7d", found "5 seconds"
    "#);
}

#[test]
fn a_wrong_value_says_what_was_expected() {
    let faults = load_text(
        r#"
[server]
host = "localhost"
port = 70000
docs = "yes"
body_limit = "10MB"
trusted_proxies = ["10.0.0.0/8", "ten"]
[log]
format = "jsn"
[auth]
registration = "opn"
tokens = 5
[gateway]
rate_limit = { limit = "60/min" }
cors = { credentials = true }
[auth.password]
bcrypt_cost = 99999999999999999999
min_length = -1
"#,
    );
    assert_snapshot!(faults.unwrap_err(), @r#"
    config.toml:3:1: server.host: expected an IP address such as "127.0.0.1", found "localhost"
    config.toml:4:1: server.port: expected a whole number from 0 to 65535, found 70000
    config.toml:5:1: server.docs: expected true or false, found "yes"
    config.toml:6:1: server.body_limit: expected a size such as "512B", "64KiB", "10MiB" or "1GiB", found "10MB"
    config.toml:7:34: server.trusted_proxies[1]: expected an address range such as "10.0.0.0/8", found "ten"
    config.toml:9:1: log.format: unknown value "jsn", did you mean `json`? expected one of `json`, `pretty`
    config.toml:11:1: auth.registration: unknown value "opn", did you mean `open`? expected one of `open`, `closed`
    config.toml:12:1: auth.tokens: expected a table, found 5
    config.toml:14:16: gateway.rate_limit.limit: expected a rate such as "100/minute" (second, minute, hour or day), at least 1, found "60/min"
    config.toml:15:1: gateway.cors.origins: missing, and it has no default
    config.toml:17:1: auth.password.bcrypt_cost: expected a whole number from 0 to 4294967295, found 99999999999999999999
    config.toml:18:1: auth.password.min_length: expected a whole number, at least 0, found -1
    "#);
}

#[test]
fn syntax_errors_have_line_and_column() {
    assert_snapshot!(load_text("[server]\nport = \n[log\nlevel = \"info\"\n").unwrap_err(), @r#"
    config.toml:2:8: not valid TOML: string values must be quoted, expected literal string
    config.toml:3:5: not valid TOML: unclosed table, expected `]`
    "#);
    assert_snapshot!(load_text("[server]\nport = 1\nport = 2\n").unwrap_err(), @r#"
    config.toml:3:1: not valid TOML: duplicate key
    "#);
}

#[test]
fn keys_of_later_versions_are_not_called_misspelt() {
    let faults = load_text("[events]\nbus = \"kafka\"\n[database]\nreplicas = []\n");
    assert_snapshot!(faults.unwrap_err(), @r#"
    config.toml:1:2: events: `events` is not available in this version yet
    config.toml:4:1: database.replicas: `replicas` is not available in this version yet
    "#);
}

#[test]
fn files_that_cannot_be_read_are_faults() {
    let folder = tempfile::tempdir().unwrap();
    let latin = folder.path().join("latin.toml");
    fs::write(&latin, b"[log]\nlevel = \"\xE9\"\n").unwrap();
    let files = vec![folder.path().join("absent.toml"), folder.path().to_owned(), latin];
    let faults = load(&Sources { files, ..Sources::default() }).unwrap_err();
    assert_snapshot!(shown(&faults, folder.path()).replace(&folder.path().display().to_string(), "FOLDER"), @r#"
    absent.toml: cannot be read: no such file or directory
    FOLDER: cannot be read: is a directory
    latin.toml: cannot be read: it is not UTF-8 text (line 2)
    "#);
}

#[test]
fn later_layers_win() {
    let folder = tempfile::tempdir().unwrap();
    let (one, two) = (folder.path().join("one.toml"), folder.path().join("two.toml"));
    fs::write(&one, "[server]\nport = 1\nworkers = 1\nhead_timeout = \"1s\"\n[log]\nlevel = \"warn\"\n").unwrap();
    fs::write(&two, "[server]\nport = 2\nworkers = 2\n").unwrap();
    let sources = Sources {
        files: vec![one, two],
        environment: environment(&[
            ("VESTIBULE__SERVER__PORT", "3"),
            ("VESTIBULE__LOG__LEVEL", "debug"),
            ("RUST_LOG", "trace"),
        ]),
        overrides: vec![Override { key: "server.port", text: "4".to_owned(), flag: "--port" }],
    };
    let loaded = load(&sources).unwrap();
    let server = &loaded.config.server;
    assert_eq!((server.port, server.workers, server.head_timeout.to_string().as_str()), (4, 2, "1s"));
    assert_eq!(loaded.config.log.level, "debug");
    assert!(loaded.was_set("server.port") && loaded.was_set("server") && !loaded.was_set("server.host"));
}

#[test]
fn text_of_the_environment_is_what_the_key_wants() {
    let loaded = load_environment(&[
        ("VESTIBULE__SERVER__PORT", "9000"),
        ("VESTIBULE__SERVER__DOCS", "false"),
        ("VESTIBULE__SERVER__TRUSTED_PROXIES", "[\"10.0.0.0/8\"]"),
        ("VESTIBULE__SERVER__OPERATIONS", "{ host = \"::1\", port = 1 }"),
        ("VESTIBULE__SERVER__OPERATIONS__PORT", "2"),
        ("VESTIBULE__AUTH__TOKENS__SECRET", "12345678901234567890123456789012"),
        ("VESTIBULE__GATEWAY__RATE_LIMIT", "false"),
        ("VESTIBULE__GATEWAY__UPSTREAMS", "[{ name = \"a\", targets = [{ url = \"http://a\" }] }]"),
    ])
    .unwrap();
    let config = loaded.config;
    assert_eq!((config.server.port, config.server.docs), (9000, false));
    assert_eq!(config.server.trusted_proxies.len(), 1);
    assert_eq!(config.server.operations.unwrap().port, 2);
    assert_eq!(config.auth.tokens.secret.as_deref(), Some("12345678901234567890123456789012"));
    assert!(matches!(config.gateway.rate_limit, crate::modules::gateway::config::RateLimitSetting::Switch(false)));
    assert_eq!(config.gateway.upstreams[0].targets[0].weight, 1);
}

#[test]
fn plain_variables_are_aliases() {
    let loaded = load_environment(&[
        ("DATABASE_URL", "postgres://db/x"),
        ("JWT_SECRET_KEY", "0123456789"),
        ("JWT_ALGORITHM", "HS256"),
        ("JWT_ACCESS_TOKEN_EXPIRE_MINUTES", "5"),
        ("JWT_REFRESH_TOKEN_EXPIRE_DAYS", "2"),
        ("AUTH_SERVICE_URL", "http://auth:8001"),
        ("RATE_LIMIT_PER_MINUTE", "7"),
        ("CIRCUIT_BREAKER_THRESHOLD", "9"),
        ("REDIS_URL", "redis://r"),
        ("KAFKA_BROKERS", ""),
        ("TASKS_SERVICE_URL", "http://tasks"),
        ("VESTIBULE__DATABASE__URL", "postgres://db/y"),
        ("VESTIBULE__GATEWAY__UPSTREAMS", "[{ name = \"a\", targets = [], breaker = { window = \"1s\" } }]"),
    ])
    .unwrap();
    assert_snapshot!(shown(loaded.warnings(), Path::new("/")), @r#"
    TASKS_SERVICE_URL: has no effect: not available in this version yet
    "#);
    let config = loaded.config;
    assert_eq!(config.redis.unwrap().url, "redis://r");
    assert_eq!(config.database.url, "postgres://db/y");
    assert_eq!(config.auth.tokens.access_ttl.to_string(), "5m");
    assert_eq!(config.auth.tokens.refresh_ttl.to_string(), "2d");
    assert_eq!(config.services.auth, "http://auth:8001");
    assert_eq!(serde_json::to_value(&config.gateway.rate_limit).unwrap()["limit"], "7/minute");
    let breaker = &config.gateway.upstreams[0].breaker;
    assert_eq!((breaker.failures, breaker.window.to_string().as_str()), (9, "1s"));
}

#[test]
fn faults_of_the_environment_name_the_variable() {
    let faults = load_environment(&[
        ("VESTIBULE__SERVER__PORRT", "1"),
        ("VESTIBULE__SERVER__PORT", "many"),
        ("VESTIBULE__LOG", "x"),
        ("VESTIBULE__", "x"),
        ("JWT_ACCESS_TOKEN_EXPIRE_MINUTES", "soon"),
        ("VESTIBULE__SERVER__TRUSTED_PROXIES", "10.0.0.0/8"),
        ("VESTIBULE__AUTH__TOKENS__SECRET__X", "hidden"),
    ]);
    assert_snapshot!(faults.unwrap_err(), @r#"
    JWT_ACCESS_TOKEN_EXPIRE_MINUTES: auth.tokens.access_ttl: expected a whole number, at least 1, found "soon"
    VESTIBULE__: not a key, expected the form VESTIBULE__SECTION__KEY
    VESTIBULE__AUTH__TOKENS__SECRET__X: auth.tokens.secret: expected a string, found something else
    VESTIBULE__LOG: log: expected a table, found "x"
    VESTIBULE__SERVER__PORRT: server.porrt: unknown key, did you mean `port`? expected one of `host`, `port`, `workers`, `drain`, `shutdown_timeout`, `body_limit`, `head_timeout`, `trusted_proxies`, `tls`, `http2`, `docs`, `operations`
    VESTIBULE__SERVER__PORT: server.port: expected a whole number from 0 to 65535, found "many"
    VESTIBULE__SERVER__TRUSTED_PROXIES: server.trusted_proxies: expected a list, found "10.0.0.0/8"
    "#);
}

#[test]
fn values_may_be_kept_elsewhere() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("secret"), "s3cret\n").unwrap();
    fs::write(folder.path().join("port"), "9001\n").unwrap();
    let path = folder.path().join("config.toml");
    fs::write(
        &path,
        "[auth.tokens]\nsecret = \"file:secret\"\n[server]\nport = \"file:port\"\n[database]\nurl = \"env:DB\"\n\
         [mail]\ntransport = \"file:mails\"\n[services]\nauth = \"http://u:pw@auth\"\n",
    )
    .unwrap();
    let environment = environment(&[("DB", "postgres://u:pw@db/x")]);
    let loaded = load(&Sources { files: vec![path], environment, overrides: Vec::new() }).unwrap();
    assert_eq!(loaded.config.auth.tokens.secret.as_deref(), Some("s3cret"));
    assert_eq!(loaded.config.server.port, 9001);
    assert_eq!(loaded.config.database.url, "postgres://u:pw@db/x");
    assert_eq!(loaded.config.mail.transport, format!("file:{}", folder.path().join("mails").display()));
    let shown = loaded.masked();
    assert_eq!(shown["auth"]["tokens"]["secret"], "file:secret");
    assert_eq!(shown["database"]["url"], "env:DB");
    assert_eq!(shown["services"]["auth"], "http://u:********@auth");
    assert!(!shown.to_string().contains("s3cret") && !shown.to_string().contains("pw@"));
}

#[test]
fn absent_references_are_faults() {
    let faults = load_text("[auth.tokens]\nsecret = \"file:absent\"\naudience = \"env:ABSENT\"\n");
    assert_snapshot!(faults.unwrap_err(), @r#"
    config.toml:2:1: auth.tokens.secret: cannot read absent: no such file or directory
    config.toml:3:1: auth.tokens.audience: the environment variable ABSENT is not set
    "#);
}

#[test]
fn faults_of_modules_get_their_place() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config.toml");
    fs::write(
        &path,
        "[log]\nlevel = 5\n\n[[gateway.routes]]\nname = \"a\"\npath = \"/a\"\nupstream = \"nowhere\"\n\
         [[gateway.upstreams]]\nname = \"b\"\ntargets = []\n",
    )
    .unwrap();
    let faults = load_checked(&Sources { files: vec![path], ..Sources::default() }, |config| {
        assert_eq!(config.gateway.routes[0].upstream, "nowhere");
        vec![
            SettingFault::new("gateway.upstreams[0].timeout", "too long"),
            SettingFault::new("gateway.routes[0].upstream", "no such upstream"),
            SettingFault::new("log.level", "left out, as what was given is refused already"),
            SettingFault::new("auth.issuer", "not a URL"),
        ]
    })
    .unwrap_err();
    assert_snapshot!(shown(&faults, folder.path()), @r#"
    built-in defaults: auth.issuer: not a URL
    config.toml:2:1: log.level: expected a string, found 5
    config.toml:7:1: gateway.routes[0].upstream: no such upstream
    config.toml:8:1: gateway.upstreams[0].timeout: too long
    "#);
}

#[test]
fn the_defaults_name_every_setting() {
    let schema = serde_json::to_value(schemars::schema_for!(Config)).unwrap();
    let sections = schema["properties"].as_object().unwrap();
    for (section, reference) in sections {
        // A section that may be absent is one of two things.
        let reference = reference.get("$ref").unwrap_or(&reference["anyOf"][0]["$ref"]);
        let name = reference.as_str().unwrap().trim_start_matches("#/$defs/");
        for key in schema["$defs"][name]["properties"].as_object().unwrap().keys() {
            let forms = [format!("\n{key} = "), format!("\n# {key} = "), format!("[{section}.{key}]")];
            assert!(forms.iter().any(|form| DEFAULTS.contains(form)), "{section}.{key} is not in default.toml");
        }
    }
}

proptest! {
    #[test]
    fn any_text_loads_or_is_refused(text: String) {
        let _ = load_text(&text);
    }

    #[test]
    fn any_table_loads_or_is_refused(
        section in prop::sample::select(vec!["server", "gateway", "auth", "nothing"]),
        key in prop::sample::select(vec!["port", "routes", "tokens", "rate_limit", "operations", "upstreams", "x"]),
        value in prop::sample::select(vec![
            "1", "-1", "\"x\"", "true", "[]", "{}", "[{}]", "[1]", "1.5", "1979-05-27", "{ limit = 1 }", "nan",
            "99999999999999999999", "[[]]", "\"file:/\"", "\"env:X\"",
        ]),
    ) {
        let _ = load_text(&format!("[{section}]\n{key} = {value}\n"));
        let variable = format!("VESTIBULE__{}__{}", section.to_uppercase(), key.to_uppercase());
        let _ = load_environment(&[(&variable, value)]);
    }

    #[test]
    fn any_environment_loads_or_is_refused(name: String, text: String) {
        let _ = load_environment(&[(&format!("VESTIBULE__{name}"), &text), ("RATE_LIMIT_PER_MINUTE", &text)]);
    }
}

/// What is shipped is good. The variables stand for what a deployment gives.
#[test]
fn shipped_files_load() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("config");
    let examples = fs::read_dir(folder.join("examples")).unwrap().map(|entry| entry.unwrap().path());
    let examples = examples.filter(|path| path.extension().is_some_and(|kind| kind == "toml"));
    let files: Vec<_> = examples.chain([folder.join("default.toml"), folder.join("production.toml")]).collect();
    assert!(files.len() > 4);
    for file in files {
        let environment = environment(&[
            ("DATABASE_URL", "postgres://vestibule:pw@db/vestibule"),
            ("MAIL_TRANSPORT", "smtp://u:pw@mail:587"),
            ("JWT_SECRET_KEY", "0123456789abcdef0123456789abcdef"),
            ("MASTER_KEY", "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"),
        ]);
        let sources = Sources { files: vec![file], environment, overrides: Vec::new() };
        load_checked(&sources, crate::bootstrap::check).map_err(|faults| shown(&faults, &folder)).unwrap();
    }
}
