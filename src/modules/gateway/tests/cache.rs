//! The cache over real sockets: what is kept, for whom, and for how long.

mod answers;
mod flights;
mod leaks;
mod stale;
mod validation;

use std::{
    io::Write as _,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use super::support::*;

/// An upstream that answers each request with what `answer` makes of its head and number: header lines and a body.
fn origin(answer: impl Fn(&str, usize) -> (String, String) + Send + Sync + 'static) -> Upstream {
    let count = Arc::new(AtomicUsize::new(0));
    Upstream::new(move |head, stream| {
        let number = count.fetch_add(1, Ordering::SeqCst) + 1;
        let (lines, body) = answer(head, number);
        let (status, lines) = lines
            .strip_prefix("status ")
            .map_or(("200 OK", lines.as_str()), |lines| lines.split_once("\r\n").unwrap_or((lines, "")));
        let length = if lines.contains("content-length") {
            String::new()
        } else {
            format!("content-length: {}\r\n", body.len())
        };
        let body = if head.starts_with("HEAD") || status.starts_with("304") { "" } else { &body };
        write!(stream, "HTTP/1.1 {status}\r\n{lines}{length}\r\n{body}").is_ok()
    })
}

/// An upstream whose answers all have these header lines and count themselves in their bodies.
fn counting(lines: &'static str) -> Upstream {
    origin(move |_, number| (lines.to_owned(), number.to_string()))
}

/// A gateway whose route to the upstream has this cache.
async fn cached(upstream: &Upstream, cache: &str) -> Front {
    front(&config(&one_upstream(upstream.address, "", &format!("cache = {cache}")))).await
}

/// Whether a second request is answered from what the first one left.
async fn is_reused(upstream: &Upstream, front: &Front, headers: &str) -> bool {
    let before = upstream.requests();
    get(front, "/u/x", headers).await;
    get(front, "/u/x", headers).await;
    upstream.requests() == before + 1
}

async fn pause(millis: u64) {
    actix_web::rt::time::sleep(Duration::from_millis(millis)).await;
}

fn cache_status(answer: &Answer) -> &str {
    answer.header("cache-status").unwrap_or("")
}
