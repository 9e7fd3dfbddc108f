//! What a record says, whichever form it has.

use chrono::{DateTime, Utc};
use serde_json::Value;

use crate::{kernel::FieldFault, modules::auth::api::ImportedUser, platform::json};

/// The fields of a record.
pub(super) const FIELDS: [&str; 7] =
    ["email", "password_hash", "email_verified", "display_name", "roles", "created_at", "status"];

/// Reads a line of JSON Lines.
pub(super) fn from_json(line: u64, text: &str) -> Result<ImportedUser, Vec<FieldFault>> {
    let value = json::parse(text.as_bytes())
        .map_err(|error| vec![FieldFault::new("", "malformed", format!("not a JSON object: {error}"))])?;
    let Value::Object(members) = value else {
        return Err(vec![FieldFault::new("", "wrong-type", "expected an object")]);
    };
    let mut user = empty(line);
    let mut faults = Vec::new();
    for (name, value) in members {
        let wrong = |expected: &str| FieldFault::new(format!("/{name}"), "wrong-type", format!("expected {expected}"));
        let outcome = match (name.as_str(), value) {
            (known, Value::Null) if FIELDS.contains(&known) => Ok(()),
            ("email_verified", Value::Bool(is_verified)) => {
                user.email_verified = is_verified;
                Ok(())
            }
            ("roles", Value::Array(roles)) => {
                let names = roles.into_iter().map(|role| role.as_str().map(str::to_owned)).collect::<Option<Vec<_>>>();
                names.map(|names| user.roles = names).ok_or_else(|| wrong("a list of strings"))
            }
            ("email_verified", _) => Err(wrong("true or false")),
            ("roles", _) => Err(wrong("a list of strings")),
            (known, Value::String(text)) if FIELDS.contains(&known) => set(&mut user, known, &text),
            (known, _) if FIELDS.contains(&known) => Err(wrong("a string")),
            (unknown, _) => {
                let pointer = format!("/{}", unknown.replace('~', "~0").replace('/', "~1"));
                Err(FieldFault::new(pointer, "unknown", "there is no such member"))
            }
        };
        faults.extend(outcome.err());
    }
    finish(user, faults)
}

/// Reads named texts; an empty one is absent.
pub(super) fn from_fields<'a>(
    line: u64,
    fields: impl Iterator<Item = (&'static str, &'a str)>,
) -> Result<ImportedUser, Vec<FieldFault>> {
    let mut user = empty(line);
    let mut faults = Vec::new();
    for (name, text) in fields.filter(|(_, text)| !text.is_empty()) {
        let outcome = match name {
            "roles" => {
                let names = text.split([' ', ';']).filter(|name| !name.is_empty());
                user.roles = names.map(str::to_owned).collect();
                Ok(())
            }
            "email_verified" => match text.to_ascii_lowercase().as_str() {
                "true" | "1" => {
                    user.email_verified = true;
                    Ok(())
                }
                "false" | "0" => Ok(()),
                _ => Err(FieldFault::new("/email_verified", "wrong-type", "expected true or false")),
            },
            name => set(&mut user, name, text),
        };
        faults.extend(outcome.err());
    }
    finish(user, faults)
}

/// Sets a field that is a text.
fn set(user: &mut ImportedUser, name: &str, text: &str) -> Result<(), FieldFault> {
    match name {
        "email" => text.clone_into(&mut user.email),
        "password_hash" => user.password_hash = Some(text.into()),
        "display_name" => user.display_name = Some(text.to_owned()),
        "status" => user.status = Some(text.to_owned()),
        _ => {
            let time = DateTime::parse_from_rfc3339(text).map_err(|_| {
                FieldFault::new("/created_at", "wrong-time", "expected a time such as 2020-01-31T12:00:00Z")
            })?;
            user.created_at = Some(time.with_timezone(&Utc));
        }
    }
    Ok(())
}

fn finish(user: ImportedUser, mut faults: Vec<FieldFault>) -> Result<ImportedUser, Vec<FieldFault>> {
    if user.email.is_empty() && !faults.iter().any(|fault| fault.pointer == "/email") {
        faults.push(FieldFault::new("/email", "missing", "expected an address"));
    }
    if faults.is_empty() { Ok(user) } else { Err(faults) }
}

fn empty(line: u64) -> ImportedUser {
    ImportedUser {
        line,
        email: String::new(),
        password_hash: None,
        email_verified: false,
        display_name: None,
        roles: Vec::new(),
        created_at: None,
        status: None,
    }
}
