//! Keys that are not there: misspelt ones, and those of later versions.

use super::key::Key;

/// What the documented configuration holds beyond this version, in place of list positions `[]`. A key is refused with
/// these words instead of being called misspelt.
const NOT_YET: [&str; 15] = [
    "events",
    "telemetry",
    "database.replicas",
    "services.tasks",
    "services.notifications",
    "services.documents",
    "services.storage",
    "services.analysis",
    "services.analytics",
    "tasks",
    "notifications",
    "documents",
    "storage",
    "analysis",
    "analytics",
];

/// Plain variables of later versions. They may be set for other programs, so they are only worth a warning.
pub(super) const VARIABLES_NOT_YET: [&str; 7] = [
    "KAFKA_BROKERS",
    "TASKS_SERVICE_URL",
    "NOTIFICATIONS_SERVICE_URL",
    "DOCUMENTS_SERVICE_URL",
    "STORAGE_SERVICE_URL",
    "ANALYSIS_SERVICE_URL",
    "ANALYTICS_SERVICE_URL",
];

/// Why `key` is refused. `expected` are the keys of its table.
pub(super) fn detail(key: &Key, name: &str, expected: &[&str]) -> String {
    if NOT_YET.contains(&key.pattern().as_str()) {
        return format!("`{name}` is not available in this version yet");
    }
    format!("unknown key{}", choices(name, expected))
}

/// What was probably meant by `text`, and what there is.
pub(super) fn choices(text: &str, choices: &[&str]) -> String {
    match nearest(text, choices) {
        Some(known) => format!(", did you mean `{known}`? expected {}", one_of(choices)),
        None => format!(", expected {}", one_of(choices)),
    }
}

/// `one of `a`, `b``, or the only one.
fn one_of(choices: &[&str]) -> String {
    let quoted: Vec<_> = choices.iter().map(|choice| format!("`{choice}`")).collect();
    match quoted.as_slice() {
        [] => "nothing".to_owned(),
        [only] => only.clone(),
        all => format!("one of {}", all.join(", ")),
    }
}

/// The choice that was probably meant.
pub(super) fn nearest<'a>(text: &str, choices: &[&'a str]) -> Option<&'a str> {
    // Longer is no typing mistake, and comparing costs the product of the lengths.
    if text.len() > 64 {
        return None;
    }
    let text = text.to_lowercase().replace('-', "_");
    let distance = |choice: &str| strsim::osa_distance(&text, &choice.to_lowercase());
    let (choice, distance) = choices.iter().map(|choice| (*choice, distance(choice))).min_by_key(|(_, far)| *far)?;
    let tolerated = (choice.len().max(text.len()) / 3).max(1);
    (distance <= tolerated).then_some(choice)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suggests_what_was_probably_meant() {
        let keys = ["upstream", "path", "timeout"];
        assert_eq!(nearest("upstrem", &keys), Some("upstream"));
        assert_eq!(nearest("Time-out", &keys), Some("timeout"));
        assert_eq!(nearest("colour", &keys), None);
    }
}
