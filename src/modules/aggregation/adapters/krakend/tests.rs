//! What becomes of configurations, and what is said of the rest.

use super::*;

/// `tests/krakend` has what goes in and what comes out; `UPDATE_IMPORTED=1` writes the latter anew.
#[test]
fn what_comes_out_is_as_it_was_written_down() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/krakend");
    for name in ["parallel", "sequential"] {
        let text = std::fs::read_to_string(format!("{folder}/{name}.json")).unwrap();
        let imported = import(&text).unwrap();
        let file = format!("{folder}/{name}.toml");
        if std::env::var_os("UPDATE_IMPORTED").is_some() {
            std::fs::write(&file, &imported.text).unwrap();
        }
        assert_eq!(imported.text, std::fs::read_to_string(file).unwrap());
        assert!(imported.notes.iter().all(|note| imported.text.contains(note)));
    }
}

#[test]
fn what_is_no_configuration_is_refused() {
    for (text, word) in [
        ("{", "not JSON"),
        ("[]", "an object"),
        ("{\"version\": 3}", "`endpoints`"),
        ("{\"version\": 2, \"endpoints\": []}", "`version` 3"),
    ] {
        assert!(import(text).unwrap_err().contains(word), "{text}");
    }
    let odd = r#"{"version": 3, "endpoints": [1, {}, {"endpoint": "/a"}, {"endpoint": "/a", "backend": [{}]}]}"#;
    assert_eq!(import(odd).unwrap().notes.len(), 4);
}

#[test]
fn durations_are_those_of_go() {
    for (text, millis) in
        [("1500ms", 1500), ("1.5s", 1500), ("1m30s", 90_000), ("2h", 7_200_000), ("100us", 1), ("0s", 0)]
    {
        assert_eq!(duration(text), Some(millis), "{text}");
    }
    for text in ["", "5", "s", "5 parsecs", "-1s"] {
        assert_eq!(duration(text), None, "{text}");
    }
    assert_eq!((span(1500), span(2000)), ("1500ms".to_owned(), "2s".to_owned()));
}

#[test]
fn names_are_quoted_where_they_must_be() {
    assert_eq!(program::path("a.b-c.if"), ".a.\"b-c\".\"if\"");
    assert_eq!(program::field("a\"\\(1)"), r#"."a\"\\(1)""#);
}
