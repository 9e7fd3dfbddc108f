//! Many requests for the same at the same time.

use super::*;

async fn at_once(front: &Front, count: usize, headers: &'static str) -> Vec<Answer> {
    let calls = (0..count).map(|_| get(front, "/u/x", headers));
    futures_util::future::join_all(calls).await
}

/// An upstream that takes its time.
fn slow(lines: &'static str) -> Upstream {
    origin(move |_, number| {
        std::thread::sleep(Duration::from_millis(300));
        (lines.to_owned(), number.to_string())
    })
}

#[actix_web::test]
async fn one_fetches_for_all() {
    let upstream = slow("cache-control: max-age=60\r\n");
    let front = cached(&upstream, "{}").await;
    let answers = at_once(&front, 20, "").await;
    assert_eq!(upstream.requests(), 1);
    assert!(answers.iter().all(|answer| answer.text() == "1"));
    let collapsed = answers.iter().filter(|answer| cache_status(answer).contains("; collapsed")).count();
    assert_eq!(collapsed, 19);
}

#[actix_web::test]
async fn an_answer_for_one_alone_releases_all_at_once() {
    let upstream = slow("cache-control: no-store\r\n");
    let front = cached(&upstream, "{}").await;
    let started = std::time::Instant::now();
    let answers = at_once(&front, 20, "").await;
    assert_eq!(upstream.requests(), 20);
    let mut bodies: Vec<u32> = answers.iter().map(|answer| answer.text().parse().unwrap()).collect();
    bodies.sort_unstable();
    assert_eq!(bodies, (1..=20).collect::<Vec<_>>(), "each has its own");
    assert!(started.elapsed() < Duration::from_secs(3), "not one after the other: {:?}", started.elapsed());
    // It is remembered for a while that nobody need wait.
    let started = std::time::Instant::now();
    at_once(&front, 20, "").await;
    assert!(started.elapsed() < Duration::from_millis(1500), "{:?}", started.elapsed());
}

#[actix_web::test]
async fn nobody_waits_for_long() {
    let upstream = origin(|_, number| {
        std::thread::sleep(Duration::from_millis(if number == 1 { 1500 } else { 0 }));
        ("cache-control: max-age=60\r\n".to_owned(), number.to_string())
    });
    let lines = one_upstream(upstream.address, "", "cache = {}");
    let front = front(&config(&format!("cache = {{ wait = '200ms' }}\n{lines}"))).await;
    let first = get(&front, "/u/x", "");
    let second = async {
        pause(100).await;
        let started = std::time::Instant::now();
        (get(&front, "/u/x", "").await.text(), started.elapsed())
    };
    let (first, (second, waited)) = futures_util::future::join(first, second).await;
    assert_eq!((first.text().as_str(), second.as_str()), ("1", "2"));
    assert!(waited < Duration::from_millis(1200), "{waited:?}");
}

#[actix_web::test]
async fn who_fetches_and_goes_away_leaves_it_to_another() {
    let upstream = slow("cache-control: max-age=60\r\n");
    let front = cached(&upstream, "{}").await;
    let mut leaving = std::net::TcpStream::connect(front.address).unwrap();
    leaving.write_all(b"GET /u/x HTTP/1.1\r\nhost: front.example\r\n\r\n").unwrap();
    pause(100).await;
    let waiting = at_once(&front, 5, "");
    let leave = async {
        pause(50).await;
        drop(leaving);
    };
    let (answers, ()) = futures_util::future::join(waiting, leave).await;
    assert!(answers.iter().all(|answer| answer.status == 200), "{answers:?}");
    assert!(upstream.requests() <= 3, "{}", upstream.requests());
}

#[actix_web::test]
async fn different_variants_fly_apart() {
    let upstream = origin(|head, _| {
        std::thread::sleep(Duration::from_millis(200));
        let language = head.lines().find_map(|line| line.strip_prefix("accept-language: ")).unwrap_or("none");
        ("cache-control: max-age=60\r\nvary: accept-language\r\n".to_owned(), language.to_owned())
    });
    let front = cached(&upstream, "{}").await;
    for _ in 0..2 {
        let german = at_once(&front, 5, "accept-language: de\r\n");
        let french = at_once(&front, 5, "accept-language: fr\r\n");
        let (german, french) = futures_util::future::join(german, french).await;
        assert!(german.iter().all(|answer| answer.text() == "de"));
        assert!(french.iter().all(|answer| answer.text() == "fr"));
    }
    assert!(upstream.requests() <= 6, "{}", upstream.requests());
}
