//! The chunked coding of an answer's body (RFC 9112 §7.1), taken off as the bytes come.

use actix_web::http::header::{HeaderName, HeaderValue};
use bytes::{Buf as _, Bytes, BytesMut};

use super::head::{Nonsense, header_line};

/// A chunk's size with its extensions.
const MOST_SIZE_LINE: usize = 4 << 10;
/// All trailers.
const MOST_TRAILERS: usize = 32 << 10;

/// Follows the chunks of one body.
#[derive(Debug, Default)]
pub(super) struct Chunks {
    at: At,
    /// How long the trailers are so far.
    length: usize,
    trailers: Vec<(HeaderName, HeaderValue)>,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum At {
    #[default]
    Size,
    /// In a chunk with so much to come.
    Data(u64),
    /// At the line's end after a chunk.
    DataEnd,
    Trailers,
    End,
}

/// A piece of a body.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::modules::gateway::adapters) enum Piece {
    Data(Bytes),
    /// What follows the body; nothing comes after it.
    Trailers(Vec<(HeaderName, HeaderValue)>),
}

impl Chunks {
    /// Whether the body is through.
    pub(super) fn is_at_end(&self) -> bool {
        self.at == At::End
    }

    /// The next piece of what has come; `None`: more has to come, or it is the end.
    pub(super) fn next(&mut self, bytes: &mut BytesMut) -> Result<Option<Piece>, Nonsense> {
        loop {
            match self.at {
                At::Size => {
                    let Some(line) = line(bytes, MOST_SIZE_LINE)? else { return Ok(None) };
                    self.at = match size(&line).ok_or(Nonsense::Chunk)? {
                        0 => At::Trailers,
                        size => At::Data(size),
                    };
                }
                At::Data(_) if bytes.is_empty() => return Ok(None),
                At::Data(more) => {
                    let count = usize::try_from(more).unwrap_or(usize::MAX).min(bytes.len());
                    let left = more - count as u64;
                    self.at = if left == 0 { At::DataEnd } else { At::Data(left) };
                    return Ok(Some(Piece::Data(bytes.split_to(count).freeze())));
                }
                At::DataEnd => {
                    let Some(line) = line(bytes, 0)? else { return Ok(None) };
                    if !line.is_empty() {
                        return Err(Nonsense::Chunk);
                    }
                    self.at = At::Size;
                }
                At::Trailers => {
                    let Some(line) = line(bytes, MOST_TRAILERS - self.length)? else { return Ok(None) };
                    if !line.is_empty() {
                        self.length += line.len();
                        self.trailers.push(header_line(&line).ok_or(Nonsense::Chunk)?);
                        continue;
                    }
                    self.at = At::End;
                    if !self.trailers.is_empty() {
                        return Ok(Some(Piece::Trailers(std::mem::take(&mut self.trailers))));
                    }
                }
                At::End => return Ok(None),
            }
        }
    }
}

/// The next whole line without its end, which is CRLF and nothing else; it may be `most` bytes long.
fn line(bytes: &mut BytesMut, most: usize) -> Result<Option<Bytes>, Nonsense> {
    let Some(end) = bytes.iter().take(most + 2).position(|byte| *byte == b'\n') else {
        return if bytes.len() < most + 2 { Ok(None) } else { Err(Nonsense::Chunk) };
    };
    if end == 0 || bytes[end - 1] != b'\r' {
        return Err(Nonsense::Chunk);
    }
    let line = bytes.split_to(end - 1).freeze();
    bytes.advance(2);
    Ok(Some(line))
}

/// Hexadecimal digits, and whatever extensions.
fn size(line: &[u8]) -> Option<u64> {
    let end = line.iter().position(|byte| !byte.is_ascii_hexdigit()).unwrap_or(line.len());
    let rest = line[end..].trim_ascii_start();
    let is_well_formed = (1..=15).contains(&end) && matches!(rest.first(), None | Some(b';')) && !rest.contains(&b'\r');
    u64::from_str_radix(std::str::from_utf8(&line[..end]).ok()?, 16).ok().filter(|_| is_well_formed)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    /// What comes of a body that comes in pieces of this size: its text, the names of its trailers, and what is left over.
    fn read(text: &str, size: usize) -> Result<(String, Vec<String>, String), Nonsense> {
        let (mut chunks, mut bytes) = (Chunks::default(), BytesMut::new());
        let (mut body, mut names) = (String::new(), Vec::new());
        for piece in text.as_bytes().chunks(size) {
            bytes.extend_from_slice(piece);
            while let Some(piece) = chunks.next(&mut bytes)? {
                match piece {
                    Piece::Data(data) => body.push_str(std::str::from_utf8(&data).unwrap()),
                    Piece::Trailers(trailers) => names.extend(trailers.iter().map(|(name, _)| name.to_string())),
                }
            }
        }
        let rest = String::from_utf8(bytes.to_vec()).unwrap();
        if chunks.is_at_end() { Ok((body, names, rest)) } else { Err(Nonsense::Length) }
    }

    #[test]
    fn chunks_are_read_in_pieces_of_every_size() {
        let text = "5\r\nhello\r\n006 ; a=b\r\n world\r\n0\r\nX-Sum: 1\r\nb: 2\r\n\r\n";
        for size in 1..=text.len() {
            let (body, names, rest) = read(text, size).unwrap();
            assert_eq!((body.as_str(), rest.as_str()), ("hello world", ""));
            assert_eq!(names, ["x-sum", "b"]);
        }
        assert_eq!(read("0\r\n\r\nHTTP/1.1 200 OK", 99).unwrap().2, "HTTP/1.1 200 OK");
    }

    #[rstest]
    #[case("\r\n")]
    #[case("x\r\n")]
    #[case("-1\r\n")]
    #[case("5\nhello\r\n0\r\n\r\n")]
    #[case("5\r\nhello0\r\n\r\n")]
    #[case("5\r\nhello\n0\r\n\r\n")]
    #[case("5 5\r\nhello\r\n0\r\n\r\n")]
    #[case("1000000000000000\r\n")]
    #[case("0\r\n folded\r\n\r\n")]
    #[case("5\r\nhel")]
    fn what_is_no_chunk_is_refused(#[case] text: &str) {
        for size in 1..=text.len() {
            assert!(read(text, size).is_err(), "in pieces of {size}");
        }
    }

    #[test]
    fn lines_and_trailers_are_bounded() {
        assert_eq!(read(&format!("5;{}\r\n", "a".repeat(5000)), 100), Err(Nonsense::Chunk));
        assert_eq!(read(&format!("0\r\n{}", "a: 0123456789\r\n".repeat(5000)), 100), Err(Nonsense::Chunk));
    }
}
