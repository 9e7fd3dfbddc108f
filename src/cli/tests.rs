//! The command line as a whole.

use clap::CommandFactory as _;
use insta::assert_snapshot;

use super::*;

/// Exit code, results, messages.
fn run_line(line: &str) -> (String, String, String) {
    run_in(BTreeMap::new(), line)
}

fn run_in(environment: BTreeMap<String, String>, line: &str) -> (String, String, String) {
    let (output, results, messages) = Output::recorded();
    let arguments = line.split_whitespace().map(OsString::from);
    let code = run_with(arguments, environment, output);
    let plain = |text: String| anstream::adapter::strip_str(&text).to_string();
    (format!("{code:?}"), plain(results.text()), plain(messages.text()))
}

#[test]
fn the_definition_is_sound() {
    Cli::command().debug_assert();
}

#[test]
fn every_command_has_an_example() {
    fn check(command: &clap::Command, path: &str) {
        let path = format!("{path} {}", command.get_name());
        if command.is_hide_set() {
            return;
        }
        if command.has_subcommands() {
            command.get_subcommands().for_each(|inner| check(inner, &path));
            return;
        }
        let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
        assert!(help.starts_with("Example"), "{path} has no example");
    }
    check(&Cli::command(), "");
}

#[test]
fn wrong_usage_is_2_and_help_is_0() {
    for line in
        ["vestibule", "vestibule sing", "vestibule config", "vestibule health --role sing", "vestibule health ftp://x"]
    {
        let (code, results, messages) = run_line(line);
        assert_eq!(code, format!("{:?}", ExitCode::from(2)), "{line}: {messages}");
        assert!(results.is_empty() && !messages.is_empty(), "{line}");
    }
    let (code, results, messages) = run_line("vestibule config check --help");
    assert_eq!(code, format!("{:?}", ExitCode::SUCCESS));
    assert!(results.contains("Example:") && messages.is_empty());
}

#[test]
fn a_key_id_may_begin_with_a_hyphen() {
    let folder = tempfile::tempdir().unwrap();
    let database = format!("sqlite://{}", folder.path().join("keys.db").display());
    let run = |line: &str| run_in(BTreeMap::from([("DATABASE_URL".to_owned(), database.clone())]), line);
    assert!(run("vestibule key retire -9uPz").2.contains("--yes"));
    for line in ["vestibule key retire -9uPz --yes", "vestibule key retire --yes -9uPz"] {
        let (code, _, messages) = run(line);
        assert_eq!(code, format!("{:?}", ExitCode::FAILURE), "{messages}");
        assert!(messages.contains("-9uPz"), "{messages}");
    }
}

#[test]
fn unknown_roles_name_the_known_ones() {
    assert_snapshot!(run_line("vestibule health --role gateway,sing").2, @r#"
    error: invalid value 'sing' for '--role <ROLE>': unknown role `sing`; expected one of gateway, auth, aggregation

    For more information, try '--help'.
    "#);
}

#[test]
fn what_is_shown_loads_again() {
    let (_, results, _) = run_line("vestibule config show");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("shown.toml");
    std::fs::write(&path, &results).unwrap();
    assert_eq!(run_line(&format!("vestibule config show --config {}", path.display())).1, results);
}

#[test]
fn faults_of_the_configuration_are_2() {
    let (code, results, messages) = run_line("vestibule config check --config /nonexistent.toml");
    assert_eq!(code, format!("{:?}", ExitCode::from(2)));
    assert!(results.is_empty());
    assert_snapshot!(messages, @r#"
    /nonexistent.toml: cannot be read: no such file or directory
    error: 1 fault in the configuration
    "#);
}

#[test]
fn users_are_administered_beside_a_server() {
    let folder = tempfile::tempdir().unwrap();
    let database = format!("sqlite://{}", folder.path().join("users.db").display());
    let run = |line: &str| run_in(BTreeMap::from([("DATABASE_URL".to_owned(), database.clone())]), line);
    let [done, failed, refused] =
        [ExitCode::SUCCESS, ExitCode::FAILURE, ExitCode::from(2)].map(|code| format!("{code:?}"));

    assert_eq!(run("vestibule user create ada@example.com --password correct-horse --role admin").0, done);
    let (code, _, messages) = run("vestibule user create ada@example.com --password correct-horse");
    assert_eq!((code, messages.as_str()), (failed.clone(), "error: there is an account with this address already\n"));
    assert_eq!(run("vestibule user create nobody --password x").0, refused);
    assert_eq!(run("vestibule user show bob@example.com").0, failed);

    let (_, listed, _) = run("vestibule user list --format json");
    let listed: serde_json::Value = serde_json::from_str(&listed).unwrap();
    assert_eq!(listed["items"][0]["email"], "ada@example.com");
    assert_eq!(listed["items"][0]["roles"], serde_json::json!(["admin"]));
    assert!(!listed.to_string().contains("argon2"));

    assert!(run("vestibule migrate status").1.contains("true"));
    assert_eq!(run("vestibule migrate down").0, done);
    assert!(run("vestibule migrate status").1.contains("false"));
}

#[test]
fn users_of_another_system_are_imported() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).display().to_string();
    let database = format!("sqlite://{}", at("users.db"));
    let run = |line: &str| run_in(BTreeMap::from([("DATABASE_URL".to_owned(), database.clone())]), line);
    let [done, failed, refused] =
        [ExitCode::SUCCESS, ExitCode::FAILURE, ExitCode::from(2)].map(|code| format!("{code:?}"));
    let hash = "pbkdf2_sha256$1000$seasalt$mQnueSakb748zqBAC1tmWVZsZbi2zPGZarEzTGdfmso=";
    let ada =
        format!(r#"{{"email":"Ada@example.com","password_hash":"{hash}","email_verified":true,"roles":["admin"]}}"#);
    let bomb = r#"{"email":"eve@example.com","password_hash":"$scrypt$ln=40,r=8,p=1$YWJj$YWJj"}"#;
    std::fs::write(at("users.jsonl"), format!("{ada}\n{bomb}\n{{\"email\":\"x\",\"roles\":[\"king\"]}}\n")).unwrap();

    let import =
        |arguments: &str| run(&format!("vestibule user import {} --format json {arguments}", at("users.jsonl")));
    let counts = |results: &str| {
        let counts: serde_json::Value = serde_json::from_str(results).unwrap();
        ["imported", "existing", "refused"].map(|name| counts[name].as_u64().unwrap())
    };
    let (code, results, messages) = import("--dry-run");
    assert_eq!((code, counts(&results)), (failed.clone(), [1, 0, 2]), "{messages}");
    assert!(run("vestibule user list --format json").1.contains("\"items\": []"), "nothing is kept");
    let (code, results, messages) = import("");
    assert_eq!((code, counts(&results)), (failed.clone(), [1, 0, 2]));
    assert_snapshot!(messages, @r#"
    line 2: /password_hash: to compare with this hash would take too much time or memory (costly-hash)
    line 3: /email: expected an address such as name@example.com (invalid-email)
    line 3: /roles/0: there is no role "king" (unknown-role)
    error: 2 lines were refused
    "#);
    let (_, results, messages) = import("");
    assert_eq!(counts(&results), [0, 0, 3]);
    assert!(messages.contains("line 1: /email: there is an account with this address already (email-taken)"));
    let (code, results, messages) = import(&format!("--skip-existing --report {}", at("refused.jsonl")));
    assert_eq!((code, counts(&results)), (failed, [0, 1, 2]));
    assert_eq!(messages, "error: 2 lines were refused\n");
    let report = std::fs::read_to_string(at("refused.jsonl")).unwrap();
    assert!(report.starts_with(r#"{"line":2,"pointer":"/password_hash","code":"costly-hash""#), "{report}");

    let shown = run("vestibule user show ada@example.com --format json").1;
    assert!(shown.contains("\"active\"") && shown.contains("\"admin\"") && !shown.contains("seasalt"), "{shown}");
    std::fs::write(
        at("more.csv"),
        "email,password_hash\nbob@example.com,$2b$04$abcdefghijklmnopqrstuujydOTSfIH/d5oUHpsygqV5X9xJLQc6e\n",
    )
    .unwrap();
    assert_eq!(run(&format!("vestibule user import {}", at("more.csv"))).0, done);
    std::fs::write(at("wrong.csv"), "mail\n").unwrap();
    assert_eq!(run(&format!("vestibule user import {}", at("wrong.csv"))).0, refused);
}
