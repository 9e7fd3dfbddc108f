//! Where a request's parts end (RFC 9112), read strictly: lines end with CRLF and nothing else, chunk sizes, their
//! extensions and trailers are bounded. It follows the bytes as they come and keeps none of them, but for the beginning of a
//! line that was cut by a read. The HTTP library parses the same bytes after it; both must find the same ends, and where
//! they could not, the request is refused.

use std::io::BufRead as _;

/// What was seen in a piece of a connection's bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Seen {
    /// Nothing to object to.
    Fine,
    /// From this place on the bytes belong to the next request, whose time has not come.
    TooEarly(usize),
    /// From this place on the bytes belong to the protocol that the request asked for.
    OtherProtocol(usize),
    /// The byte at this place, which was overwritten by one that no parser takes, cannot stand there.
    Refused(usize),
}

/// A line is kept so far when a read ends within it: enough for the names and values that matter here.
const KEPT: usize = 64;
/// Empty lines before a request line.
const MOST_EMPTY_LINES: u8 = 4;
/// A chunk's size with its extensions.
const MOST_CHUNK_LINE: usize = 256;
/// What chunked coding may add to a body: this, and as much as the data itself.
const MOST_OVERHEAD: u64 = 16 << 10;
/// All trailers of a body.
const MOST_TRAILERS: usize = 8 << 10;

/// Follows the requests of one connection.
#[derive(Debug)]
pub(super) struct Framing {
    at: At,
    /// Whether `Upgrade` ends HTTP here.
    changes_protocols: bool,
    /// The beginning of a line that is not whole yet, its length, and whether it ends with CR.
    kept: Vec<u8>,
    length: usize,
    ends_with_cr: bool,
    head: Head,
    overhead: u64,
    trailers: usize,
    heads: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum At {
    /// In a head, or before one.
    Head,
    /// In a body with so much to come.
    Body(u64),
    ChunkSize,
    /// In a chunk with so much to come, its line end included.
    Chunk(u64),
    Trailers,
    /// Past what is followed here.
    Past,
}

/// What the lines of a head have told so far.
#[derive(Debug, Clone, Copy, Default)]
struct Head {
    has_begun: bool,
    empty_lines: u8,
    length: Option<u64>,
    is_chunked: bool,
    /// `Upgrade` is there.
    upgrade: Option<Upgrade>,
    is_connect: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Upgrade {
    WebSocket,
    Other,
}

/// What a line means.
enum Line {
    Goes,
    /// The head is whole; what follows.
    HeadEnds(At),
    OtherProtocol,
    Wrong,
}

impl Framing {
    pub(super) fn new(changes_protocols: bool) -> Self {
        Self {
            at: At::Head,
            changes_protocols,
            kept: Vec::new(),
            length: 0,
            ends_with_cr: false,
            head: Head::default(),
            overhead: 0,
            trailers: 0,
            heads: 0,
        }
    }

    /// Whether a request's head has begun and not ended.
    pub(super) fn is_inside_head(&self) -> bool {
        self.at == At::Head && (self.head.has_begun || self.length > 0)
    }

    /// How many heads have come.
    pub(super) fn heads(&self) -> u32 {
        self.heads
    }

    /// Follows the next bytes of the connection; a request begins when so many before it are `served`.
    pub(super) fn scan(&mut self, bytes: &mut [u8], served: u32) -> Seen {
        let mut place = 0;
        while place < bytes.len() {
            let left = (bytes.len() - place) as u64;
            match self.at {
                At::Past => return Seen::Fine,
                At::Body(more) if more > left => {
                    self.at = At::Body(more - left);
                    return Seen::Fine;
                }
                At::Body(more) => {
                    place += usize::try_from(more).unwrap_or(usize::MAX);
                    self.at = At::Head;
                }
                At::Chunk(more) if more > left => {
                    self.at = At::Chunk(more - left);
                    return Seen::Fine;
                }
                At::Chunk(more) => {
                    place += usize::try_from(more).unwrap_or(usize::MAX);
                    self.at = At::ChunkSize;
                }
                At::Head if self.heads != served && !self.is_inside_head() => return Seen::TooEarly(place),
                At::Head | At::ChunkSize | At::Trailers => {
                    let mut rest = &bytes[place..];
                    let count = rest.skip_until(b'\n').unwrap_or_default();
                    let end = place + count;
                    let is_whole = count > 0 && bytes[end - 1] == b'\n';
                    match self.line(&bytes[place..end], is_whole) {
                        Line::Goes => {}
                        Line::HeadEnds(next) => {
                            self.heads = self.heads.wrapping_add(1);
                            self.head = Head::default();
                            self.at = next;
                        }
                        Line::OtherProtocol => {
                            self.heads = self.heads.wrapping_add(1);
                            self.at = At::Past;
                            return Seen::OtherProtocol(end);
                        }
                        Line::Wrong => {
                            self.at = At::Past;
                            bytes[end - 1] = 0;
                            return Seen::Refused(end - 1);
                        }
                    }
                    place = end;
                }
            }
        }
        Seen::Fine
    }

    /// A line, or the beginning or the rest of one.
    fn line(&mut self, piece: &[u8], is_whole: bool) -> Line {
        let begins = self.length == 0;
        self.length += piece.len();
        let most = match self.at {
            At::ChunkSize => MOST_CHUNK_LINE,
            At::Trailers => MOST_TRAILERS.saturating_sub(self.trailers),
            // The library bounds the head as a whole.
            _ => usize::MAX,
        };
        if self.length > most {
            return Line::Wrong;
        }
        if !is_whole {
            let room = KEPT.saturating_sub(self.kept.len());
            self.kept.extend_from_slice(&piece[..piece.len().min(room)]);
            self.ends_with_cr = piece.last() == Some(&b'\r');
            return Line::Goes;
        }
        let before_lf = if piece.len() > 1 { piece[piece.len() - 2] == b'\r' } else { !begins && self.ends_with_cr };
        if !before_lf {
            return Line::Wrong;
        }
        let length = std::mem::take(&mut self.length);
        if begins {
            return self.whole_line(&piece[..piece.len() - 2], length);
        }
        let mut kept = std::mem::take(&mut self.kept);
        let room = KEPT.saturating_sub(kept.len());
        kept.extend_from_slice(&piece[..piece.len().min(room)]);
        kept.truncate(length - 2);
        self.whole_line(&kept, length)
    }

    /// A line without its end; of a long one that came in pieces, the beginning.
    fn whole_line(&mut self, line: &[u8], length: usize) -> Line {
        match self.at {
            At::Head => self.head_line(line),
            At::ChunkSize => self.chunk_size(line, length),
            At::Trailers if line.is_empty() => {
                self.at = At::Head;
                Line::Goes
            }
            At::Trailers => {
                self.trailers += length;
                // A name, a colon; not a line that continues the one before.
                let name = line.iter().position(|byte| *byte == b':').unwrap_or_default();
                if name > 0 && line[..name].iter().all(|byte| is_token(*byte)) { Line::Goes } else { Line::Wrong }
            }
            At::Body(_) | At::Chunk(_) | At::Past => Line::Wrong,
        }
    }

    fn head_line(&mut self, line: &[u8]) -> Line {
        if !self.head.has_begun {
            if line.is_empty() {
                self.head.empty_lines += 1;
                return if self.head.empty_lines > MOST_EMPTY_LINES { Line::Wrong } else { Line::Goes };
            }
            self.head.has_begun = true;
            self.head.is_connect = line.starts_with(b"CONNECT ");
            return Line::Goes;
        }
        if line.is_empty() {
            return self.head_ends();
        }
        if let Some(value) = value_of(line, b"content-length") {
            let known = self.head.length.replace(match number(value) {
                Some(length) => length,
                None => return Line::Wrong,
            });
            return if known.is_some() { Line::Wrong } else { Line::Goes };
        }
        if let Some(value) = value_of(line, b"transfer-encoding") {
            if self.head.is_chunked || !value.eq_ignore_ascii_case(b"chunked") {
                return Line::Wrong;
            }
            self.head.is_chunked = true;
        } else if let Some(value) = value_of(line, b"upgrade") {
            let is_web_socket = value.eq_ignore_ascii_case(b"websocket");
            if self.head.upgrade != Some(Upgrade::WebSocket) {
                self.head.upgrade = Some(if is_web_socket { Upgrade::WebSocket } else { Upgrade::Other });
            }
        }
        Line::Goes
    }

    fn head_ends(&mut self) -> Line {
        let head = self.head;
        if head.is_chunked && head.length.is_some() {
            return Line::Wrong;
        }
        if head.is_connect || (head.upgrade.is_some() && self.changes_protocols) {
            return Line::OtherProtocol;
        }
        // The library takes all that follows for the body then.
        if head.upgrade == Some(Upgrade::WebSocket) && !head.is_chunked {
            return Line::HeadEnds(At::Past);
        }
        if head.is_chunked {
            self.overhead = 0;
            self.trailers = 0;
            return Line::HeadEnds(At::ChunkSize);
        }
        Line::HeadEnds(match head.length {
            None | Some(0) => At::Head,
            Some(length) => At::Body(length),
        })
    }

    fn chunk_size(&mut self, line: &[u8], length: usize) -> Line {
        let end = line.iter().position(|byte| !byte.is_ascii_hexdigit()).unwrap_or(line.len());
        let digits = std::str::from_utf8(&line[..end]).unwrap_or_default();
        let size = if digits.len() <= 16 { u64::from_str_radix(digits, 16).ok() } else { None };
        let Some(size) = size.filter(|size| *size < u64::MAX / 2) else { return Line::Wrong };
        if size == 0 {
            self.at = At::Trailers;
            return Line::Goes;
        }
        // Small chunks with much around them cost more than they carry.
        self.overhead = (self.overhead + length as u64 + 2).saturating_sub(16 + size);
        if self.overhead > MOST_OVERHEAD {
            return Line::Wrong;
        }
        self.at = At::Chunk(size + 2);
        Line::Goes
    }
}

/// The value of a header line when it has this name.
fn value_of<'a>(line: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let is_it = line.get(name.len()) == Some(&b':') && line[..name.len()].eq_ignore_ascii_case(name);
    is_it.then(|| line[name.len() + 1..].trim_ascii())
}

fn number(digits: &[u8]) -> Option<u64> {
    let is_number = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
    std::str::from_utf8(digits).ok().filter(|_| is_number)?.parse().ok()
}

/// What a header's name is made of (RFC 9110 §5.6.2).
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Follows these bytes, every request served at once.
    fn follow(framing: &mut Framing, bytes: &[u8]) -> Seen {
        let mut place = 0;
        loop {
            let served = framing.heads();
            match framing.scan(&mut bytes[place..].to_vec(), served) {
                Seen::TooEarly(at) => place += at,
                Seen::Fine => return Seen::Fine,
                Seen::OtherProtocol(at) => return Seen::OtherProtocol(place + at),
                Seen::Refused(at) => return Seen::Refused(place + at),
            }
        }
    }

    /// What comes of these bytes, whole and in pieces of every size: always the same.
    fn scan(text: &str) -> Seen {
        let whole = follow(&mut Framing::new(true), text.as_bytes());
        for size in 1..text.len().min(40) {
            let mut framing = Framing::new(true);
            let mut seen = Seen::Fine;
            let mut place = 0;
            for piece in text.as_bytes().chunks(size) {
                seen = match follow(&mut framing, piece) {
                    Seen::Fine | Seen::TooEarly(_) => Seen::Fine,
                    Seen::OtherProtocol(at) => Seen::OtherProtocol(place + at),
                    Seen::Refused(at) => Seen::Refused(place + at),
                };
                if seen != Seen::Fine {
                    break;
                }
                place += piece.len();
            }
            match (whole, seen) {
                // A line that is too long is refused as soon as that is known.
                (Seen::Refused(_), Seen::Refused(_)) => {}
                _ => assert_eq!(whole, seen, "in pieces of {size}: {text:?}"),
            }
        }
        whole
    }

    #[test]
    fn well_framed_requests_pass() {
        for text in [
            "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
            "\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
            "POST / HTTP/1.1\r\nContent-Length: 4\r\n\r\na\nb\nGET / HTTP/1.1\r\n\r\n",
            "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n4;a=\"b\"\r\na\nb\n\r\n0\r\nX-A: b\r\n\r\nGET / HTTP/1.1\r\n\r\n",
            "POST / HTTP/1.1\r\ntransfer-encoding:CHUNKED \r\n\r\n000a\r\n0123456789\r\n0\r\n\r\n",
        ] {
            assert_eq!(scan(text), Seen::Fine, "{text:?}");
        }
    }

    #[test]
    fn what_could_be_read_in_two_ways_is_refused() {
        let long = "x".repeat(300);
        let chunked = "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n";
        for text in [
            "GET / HTTP/1.1\nHost: a\r\n\r\n".to_owned(),
            "GET / HTTP/1.1\r\nHost: a\n\r\n".to_owned(),
            "GET / HTTP/1.1\r\nHost: a\r\n\n".to_owned(),
            "\n\nGET / HTTP/1.1\r\n\r\n".to_owned(),
            "\r\n\r\n\r\n\r\n\r\nGET / HTTP/1.1\r\n\r\n".to_owned(),
            "POST / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n".to_owned(),
            "POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n".to_owned(),
            "POST / HTTP/1.1\r\nContent-Length: 1, 1\r\n\r\n".to_owned(),
            "POST / HTTP/1.1\r\nContent-Length: 0x1\r\n\r\n".to_owned(),
            "POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n".to_owned(),
            "POST / HTTP/1.1\r\nContent-Length:\r\n\r\n".to_owned(),
            "POST / HTTP/1.1\r\nTransfer-Encoding: gzip, chunked\r\n\r\n".to_owned(),
            "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n".to_owned(),
            format!("{chunked}1;{long}\r\na\r\n0\r\n\r\n"),
            format!("{chunked}1\na\r\n0\r\n\r\n"),
            format!("{chunked}00000000000000001\r\na\r\n0\r\n\r\n"),
            format!("{chunked}fffffffffffffffff\r\n"),
            format!("{chunked}ffffffffffffffff\r\n"),
            format!("{chunked}-1\r\n"),
            format!("{chunked}\r\n"),
            format!(
                "{chunked}{}",
                "1;aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\na\r\n".repeat(500)
            ),
            format!("{chunked}0\r\n{}\r\n", "X-Trailer: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n".repeat(300)),
            format!("{chunked}0\r\nX: a\n\r\n"),
            format!("{chunked}0\r\n folded\r\n\r\n"),
            format!("{chunked}0\r\nno colon\r\n\r\n"),
            format!("{chunked}0\r\n\n"),
        ] {
            assert!(matches!(scan(&text), Seen::Refused(_)), "{text:?}");
        }
    }

    #[test]
    fn the_bytes_of_another_protocol_are_told_apart() {
        let head = "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: raw\r\nConnection: upgrade\r\n\r\n";
        assert_eq!(scan(&format!("{head}GET / HTTP/1.1\n\n")), Seen::OtherProtocol(head.len()));
        let connect = "CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n";
        assert_eq!(scan(&format!("{connect}abc")), Seen::OtherProtocol(connect.len()));
        let mut nobody_asks = Framing::new(false);
        assert_eq!(follow(&mut nobody_asks, format!("{head}{head}").as_bytes()), Seen::Fine);
        assert_eq!(nobody_asks.heads(), 2);
    }

    #[test]
    fn the_refused_byte_is_spoilt() {
        let mut bytes = b"GET / HTTP/1.1\r\nHost: a\n\r\n".to_vec();
        let Seen::Refused(at) = Framing::new(true).scan(&mut bytes, 0) else { panic!("not refused") };
        assert_eq!((at, bytes[at]), (23, 0));
    }

    #[test]
    fn it_is_known_when_a_head_has_begun() {
        let mut framing = Framing::new(true);
        for (piece, inside) in
            [("", false), ("G", true), ("ET / HTTP/1.1\r\n", true), ("Host: a\r\n\r", true), ("\n", false)]
        {
            framing.scan(&mut piece.as_bytes().to_vec(), 0);
            assert_eq!(framing.is_inside_head(), inside, "{piece:?}");
        }
    }

    #[test]
    fn a_request_waits_until_the_one_before_it_is_served() {
        let request = "POST / HTTP/1.1\r\nContent-Length: 2\r\n\r\nab";
        let mut framing = Framing::new(true);
        let mut both = format!("{request}{request}").into_bytes();
        assert_eq!(framing.scan(&mut both, 0), Seen::TooEarly(request.len()));
        assert_eq!(framing.scan(&mut both[request.len()..], 0), Seen::TooEarly(0));
        assert_eq!(framing.scan(&mut both[request.len()..], 1), Seen::Fine);
        assert_eq!(framing.heads(), 2);
    }
}
