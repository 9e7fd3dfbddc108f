//! Redirect URIs: the first line is what a client registered, the second what a request asks for. Where they match, a
//! browser must end up at the registered scheme, host and path, however it reads the text.
#![no_main]

use libfuzzer_sys::fuzz_target;
use url::Url;
use vestibule::modules::auth::fuzzing::redirect_matches;

fuzz_target!(|text: &str| {
    let Some((kept, asked)) = text.split_once('\n') else { return };
    assert_ne!(redirect_matches(kept, kept), Some(false), "a URI does not match itself");
    if redirect_matches(kept, asked) != Some(true) {
        return;
    }
    let kept = Url::parse(kept).expect("what is registered is a URL");
    let asked = Url::parse(asked).expect("what matches is a URL");
    assert_eq!(kept.scheme(), asked.scheme());
    assert_eq!(kept.host_str(), asked.host_str());
    assert_eq!(kept.path(), asked.path());
    assert_eq!(kept.query(), asked.query());
    assert_eq!(asked.fragment(), None);
    assert_eq!((asked.username(), asked.password()), ("", None));
    if !matches!(asked.host_str(), Some("127.0.0.1" | "[::1]")) {
        assert_eq!(kept.port(), asked.port());
    }
});
