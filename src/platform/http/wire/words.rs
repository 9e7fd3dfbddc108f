//! What a client is told in the place of the library's own words, and when the library says nothing.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, Waker},
};

use bytes::{Buf as _, Bytes};
use tokio::io::{AsyncRead as _, AsyncWrite as _, ReadBuf};

use super::{
    Inner, WireStream,
    refusal::{Refusal, appended},
};

/// So many pieces of what a refused request goes on with are thrown away.
const MOST_UNREAD: usize = 64;

/// What was said to the client.
#[derive(Debug, Default)]
pub(super) struct Words {
    /// Something of the answer to the request that was begun last was written.
    pub(super) spoke: bool,
    /// What is sent in the place of the library's own words, as far as it is not sent yet.
    pub(super) own: Bytes,
}

impl Inner {
    /// Takes what the library says by itself, and says it in our words: `Some` with how many of these bytes are done with.
    /// `is_idle`: the application has answered all that it was given; `is_first`: that was nothing.
    pub(super) fn reword(
        &mut self,
        is_idle: bool,
        is_first: bool,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Option<io::Result<usize>> {
        // Answers of the application are written before they are flushed, or while they are under way.
        if is_idle
            && (is_first || self.flushed)
            && let Some(refusal) = Refusal::of(bytes)
        {
            self.words.own = refusal.answer(self.socket.peer());
            self.words.spoke = true;
            return Some(self.send_own(cx).map(|_| bytes.len()));
        }
        // The application has answered what was refused within the body; the library adds an answer.
        if !self.refused {
            return None;
        }
        let at = appended(bytes)?;
        if at == 0 {
            return Some(Ok(bytes.len()));
        }
        self.words.spoke = true;
        match Pin::new(&mut self.socket).poll_write(cx, &bytes[..at]) {
            Poll::Ready(Ok(count)) if count == at => Some(Ok(bytes.len())),
            Poll::Ready(outcome) => Some(outcome),
            Poll::Pending => None,
        }
    }

    /// The body was refused before the application had said anything, and now it never will.
    pub(super) fn say_refused(&mut self) {
        if self.refused && !self.words.spoke {
            self.words.spoke = true;
            self.words.own = Refusal::Malformed.answer(self.socket.peer());
        }
    }

    /// Sends what is left of our own words.
    pub(super) fn send_own(&mut self, cx: &mut Context<'_>) -> io::Result<Poll<()>> {
        while !self.words.own.is_empty() {
            match Pin::new(&mut self.socket).poll_write(cx, &self.words.own)? {
                Poll::Pending => return Ok(Poll::Pending),
                Poll::Ready(0) => return Err(io::ErrorKind::WriteZero.into()),
                Poll::Ready(count) => self.words.own.advance(count),
            }
        }
        Ok(Poll::Ready(()))
    }
}

/// The library drops a connection as soon as chunks are wrong, whatever the application was about to answer.
impl Drop for WireStream {
    fn drop(&mut self) {
        let Ok(mut inner) = self.wire.inner.try_borrow_mut() else { return };
        inner.say_refused();
        if inner.words.own.is_empty() {
            return;
        }
        let mut cx = Context::from_waker(Waker::noop());
        // What does not fit into the socket now is not worth waiting for.
        let _ = inner.send_own(&mut cx);
        let _ = Pin::new(&mut inner.socket).poll_flush(&mut cx);
        // What came and was not read would make the system take the answer back.
        let mut bytes = [0; 4096];
        for _ in 0..MOST_UNREAD {
            let mut piece = ReadBuf::new(&mut bytes);
            match Pin::new(&mut inner.socket).poll_read(&mut cx, &mut piece) {
                Poll::Ready(Ok(())) if !piece.filled().is_empty() => {}
                _ => return,
            }
        }
    }
}
