//! A connection after its protocol has changed: bytes go both ways as they come, through two buffers of a fixed size, until
//! both sides are done, one breaks off, or nothing comes for too long. It is the body of the `101`, so that it runs in the
//! connection's own task and ends with it; but it reads and writes the client's socket itself, so that neither direction
//! waits for the other.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use actix_web::body::{BodySize, MessageBody};
use bytes::Bytes;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Instant, Sleep, sleep_until},
};

use super::{
    connection::Stream,
    upstream::{Place, Upstream},
};
use crate::platform::http::Tunnel;

/// Of each direction.
const BUFFER: usize = 16 << 10;
/// After so many pieces in a row others have their turn.
const PIECES: u32 = 32;

/// A tunnel between a client and a target.
pub(super) struct TunnelBody {
    client: Tunnel,
    target: Stream,
    is_open: bool,
    up: Pump,
    down: Pump,
    idle_timeout: Duration,
    timer: Pin<Box<Sleep>>,
    last_byte: Instant,
    count: Count,
    /// Held to the end: a tunnel is in flight.
    _place: Place,
}

/// Tells the metrics and the log of a tunnel.
struct Count {
    upstream: String,
    active: metrics::Gauge,
    up: u64,
    down: u64,
    reason: &'static str,
}

impl TunnelBody {
    /// A tunnel; `first` came from the target with its answer.
    pub(super) fn new(client: Tunnel, target: Stream, first: &[u8], upstream: &Upstream, place: Place) -> Self {
        let active = metrics::gauge!("upstream_tunnels_active", "upstream" => upstream.name.clone());
        active.increment(1.0);
        metrics::counter!("upstream_tunnels_total", "upstream" => upstream.name.clone()).increment(1);
        let now = Instant::now();
        Self {
            client,
            target,
            is_open: false,
            up: Pump::new(&[]),
            down: Pump::new(first),
            idle_timeout: upstream.idle_timeout,
            timer: Box::pin(sleep_until(now + upstream.idle_timeout)),
            last_byte: now,
            count: Count { upstream: upstream.name.clone(), active, up: 0, down: 0, reason: "dropped" },
            _place: place,
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<&'static str> {
        if !self.is_open {
            ready!(self.client.poll_open(cx));
            self.is_open = true;
        }
        let before = self.up.moved + self.down.moved;
        let up = self.up.poll(&mut self.client, &mut self.target, cx);
        let down = self.down.poll(&mut self.target, &mut self.client, cx);
        (self.count.up, self.count.down) = (self.up.moved, self.down.moved);
        match (up, down) {
            (Poll::Ready(Err(_)), _) | (_, Poll::Ready(Err(_))) => return Poll::Ready("broken"),
            (Poll::Ready(Ok(())), Poll::Ready(Ok(()))) => return Poll::Ready("done"),
            _ => {}
        }
        if self.up.moved + self.down.moved != before {
            self.last_byte = Instant::now();
        }
        loop {
            if self.timer.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
            let due = self.last_byte + self.idle_timeout;
            if due <= Instant::now() {
                return Poll::Ready("idle");
            }
            self.timer.as_mut().reset(due);
        }
    }
}

impl MessageBody for TunnelBody {
    type Error = io::Error;

    fn size(&self) -> BodySize {
        BodySize::Stream
    }

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<Bytes>>> {
        let this = self.get_mut();
        this.count.reason = ready!(this.poll(cx));
        Poll::Ready(None)
    }
}

impl Drop for Count {
    fn drop(&mut self) {
        self.active.decrement(1.0);
        let bytes = |direction: &'static str, count| {
            metrics::counter!("upstream_tunnel_bytes_total", "upstream" => self.upstream.clone(), "direction" => direction)
                .increment(count);
        };
        bytes("up", self.up);
        bytes("down", self.down);
        tracing::info!(
            event = "tunnel_closed",
            upstream = self.upstream,
            reason = self.reason,
            bytes_up = self.up,
            bytes_down = self.down
        );
    }
}

/// One direction.
struct Pump {
    buffer: Box<[u8]>,
    start: usize,
    end: usize,
    /// Nothing more comes from the one side; the other was told.
    source_ended: bool,
    closed: bool,
    unflushed: bool,
    moved: u64,
}

impl Pump {
    fn new(first: &[u8]) -> Self {
        let mut buffer = vec![0; BUFFER.max(first.len())].into_boxed_slice();
        buffer[..first.len()].copy_from_slice(first);
        Self { buffer, start: 0, end: first.len(), source_ended: false, closed: false, unflushed: false, moved: 0 }
    }

    /// Moves what there is; ready when this direction is at its end.
    fn poll<R, W>(&mut self, from: &mut R, to: &mut W, cx: &mut Context<'_>) -> Poll<io::Result<()>>
    where
        R: AsyncRead + Unpin,
        W: AsyncWrite + Unpin,
    {
        for _ in 0..PIECES {
            while self.start < self.end {
                let count = ready!(Pin::new(&mut *to).poll_write(cx, &self.buffer[self.start..self.end]))?;
                if count == 0 {
                    return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
                }
                self.start += count;
                self.moved += count as u64;
                self.unflushed = true;
            }
            if self.source_ended {
                if !self.closed {
                    ready!(Pin::new(&mut *to).poll_shutdown(cx))?;
                    self.closed = true;
                }
                return Poll::Ready(Ok(()));
            }
            let mut piece = ReadBuf::new(&mut self.buffer);
            match Pin::new(&mut *from).poll_read(cx, &mut piece) {
                Poll::Pending => {
                    if self.unflushed {
                        ready!(Pin::new(&mut *to).poll_flush(cx))?;
                        self.unflushed = false;
                    }
                    return Poll::Pending;
                }
                Poll::Ready(outcome) => outcome?,
            }
            (self.start, self.end) = (0, piece.filled().len());
            self.source_ended = self.end == 0;
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}
