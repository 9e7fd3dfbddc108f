//! The head of an answer, read strictly enough that nobody behind can read it otherwise (RFC 9112 §4, §5).

use actix_web::http::{
    StatusCode, Version,
    header::{CONNECTION, CONTENT_LENGTH, HeaderName, HeaderValue, TRANSFER_ENCODING},
};
use bytes::Bytes;

use super::chunks::Chunks;

/// The longest head.
pub(super) const MOST_HEAD: usize = 128 << 10;
/// The most headers in it.
const MOST_HEADERS: usize = 100;

/// What a target answers, before the body.
#[derive(Debug)]
pub(in crate::modules::gateway::adapters) struct Head {
    pub(in crate::modules::gateway::adapters) status: StatusCode,
    pub(in crate::modules::gateway::adapters) version: Version,
    /// In the order in which they came.
    pub(in crate::modules::gateway::adapters) headers: Vec<(HeaderName, HeaderValue)>,
}

/// How a body is delimited.
#[derive(Debug)]
pub(super) enum Body {
    /// So many bytes are still to come; 0: none.
    Length(u64),
    Chunked(Box<Chunks>),
    /// It ends with the connection.
    UntilClose,
}

/// What is wrong with an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(in crate::modules::gateway::adapters) enum Nonsense {
    #[error("the first line is no status line")]
    StatusLine,
    #[error("a header line is malformed")]
    Header,
    #[error("the head is too long")]
    TooLong,
    #[error("the length of the body is unclear")]
    Length,
    #[error("a chunk is malformed")]
    Chunk,
}

impl Head {
    /// The first value of a header.
    pub(in crate::modules::gateway::adapters) fn get<'a>(&'a self, name: &'a HeaderName) -> Option<&'a HeaderValue> {
        self.all(name).next()
    }

    /// All values of a header.
    pub(in crate::modules::gateway::adapters) fn all<'a>(
        &'a self,
        name: &'a HeaderName,
    ) -> impl Iterator<Item = &'a HeaderValue> + 'a {
        self.headers.iter().filter(move |(own, _)| own == name).map(|(_, value)| value)
    }

    /// Reads a whole head, its last empty line included.
    pub(super) fn read(text: &[u8]) -> Result<Self, Nonsense> {
        // The values share one copy of the text.
        let shared = Bytes::copy_from_slice(text);
        let mut lines = Lines { text: &shared, at: 0 };
        let (begin, end) = lines.next().ok_or(Nonsense::StatusLine)?;
        let (version, status) = status_line(&shared[begin..end]).ok_or(Nonsense::StatusLine)?;
        let mut headers = Vec::with_capacity(12);
        for (begin, end) in lines {
            if begin == end {
                break;
            }
            if headers.len() == MOST_HEADERS {
                return Err(Nonsense::TooLong);
            }
            headers.push(header(&shared, begin, end).ok_or(Nonsense::Header)?);
        }
        Ok(Self { status, version, headers })
    }

    /// How the body is delimited (RFC 9112 §6.3). Two ways at once, or one that is not understood, are none.
    pub(super) fn body(&self, to_head_request: bool) -> Result<Body, Nonsense> {
        let mut codings = self.all(&TRANSFER_ENCODING);
        let coding = codings.next();
        let length = self.length()?;
        if codings.next().is_some() || (coding.is_some() && (length.is_some() || self.version != Version::HTTP_11)) {
            return Err(Nonsense::Length);
        }
        let is_chunked = match coding {
            None => false,
            Some(coding) if coding.as_bytes().trim_ascii().eq_ignore_ascii_case(b"chunked") => true,
            Some(_) => return Err(Nonsense::Length),
        };
        let has_none = self.status.is_informational() || matches!(self.status.as_u16(), 204 | 304);
        Ok(match length {
            _ if to_head_request || has_none => Body::Length(0),
            _ if is_chunked => Body::Chunked(Box::default()),
            Some(length) => Body::Length(length),
            None => Body::UntilClose,
        })
    }

    /// `Content-Length`; the same said twice is said once.
    fn length(&self) -> Result<Option<u64>, Nonsense> {
        let mut length = None;
        for value in self.all(&CONTENT_LENGTH) {
            let digits = value.to_str().map_err(|_| Nonsense::Length)?;
            let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
            let told = digits.parse().ok().filter(|_| is_number).ok_or(Nonsense::Length)?;
            if length.is_some_and(|length| length != told) {
                return Err(Nonsense::Length);
            }
            length = Some(told);
        }
        Ok(length)
    }

    /// Whether the connection takes another request after this one (RFC 9112 §9.3).
    pub(super) fn keeps_connection(&self) -> bool {
        let options = || {
            let values = self.all(&CONNECTION).filter_map(|value| value.to_str().ok());
            values.flat_map(|value| value.split(',')).map(str::trim)
        };
        let says = |option: &str| options().any(|said| said.eq_ignore_ascii_case(option));
        !says("close") && (self.version == Version::HTTP_11 || says("keep-alive"))
    }
}

/// Where the first head ends, if it does within these bytes; looking begins at `from`.
pub(super) fn end_of_head(bytes: &[u8], from: usize) -> Option<usize> {
    let mut at = from;
    while let Some(found) = bytes.get(at..)?.iter().position(|byte| *byte == b'\n') {
        at += found + 1;
        let rest = &bytes[at..];
        if rest.first() == Some(&b'\n') {
            return Some(at + 1);
        }
        if rest.starts_with(b"\r\n") {
            return Some(at + 2);
        }
    }
    None
}

/// The lines of a head: where each begins and ends. A line ends with LF, before which a CR may stand (RFC 9112 §2.2).
struct Lines<'a> {
    text: &'a [u8],
    at: usize,
}

impl Iterator for Lines<'_> {
    type Item = (usize, usize);

    fn next(&mut self) -> Option<(usize, usize)> {
        let begin = self.at;
        let length = self.text.get(begin..)?.iter().position(|byte| *byte == b'\n')?;
        self.at = begin + length + 1;
        let end = begin + length;
        let has_cr = length > 0 && self.text[end - 1] == b'\r';
        Some((begin, if has_cr { end - 1 } else { end }))
    }
}

/// `HTTP/1.1 200 OK`; the reason may be missing.
fn status_line(line: &[u8]) -> Option<(Version, StatusCode)> {
    let (version, rest) = line.split_at_checked(b"HTTP/1.1 ".len())?;
    let version = match version {
        b"HTTP/1.1 " => Version::HTTP_11,
        b"HTTP/1.0 " => Version::HTTP_10,
        _ => return None,
    };
    let (digits, reason) = rest.split_at_checked(3)?;
    if !matches!(reason.first(), None | Some(b' ')) || reason.contains(&0) {
        return None;
    }
    Some((version, StatusCode::from_bytes(digits).ok()?))
}

/// A name, a colon right behind it, a value without the space around it. A line that continues the one before has no name.
fn header(text: &Bytes, begin: usize, end: usize) -> Option<(HeaderName, HeaderValue)> {
    let line = &text[begin..end];
    let colon = line.iter().position(|byte| *byte == b':')?;
    let name = HeaderName::from_bytes(&line[..colon]).ok()?;
    let value = &line[colon + 1..];
    let from = begin + colon + 1 + (value.len() - value.trim_ascii_start().len());
    let to = from + value.trim_ascii().len();
    Some((name, HeaderValue::from_maybe_shared(text.slice(from..to)).ok()?))
}

/// A header line of its own, such as a trailer.
pub(super) fn header_line(line: &[u8]) -> Option<(HeaderName, HeaderValue)> {
    header(&Bytes::copy_from_slice(line), 0, line.len())
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn read(text: &str) -> Result<Head, Nonsense> {
        assert_eq!(end_of_head(text.as_bytes(), 0), Some(text.len()));
        Head::read(text.as_bytes())
    }

    #[test]
    fn a_head_is_read() {
        let head = read("HTTP/1.1 200 All right\r\nDate: \t now \r\nx-empty:\r\nset-cookie: a\nSet-Cookie: b\r\n\r\n")
            .unwrap();
        assert_eq!((head.status.as_u16(), head.version, head.headers.len()), (200, Version::HTTP_11, 4));
        assert_eq!(head.get(&HeaderName::from_static("date")).unwrap(), "now");
        assert_eq!(head.get(&HeaderName::from_static("x-empty")).unwrap(), "");
        assert_eq!(head.all(&HeaderName::from_static("set-cookie")).count(), 2);
        assert!(head.keeps_connection());
        assert_eq!(read("HTTP/1.0 204\r\n\r\n").unwrap().version, Version::HTTP_10);
    }

    #[test]
    fn a_head_that_is_not_whole_has_no_end() {
        for text in ["", "HTTP/1.1 200 OK", "HTTP/1.1 200 OK\r\n", "HTTP/1.1 200 OK\r\na: b\r\n\r"] {
            assert_eq!(end_of_head(text.as_bytes(), 0), None, "{text:?}");
        }
    }

    #[rstest]
    #[case("SSH-2.0-OpenSSH\r\n\r\n")]
    #[case("HTTP/2.0 200 OK\r\n\r\n")]
    #[case("HTTP/1.1  200 OK\r\n\r\n")]
    #[case("HTTP/1.1 20 OK\r\n\r\n")]
    #[case("HTTP/1.1 2000 OK\r\n\r\n")]
    #[case("HTTP/1.1 200 OK\r\nname : value\r\n\r\n")]
    #[case("HTTP/1.1 200 OK\r\na: b\r\n folded\r\n\r\n")]
    #[case("HTTP/1.1 200 OK\r\nno colon\r\n\r\n")]
    #[case("HTTP/1.1 200 OK\r\n: nameless\r\n\r\n")]
    #[case("HTTP/1.1 200 OK\r\na: b\rc: d\r\n\r\n")]
    #[case("HTTP/1.1 200 OK\r\na: b\0\r\n\r\n")]
    fn what_is_no_head_is_refused(#[case] text: &str) {
        assert!(read(text).is_err());
    }

    #[test]
    fn too_many_headers_are_refused() {
        assert_eq!(read(&format!("HTTP/1.1 200 OK\r\n{}\r\n", "a: b\r\n".repeat(101))).unwrap_err(), Nonsense::TooLong);
    }

    #[rstest]
    #[case("content-length: 5", "Length(5)")]
    #[case("content-length: 5\r\ncontent-length: 5", "Length(5)")]
    #[case("transfer-encoding: Chunked", "Chunked")]
    #[case("a: b", "UntilClose")]
    #[case("content-length: 5\r\ncontent-length: 6", "Err")]
    #[case("content-length: +5", "Err")]
    #[case("content-length: 5, 5", "Err")]
    #[case("content-length:", "Err")]
    #[case("content-length: 99999999999999999999", "Err")]
    #[case("content-length: 5\r\ntransfer-encoding: chunked", "Err")]
    #[case("transfer-encoding: gzip, chunked", "Err")]
    #[case("transfer-encoding: chunked\r\ntransfer-encoding: chunked", "Err")]
    fn a_body_is_delimited_in_one_way_or_none(#[case] headers: &str, #[case] body: &str) {
        let head = read(&format!("HTTP/1.1 200 OK\r\n{headers}\r\n\r\n")).unwrap();
        let found = format!("{:?}", head.body(false));
        assert!(found.trim_start_matches("Ok(").starts_with(body), "{found}");
        assert!(body == "Err" || matches!(head.body(true), Ok(Body::Length(0))));
    }

    #[rstest]
    #[case("HTTP/1.1 200 OK\r\n\r\n", true)]
    #[case("HTTP/1.1 200 OK\r\nconnection: x, Close\r\n\r\n", false)]
    #[case("HTTP/1.1 200 OK\r\nconnection: close\r\nconnection: keep-alive\r\n\r\n", false)]
    #[case("HTTP/1.0 200 OK\r\n\r\n", false)]
    #[case("HTTP/1.0 200 OK\r\nconnection: keep-alive\r\n\r\n", true)]
    fn it_is_told_whether_the_connection_stays(#[case] text: &str, #[case] stays: bool) {
        assert_eq!(read(text).unwrap().keeps_connection(), stays);
    }
}
