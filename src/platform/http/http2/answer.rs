//! An answer of the application as one of HTTP/2.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, Waker, ready},
};

use actix_http::Response;
use actix_web::body::{BodySize, BoxBody, EitherBody, MessageBody};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use hyper::body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use super::{AnswerTrailers, broken, grpc, streams::Stream};

/// So many pieces of a body that nobody is going to see are taken, so that its end is noted.
const MOST_UNSEEN: usize = 16;

/// The answer, with its body.
pub(super) fn of<B: MessageBody + 'static>(
    response: Response<EitherBody<B>>,
    is_head: bool,
    is_grpc: bool,
    stream: Stream,
) -> http::Response<AnswerBody<B>> {
    let status = StatusCode::from_u16(response.status().as_u16()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let trailers = response.extensions().get::<AnswerTrailers>().cloned();
    let (response, body) = response.into_parts();
    let size = body.size();
    let is_bodiless = matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
    // A 304 tells the length of what it does not send.
    let mut headers = headers(response.headers(), status == StatusCode::NOT_MODIFIED || size == BodySize::None);
    match size {
        // Of a body that is not there gRPC tells no length.
        BodySize::Sized(0) if is_grpc => {}
        BodySize::Sized(length) if !is_bodiless => {
            headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
        }
        _ => {}
    }
    let body = if is_head || is_bodiless {
        take_unseen(body);
        AnswerBody::none()
    } else {
        let is_ended = matches!(size, BodySize::None | BodySize::Sized(0));
        AnswerBody { body, trailers, size, passed: 0, is_grpc, is_ended, _stream: Some(stream) }
    };
    let mut answer = http::Response::new(body);
    *answer.status_mut() = status;
    *answer.headers_mut() = headers;
    answer
}

/// Takes what is there of a body that is not sent.
pub(super) fn take_unseen(body: impl MessageBody + 'static) {
    let mut body = body.boxed();
    let mut cx = Context::from_waker(Waker::noop());
    for _ in 0..MOST_UNSEEN {
        if !matches!(body.as_pin_mut().poll_next(&mut cx), Poll::Ready(Some(Ok(_)))) {
            return;
        }
    }
}

/// The headers, without those of a connection of HTTP/1.1 (RFC 9113 §8.2.2).
pub(super) fn headers(from: &actix_web::http::header::HeaderMap, with_length: bool) -> HeaderMap {
    let mut headers = HeaderMap::with_capacity(from.len() + 2);
    for (name, value) in from {
        let is_ours = match name.as_str() {
            "connection" | "keep-alive" | "proxy-connection" | "transfer-encoding" | "upgrade" => true,
            "content-length" => !with_length,
            _ => false,
        };
        if is_ours {
            continue;
        }
        let name = HeaderName::from_bytes(name.as_str().as_bytes());
        if let (Ok(name), Ok(value)) = (name, HeaderValue::from_bytes(value.as_bytes())) {
            headers.append(name, value);
        }
    }
    headers
}

pin_project! {
    /// The body of an answer, and its trailers.
    pub(super) struct AnswerBody<B> {
        #[pin]
        body: EitherBody<B>,
        trailers: Option<AnswerTrailers>,
        size: BodySize,
        passed: u64,
        // With gRPC a status says how it ended.
        is_grpc: bool,
        // Nothing more comes, trailers neither.
        is_ended: bool,
        _stream: Option<Stream>,
    }
}

impl<B> AnswerBody<B> {
    /// None.
    pub(super) fn none() -> Self {
        let body = EitherBody::right(BoxBody::new(()));
        Self { body, trailers: None, size: BodySize::None, passed: 0, is_grpc: false, is_ended: true, _stream: None }
    }
}

impl<B: MessageBody + 'static> Body for AnswerBody<B> {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        if self.is_ended {
            return Poll::Ready(None);
        }
        let this = self.as_mut().project();
        let piece = match ready!(this.body.poll_next(cx)) {
            Some(Ok(piece)) => piece,
            Some(Err(error)) => {
                let error: Box<dyn std::error::Error> = error.into();
                if *this.is_grpc {
                    *this.is_ended = true;
                    return Poll::Ready(Some(Ok(Frame::trailers(grpc::broken_off(&*error)))));
                }
                // The stream is reset: a shortened body must not look whole.
                return Poll::Ready(Some(Err(broken(error))));
            }
            None => {
                *this.is_ended = true;
                let trailers = this.trailers.take().and_then(|trailers| trailers.take());
                return Poll::Ready(trailers.map(|trailers| Ok(Frame::trailers(trailers))));
            }
        };
        *this.passed += piece.len() as u64;
        // The last piece is sent as the last one when the body is seen to be at its end.
        if *this.size == BodySize::Sized(*this.passed) && this.trailers.is_none() {
            let end = self.as_mut().project().body.poll_next(cx);
            *self.project().is_ended = matches!(end, Poll::Ready(None));
        }
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.is_ended
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::default()
    }
}
