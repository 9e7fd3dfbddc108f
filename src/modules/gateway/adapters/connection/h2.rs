//! HTTP/2 to a target: the connection has a task of its own on this thread, its requests share it.

use std::{future::Future, io};

use http::{Request, Response};
use hyper::{
    body::Incoming,
    client::conn::http2::{Builder, SendRequest},
    rt::Executor,
};
use hyper_util::rt::TokioIo;

use super::{SendFault, Stream};
use crate::modules::gateway::adapters::request_body::RequestBody;

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

/// Sends a request and waits for the response's head. Dropping it resets the stream.
pub(super) async fn send(sender: &mut Sender, request: Request<RequestBody>) -> Result<Response<Incoming>, SendFault> {
    if let Err(error) = sender.ready().await {
        return Err(SendFault { error, unsent: Some(Box::new(request)) });
    }
    sender.try_send_request(request).await.map_err(|mut fault| {
        let unsent = fault.take_message().map(Box::new);
        SendFault { error: fault.into_error(), unsent }
    })
}

/// Bodies of this thread's clients are sent by this thread.
#[derive(Clone, Copy)]
struct ThisThread;

impl<F: Future + 'static> Executor<F> for ThisThread {
    fn execute(&self, future: F) {
        actix_web::rt::spawn(future);
    }
}
