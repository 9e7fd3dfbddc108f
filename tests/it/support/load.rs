//! Load: threads that ask without a pause, each on a kept connection, and see every byte that does not come.

use std::{
    io::{ErrorKind, Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

/// Threads that ask for one path.
pub(crate) struct Load {
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<Tally>>,
}

/// What came of it.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    /// Whole answers with status 200.
    pub(crate) good: usize,
    /// Everything else that happened to a request.
    pub(crate) failures: Vec<String>,
    /// Connections that were made.
    pub(crate) connections: usize,
    /// Threads that nobody listened to any more.
    pub(crate) refused: usize,
}

impl Load {
    /// Begins.
    pub(crate) fn start(url: &str, path: &str, threads: usize) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let address: SocketAddr = url.trim_start_matches("http://").parse().expect("an address");
        let head = format!("GET {path} HTTP/1.1\r\nhost: {address}\r\n\r\n");
        let one = |_| {
            let (stop, head) = (stop.clone(), head.clone());
            thread::spawn(move || ask(address, &head, &stop))
        };
        let threads = (0..threads).map(one).collect();
        Self { stop, threads }
    }

    /// Whether a thread still asks.
    pub(crate) fn goes_on(&self) -> bool {
        self.threads.iter().any(|thread| !thread.is_finished())
    }

    /// Lets every thread end what it has begun, and adds up.
    pub(crate) fn stop(self) -> Tally {
        self.stop.store(true, Ordering::Relaxed);
        let mut all = Tally::default();
        for thread in self.threads {
            let one = thread.join().expect("the thread does not panic");
            all.good += one.good;
            all.failures.extend(one.failures);
            all.connections += one.connections;
            all.refused += one.refused;
        }
        all
    }
}

fn ask(address: SocketAddr, head: &str, stop: &AtomicBool) -> Tally {
    let mut tally = Tally::default();
    let mut kept: Option<TcpStream> = None;
    while !stop.load(Ordering::Relaxed) {
        let mut stream = match kept.take() {
            Some(stream) => stream,
            None => match TcpStream::connect_timeout(&address, Duration::from_secs(5)) {
                Ok(stream) => {
                    tally.connections += 1;
                    stream
                }
                Err(error) if error.kind() == ErrorKind::ConnectionRefused => {
                    tally.refused += 1;
                    break;
                }
                Err(error) => {
                    tally.failures.push(format!("connect: {error}"));
                    continue;
                }
            },
        };
        match exchange(&mut stream, head) {
            Ok(goes_on) => {
                tally.good += 1;
                kept = goes_on.then_some(stream);
            }
            Err(why) => tally.failures.push(why),
        }
    }
    tally
}

/// Asks once; whether the connection can be used again.
fn exchange(stream: &mut TcpStream, head: &str) -> Result<bool, String> {
    let told = |error: std::io::Error| error.to_string();
    stream.set_read_timeout(Some(Duration::from_secs(15))).map_err(told)?;
    stream.write_all(head.as_bytes()).map_err(told)?;
    let (mut answer, mut piece) = (Vec::new(), [0; 4096]);
    let (end, length) = loop {
        let count = stream.read(&mut piece).map_err(told)?;
        if count == 0 {
            return Err(format!("closed after {} bytes of the head", answer.len()));
        }
        answer.extend_from_slice(&piece[..count]);
        if let Some(end) = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&answer[..end]).to_ascii_lowercase();
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse::<usize>().ok());
            break (end + 4, length.ok_or_else(|| format!("no length in {head}"))?);
        }
    };
    while answer.len() < end + length {
        let count = stream.read(&mut piece).map_err(told)?;
        if count == 0 {
            return Err(format!("closed after {} of {} bytes", answer.len(), end + length));
        }
        answer.extend_from_slice(&piece[..count]);
    }
    let text = String::from_utf8_lossy(&answer).to_ascii_lowercase();
    if !text.starts_with("http/1.1 200") {
        return Err(text);
    }
    Ok(!text[..end].contains("connection: close"))
}

/// An upstream that answers every request with `200` and a small body, after this pause, on connections that it keeps.
pub(crate) struct KeptUpstream {
    pub(crate) address: SocketAddr,
}

impl KeptUpstream {
    pub(crate) fn start(pause: Duration) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("a bound socket has an address");
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                thread::spawn(move || answer(stream, pause));
            }
        });
        Self { address }
    }
}

fn answer(mut stream: TcpStream, pause: Duration) {
    let (mut seen, mut piece) = (Vec::new(), [0; 4096]);
    while let Ok(count) = stream.read(&mut piece) {
        if count == 0 {
            return;
        }
        seen.extend_from_slice(&piece[..count]);
        if seen.ends_with(b"\r\n\r\n") {
            seen.clear();
            thread::sleep(pause);
            if stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello").is_err() {
                return;
            }
        }
    }
}
