//! The forms in which a hash can be kept: those that are written here, and those that other systems write, which are
//! verified, and renewed at the next login. What a comparison may cost is bounded, whoever wrote the hash.

mod pbkdf2;
mod scrypt;
#[cfg(test)]
mod tests;

use argon2::{Params, password_hash::phc::PasswordHash as PhcHash};
use base64::{Engine as _, alphabet, engine};

#[cfg(test)]
pub(super) use self::tests::FOREIGN;
use self::{pbkdf2::Pbkdf2, scrypt::Scrypt};
use crate::kernel::error::ValueFault;

/// Before a bcrypt hash of an HMAC; a bare `$2…` is one of a plain password, from elsewhere.
pub(super) const KEYED: &str = "hmac-sha256";
/// No hash is longer.
const LONGEST: usize = 1_024;
/// The most memory of a comparison.
const MEMORY: u64 = 1024 * 1024 * 1024;
/// The most memory times passes.
const WORK: u64 = 4 * MEMORY;
/// The most passes and lanes of argon2.
const PASSES: u32 = 64;
/// The highest cost of bcrypt: some 20 seconds.
const BCRYPT_COST: u32 = 18;

/// A hash, read.
pub(super) enum Kept {
    /// argon2id, or argon2i from elsewhere.
    Argon2(Box<PhcHash>),
    /// bcrypt of an HMAC: the part after [`KEYED`].
    KeyedBcrypt(bcrypt::HashParts),
    /// bcrypt of a plain password.
    Bcrypt,
    /// PBKDF2.
    Pbkdf2(Pbkdf2),
    /// scrypt.
    Scrypt(Scrypt),
}

impl Kept {
    /// Reads a hash. Faults: `unknown-hash`, `malformed-hash`, `costly-hash`.
    pub(super) fn parse(text: &str) -> Result<Self, ValueFault> {
        if text.len() > LONGEST {
            return Err(malformed());
        }
        if let Some(bcrypt) = text.strip_prefix(KEYED) {
            return Ok(Self::KeyedBcrypt(read_bcrypt(bcrypt)?));
        }
        if ["$2a$", "$2b$", "$2y$"].iter().any(|prefix| text.starts_with(prefix)) {
            return read_bcrypt(text).map(|_| Self::Bcrypt);
        }
        if text.starts_with("$argon2id$") || text.starts_with("$argon2i$") {
            return read_argon2(text).map(|phc| Self::Argon2(Box::new(phc)));
        }
        if text.starts_with("$scrypt$") {
            return Scrypt::parse(text).map(Self::Scrypt);
        }
        if text.starts_with("$pbkdf2") || text.starts_with("pbkdf2_") {
            return Pbkdf2::parse(text).map(Self::Pbkdf2);
        }
        let known = "expected a hash of argon2id, argon2i, bcrypt, PBKDF2 or scrypt";
        Err(ValueFault::new("unknown-hash", known))
    }
}

/// The form that is kept of a hash from elsewhere: Django's frame around argon2 and bcrypt is taken off.
pub(super) fn without_frame(text: &str) -> &str {
    match text.strip_prefix("argon2$").or_else(|| text.strip_prefix("bcrypt$")) {
        Some(framed) if framed.starts_with("argon2") => &text["argon2".len()..],
        Some(framed) => framed,
        None => text,
    }
}

fn read_argon2(text: &str) -> Result<PhcHash, ValueFault> {
    let hash = PhcHash::new(text).map_err(|_| malformed())?;
    let params = Params::try_from(&hash).map_err(|_| malformed())?;
    if hash.salt.is_none() || hash.hash.is_none() {
        return Err(malformed());
    }
    let memory = u64::from(params.m_cost()) * 1024;
    let work = memory.saturating_mul(params.t_cost().into());
    if memory > MEMORY || work > WORK || params.t_cost() > PASSES || params.p_cost() > PASSES {
        return Err(costly());
    }
    Ok(hash)
}

fn read_bcrypt(text: &str) -> Result<bcrypt::HashParts, ValueFault> {
    let parts: bcrypt::HashParts = text.parse().map_err(|_| malformed())?;
    match parts.get_cost() {
        4..=BCRYPT_COST => Ok(parts),
        0..4 => Err(malformed()),
        _ => Err(costly()),
    }
}

/// Base 64 as the formats have it: with or without padding, and with `.` for `+` where passlib wrote it.
fn unpack(text: &str) -> Result<Vec<u8>, ValueFault> {
    const LENIENT: engine::GeneralPurpose = engine::GeneralPurpose::new(
        &alphabet::STANDARD,
        engine::general_purpose::NO_PAD.with_decode_padding_mode(engine::DecodePaddingMode::Indifferent),
    );
    LENIENT.decode(text.replace('.', "+")).map_err(|_| malformed())
}

fn malformed() -> ValueFault {
    ValueFault::new("malformed-hash", "this is not a whole hash of its kind")
}

fn costly() -> ValueFault {
    ValueFault::new("costly-hash", "to compare with this hash would take too much time or memory")
}
