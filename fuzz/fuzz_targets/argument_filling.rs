//! Addresses of sources: the first line is a template, each other line fills the next of its places. Whatever stands there,
//! scheme, host, depth of the path and the query's parameters are those of the template.
#![no_main]

use libfuzzer_sys::fuzz_target;
use url::Url;
use vestibule::modules::aggregation::fuzzing::{filled, places};

fuzz_target!(|text: &str| {
    let mut lines = text.split('\n');
    let template = lines.next().unwrap_or_default();
    let Some(places) = places(template) else { return };
    let with = |values: &mut dyn Iterator<Item = String>| {
        let arguments: Vec<_> = places.iter().cloned().zip(values).collect();
        filled(template, &arguments)
    };
    let mut given = lines.map(str::to_owned).chain(std::iter::repeat(String::from("x")));
    let Some(address) = with(&mut given) else { return };
    // A template may hold segments that everybody resolves; what is compared is what plain arguments make of it.
    let Some(plain) = with(&mut std::iter::repeat(String::from("x"))) else { return };
    let (Ok(address), Ok(plain)) = (Url::parse(&address), Url::parse(&plain)) else { return };
    assert_eq!(address.scheme(), plain.scheme());
    assert_eq!(address.host_str(), plain.host_str());
    assert_eq!(address.port(), plain.port());
    assert_eq!((address.username(), address.password()), (plain.username(), plain.password()));
    assert_eq!(address.fragment(), None);
    assert_eq!(address.path_segments().map(Iterator::count), plain.path_segments().map(Iterator::count));
    let names = |url: &Url| url.query().map(|query| query.matches('&').count());
    assert_eq!(names(&address), names(&plain));
});
