//! HTTP/2 to a target: the connection has a task of its own on this thread, its requests share it.

use std::{
    future::Future,
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use actix_web::http::{StatusCode, Version};
use http::Request;
use hyper::{
    body::{Body as _, Incoming},
    client::conn::http2::{Builder, SendRequest},
    rt::Executor,
};
use hyper_util::rt::TokioIo;

use super::{
    Answered, ExchangeFailed, SendFault, Stream,
    h1::{Head, Piece},
};
use crate::modules::gateway::adapters::{hygiene::to_front_all, request_body::RequestBody};

/// A share of a connection.
pub(super) type Sender = SendRequest<RequestBody>;

/// Greets the target; the connection lives as long as somebody has a share of it.
pub(super) async fn open(stream: Stream) -> io::Result<Sender> {
    let handshake = Builder::new(ThisThread).handshake(TokioIo::new(stream)).await;
    let (sender, driver) = handshake.map_err(io::Error::other)?;
    actix_web::rt::spawn(async move {
        if let Err(error) = driver.await {
            tracing::debug!(event = "h2_connection_ended", %error);
        }
    });
    Ok(sender)
}

/// Sends a request and waits for the answer's head. Dropping it resets the stream.
pub(super) async fn send(sender: &mut Sender, request: Request<RequestBody>) -> Result<Answered, SendFault> {
    if let Err(error) = sender.ready().await {
        return Err(SendFault { error: error.into(), unsent: Some(request.into_body()) });
    }
    let answer = sender.try_send_request(request).await.map_err(|mut fault| {
        let unsent = fault.take_message().map(Request::into_body);
        SendFault { error: fault.into_error().into(), unsent }
    })?;
    let (head, incoming) = answer.into_parts();
    let head = Head {
        status: StatusCode::from_u16(head.status.as_u16()).unwrap_or(StatusCode::BAD_GATEWAY),
        version: Version::HTTP_2,
        headers: to_front_all(&head.headers),
    };
    Ok(Answered { head, incoming: Some(incoming) })
}

/// The next piece of an answer's body; `None` at its end.
pub(in crate::modules::gateway::adapters) fn poll_piece(
    incoming: &mut Incoming,
    cx: &mut Context<'_>,
) -> Poll<Option<Result<Piece, ExchangeFailed>>> {
    loop {
        let frame = match ready!(Pin::new(&mut *incoming).poll_frame(cx)) {
            None => return Poll::Ready(None),
            Some(Err(error)) => return Poll::Ready(Some(Err(error.into()))),
            Some(Ok(frame)) => frame,
        };
        return Poll::Ready(Some(Ok(match frame.into_data() {
            Ok(bytes) => Piece::Data(bytes),
            Err(frame) => match frame.into_trailers() {
                Ok(trailers) => Piece::Trailers(to_front_all(&trailers)),
                Err(_) => continue,
            },
        })));
    }
}

/// Bodies of this thread's clients are sent by this thread.
#[derive(Clone, Copy)]
struct ThisThread;

impl<F: Future + 'static> Executor<F> for ThisThread {
    fn execute(&self, future: F) {
        actix_web::rt::spawn(future);
    }
}
