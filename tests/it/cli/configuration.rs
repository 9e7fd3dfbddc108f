//! Settings: layers, faults, and what is shown of them.

use super::{run, run_with};

#[test]
fn every_fault_is_told_at_once_with_its_place() {
    let directory = tempfile::tempdir().unwrap();
    let text = "[server]\nprot = 8000\nhead_timeout = \"10 parsecs\"\n\n[auth.tokens]\nalgorithm = \"ROT13\"\n\n\
                [[gateway.routes]]\nname = \"x\"\npath = \"/x\"\nupstream = \"nowhere\"\n";
    std::fs::write(directory.path().join("wrong.toml"), text).unwrap();
    for arguments in [
        &["config", "check", "--config", "wrong.toml"],
        &["serve", "--config", "wrong.toml", "--host=127.0.0.1"] as &[_],
    ] {
        let ran = run(directory.path(), arguments).must_exit(2);
        assert_eq!(ran.stdout, "");
        for word in [
            "wrong.toml:2",
            "server.prot",
            "`port`",
            "wrong.toml:3",
            "head_timeout",
            "wrong.toml:6",
            "ROT13",
            "nowhere",
        ] {
            assert!(ran.stderr.contains(word), "{word} not in\n{}", ran.stderr);
        }
        assert!(!ran.stderr.contains("panicked") && !ran.stderr.contains("backtrace"), "{}", ran.stderr);
    }
}

#[test]
fn a_good_file_is_good_and_a_missing_one_is_named() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("good.toml"), "[log]\nlevel = \"debug\"\n").unwrap();
    run(directory.path(), &["config", "check"]).must_exit(0);
    run(directory.path(), &["config", "check", "--config", "good.toml"]).must_exit(0);
    let ran = run(directory.path(), &["config", "check", "--config", "absent.toml"]).must_exit(2);
    assert!(ran.stderr.contains("absent.toml"), "{}", ran.stderr);
    std::fs::write(directory.path().join("broken.toml"), "[server\nport = 1\n").unwrap();
    let ran = run(directory.path(), &["config", "check", "--config", "broken.toml"]).must_exit(2);
    assert!(ran.stderr.contains("broken.toml:1"), "{}", ran.stderr);
}

#[test]
fn a_schema_is_looked_for_beside_its_file() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::create_dir(directory.path().join("etc")).unwrap();
    let text = "[[gateway.upstreams]]\nname = \"u\"\ntargets = [{ url = \"http://127.0.0.1:1\" }]\n\
                [[gateway.routes]]\nname = \"r\"\npath = \"/r\"\nupstream = \"u\"\nrequest_schema = \"order.json\"\n";
    std::fs::write(directory.path().join("etc/my.toml"), text).unwrap();
    let check = || run(directory.path(), &["config", "check", "--config", "etc/my.toml"]);
    let ran = check().must_exit(2);
    assert!(ran.stderr.contains("my.toml:8") && ran.stderr.contains("request_schema"), "{}", ran.stderr);
    std::fs::write(directory.path().join("etc/order.json"), "{\"type\": \"object\"}").unwrap();
    check().must_exit(0);
    std::fs::write(directory.path().join("etc/order.json"), "{\"$ref\": \"https://example.org/x.json\"}").unwrap();
    check().must_exit(2);
}

#[test]
fn later_layers_win_and_secrets_are_masked() {
    let directory = tempfile::tempdir().unwrap();
    let file = "[server]\nport = 8100\nworkers = 3\n[database]\nurl = \"postgres://me:hunter2@db/v\"\n";
    std::fs::write(directory.path().join("a.toml"), file).unwrap();
    std::fs::write(directory.path().join("b.toml"), "[server]\nworkers = 4\n").unwrap();
    let environment = [
        ("VESTIBULE__SERVER__PORT", "8200"),
        ("JWT_SECRET_KEY", "a-very-secret-key-of-more-than-32-bytes"),
        ("JWT_ACCESS_TOKEN_EXPIRE_MINUTES", "15"),
    ];
    let arguments = ["config", "show", "--config", "a.toml", "--config", "b.toml"];
    let shown = run_with(directory.path(), &arguments, &environment, "").must_exit(0).stdout;
    for word in ["port = 8200", "workers = 4", "access_ttl = \"15m\""] {
        assert!(shown.contains(word), "{word} not in\n{shown}");
    }
    for secret in ["hunter2", "a-very-secret-key"] {
        assert!(!shown.contains(secret), "{shown}");
    }
    let wrong = [("VESTIBULE__SERVER__PROT", "1")];
    let ran = run_with(directory.path(), &["config", "check"], &wrong, "").must_exit(2);
    assert!(ran.stderr.contains("VESTIBULE__SERVER__PROT") && ran.stderr.contains("port"), "{}", ran.stderr);
}

#[test]
fn the_schema_is_json() {
    let directory = tempfile::tempdir().unwrap();
    let schema = run(directory.path(), &["config", "schema"]).must_exit(0).stdout;
    let schema: serde_json::Value = serde_json::from_str(&schema).unwrap();
    assert!(schema["properties"]["gateway"].is_object(), "{schema}");
}
