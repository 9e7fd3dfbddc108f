//! The command line as a whole.

use clap::CommandFactory as _;
use insta::assert_snapshot;

use super::*;

/// Exit code, results, messages.
fn run_line(line: &str) -> (String, String, String) {
    let (output, results, messages) = Output::recorded();
    let arguments = line.split_whitespace().map(OsString::from);
    let code = run_with(arguments, BTreeMap::new(), output);
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
        assert!(help.starts_with("Example:\n  "), "{path} has no example");
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
