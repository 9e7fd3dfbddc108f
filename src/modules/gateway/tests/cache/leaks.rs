//! Nobody gets what is another's.

use proptest::{prelude::*, strategy::ValueTree as _, test_runner::TestRunner};

use super::*;

/// A request of the property: who asks, in which language, with which credentials.
#[derive(Debug, Clone)]
struct Asking {
    path: &'static str,
    language: Option<&'static str>,
    credentials: Option<&'static str>,
}

fn asking() -> impl Strategy<Value = Asking> {
    let path = prop_oneof![Just("/u/private"), Just("/u/public"), Just("/u/plain")];
    let language = prop_oneof![Just(None), Just(Some("de")), Just(Some("fr")), Just(Some("fr, de"))];
    let credentials = prop_oneof![Just(None), Just(Some("one")), Just(Some("two"))];
    (path, language, credentials).prop_map(|(path, language, credentials)| Asking { path, language, credentials })
}

fn header<'a>(head: &'a str, name: &str) -> &'a str {
    head.lines().find_map(|line| line.strip_prefix(name)).unwrap_or("-")
}

/// The upstream answers with what it was asked by; only what it calls public is the same for everybody.
#[actix_web::test]
async fn answers_stay_within_what_they_vary_by_and_with_whom_they_are_for() {
    let upstream = origin(|head, _| {
        let control = match head.split(' ').nth(1) {
            Some("/public") => "public, max-age=60",
            Some("/private") => "private, max-age=60",
            _ => "max-age=60",
        };
        let body = format!("{} {}", header(head, "accept-language: "), header(head, "authorization: "));
        (format!("cache-control: {control}\r\nvary: accept-language\r\n"), body)
    });
    let front = cached(&upstream, "{ ttl = '1m', stale_while_revalidate = '1m', stale_if_error = '1m' }").await;
    let requests = proptest::collection::vec(asking(), 200);
    let requests = requests.new_tree(&mut TestRunner::deterministic()).unwrap().current();
    let mut hits = 0;
    for asking in requests {
        let language = asking.language.map(|text| format!("accept-language: {text}\r\n")).unwrap_or_default();
        let credentials = asking.credentials.map(|text| format!("authorization: {text}\r\n")).unwrap_or_default();
        let answer = get(&front, asking.path, &format!("{language}{credentials}")).await;
        let body = answer.text();
        let (got_language, got_credentials) = body.rsplit_once(' ').unwrap();
        assert_eq!(got_language, asking.language.unwrap_or("-"), "{asking:?}");
        if asking.path != "/u/public" {
            assert_eq!(got_credentials, asking.credentials.unwrap_or("-"), "{asking:?}");
        }
        let hit = answer.header("age").is_some();
        hits += usize::from(hit);
        assert!(!hit || asking.path == "/u/public" || (asking.path == "/u/plain" && asking.credentials.is_none()));
    }
    assert!(hits > 50, "{hits}");
}

#[actix_web::test]
async fn users_whom_the_gateway_names_have_answers_of_their_own() {
    let upstream = origin(|head, _| {
        ("cache-control: public, max-age=60\r\nvary: x-user-id\r\n".to_owned(), header(head, "x-user-id: ").to_owned())
    });
    let route = "auth = 'optional'\ncache = {}";
    let front = front(&config(&one_upstream(upstream.address, "", route))).await;
    for _ in 0..2 {
        for user in [1u128, 2] {
            let token = format!("authorization: Bearer {}\r\nx-user-id: forged\r\n", token(user, &[], ""));
            assert_eq!(get(&front, "/u/x", &token).await.text(), uuid::Uuid::from_u128(user).to_string());
        }
        assert_eq!(get(&front, "/u/x", "x-user-id: forged\r\n").await.text(), "-");
    }
    assert_eq!(upstream.requests(), 3);
}

#[actix_web::test]
async fn what_a_client_says_of_the_host_chooses_no_answer() {
    let upstream =
        origin(|head, _| ("cache-control: max-age=60\r\n".to_owned(), header(head, "x-forwarded-host: ").to_owned()));
    let front = cached(&upstream, "{}").await;
    let poison = "x-forwarded-host: evil.example\r\nforwarded: host=evil.example\r\nx-original-host: evil.example\r\n";
    assert_eq!(get(&front, "/u/x", poison).await.text(), "front.example");
    assert_eq!(get(&front, "/u/x", "").await.text(), "front.example");
    assert_eq!(upstream.requests(), 1);
}

#[actix_web::test]
async fn routes_on_one_path_have_answers_of_their_own() {
    let one = counting("cache-control: max-age=60\r\n");
    let two = origin(|_, _| ("cache-control: max-age=60\r\n".to_owned(), "two".to_owned()));
    let lines = format!(
        "{}[[upstreams]]\nname = 'v'\ntargets = [{{ url = 'http://{}' }}]\n\
         [[routes]]\nname = 'v'\npath = '/u/{{*rest}}'\nheaders = {{ 'api-version' = '2' }}\nupstream = 'v'\ncache = {{}}\n",
        one_upstream(one.address, "", "cache = {}"),
        two.address
    );
    let front = front(&config(&lines)).await;
    for _ in 0..2 {
        assert_eq!(get(&front, "/u/x", "").await.text(), "1");
        assert_eq!(get(&front, "/u/x", "api-version: 2\r\n").await.text(), "two");
    }
    assert_eq!((one.requests(), two.requests()), (1, 1));
    // What changes the URL on one route concerns it on all.
    raw(&front, "DELETE /u/x HTTP/1.1\r\nhost: front.example\r\n\r\n").await;
    get(&front, "/u/x", "api-version: 2\r\n").await;
    assert_eq!(two.requests(), 2);
}

#[actix_web::test]
async fn an_encoded_body_is_for_those_who_can_read_it() {
    let upstream = counting("cache-control: max-age=60\r\ncontent-encoding: br\r\n");
    let front = cached(&upstream, "{}").await;
    assert_eq!(get(&front, "/u/x", "accept-encoding: gzip, br\r\n").await.text(), "1");
    assert_eq!(get(&front, "/u/x", "accept-encoding: br,gzip\r\n").await.text(), "1");
    assert_eq!(get(&front, "/u/x", "").await.text(), "2");
}
