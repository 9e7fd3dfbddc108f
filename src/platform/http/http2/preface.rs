//! Whether a connection without TLS begins with HTTP/2 (RFC 9113 §3.3): a client that knows says so by its first bytes.

use std::time::Duration;

use tokio::{
    net::TcpStream,
    time::{sleep, timeout},
};

/// What a connection of HTTP/2 begins with (RFC 9113 §3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// The first and the longest pause while a few first bytes are all there is.
const PAUSE: Duration = Duration::from_millis(1);
const LONGEST_PAUSE: Duration = Duration::from_millis(500);

/// What a connection begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::platform::http) enum Opening {
    /// HTTP/2.
    Http2,
    /// Something else, or its end.
    Other,
    /// Nothing that tells, in time.
    Silent,
}

/// Looks at the first bytes of a connection, which stay where they are.
pub(in crate::platform::http) async fn opening(stream: &TcpStream, limit: Duration) -> Opening {
    timeout(limit, look(stream)).await.unwrap_or(Opening::Silent)
}

async fn look(stream: &TcpStream) -> Opening {
    let mut bytes = [0; PREFACE.len()];
    let mut pause = PAUSE;
    loop {
        match stream.peek(&mut bytes).await {
            Ok(count) if count > 0 && PREFACE.starts_with(&bytes[..count]) => {
                if count == PREFACE.len() {
                    return Opening::Http2;
                }
            }
            Ok(_) | Err(_) => return Opening::Other,
        }
        // The socket would call itself readable for what was seen already.
        sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}
