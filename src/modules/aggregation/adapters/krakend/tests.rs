//! What becomes of configurations, and what is said of the rest.

use insta::assert_snapshot;

use super::*;

const PARALLEL: &str = include_str!("../../../../../tests/krakend/parallel.json");
const SEQUENTIAL: &str = include_str!("../../../../../tests/krakend/sequential.json");

fn imported(text: &str) -> (String, String) {
    let imported = import(text).unwrap();
    let body: Vec<&str> = imported.text.lines().skip_while(|line| line.starts_with('#')).collect();
    (body.join("\n"), imported.notes.join("\n"))
}

#[test]
fn backends_side_by_side_become_steps() {
    let (text, notes) = imported(PARALLEL);
    assert_snapshot!(text, @"");
    assert_snapshot!(notes, @"");
}

#[test]
fn backends_one_after_the_other_become_a_chain() {
    let (text, notes) = imported(SEQUENTIAL);
    assert_snapshot!(text, @"");
    assert_snapshot!(notes, @"");
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
