//! A body on its way to the client, collected beside it to be kept. It is kept when it is whole, and only then.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll},
};

use actix_web::body::{BodySize, BoxBody, MessageBody};
use bytes::{Bytes, BytesMut};

/// What all bodies that are being collected may take together.
#[derive(Debug)]
pub(super) struct Room {
    taken: AtomicUsize,
    most: usize,
}

impl Room {
    pub(super) fn new(most: usize) -> Self {
        Self { taken: AtomicUsize::new(0), most }
    }

    fn take(&self, bytes: usize) -> bool {
        let before = self.taken.fetch_add(bytes, Ordering::Relaxed);
        let fits = before.saturating_add(bytes) <= self.most;
        if !fits {
            self.taken.fetch_sub(bytes, Ordering::Relaxed);
        }
        fits
    }

    /// What is taken now.
    pub(super) fn taken(&self) -> usize {
        self.taken.load(Ordering::Relaxed)
    }
}

/// What becomes of a body.
pub(super) trait Keep: 'static {
    /// It came to its end.
    fn whole(self: Box<Self>, body: Bytes);
    /// It is too long to be kept.
    fn too_long(self: Box<Self>);
}

/// The collected part of a body.
struct Collection {
    bytes: BytesMut,
    /// The announced length.
    length: Option<u64>,
    longest: usize,
    room: Arc<Room>,
    keep: Box<dyn Keep>,
}

impl Collection {
    /// Adds a piece; whether it goes on.
    fn add(&mut self, piece: &Bytes) -> bool {
        if self.bytes.len() + piece.len() > self.longest || !self.room.take(piece.len()) {
            return false;
        }
        self.bytes.extend_from_slice(piece);
        true
    }

    fn is_whole(&self) -> bool {
        self.length == Some(self.bytes.len() as u64)
    }

    fn finish(mut self) {
        let collected = self.bytes.len();
        let body = std::mem::take(&mut self.bytes).freeze();
        self.room.taken.fetch_sub(collected, Ordering::Relaxed);
        self.keep.whole(body);
    }

    fn give_up(self) {
        self.room.taken.fetch_sub(self.bytes.len(), Ordering::Relaxed);
        self.keep.too_long();
    }
}

/// A body that is passed on and collected.
pub(super) struct Collected {
    inner: BoxBody,
    collection: Option<Collection>,
}

impl Collected {
    /// Collects up to `longest` bytes.
    pub(super) fn new(inner: BoxBody, longest: usize, room: Arc<Room>, keep: Box<dyn Keep>) -> Self {
        let length = match inner.size() {
            BodySize::Sized(length) => Some(length),
            BodySize::None => Some(0),
            BodySize::Stream => None,
        };
        let collection = Collection { bytes: BytesMut::new(), length, longest, room, keep };
        if length.is_some_and(|length| length > longest as u64) {
            collection.keep.too_long();
            return Self { inner, collection: None };
        }
        if length == Some(0) {
            collection.finish();
            return Self { inner, collection: None };
        }
        Self { inner, collection: Some(collection) }
    }
}

/// What was collected of a body that nobody wants to the end gives its room back.
impl Drop for Collected {
    fn drop(&mut self) {
        if let Some(collection) = &self.collection {
            collection.room.taken.fetch_sub(collection.bytes.len(), Ordering::Relaxed);
        }
    }
}

impl MessageBody for Collected {
    type Error = Box<dyn std::error::Error>;

    fn size(&self) -> BodySize {
        self.inner.size()
    }

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Self::Error>>> {
        let this = self.get_mut();
        let polled = Pin::new(&mut this.inner).poll_next(cx);
        match &polled {
            Poll::Pending => {}
            Poll::Ready(Some(Ok(piece))) => {
                let Some(mut collection) = this.collection.take() else { return polled };
                if !collection.add(piece) {
                    collection.give_up();
                } else if collection.is_whole() {
                    // Kept before the client has seen its end, so that its next request finds it.
                    collection.finish();
                } else {
                    this.collection = Some(collection);
                }
            }
            Poll::Ready(Some(Err(_))) => {
                if let Some(collection) = this.collection.take() {
                    collection.room.taken.fetch_sub(collection.bytes.len(), Ordering::Relaxed);
                }
            }
            Poll::Ready(None) => {
                if let Some(collection) = this.collection.take() {
                    if collection.length.is_none() {
                        collection.finish();
                    } else {
                        collection.room.taken.fetch_sub(collection.bytes.len(), Ordering::Relaxed);
                    }
                }
            }
        }
        polled
    }
}

#[cfg(test)]
mod tests {
    use std::{cell::RefCell, rc::Rc};

    use super::*;

    struct Pieces(Vec<Result<&'static [u8], &'static str>>, BodySize);

    impl MessageBody for Pieces {
        type Error = Box<dyn std::error::Error>;

        fn size(&self) -> BodySize {
            self.1
        }

        fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Bytes, Self::Error>>> {
            if self.0.is_empty() {
                return Poll::Ready(None);
            }
            Poll::Ready(Some(self.0.remove(0).map(Bytes::from_static).map_err(Into::into)))
        }
    }

    struct Note(Rc<RefCell<Vec<String>>>);

    impl Keep for Note {
        fn whole(self: Box<Self>, body: Bytes) {
            self.0.borrow_mut().push(String::from_utf8_lossy(&body).into_owned());
        }

        fn too_long(self: Box<Self>) {
            self.0.borrow_mut().push("too long".to_owned());
        }
    }

    fn collected(
        pieces: Vec<Result<&'static [u8], &'static str>>,
        size: BodySize,
        read: usize,
    ) -> (Vec<String>, usize) {
        let notes = Rc::new(RefCell::new(Vec::new()));
        let room = Arc::new(Room::new(6));
        let keep = Box::new(Note(notes.clone()));
        let mut body = Collected::new(BoxBody::new(Pieces(pieces, size)), 5, room.clone(), keep);
        let mut cx = Context::from_waker(std::task::Waker::noop());
        for _ in 0..read {
            assert!(Pin::new(&mut body).poll_next(&mut cx).is_ready());
        }
        drop(body);
        let notes = notes.borrow().clone();
        (notes, room.taken())
    }

    #[test]
    fn only_what_is_whole_is_kept() {
        let (ab, cd): (Result<&'static [u8], _>, Result<&'static [u8], _>) = (Ok(b"ab"), Ok(b"cd"));
        for (pieces, size, read, kept) in [
            (vec![ab, cd], BodySize::Sized(4), 2, vec!["abcd"]),
            (vec![ab, cd], BodySize::Sized(4), 1, vec![]),
            (vec![ab, cd], BodySize::Sized(5), 3, vec![]),
            (vec![ab, cd], BodySize::Stream, 2, vec![]),
            (vec![ab, cd], BodySize::Stream, 3, vec!["abcd"]),
            (vec![ab, Err("broken")], BodySize::Stream, 3, vec![]),
            (vec![ab, cd, ab], BodySize::Stream, 4, vec!["too long"]),
            (vec![], BodySize::Sized(6), 0, vec!["too long"]),
            (vec![], BodySize::Sized(0), 0, vec![""]),
            (vec![], BodySize::None, 0, vec![""]),
        ] {
            let of = format!("{pieces:?} {size:?} {read}");
            let kept: Vec<String> = kept.into_iter().map(str::to_owned).collect();
            assert_eq!(collected(pieces, size, read), (kept, 0), "{of}");
        }
    }
}
