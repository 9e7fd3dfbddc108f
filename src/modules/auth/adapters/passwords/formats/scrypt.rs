//! scrypt (RFC 7914) in the PHC string format: `$scrypt$ln=16,r=8,p=1$salt$hash`.

use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use super::{costly, malformed, unpack};
use crate::kernel::error::ValueFault;

/// The most memory of a comparison: twice the most that is recommended anywhere.
const MEMORY: u64 = 512 * 1024 * 1024;
/// The most memory times passes.
const WORK: u64 = 4 * MEMORY;

/// A hash.
pub(in super::super) struct Scrypt {
    params: scrypt::Params,
    salt: Vec<u8>,
    hash: Vec<u8>,
}

impl Scrypt {
    pub(super) fn parse(text: &str) -> Result<Self, ValueFault> {
        let parts: Vec<&str> = text.split('$').collect();
        let ["", "scrypt", cost, salt, hash] = parts.as_slice() else { return Err(malformed()) };
        let (mut log_n, mut r, mut p) = (None, None, None);
        for part in cost.split(',') {
            let (name, number) = part.split_once('=').ok_or_else(malformed)?;
            let number: u32 = number.parse().map_err(|_| malformed())?;
            match name {
                "ln" => log_n = Some(number),
                "r" => r = Some(number),
                "p" => p = Some(number),
                _ => return Err(malformed()),
            }
        }
        let (Some(log_n), Some(r), Some(p)) = (log_n, r, p) else { return Err(malformed()) };
        let memory = 1u64.checked_shl(log_n).unwrap_or(u64::MAX).saturating_mul(128 * u64::from(r));
        if log_n > 30 || memory > MEMORY || memory.saturating_mul(p.into()) > WORK {
            return Err(costly());
        }
        let params = u8::try_from(log_n).ok().and_then(|log_n| scrypt::Params::new(log_n, r, p).ok());
        let (salt, hash) = (unpack(salt)?, unpack(hash)?);
        if log_n == 0 || salt.is_empty() || !(16..=64).contains(&hash.len()) {
            return Err(malformed());
        }
        Ok(Self { params: params.ok_or_else(malformed)?, salt, hash })
    }

    pub(in super::super) fn verify(&self, password: &[u8]) -> bool {
        let mut again = Zeroizing::new(vec![0; self.hash.len()]);
        let is_made = scrypt::scrypt(password, &self.salt, &self.params, &mut again).is_ok();
        is_made && bool::from(again.ct_eq(&self.hash))
    }
}
