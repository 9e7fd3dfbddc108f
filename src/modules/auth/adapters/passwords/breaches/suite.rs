//! What every list promises, on each of them.

use std::{collections::BTreeMap, fmt::Write as _, fs, time::Duration};

use wiremock::{Mock, MockServer, ResponseTemplate, matchers::header};

use super::{breach_list, sha1};
use crate::{
    kernel::units::Span,
    modules::auth::{
        application::{BreachList, PortError},
        config::BreachListConfig,
        domain::PlainPassword,
    },
};

/// How many passwords stand in the list.
const LISTED: usize = 2_000;

fn listed() -> Vec<String> {
    let mut hashes: Vec<_> = (0..LISTED).map(|number| sha1(format!("stolen {number}").as_bytes())).collect();
    hashes.sort();
    hashes
}

async fn is_breached(list: &dyn BreachList, password: &str) -> Result<bool, PortError> {
    list.is_breached(&PlainPassword::given(password).unwrap()).await
}

/// Every promise of [`BreachList`] to a list with `listed` in it.
async fn suite(list: &dyn BreachList) {
    for number in [0, 1, 7, 500, LISTED - 1] {
        assert_eq!(is_breached(list, &format!("stolen {number}")).await, Ok(true), "{number}");
        assert_eq!(is_breached(list, &format!("kept {number}")).await, Ok(false), "{number}");
    }
    assert_eq!(is_breached(list, "").await, Ok(false));
}

fn at(file: Option<&std::path::Path>, url: Option<String>) -> BreachListConfig {
    let file = file.map(|path| path.display().to_string());
    BreachListConfig { url, file, timeout: Span(Duration::from_millis(500)), fail_open: true }
}

fn ranges() -> BTreeMap<String, String> {
    let mut ranges: BTreeMap<String, String> = BTreeMap::new();
    for hash in listed() {
        writeln!(ranges.entry(hash[..5].to_owned()).or_default(), "{}:3\r", &hash[5..]).unwrap();
    }
    ranges
}

#[tokio::test]
async fn a_file_of_hashes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("list.txt");
    for (end, case) in [(":12\r\n", false), ("\n", true)] {
        let lines = listed().join(end) + end;
        let lines = if case { lines.to_lowercase() } else { lines };
        fs::write(&path, &lines).unwrap();
        let list = breach_list(&at(Some(&path), None)).unwrap();
        suite(&*list).await;
        // Every line is found, the first and the last among them; with and without the last line's end.
        for number in 0..LISTED {
            assert_eq!(is_breached(&*list, &format!("stolen {number}")).await, Ok(true), "{number}");
        }
        fs::write(&path, lines.trim_end()).unwrap();
        suite(&*list).await;
    }
    let list = breach_list(&at(Some(&path), None)).unwrap();
    fs::write(&path, "no hashes at all\n".repeat(1_000)).unwrap();
    assert!(matches!(is_breached(&*list, "anything").await, Err(PortError::Unavailable(_))));
    assert!(breach_list(&at(Some(&path), None)).is_err(), "seen at start");
    fs::remove_file(&path).unwrap();
    assert!(matches!(is_breached(&*list, "anything").await, Err(PortError::Unavailable(_))));
    assert!(breach_list(&at(Some(&path), None)).is_err());
}

#[tokio::test]
async fn a_folder_of_ranges() {
    let folder = tempfile::tempdir().unwrap();
    for (number, (prefix, lines)) in ranges().into_iter().enumerate() {
        let name = if number % 2 == 0 { prefix } else { format!("{prefix}.txt") };
        fs::write(folder.path().join(name), lines).unwrap();
    }
    suite(&*breach_list(&at(Some(folder.path()), None)).unwrap()).await;
}

#[tokio::test]
async fn the_service() {
    let server = MockServer::start().await;
    let ranges = ranges();
    let answer = move |request: &wiremock::Request| {
        let prefix = request.url.path().trim_start_matches("/range/");
        assert_eq!(prefix.len(), 5, "no more leaves the process");
        let padding = format!("{}:0\r\n", &sha1(b"kept 7")[5..]);
        ResponseTemplate::new(200).set_body_string(ranges.get(prefix).cloned().unwrap_or_default() + &padding)
    };
    Mock::given(header("add-padding", "true")).respond_with(answer).mount(&server).await;
    let list = breach_list(&at(None, Some(format!("{}/range/", server.uri())))).unwrap();
    suite(&*list).await;
    for answer in [ResponseTemplate::new(503), ResponseTemplate::new(200).set_delay(Duration::from_secs(2))] {
        server.reset().await;
        Mock::given(wiremock::matchers::any()).respond_with(answer).mount(&server).await;
        assert!(matches!(is_breached(&*list, "stolen 1").await, Err(PortError::Unavailable(_))));
    }
}
