//! Answers that come compressed. Only gzip: what a little of it can become is bounded, so that a bomb is noticed early.

use actix_http::{ContentEncoding, encoding::Decoder, error::PayloadError};
use bytes::Bytes;
use futures_util::{TryStreamExt as _, stream};
use http::{HeaderMap, header};

use crate::platform::http::client::ClientFault;

/// Decoded at a time; it becomes at most about a thousand times as much.
const PIECE: usize = 1024;

/// The body as it was before it was compressed, which may be `limit` bytes. `None`: an encoding that was not asked for.
pub(super) async fn decoded(headers: &HeaderMap, body: Vec<u8>, limit: usize) -> Option<Result<Vec<u8>, ClientFault>> {
    let Some(encoding) = headers.get(header::CONTENT_ENCODING) else { return Some(Ok(body)) };
    match encoding.to_str().map(|encoding| encoding.trim().to_ascii_lowercase()).as_deref() {
        Ok("identity" | "") => Some(Ok(body)),
        Ok("gzip" | "x-gzip") => Some(Box::pin(unzipped(body, limit)).await),
        _ => None,
    }
}

async fn unzipped(body: Vec<u8>, limit: usize) -> Result<Vec<u8>, ClientFault> {
    if body.is_empty() {
        return Ok(body);
    }
    let body = Bytes::from(body);
    let pieces = (0..body.len()).step_by(PIECE).map(|at| body.slice(at..body.len().min(at + PIECE)));
    let pieces: Vec<Result<Bytes, PayloadError>> = pieces.map(Ok).collect();
    let mut decoder = std::pin::pin!(Decoder::new(stream::iter(pieces), ContentEncoding::Gzip));
    let mut whole = Vec::new();
    while let Some(piece) = decoder.try_next().await.map_err(|_| ClientFault::Broken)? {
        if whole.len() + piece.len() > limit {
            return Err(ClientFault::TooLarge);
        }
        whole.extend_from_slice(&piece);
    }
    Ok(whole)
}

#[cfg(test)]
mod tests {
    use actix_http::encoding::Encoder;
    use actix_web::body::{MessageBody as _, to_bytes};

    use super::*;

    async fn zipped(body: Vec<u8>) -> Vec<u8> {
        let mut head = actix_http::ResponseHead::new(actix_http::StatusCode::OK);
        let encoder = Encoder::response(ContentEncoding::Gzip, &mut head, body);
        to_bytes(encoder.boxed()).await.expect("zipped").to_vec()
    }

    #[actix_web::test]
    async fn what_was_zipped_is_read_within_the_limit() {
        let headers: HeaderMap = [(header::CONTENT_ENCODING, "gzip".parse().expect("value"))].into_iter().collect();
        let text: Vec<u8> = (0..200_000_u32).flat_map(u32::to_le_bytes).collect();
        let small = zipped(text.clone()).await;
        assert_eq!(decoded(&headers, small.clone(), 1 << 20).await, Some(Ok(text)));
        assert_eq!(decoded(&headers, small, 1 << 19).await, Some(Err(ClientFault::TooLarge)));
        let bomb = zipped(vec![b' '; 64 << 20]).await;
        assert!(bomb.len() < 1 << 20, "{}", bomb.len());
        assert_eq!(decoded(&headers, bomb, 1 << 20).await, Some(Err(ClientFault::TooLarge)));
        assert_eq!(decoded(&headers, b"nonsense".to_vec(), 99).await, Some(Err(ClientFault::Broken)));
        let other: HeaderMap = [(header::CONTENT_ENCODING, "br".parse().expect("value"))].into_iter().collect();
        assert_eq!(decoded(&other, vec![1], 99).await, None);
    }
}
