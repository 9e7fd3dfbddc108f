//! jq as requests may use it, and the rules with it.

use serde_json::{Value, json, value::RawValue};

use super::{
    super::super::domain::{
        rule,
        transform::{RuleFault, apply},
    },
    *,
};

fn transformed(data: &str, rules: &Value) -> Result<String, RuleFault> {
    let rules = rule::read(rules, "").expect("rules that read");
    let data = RawValue::from_string(data.to_owned()).expect("JSON");
    apply(&Jaq, &data, &rules, 1 << 20).map(|data| data.get().to_owned())
}

#[test]
fn every_rule_does_what_it_says() {
    let data = r#"[{"id":1,"p":5,"t":["x","y"]},{"id":2,"p":7,"t":[]},{"id":3,"p":5,"t":["z"]}]"#;
    let cases = [
        (
            json!([{"op": "filter", "where": ".p > 5"}, {"op": "select", "fields": ["p", "id", "no"]}]),
            r#"[{"id":2,"p":7}]"#,
        ),
        (
            json!([{"op": "remove", "fields": ["t", "no"]}, {"op": "limit", "count": 1, "offset": 1}]),
            r#"[{"id":2,"p":7}]"#,
        ),
        (
            json!([{"op": "remove", "fields": ["t"]}, {"op": "rename", "from": "id", "to": "n"}, {"op": "limit", "count": 1}]),
            r#"[{"n":1,"p":5}]"#,
        ),
        (
            json!([{"op": "sort", "by": ".p", "order": "desc"}, {"op": "select", "fields": ["id"]}]),
            r#"[{"id":2},{"id":1},{"id":3}]"#,
        ),
        (
            json!([{"op": "set", "field": "d", "value": ".p * 2"}, {"op": "select", "fields": ["d"]}]),
            r#"[{"d":10},{"d":14},{"d":10}]"#,
        ),
        (json!([{"op": "distinct", "by": ".p"}, {"op": "select", "fields": ["id"]}]), r#"[{"id":1},{"id":2}]"#),
        (
            json!([{"op": "group", "by": ".p", "into": {"n": {"fn": "count"}, "s": {"fn": "sum", "of": ".id"}, "a": {"fn": "avg", "of": ".id"}, "l": {"fn": "list", "of": ".id"}, "m": {"fn": "max", "of": ".id"}}}]),
            r#"[{"key":5,"n":2,"s":4,"a":2,"l":[1,3],"m":3},{"key":7,"n":1,"s":2,"a":2,"l":[2],"m":2}]"#,
        ),
        (
            json!([{"op": "flatten", "field": "t"}, {"op": "select", "fields": ["id", "t"]}]),
            r#"[{"id":1,"t":"x"},{"id":1,"t":"y"},{"id":3,"t":"z"}]"#,
        ),
        (json!([{"op": "jq", "program": "map(.id) | add"}]), "6"),
    ];
    for (rules, expected) in cases {
        assert_eq!(transformed(data, &rules).as_deref(), Ok(expected), "{rules}");
    }
    assert_eq!(
        transformed(r#"{"a":1,"b":2}"#, &json!([{"op": "remove", "fields": ["a"]}])).as_deref(),
        Ok(r#"{"b":2}"#)
    );
}

#[test]
fn what_no_rule_touched_is_the_same_byte_for_byte() {
    let data = r#"[{"z":12345678901234567890.10,"a":"\u00e9\/ü","e":1E400,"n":-0,"k":[ 1 , 2 ]}]"#;
    for rules in [
        json!([{"op": "filter", "where": "true"}]),
        json!([{"op": "sort", "by": ".z"}, {"op": "remove", "fields": ["x"]}]),
        json!([{"op": "set", "field": "k2", "value": "1"}, {"op": "remove", "fields": ["k2"]}]),
    ] {
        assert_eq!(transformed(data, &rules).as_deref(), Ok(data), "{rules}");
    }
    let through_jq = transformed(r"[123456789012345678901234567890,1.10,0.1]", &json!([{"op": "jq", "program": "."}]));
    assert_eq!(through_jq.as_deref(), Ok(r"[123456789012345678901234567890,1.10,0.1]"));
}

#[test]
fn a_wrong_expression_is_pointed_at() {
    let pointer = |rules: Value| match transformed("[{}]", &rules) {
        Err(RuleFault::Bad { pointer, code, .. }) => (pointer, code),
        other => panic!("{other:?}"),
    };
    assert_eq!(
        pointer(json!([{"op": "limit", "count": 1}, {"op": "filter", "where": ".["}])),
        ("/1/where".to_owned(), "bad-expression")
    );
    assert_eq!(pointer(json!([{"op": "jq", "program": "nosuch"}])), ("/0/program".to_owned(), "bad-expression"));
    assert_eq!(pointer(json!([{"op": "jq", "program": "1, 2"}])), ("/0/program".to_owned(), "not-one-value"));
    assert_eq!(
        pointer(json!([{"op": "jq", "program": "error(\"x\")"}])),
        ("/0/program".to_owned(), "evaluation-failed")
    );
    assert_eq!(pointer(json!([{"op": "flatten", "field": "x"}])), ("/0/field".to_owned(), "not-an-array"));
}

#[test]
fn nothing_outside_can_be_reached() {
    for program in [
        "env",
        "$ENV",
        "$ENV.PATH",
        "input",
        "[inputs]",
        "debug",
        "stderr",
        "now",
        "halt",
        "halt_error",
        "localtime",
        "strflocaltime(\"%H\")",
        "import \"a\" as a; 1",
        "include \"a\"; 1",
        "input_filename",
        "$__prog_args",
        "get_search_list",
    ] {
        assert!(JaqProgram::compile(program).is_err(), "{program}");
    }
}

#[test]
fn numbers_are_written_as_jq_writes_them() {
    let cases = [
        ("nan", "null"),
        ("infinite", "1.7976931348623157e+308"),
        ("4/2", "2"),
        ("1/4", "0.25"),
        ("1e1000", "1e1000"),
        ("-(1/0)", "-1.7976931348623157e+308"),
    ];
    for (program, expected) in cases {
        assert_eq!(
            transformed("null", &json!([{"op": "jq", "program": program}])).as_deref(),
            Ok(expected),
            "{program}"
        );
    }
}
