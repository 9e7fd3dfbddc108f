//! An answer as bytes, for other instances. The first byte is the version; what was written by another one is not read.

use std::time::{Duration, Instant};

use actix_web::http::{
    StatusCode,
    header::{HeaderMap, HeaderName, HeaderValue},
};
use bytes::Bytes;
use chrono::{DateTime, Utc};

use super::{policy::Freshness, stored::Stored};

const VERSION: u8 = 1;

/// Now, on both clocks: other instances share wall time only.
#[derive(Debug, Clone, Copy)]
pub(super) struct Now {
    pub(super) wall: DateTime<Utc>,
    pub(super) monotonic: Instant,
}

/// The answer that is kept under a key, as bytes.
pub(super) fn encode(key: &str, stored: &Stored, now: Now) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(stored.cost() + key.len());
    bytes.push(VERSION);
    text(&mut bytes, key.as_bytes());
    bytes.extend_from_slice(&stored.route);
    bytes.extend_from_slice(&stored.digest);
    count(&mut bytes, stored.names.len());
    for name in &stored.names {
        text(&mut bytes, name.as_str().as_bytes());
    }
    bytes.extend_from_slice(&stored.status.as_u16().to_be_bytes());
    let freshness = &stored.freshness;
    for time in [freshness.lifetime, freshness.while_revalidate, freshness.if_error, stored.age(now.monotonic)] {
        millis(&mut bytes, time);
    }
    let flags = [freshness.always_validate, freshness.must_revalidate, freshness.shareable];
    bytes.push(flags.iter().enumerate().map(|(bit, flag)| u8::from(*flag) << bit).sum());
    bytes.extend_from_slice(&now.wall.timestamp_millis().to_be_bytes());
    count(&mut bytes, stored.headers.len());
    for (name, value) in &stored.headers {
        text(&mut bytes, name.as_str().as_bytes());
        text(&mut bytes, value.as_bytes());
    }
    text(&mut bytes, &stored.body);
    bytes
}

fn count(bytes: &mut Vec<u8>, count: usize) {
    bytes.extend_from_slice(&u32::try_from(count).unwrap_or(u32::MAX).to_be_bytes());
}

fn text(bytes: &mut Vec<u8>, text: &[u8]) {
    count(bytes, text.len());
    bytes.extend_from_slice(text);
}

fn millis(bytes: &mut Vec<u8>, time: Duration) {
    bytes.extend_from_slice(&u64::try_from(time.as_millis()).unwrap_or(u64::MAX).to_be_bytes());
}

/// The answer that was kept under this key; `None` for anything else.
pub(super) fn decode(key: &str, bytes: Vec<u8>, now: Now) -> Option<Stored> {
    let mut reader = Reader(Bytes::from(bytes));
    if reader.array::<1>()? != [VERSION] || reader.text()? != key.as_bytes() {
        return None;
    }
    let (route, digest) = (reader.array()?, reader.array()?);
    let mut names = Vec::new();
    for _ in 0..reader.count()? {
        names.push(HeaderName::from_bytes(&reader.text()?).ok()?);
    }
    let status = StatusCode::from_u16(u16::from_be_bytes(reader.array()?)).ok()?;
    let (lifetime, while_revalidate) = (reader.millis()?, reader.millis()?);
    let (if_error, age) = (reader.millis()?, reader.millis()?);
    let [flags] = reader.array()?;
    let written = i64::from_be_bytes(reader.array()?);
    let mut headers = HeaderMap::new();
    for _ in 0..reader.count()? {
        let (name, value) = (reader.text()?, reader.text()?);
        headers.append(HeaderName::from_bytes(&name).ok()?, HeaderValue::from_maybe_shared(value).ok()?);
    }
    let body = reader.text()?;
    // A copy, so that the bytes around it are not kept with it; what follows it was not written by us.
    let body = reader.0.is_empty().then(|| Bytes::copy_from_slice(&body))?;
    let since_written = now.wall.timestamp_millis().saturating_sub(written).max(0);
    let flag = |bit: u8| flags & (1 << bit) != 0;
    Some(Stored {
        route,
        names,
        digest,
        status,
        headers,
        body,
        freshness: Freshness {
            lifetime,
            always_validate: flag(0),
            must_revalidate: flag(1),
            while_revalidate,
            if_error,
            shareable: flag(2),
        },
        age_then: age.saturating_add(Duration::from_millis(since_written.unsigned_abs())),
        since: now.monotonic,
    })
}

struct Reader(Bytes);

impl Reader {
    fn take(&mut self, length: usize) -> Option<Bytes> {
        (self.0.len() >= length).then(|| self.0.split_to(length))
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.as_ref().try_into().ok()
    }

    fn count(&mut self) -> Option<usize> {
        usize::try_from(u32::from_be_bytes(self.array()?)).ok()
    }

    fn text(&mut self) -> Option<Bytes> {
        let length = self.count()?;
        self.take(length)
    }

    /// No time is longer than an answer can be of use.
    fn millis(&mut self) -> Option<Duration> {
        Some(Duration::from_millis(u64::from_be_bytes(self.array()?).min(1 << 50)))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn now() -> Now {
        Now { wall: DateTime::UNIX_EPOCH + Duration::from_secs(1_000_000), monotonic: Instant::now() }
    }

    fn stored(now: Now) -> Stored {
        let mut headers = HeaderMap::new();
        for (name, value) in [("a", "1"), ("a", "2"), ("etag", "\"x\"")] {
            headers.append(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        Stored {
            route: [1; 16],
            names: vec![HeaderName::from_static("accept-language")],
            digest: [2; 32],
            status: StatusCode::NOT_FOUND,
            headers,
            body: Bytes::from_static(b"body"),
            freshness: Freshness {
                lifetime: Duration::from_mins(1),
                always_validate: false,
                must_revalidate: true,
                while_revalidate: Duration::from_secs(2),
                if_error: Duration::from_secs(3),
                shareable: true,
            },
            age_then: Duration::from_secs(4),
            since: now.monotonic,
        }
    }

    #[test]
    fn what_was_written_is_read_and_has_grown_older() {
        let now = now();
        let bytes = encode("http://a/", &stored(now), now);
        let later = Now { wall: now.wall + Duration::from_secs(5), monotonic: now.monotonic };
        let read = decode("http://a/", bytes.clone(), later).expect("readable");
        let expected = Stored { age_then: Duration::from_secs(9), ..stored(now) };
        let sorted = |stored: &Stored| {
            let mut lines: Vec<_> = stored.headers.iter().map(|line| format!("{line:?}")).collect();
            lines.sort();
            lines
        };
        assert_eq!(sorted(&read), sorted(&expected));
        let without = |stored: Stored| format!("{:?}", Stored { headers: HeaderMap::new(), ..stored });
        assert_eq!(without(read), without(expected));
        assert!(decode("http://b/", bytes.clone(), now).is_none(), "another key");
        assert!(decode("http://a/", [&[9], &bytes[1..]].concat(), now).is_none(), "another version");
        assert!(decode("http://a/", [&bytes[..], b"x"].concat(), now).is_none(), "more than was written");
        for length in 0..bytes.len() {
            assert!(decode("http://a/", bytes[..length].to_vec(), now).is_none(), "cut at {length}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_break_it(change in any::<Vec<(u16, u8)>>()) {
            let now = now();
            let mut bytes = encode("http://a/", &stored(now), now);
            for (at, byte) in change {
                let at = usize::from(at) % bytes.len();
                bytes[at] = byte;
            }
            let _ = decode("http://a/", bytes, now);
        }
    }
}
