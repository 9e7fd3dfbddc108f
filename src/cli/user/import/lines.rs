//! Lines of a file, none of them longer than what is reasonable.

use std::io::{self, BufRead, Read as _};

use crate::kernel::FieldFault;

/// The longest record.
pub(super) const LONGEST: usize = 64 * 1024;

/// A line's text, or what is wrong with it as a whole.
pub(super) type Text = Result<String, Vec<FieldFault>>;

/// The lines that are left.
pub(super) struct Lines {
    input: Box<dyn BufRead>,
    number: u64,
    bytes: u64,
}

impl Lines {
    pub(super) fn new(input: Box<dyn BufRead>) -> Self {
        Self { input, number: 0, bytes: 0 }
    }

    /// The number of the line that was read last, from 1.
    pub(super) fn number(&self) -> u64 {
        self.number
    }

    /// How much was read.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The next line that is not blank, with its number and without its end.
    pub(super) fn next_line(&mut self) -> io::Result<Option<(u64, Text)>> {
        loop {
            let Some(text) = self.raw()? else { return Ok(None) };
            if !text.as_ref().is_ok_and(|text| text.trim().is_empty()) {
                return Ok(Some((self.number, text)));
            }
        }
    }

    /// The next line, blank or not. Of one that is too long the rest is skipped.
    pub(super) fn raw(&mut self) -> io::Result<Option<Text>> {
        let mut line = Vec::new();
        let read = self.input.by_ref().take(LONGEST as u64 + 1).read_until(b'\n', &mut line)?;
        if read == 0 {
            return Ok(None);
        }
        self.number += 1;
        self.bytes += read as u64;
        if line.len() > LONGEST && line.last() != Some(&b'\n') {
            self.skip()?;
            let detail = format!("a line has at most {LONGEST} bytes");
            return Ok(Some(Err(vec![FieldFault::new("", "too-long", detail)])));
        }
        if line.last() == Some(&b'\n') {
            line.pop();
            line.pop_if(|last| *last == b'\r');
        }
        let text = String::from_utf8(line).map_err(|_| vec![FieldFault::new("", "not-utf-8", "expected UTF-8")]);
        Ok(Some(text.map(|text| match self.number {
            1 => text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text),
            _ => text,
        })))
    }

    fn skip(&mut self) -> io::Result<()> {
        loop {
            let found = self.input.fill_buf()?;
            let end = found.iter().position(|byte| *byte == b'\n');
            let used = end.map_or(found.len(), |at| at + 1);
            self.bytes += used as u64;
            let is_over = end.is_some() || used == 0;
            self.input.consume(used);
            if is_over {
                return Ok(());
            }
        }
    }
}
