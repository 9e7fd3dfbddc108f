//! Lines of JSON out of pieces of bytes, however the pieces are cut. Only the line that is not complete yet is kept.

use super::data::{Json, take};

/// A line that is JSON.
#[derive(Debug, Clone)]
pub(crate) struct Line {
    /// Its number, from 1; empty lines count.
    pub(crate) number: u64,
    /// The value.
    pub(crate) value: Json,
}

/// A line that is not acceptable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LineFault {
    /// Its number.
    pub(crate) number: u64,
    /// What is wrong with it.
    pub(crate) detail: String,
}

/// Reads lines.
#[derive(Debug)]
pub(crate) struct Lines {
    buffer: Vec<u8>,
    /// Up to here the buffer is read.
    read: usize,
    /// Up to here there is no end of a line.
    searched: usize,
    number: u64,
    longest: usize,
    ended: bool,
}

impl Lines {
    /// Lines of at most so many bytes.
    pub(crate) const fn new(longest: usize) -> Self {
        Self { buffer: Vec::new(), read: 0, searched: 0, number: 0, longest, ended: false }
    }

    /// The next piece.
    pub(crate) fn push(&mut self, piece: &[u8]) {
        self.buffer.drain(..self.read);
        self.searched -= self.read;
        self.read = 0;
        self.buffer.extend_from_slice(piece);
    }

    /// There are no more pieces: what is left is the last line.
    pub(crate) const fn end(&mut self) {
        self.ended = true;
    }

    /// The next complete line that is not empty.
    pub(crate) fn next(&mut self) -> Option<Result<Line, LineFault>> {
        loop {
            let newline = self.buffer[self.searched..].iter().position(|byte| *byte == b'\n');
            let end = match newline {
                Some(at) => self.searched + at,
                None if self.ended && self.read < self.buffer.len() => self.buffer.len(),
                None => {
                    self.searched = self.buffer.len();
                    let too_long = self.searched - self.read > self.longest;
                    return too_long.then(|| Err(self.too_long(self.number + 1)));
                }
            };
            let bytes = &self.buffer[self.read..end];
            let (length, is_empty) = (bytes.len(), bytes.trim_ascii().is_empty());
            let value = if is_empty || length > self.longest { None } else { Some(take(bytes.to_vec())) };
            self.number += 1;
            self.read = (end + 1).min(self.buffer.len());
            self.searched = self.read;
            match value {
                Some(Ok(value)) => return Some(Ok(Line { number: self.number, value })),
                Some(Err(fault)) => return Some(Err(LineFault { number: self.number, detail: fault.detail })),
                None if is_empty && length <= self.longest => {}
                None => return Some(Err(self.too_long(self.number))),
            }
        }
    }

    fn too_long(&self, number: u64) -> LineFault {
        LineFault { number, detail: format!("the line is longer than {} bytes", self.longest) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn all(pieces: &[&[u8]], longest: usize) -> Vec<Result<(u64, String), LineFault>> {
        let (mut lines, mut read) = (Lines::new(longest), Vec::new());
        let mut take = |lines: &mut Lines| {
            while let Some(line) = lines.next() {
                let is_fault = line.is_err();
                read.push(line.map(|line| (line.number, line.value.get().to_owned())));
                if is_fault {
                    break;
                }
            }
        };
        for piece in pieces {
            lines.push(piece);
            take(&mut lines);
        }
        lines.end();
        take(&mut lines);
        read
    }

    #[test]
    fn lines_are_numbered_and_empty_ones_are_passed_over() {
        let read = all(&[b"{\"a\":", b"1.10}\n\n \r\n[1", b"]\r\n", b"\"x\""], 100);
        let expected = [(1, "{\"a\":1.10}"), (4, "[1]"), (5, "\"x\"")];
        let read: Vec<_> = read.into_iter().map(Result::unwrap).collect();
        assert_eq!(read.iter().map(|(number, text)| (*number, text.as_str())).collect::<Vec<_>>(), expected);
        assert!(all(&[b""], 1).is_empty());
    }

    #[test]
    fn bad_and_long_lines_are_told_with_their_number() {
        let fault = |pieces: &[&[u8]], longest| all(pieces, longest).into_iter().find_map(Result::err).unwrap();
        assert_eq!(fault(&[b"1\n", b"{\n"], 10).number, 2);
        assert!(fault(&[b"1\n{\"a\":1,\"a\":2}\n"], 100).detail.contains("twice"));
        for pieces in [&[b"1\n12345".as_slice()] as &[&[u8]], &[b"1\n12345\n"], &[b"1\n123", b"4", b"5\n"]] {
            let fault = fault(pieces, 4);
            assert_eq!((fault.number, fault.detail.as_str()), (2, "the line is longer than 4 bytes"));
        }
        assert_eq!(all(&[b"1234\n"], 4).len(), 1);
    }

    proptest! {
        #[test]
        fn how_the_pieces_are_cut_does_not_matter(numbers: Vec<i64>, cuts: Vec<usize>) {
            let text = numbers.iter().fold(String::new(), |text, number| text + &number.to_string() + "\n");
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut % (text.len() + 1)).collect();
            cuts.extend([0, text.len()]);
            cuts.sort_unstable();
            let pieces: Vec<&[u8]> = cuts.windows(2).map(|cut| &text.as_bytes()[cut[0]..cut[1]]).collect();
            let read: Vec<_> = all(&pieces, 100).into_iter().map(|line| line.unwrap().1).collect();
            prop_assert_eq!(read, numbers.iter().map(ToString::to_string).collect::<Vec<_>>());
        }
    }
}
