//! What an upstream may answer in HTTP/1.1, and what becomes of its connection.

use std::{io::Write as _, sync::atomic::Ordering, thread, time::Duration};

use rstest::rstest;

use super::support::{Upstream, config, front, get, one_upstream, raw};

/// An upstream that says these bytes to every request.
fn saying(bytes: &'static [u8], stays: bool) -> Upstream {
    Upstream::new(move |_, stream| stream.write_all(bytes).is_ok() && stays)
}

#[rstest]
#[case::lf_only(b"HTTP/1.1 200 OK\ncontent-length: 2\n\nok")]
#[case::no_reason(b"HTTP/1.1 200\r\ncontent-length: 2\r\n\r\nok")]
#[case::the_same_length_twice(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 2\r\n\r\nok")]
#[case::chunks(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1;a=b\r\no\r\n1\r\nk\r\n0\r\nx-sum: 1\r\n\r\n")]
#[case::after_others(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")]
#[actix_web::test]
async fn an_answer_is_passed_on_and_the_connection_kept(#[case] says: &'static [u8]) {
    let upstream = saying(says, true);
    let front = front(&config(&one_upstream(upstream.address, "", ""))).await;
    for _ in 0..3 {
        let answer = get(&front, "/u/x", "").await;
        assert!(answer.status == 200 && answer.whole && answer.header("link").is_none(), "{answer:?}");
        let text: String = answer.text().chars().filter(char::is_ascii_alphabetic).collect();
        assert_eq!(text, "ok", "{answer:?}");
    }
    assert_eq!(upstream.connections.load(Ordering::Relaxed), 1);
}

#[rstest]
#[case::without_a_length(b"HTTP/1.1 200 OK\r\n\r\nok", false)]
#[case::old(b"HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nok", true)]
#[case::that_closes(b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok", true)]
#[case::with_more_behind(
    b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nokHTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\npoison",
    true
)]
#[actix_web::test]
async fn an_answer_is_passed_on_and_the_connection_not_used_again(#[case] says: &'static [u8], #[case] stays: bool) {
    let upstream = saying(says, stays);
    let front = front(&config(&one_upstream(upstream.address, "", ""))).await;
    for _ in 0..3 {
        let answer = get(&front, "/u/x", "").await;
        assert!(answer.status == 200 && answer.text().contains("ok"), "{answer:?}");
        assert!(!answer.text().contains("poison"), "{answer:?}");
    }
    assert_eq!(upstream.connections.load(Ordering::Relaxed), 3);
}

#[rstest]
#[case::unknown_coding(b"HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n")]
#[case::coding_of_an_old_one(b"HTTP/1.0 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n")]
#[case::folded(b"HTTP/1.1 200 OK\r\na: b\r\n c\r\ncontent-length: 0\r\n\r\n")]
#[case::space_before_the_colon(b"HTTP/1.1 200 OK\r\ncontent-length : 0\r\n\r\n")]
#[case::signed_length(b"HTTP/1.1 200 OK\r\ncontent-length: +2\r\n\r\nok")]
#[case::unasked_change(b"HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n")]
#[actix_web::test]
async fn an_answer_that_can_be_read_in_two_ways_is_none(#[case] says: &'static [u8]) {
    let upstream = saying(says, true);
    let front = front(&config(&one_upstream(upstream.address, "", ""))).await;
    let answer = get(&front, "/u/x", "").await;
    assert_eq!((answer.status, answer.code()), (502, "bad-gateway"));
}

#[actix_web::test]
async fn a_head_may_come_in_pieces_but_not_for_ever() {
    let dripping = Upstream::new(|_, stream| {
        let answer = b"HTTP/1.1 200 OK\r\nx-a: b\r\ncontent-length: 2\r\n\r\nok";
        answer.iter().all(|byte| stream.write_all(&[*byte]).is_ok())
    });
    let front_one = front(&config(&one_upstream(dripping.address, "", ""))).await;
    assert_eq!(get(&front_one, "/u/x", "").await.text(), "ok");
    let endless = Upstream::new(|_, stream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n");
        while stream.write_all(b"x-filler: 0123456789012345678901234567890123456789\r\n").is_ok() {}
        false
    });
    let front_two = front(&config(&one_upstream(endless.address, "", ""))).await;
    assert_eq!(get(&front_two, "/u/x", "").await.status, 502);
}

#[actix_web::test]
async fn an_answer_may_come_before_the_whole_request() {
    let hasty = Upstream::new(|_, stream| {
        stream.write_all(b"HTTP/1.1 403 Forbidden\r\ncontent-length: 2\r\n\r\nno").unwrap();
        // The rest of the request is not read.
        thread::sleep(Duration::from_millis(300));
        false
    });
    let front = front(&config(&one_upstream(hasty.address, "", ""))).await;
    let answer = raw(&front, "POST /u/x HTTP/1.1\r\nhost: a\r\ncontent-length: 10\r\n\r\nhalf").await;
    assert_eq!((answer.status, answer.text().as_str()), (403, "no"));
}

#[actix_web::test]
async fn a_body_goes_on_as_it_is_delimited() {
    let upstream = Upstream::ok("ok");
    let front = front(&config(&one_upstream(upstream.address, "", ""))).await;
    raw(&front, "POST /u/x HTTP/1.1\r\nhost: a\r\ncontent-length: 4\r\n\r\nabcd").await;
    assert!(upstream.heads.lock().unwrap()[0].contains("\r\ncontent-length: 4\r\n\r\n"));
    let chunked = "POST /u/x HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n";
    raw(&front, chunked).await;
    let heads = upstream.heads.lock().unwrap();
    let head = heads.iter().find(|head| head.contains("transfer-encoding")).unwrap();
    assert!(head.contains("\r\ntransfer-encoding: chunked\r\n\r\n") && !head.contains("content-length"), "{head}");
}
