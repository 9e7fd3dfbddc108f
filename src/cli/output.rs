//! Where commands write: results on one stream, everything else on the other.

use std::{
    fmt,
    io::{self, Write},
};

/// The two streams.
pub(super) struct Output {
    results: Box<dyn Write>,
    messages: Box<dyn Write>,
}

impl Output {
    /// Standard output and standard error; colours only on terminals.
    pub(super) fn standard() -> Self {
        Self { results: Box::new(anstream::stdout()), messages: Box::new(anstream::stderr()) }
    }

    /// The stream for results that are too many to hold.
    pub(super) fn results(&mut self) -> &mut dyn Write {
        &mut *self.results
    }

    /// Writes a result and ends its line.
    pub(super) fn result(&mut self, text: impl fmt::Display) -> io::Result<()> {
        writeln!(self.results, "{text}")?;
        self.results.flush()
    }

    /// Tells how far something is, over what was told of it before; for terminals alone.
    pub(super) fn progress(&mut self, text: impl fmt::Display) {
        let _ = write!(self.messages, "\r{text}\u{1b}[K");
        let _ = self.messages.flush();
    }

    /// Tells something that is no result. That it cannot be told must not change what a command does.
    pub(super) fn message(&mut self, text: impl fmt::Display) {
        let _ = writeln!(self.messages, "{text}");
    }
}

#[cfg(test)]
pub(super) mod recorded {
    //! Output that tests can read.

    use std::{
        io::{self, Write},
        sync::{Arc, Mutex},
    };

    use super::Output;

    /// What was written.
    #[derive(Clone, Default)]
    pub(crate) struct Written(Arc<Mutex<Vec<u8>>>);

    impl Written {
        pub(crate) fn text(&self) -> String {
            String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
        }
    }

    impl Write for Written {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Output {
        /// Output, and what is written to it: results and messages.
        pub(crate) fn recorded() -> (Self, Written, Written) {
            let (results, messages) = (Written::default(), Written::default());
            (Self { results: Box::new(results.clone()), messages: Box::new(messages.clone()) }, results, messages)
        }
    }
}
