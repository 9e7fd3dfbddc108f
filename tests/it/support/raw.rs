//! Upstreams that misbehave, on bare sockets: what no proper server library lets one do.

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

/// How a raw upstream behaves once it has read a request head.
#[derive(Debug, Clone)]
pub(crate) enum Manner {
    /// Says nothing.
    Hang,
    /// Breaks the connection off without an answer.
    HangUp,
    /// Sends these bytes, then closes.
    Say(Vec<u8>),
    /// Sends these bytes, then one byte after each pause, for ever.
    Drip(Vec<u8>, Duration),
}

/// A raw upstream; gone when dropped.
pub(crate) struct RawUpstream {
    address: SocketAddr,
    open: Arc<AtomicUsize>,
    accepted: Arc<AtomicUsize>,
    heads: Arc<Mutex<Vec<String>>>,
    task: tokio::task::JoinHandle<()>,
}

impl RawUpstream {
    pub(crate) async fn start(manner: Manner) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("a bound socket has an address");
        let (open, accepted, heads) = (Arc::default(), Arc::default(), Arc::default());
        let task = tokio::spawn(accept(listener, manner, Arc::clone(&open), Arc::clone(&accepted), Arc::clone(&heads)));
        Self { address, open, accepted, heads, task }
    }

    /// `http://host:port`.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Connections that the peer has not closed.
    pub(crate) fn open_connections(&self) -> usize {
        self.open.load(Ordering::SeqCst)
    }

    /// Connections ever accepted.
    pub(crate) fn accepted_connections(&self) -> usize {
        self.accepted.load(Ordering::SeqCst)
    }

    /// The request heads it read, as they came.
    pub(crate) fn heads(&self) -> Vec<String> {
        self.heads.lock().expect("nobody panics with the lock").clone()
    }
}

impl Drop for RawUpstream {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn accept(
    listener: TcpListener,
    manner: Manner,
    open: Arc<AtomicUsize>,
    accepted: Arc<AtomicUsize>,
    heads: Arc<Mutex<Vec<String>>>,
) {
    while let Ok((stream, _)) = listener.accept().await {
        accepted.fetch_add(1, Ordering::SeqCst);
        open.fetch_add(1, Ordering::SeqCst);
        let (manner, open, heads) = (manner.clone(), Arc::clone(&open), Arc::clone(&heads));
        tokio::spawn(async move {
            serve(stream, manner, &heads).await;
            open.fetch_sub(1, Ordering::SeqCst);
        });
    }
}

async fn serve(mut stream: TcpStream, manner: Manner, heads: &Mutex<Vec<String>>) {
    let Some(head) = read_head(&mut stream).await else { return };
    heads.lock().expect("nobody panics with the lock").push(head);
    match manner {
        Manner::Hang => closed(&mut stream).await,
        Manner::HangUp => {}
        Manner::Say(bytes) => {
            let _ = stream.write_all(&bytes).await;
            let _ = stream.shutdown().await;
        }
        Manner::Drip(bytes, pause) => {
            let _ = stream.write_all(&bytes).await;
            while stream.write_all(b".").await.is_ok() {
                tokio::time::sleep(pause).await;
            }
        }
    }
}

async fn read_head(stream: &mut TcpStream) -> Option<String> {
    let mut head = Vec::new();
    let mut piece = [0; 1024];
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        let count = stream.read(&mut piece).await.ok().filter(|count| *count > 0)?;
        head.extend_from_slice(&piece[..count]);
    }
    Some(String::from_utf8_lossy(&head).into_owned())
}

/// Waits until the peer closes.
async fn closed(stream: &mut TcpStream) {
    let mut piece = [0; 1024];
    while stream.read(&mut piece).await.is_ok_and(|count| count > 0) {}
}
