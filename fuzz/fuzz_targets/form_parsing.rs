//! The strict reader of OAuth's parameters against the common one: it accepts no name twice, and understands what it accepts
//! as everybody else does.
#![no_main]

use std::collections::BTreeSet;

use libfuzzer_sys::fuzz_target;
use vestibule::modules::auth::fuzzing::read_form;

fuzz_target!(|text: &[u8]| {
    let Some(parameters) = read_form(text) else { return };
    let common: Vec<_> = url::form_urlencoded::parse(text).collect();
    let names: BTreeSet<_> = common.iter().map(|(name, _)| name).collect();
    assert_eq!(names.len(), common.len(), "a parameter is there twice");
    let mut filled: Vec<_> = common.iter().filter(|(_, value)| !value.is_empty()).collect();
    filled.sort();
    let same = filled.len() == parameters.len()
        && filled.iter().zip(&parameters).all(|(one, other)| one.0 == other.0 && one.1 == other.1);
    assert!(same, "{parameters:?} is not {filled:?}");
});
