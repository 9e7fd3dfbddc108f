//! The strict JSON parser against the common one: it accepts nothing that the other refuses, understands the same, and
//! reads back what it has written.
#![no_main]

use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use vestibule::platform::json;

fuzz_target!(|text: &[u8]| {
    let Ok(value) = json::parse(text) else { return };
    let common: Value = serde_json::from_slice(text).expect("what the strict parser accepts is JSON");
    assert_eq!(value, common);
    json::parse(value.to_string().as_bytes()).expect("what was written can be read");
});
