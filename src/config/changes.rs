//! What differs between two configurations.

use serde_json::Value as Json;

use super::Config;

/// The full keys of the settings that differ, in order. A list is one setting; values are not told, they may be secrets.
pub fn changed_keys(before: &Config, after: &Config) -> Vec<String> {
    let tree = |config: &Config| serde_json::to_value(config).unwrap_or_default();
    let mut keys = Vec::new();
    compare("", &tree(before), &tree(after), &mut keys);
    keys.sort();
    keys
}

fn compare(key: &str, before: &Json, after: &Json, keys: &mut Vec<String>) {
    let (Json::Object(old), Json::Object(new)) = (before, after) else {
        if before != after {
            keys.push(key.to_owned());
        }
        return;
    };
    let full = |name: &str| if key.is_empty() { name.to_owned() } else { format!("{key}.{name}") };
    for (name, value) in new {
        compare(&full(name), old.get(name).unwrap_or(&Json::Null), value, keys);
    }
    for (name, value) in old.iter().filter(|(name, _)| !new.contains_key(*name)) {
        compare(&full(name), value, &Json::Null, keys);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Override, Sources, load};

    fn with(overrides: &[(&'static str, &str)]) -> Config {
        let one = |(key, text): &(&'static str, &str)| Override { key, text: (*text).to_owned(), flag: "--test" };
        let sources = Sources { overrides: overrides.iter().map(one).collect(), ..Sources::default() };
        load(&sources).unwrap().config
    }

    #[test]
    fn settings_are_told_by_their_full_keys() {
        let before = with(&[]);
        assert!(changed_keys(&before, &before.clone()).is_empty());
        let after = with(&[
            ("server.port", "9000"),
            ("gateway.rate_limit", "false"),
            ("gateway.breaker.failures", "7"),
            ("server.operations", "{ host = \"127.0.0.1\", port = 9090 }"),
            ("aggregation.rulesets", "[{ name = \"r\", rules = [{ op = \"limit\", count = 3 }] }]"),
        ]);
        let expected = [
            "aggregation.rulesets",
            "gateway.breaker.failures",
            "gateway.rate_limit",
            "server.operations",
            "server.port",
        ];
        assert_eq!(changed_keys(&before, &after), expected);
        assert_eq!(changed_keys(&after, &before), expected);
    }
}
