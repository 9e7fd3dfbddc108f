//! Where log lines go: into a bounded buffer that one thread empties to standard error, many lines a write. A line costs its
//! request a lock and a copy; waking the writer for each line would cost more than the rest of the line.

use std::{
    io::{self, Write},
    sync::{
        Arc, Condvar, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

/// What may wait for a reader; more is dropped and counted.
const CAPACITY: usize = 4 * 1024 * 1024;
/// How long lines are gathered before they are written.
const GATHER: Duration = Duration::from_millis(10);
/// How long the end of the process waits for a reader.
const LAST_WRITE: Duration = Duration::from_secs(1);

/// The buffer, shared by every thread that logs.
#[derive(Clone)]
pub(super) struct LogWriter {
    shared: Arc<Shared>,
}

struct Shared {
    lines: Mutex<Lines>,
    changed: Condvar,
    dropped: AtomicU64,
}

#[derive(Default)]
struct Lines {
    waiting: Vec<u8>,
    ending: bool,
    written: bool,
}

/// Writes what waits when it is dropped.
pub(super) struct LogThread {
    shared: Arc<Shared>,
}

impl LogWriter {
    /// Starts the thread that writes to `out`.
    pub(super) fn start(out: impl Write + Send + 'static) -> io::Result<(Self, LogThread)> {
        let lines = Mutex::new(Lines::default());
        let shared = Arc::new(Shared { lines, changed: Condvar::new(), dropped: AtomicU64::new(0) });
        let of_thread = shared.clone();
        std::thread::Builder::new().name("log".to_owned()).spawn(move || of_thread.write_all(out))?;
        Ok((Self { shared: shared.clone() }, LogThread { shared }))
    }

    /// Adds a line, which comes in one piece.
    pub(super) fn push(&self, line: &[u8]) {
        let mut lines = self.shared.lines.lock().unwrap_or_else(PoisonError::into_inner);
        if lines.waiting.len() + line.len() > CAPACITY {
            self.shared.dropped.fetch_add(1, Ordering::Relaxed);
            return;
        }
        let first = lines.waiting.is_empty();
        lines.waiting.extend_from_slice(line);
        drop(lines);
        if first {
            self.shared.changed.notify_all();
        }
    }
}

impl Shared {
    fn write_all(&self, mut out: impl Write) {
        let mut batch = Vec::new();
        loop {
            let ending = self.take(&mut batch);
            // A reader that has gone is no reason to stop serving.
            let _ = out.write_all(&batch).and_then(|()| out.flush());
            batch.clear();
            if ending {
                break;
            }
            std::thread::sleep(GATHER);
        }
        self.lines.lock().unwrap_or_else(PoisonError::into_inner).written = true;
        self.changed.notify_all();
    }

    /// Waits for lines and takes them all; true when they are the last.
    fn take(&self, batch: &mut Vec<u8>) -> bool {
        let lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        let nothing = |lines: &mut Lines| lines.waiting.is_empty() && !lines.ending;
        let mut lines = self.changed.wait_while(lines, nothing).unwrap_or_else(PoisonError::into_inner);
        std::mem::swap(&mut lines.waiting, batch);
        lines.ending
    }
}

impl LogThread {
    /// How many lines were dropped because nobody read them.
    pub(super) fn dropped_lines(&self) -> u64 {
        self.shared.dropped.load(Ordering::Relaxed)
    }

    /// Writes what waits and ends the thread. A pipe that nobody reads does not keep the process from ending.
    pub(super) fn finish(&self) {
        let mut lines = self.shared.lines.lock().unwrap_or_else(PoisonError::into_inner);
        lines.ending = true;
        self.shared.changed.notify_all();
        let unwritten = |lines: &mut Lines| !lines.written;
        drop(self.shared.changed.wait_timeout_while(lines, LAST_WRITE, unwritten));
    }
}

impl Drop for LogThread {
    fn drop(&mut self) {
        self.finish();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A pipe whose reader may be slow.
    #[derive(Clone, Default)]
    struct Pipe {
        blocked: Arc<Mutex<()>>,
        text: Arc<Mutex<Vec<u8>>>,
    }

    impl Write for Pipe {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            drop(self.blocked.lock().unwrap());
            self.text.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn every_line_is_written_in_order_before_the_end() {
        let pipe = Pipe::default();
        let (writer, thread) = LogWriter::start(pipe.clone()).unwrap();
        for number in 0..1_000 {
            writer.push(format!("{number}\n").as_bytes());
        }
        drop(thread);
        let text = String::from_utf8(pipe.text.lock().unwrap().clone()).unwrap();
        assert!(text.lines().map(|line| line.parse::<u32>().unwrap()).eq(0..1_000));
    }

    #[test]
    fn a_full_pipe_drops_lines_and_counts_them_and_holds_nobody_up() {
        let pipe = Pipe::default();
        let (writer, thread) = LogWriter::start(pipe.clone()).unwrap();
        let blocked = pipe.blocked.lock().unwrap();
        let line = vec![b'x'; 1024 * 1024];
        for _ in 0..20 {
            writer.push(&line);
        }
        assert!(thread.dropped_lines() >= 11, "{}", thread.dropped_lines());
        drop(blocked);
        drop(thread);
        assert!(pipe.text.lock().unwrap().len() >= 4 * line.len());
    }
}
