//! Answers of sources put into one: the input is split at line breaks, every piece is a source's body. What is accepted
//! stands in the result byte for byte, under its name, in its order, and the result is JSON that says the same.
#![no_main]

use std::fmt::Write as _;

use libfuzzer_sys::fuzz_target;
use serde_json::{Value, value::RawValue};
use vestibule::{
    modules::aggregation::fuzzing::{merged, through_an_array},
    platform::json,
};

fuzz_target!(|text: &[u8]| {
    let bodies: Vec<&[u8]> = text.split(|byte| *byte == b'\n').take(8).collect();
    let results: Vec<_> =
        bodies.iter().enumerate().map(|(index, body)| (format!("s{index}\""), body.to_vec())).collect();
    let Some(answer) = merged(&results) else { return };
    let mut expected = String::from("{");
    for (index, body) in bodies.iter().enumerate() {
        let body = std::str::from_utf8(body).expect("what was accepted is text");
        let body = body.trim_matches([' ', '\t', '\r']);
        let comma = if index == 0 { "" } else { "," };
        let _ = write!(expected, "{comma}\"s{index}\\\"\":{}", if body.is_empty() { "null" } else { body });
    }
    assert_eq!(answer, expected + "}");
    // One level more than a source may have; beyond that the strict parser, rightly, stops.
    let Ok(value) = json::parse(answer.as_bytes()) else { return };
    assert_eq!(value, serde_json::from_str::<Value>(&answer).expect("the answer is JSON"));

    let read: Vec<&RawValue> = bodies.iter().filter_map(|body| serde_json::from_slice(body).ok()).collect();
    let back = through_an_array(&read);
    assert!(back.iter().map(|value| value.get()).eq(read.iter().map(|value| value.get())));
});
