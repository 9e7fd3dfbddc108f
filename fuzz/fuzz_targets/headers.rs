//! Header hygiene: the first line is a `Connection` header, the others are names. What a target could take for ours, and
//! what is declared to be of the connection, never goes on.
#![no_main]

use libfuzzer_sys::fuzz_target;
use vestibule::modules::gateway::fuzzing::{declared, may_go_on};

fuzz_target!(|text: &str| {
    let (connection, names) = text.split_once('\n').unwrap_or((text, ""));
    let lower: Vec<String> = names.lines().map(str::to_ascii_lowercase).collect();
    for name in &lower {
        // Servers that read `_` and `.` as `-`.
        let read = name.replace(['_', '.'], "-");
        let ours = ["x-user-", "x-forwarded-"].iter().any(|prefix| read.starts_with(prefix))
            || matches!(read.as_str(), "forwarded" | "x-real-ip" | "x-request-id" | "client-cert" | "client-cert-chain");
        let hop = matches!(name.as_str(), "connection" | "keep-alive" | "te" | "trailer" | "transfer-encoding" | "upgrade");
        assert!(!(ours || hop) || !may_go_on(name), "{name} goes on");
    }
    let names: Vec<&str> = lower.iter().map(String::as_str).collect();
    let found = declared(&[connection.as_bytes()], &names);
    let kept = ["close", "keep-alive", "upgrade", "te"];
    for name in names.iter().filter(|name| !name.is_empty() && !kept.contains(name)) {
        let is_declared = connection.split(',').any(|option| option.trim().eq_ignore_ascii_case(name));
        assert_eq!(found.contains(name), is_declared, "{name} by {connection:?}");
    }
});
