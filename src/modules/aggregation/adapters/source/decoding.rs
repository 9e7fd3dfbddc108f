//! Answers that come compressed. What a little of one can become has no bound of its own: it is read piece by piece, and no
//! further than the limit, so that a bomb costs no more than an honest answer of the largest size.

use std::io::{self, Read};

use actix_http::{ContentEncoding, encoding::Decoder, error::PayloadError};
use bytes::Bytes;
use futures_util::{TryStreamExt as _, stream};
use http::{HeaderMap, header};

use crate::platform::http::client::ClientFault;

/// What is asked for, of a source that may compress.
pub(super) const ACCEPTED: &str = "zstd, br, gzip";

/// Unzipped at a time; it becomes at most about a thousand times as much.
const PIECE: usize = 1024;
/// What a decoder reads at a time.
const BUFFER: usize = 16 * 1024;
/// The largest window of zstd, as a power of two: 8 MiB is what every encoder keeps to (RFC 8878 §3.1.1.1.2).
const WINDOW: u32 = 23;

/// The body as it was before it was compressed, which may be `limit` bytes. `None`: an encoding that was not asked for.
pub(super) async fn decoded(headers: &HeaderMap, body: Vec<u8>, limit: usize) -> Option<Result<Vec<u8>, ClientFault>> {
    let Some(encoding) = headers.get(header::CONTENT_ENCODING) else { return Some(Ok(body)) };
    match encoding.to_str().map(|encoding| encoding.trim().to_ascii_lowercase()).as_deref() {
        Ok("identity" | "") => Some(Ok(body)),
        Ok("gzip" | "x-gzip") => Some(Box::pin(unzipped(body, limit)).await),
        Ok("br") => Some(beside(body, limit, unbrotlied).await),
        Ok("zstd") => Some(beside(body, limit, unzstd).await),
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

type Decode = fn(&[u8], usize) -> io::Result<Vec<u8>>;

/// A few bytes may become millions: that must not hold up what this thread serves besides.
async fn beside(body: Vec<u8>, limit: usize, decode: Decode) -> Result<Vec<u8>, ClientFault> {
    if body.is_empty() {
        return Ok(body);
    }
    let decoding = tokio::task::spawn_blocking(move || decode(&body, limit));
    match decoding.await {
        Ok(Ok(whole)) if whole.len() <= limit => Ok(whole),
        Ok(Ok(_)) => Err(ClientFault::TooLarge),
        _ => Err(ClientFault::Broken),
    }
}

fn unbrotlied(body: &[u8], limit: usize) -> io::Result<Vec<u8>> {
    within(brotli::Decompressor::new(body, BUFFER), limit)
}

fn unzstd(body: &[u8], limit: usize) -> io::Result<Vec<u8>> {
    let mut decoder = zstd::Decoder::with_buffer(body)?;
    decoder.window_log_max(WINDOW)?;
    within(decoder, limit)
}

/// All there is, or a byte more than the limit.
fn within(decoder: impl Read, limit: usize) -> io::Result<Vec<u8>> {
    let mut whole = Vec::new();
    decoder.take(limit as u64 + 1).read_to_end(&mut whole)?;
    Ok(whole)
}

#[cfg(test)]
mod tests {
    use actix_http::encoding::Encoder;
    use actix_web::body::{MessageBody as _, to_bytes};

    use super::*;

    async fn compressed(encoding: ContentEncoding, body: Vec<u8>) -> Vec<u8> {
        let mut head = actix_http::ResponseHead::new(actix_http::StatusCode::OK);
        let encoder = Encoder::response(encoding, &mut head, body);
        to_bytes(encoder.boxed()).await.expect("compressed").to_vec()
    }

    fn headers(encoding: &str) -> HeaderMap {
        [(header::CONTENT_ENCODING, encoding.parse().expect("value"))].into_iter().collect()
    }

    #[actix_web::test]
    async fn what_was_compressed_is_read_within_the_limit() {
        let text: Vec<u8> = (0..200_000_u32).flat_map(u32::to_le_bytes).collect();
        for encoding in [ContentEncoding::Gzip, ContentEncoding::Brotli, ContentEncoding::Zstd] {
            let headers = headers(encoding.as_str());
            let small = compressed(encoding, text.clone()).await;
            let read = decoded(&headers, small.clone(), text.len()).await;
            assert!(read == Some(Ok(text.clone())), "{encoding:?}");
            let read = decoded(&headers, small.clone(), text.len() - 1).await;
            assert!(read == Some(Err(ClientFault::TooLarge)), "{encoding:?}");
            let cut = decoded(&headers, small[..small.len() / 2].to_vec(), text.len()).await;
            assert!(cut == Some(Err(ClientFault::Broken)), "{encoding:?}");
            assert_eq!(decoded(&headers, b"nonsense".to_vec(), 99).await, Some(Err(ClientFault::Broken)));
            assert_eq!(decoded(&headers, Vec::new(), 99).await, Some(Ok(Vec::new())));
        }
    }

    #[actix_web::test]
    async fn bombs_are_noticed() {
        for encoding in [ContentEncoding::Gzip, ContentEncoding::Brotli, ContentEncoding::Zstd] {
            let bomb = compressed(encoding, vec![b' '; 64 << 20]).await;
            assert!(bomb.len() < 1 << 20, "{encoding:?}: {}", bomb.len());
            let read = decoded(&headers(encoding.as_str()), bomb, 1 << 20).await;
            assert!(read == Some(Err(ClientFault::TooLarge)), "{encoding:?}");
        }
    }

    #[actix_web::test]
    async fn what_was_not_asked_for_is_not_read() {
        for encoding in ["deflate", "compress", "gzip, br", "x"] {
            assert_eq!(decoded(&headers(encoding), vec![1], 99).await, None, "{encoding}");
        }
    }
}
