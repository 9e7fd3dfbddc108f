//! The tour: commands to paste, in order, each with what it shows.

use std::{fmt::Write as _, path::Path};

use super::backends::Backends;

/// The steps: what is shown, and the command. `$TOKEN` is set by the second.
const STEPS: &[(&str, &str)] = &[
    (
        "Register a user.",
        r#"curl -s {door}/auth/register -H 'content-type: application/json' -d '{"email":"ada@example.com","password":"correct horse battery"}'"#,
    ),
    (
        "Log in, and keep the access token.",
        r#"TOKEN=$(curl -s {door}/auth/login -H 'content-type: application/json' -d '{"email":"ada@example.com","password":"correct horse battery"}' | sed -E 's/.*"access_token": ?"([^"]+)".*/\1/')"#,
    ),
    ("Who am I?", r#"curl -s {door}/auth/me -H "authorization: Bearer $TOKEN""#),
    ("Call a backend through the front door.", "curl -s {door}/shop/products"),
    ("Without a token a protected route says so, as a problem (RFC 9457).", "curl -s {door}/members/whoami"),
    ("With one, the backend is told who asks.", r#"curl -s {door}/members/whoami -H "authorization: Bearer $TOKEN""#),
    (
        "Several backends in one answer.",
        r#"curl -s "{door}/api/data/aggregate?sources=profile,orders,products&customer=42" -H "authorization: Bearer $TOKEN""#,
    ),
    (
        "One call for one screen, declared in the configuration.",
        r#"curl -s {door}/api/data/dashboard/42 -H "authorization: Bearer $TOKEN""#,
    ),
    (
        "Transform data by rules.",
        r#"curl -s {door}/api/data/transform -H "authorization: Bearer $TOKEN" -H 'content-type: application/json' -d '{"data":[{"name":"Desk","price":310},{"name":"Lamp","price":50}],"rules":[{"op":"sort","by":".price"},{"op":"set","field":"gross","value":".price * 1.2"}]}'"#,
    ),
    ("Break one backend, …", "curl -s -X POST {customers}/break"),
    (
        "… and the answer says what is missing instead of failing.",
        r#"curl -s "{door}/api/data/aggregate?sources=orders,products&customer=42" -H "authorization: Bearer $TOKEN""#,
    ),
    ("Mend it.", "curl -s -X POST {customers}/mend"),
    ("Log out; the token is dead at once.", r#"curl -s -X POST {door}/auth/logout -H "authorization: Bearer $TOKEN""#),
    ("It no longer opens anything.", r#"curl -s {door}/auth/me -H "authorization: Bearer $TOKEN""#),
    (
        "Reach the limit: 60 a minute for an unknown caller.",
        r"for i in $(seq 1 62); do curl -s -o /dev/null -w '%{http_code} ' {door}/shop/products; done; echo",
    ),
    ("See how long to wait.", "curl -s -i {door}/shop/products"),
    (
        "See it all in the metrics.",
        "curl -s {door}/metrics | grep -E '^(http_requests_total|rate_limit_decisions_total|upstream_requests_total)'",
    ),
    ("Is it well?", "curl -s {door}/health"),
];

pub(super) fn text(port: u16, config: &Path, backends: &Backends) -> String {
    let door = format!("http://127.0.0.1:{port}");
    let mut text = format!(
        "\nVestibule runs at {door} on throwaway data. Paste these into another terminal, one by one.\n\
         Every request leaves a line in the log here. Ctrl-C ends the demo and removes its data.\n\n\
         # Configuration: {}\n# Swagger UI:    {door}/docs\n# Redoc:         {door}/redoc\n",
        config.display()
    );
    for (number, (what, command)) in STEPS.iter().enumerate() {
        // An answer ends its own line, so that the next prompt begins one.
        let command = command.replacen("curl -s ", "curl -s -w '\\n' ", usize::from(command.starts_with("curl -s ")));
        let command = command.replace("{door}", &door).replace("{customers}", &backends.customers);
        let _ = write!(text, "\n# {}. {what}\n{command}\n", number + 1);
    }
    text.push('\n');
    text
}
