//! Paths: what is canonical stays as it is, begins with a slash, and holds nothing that a target could read in another way.
#![no_main]

use libfuzzer_sys::fuzz_target;
use vestibule::modules::gateway::fuzzing::canonical;

fuzz_target!(|path: &str| {
    let Some(once) = canonical(path) else { return };
    assert_eq!(canonical(&once).as_deref(), Some(once.as_str()), "canonical twice is another");
    assert!(once.starts_with('/'));
    assert!(once.bytes().all(|byte| byte.is_ascii_graphic()), "{once:?}");
    assert!(!once.contains("//") && !once.contains('\\'), "{once:?}");
    assert!(!once.split('/').any(|segment| segment == "." || segment == ".."), "{once:?}");
    let lower = once.to_ascii_lowercase();
    for hidden in ["%2f", "%5c", "%2e", "%00", "%252f", "%255c", "%252e", "%2500", "%2525"] {
        assert!(!lower.contains(hidden), "{once:?} hides {hidden}");
    }
});
