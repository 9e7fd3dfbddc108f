//! Rules of transformations: what is read says truly where its expressions stand, what is refused is pointed at inside the
//! input, and rules that evaluate nothing give JSON.
#![no_main]

use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use vestibule::{modules::aggregation::fuzzing::read_rules, platform::json};

const DATA: [&str; 3] = [
    r#"[{"a":1.10,"b":{"c":[1,2]}},{"a":12345678901234567890123,"b":null},{"a":"é","":0}]"#,
    r#"{"a":[1,{"b":2}],"b":"x"}"#,
    "[]",
];

fuzz_target!(|text: &[u8]| {
    let Ok(value) = json::parse(text) else { return };
    match read_rules(&value) {
        Ok(rules) => {
            for (pointer, text) in rules.expressions() {
                assert_eq!(value.pointer(&pointer).and_then(Value::as_str), Some(text), "{pointer}");
            }
            for pointer in rules.that_need_the_whole() {
                let op = value.pointer(&pointer).and_then(|rule| rule["op"].as_str());
                assert!(matches!(op, Some("sort" | "distinct" | "group" | "jq")), "{pointer}");
            }
            for data in DATA {
                if let Some(text) = rules.apply(data) {
                    json::parse(text.as_bytes()).expect("the result is JSON");
                }
            }
        }
        Err(faults) => {
            assert!(!faults.is_empty());
            for fault in faults {
                let parent = fault.pointer.rsplit_once('/').map_or("", |(parent, _)| parent);
                assert!(value.pointer(parent).is_some(), "{:?} points at nothing", fault.pointer);
            }
        }
    }
});
