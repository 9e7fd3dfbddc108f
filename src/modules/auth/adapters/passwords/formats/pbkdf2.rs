//! PBKDF2 (RFC 8018 §5.2) with SHA-1, SHA-256 or SHA-512, as three worlds write it: `$pbkdf2-sha256$i=600000,l=32$salt$hash`
//! (the PHC string format), `$pbkdf2-sha256$29000$salt$hash` (passlib), `pbkdf2_sha256$600000$salt$hash` (Django).

use std::num::NonZeroU32;

use aws_lc_rs::pbkdf2;

use super::{costly, malformed, unpack};
use crate::kernel::error::ValueFault;

/// The most iterations: some seconds.
const ITERATIONS: u32 = 5_000_000;

/// A hash.
pub(in super::super) struct Pbkdf2 {
    algorithm: pbkdf2::Algorithm,
    iterations: NonZeroU32,
    salt: Vec<u8>,
    hash: Vec<u8>,
}

impl Pbkdf2 {
    pub(super) fn parse(text: &str) -> Result<Self, ValueFault> {
        let is_phc = text.starts_with('$');
        let parts: Vec<&str> = text.trim_start_matches('$').split('$').collect();
        let [kind, cost, salt, hash] = parts.as_slice() else { return Err(malformed()) };
        let algorithm = match kind.trim_start_matches("pbkdf2").trim_start_matches(['-', '_']) {
            "" | "sha1" => pbkdf2::PBKDF2_HMAC_SHA1,
            "sha256" => pbkdf2::PBKDF2_HMAC_SHA256,
            "sha512" => pbkdf2::PBKDF2_HMAC_SHA512,
            _ => return Err(ValueFault::new("unknown-hash", "expected PBKDF2 with SHA-1, SHA-256 or SHA-512")),
        };
        // Django's salt is the text itself.
        let salt = if is_phc { unpack(salt)? } else { salt.as_bytes().to_vec() };
        let (hash, (iterations, length)) = (unpack(hash)?, read_cost(cost)?);
        let is_whole = (16..=64).contains(&hash.len()) && !salt.is_empty() && length.is_none_or(|l| l == hash.len());
        if !is_whole {
            return Err(malformed());
        }
        if iterations.get() > ITERATIONS {
            return Err(costly());
        }
        Ok(Self { algorithm, iterations, salt, hash })
    }

    pub(in super::super) fn verify(&self, password: &[u8]) -> bool {
        pbkdf2::verify(self.algorithm, self.iterations, &self.salt, password, &self.hash).is_ok()
    }
}

/// Iterations, and the length of the hash where it is told.
fn read_cost(text: &str) -> Result<(NonZeroU32, Option<usize>), ValueFault> {
    let (mut iterations, mut length) = (None, None);
    for part in text.split(',') {
        match part.split_once('=').unwrap_or(("i", part)) {
            ("i", number) => iterations = Some(number.parse().map_err(|_| malformed())?),
            ("l", number) => length = Some(number.parse().map_err(|_| malformed())?),
            _ => return Err(malformed()),
        }
    }
    Ok((iterations.ok_or_else(malformed)?, length))
}
