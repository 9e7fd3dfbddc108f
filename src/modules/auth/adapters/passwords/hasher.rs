//! argon2id (RFC 9106) and bcrypt: one is written, both and some others are verified. Before bcrypt, which reads 72 bytes and stops at a
//! NUL, passwords go through HMAC-SHA-256 under the salt; so every byte counts.

use argon2::{
    Algorithm, Argon2, Params, PasswordHasher as _, PasswordVerifier as _, Version,
    password_hash::phc::PasswordHash as PhcHash,
};
use aws_lc_rs::{hmac, rand};
use base64::{Engine as _, prelude::BASE64_STANDARD_NO_PAD};
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use super::formats::{KEYED, Kept};
use crate::modules::auth::{
    application::Verdict,
    config::{PasswordAlgorithm, PasswordConfig},
};

pub(super) struct Hasher {
    algorithm: PasswordAlgorithm,
    argon2: Argon2<'static>,
    bcrypt_cost: u32,
    /// A hash of nothing that anybody could type, as costly as those written today.
    dummy: String,
}

impl Hasher {
    pub(super) fn new(config: &PasswordConfig) -> Result<Self, String> {
        let memory = u32::try_from(config.argon2.memory.0 / 1024).map_err(|error| error.to_string())?;
        let params = Params::new(memory, config.argon2.iterations, config.argon2.parallelism, None);
        let params = params.map_err(|error| format!("the cost of argon2id cannot be used: {error}"))?;
        let mut hasher = Self {
            algorithm: config.algorithm,
            argon2: Argon2::new(Algorithm::Argon2id, Version::V0x13, params),
            bcrypt_cost: config.bcrypt_cost,
            dummy: String::new(),
        };
        hasher.dummy = hasher.hash(&random::<32>()?)?;
        Ok(hasher)
    }

    pub(super) fn hash(&self, password: &[u8]) -> Result<String, String> {
        let salt = random::<16>()?;
        match self.algorithm {
            PasswordAlgorithm::Argon2id => {
                let hash = self.argon2.hash_password_with_salt(password, &salt);
                hash.map(|hash| hash.to_string()).map_err(|error| error.to_string())
            }
            PasswordAlgorithm::Bcrypt => keyed_bcrypt(password, salt, self.bcrypt_cost),
        }
    }

    pub(super) fn verify(&self, password: &[u8], hash: &str) -> Verdict {
        let Ok(kept) = Kept::parse(hash) else { return Verdict::Wrong };
        let is_right = match &kept {
            Kept::Argon2(phc) => self.argon2.verify_password(password, &**phc).is_ok(),
            Kept::KeyedBcrypt(parts) => verify_keyed_bcrypt(password, parts, hash),
            // From elsewhere; a password that it could not have held in full is not accepted.
            Kept::Bcrypt => !password.contains(&0) && bcrypt::non_truncating_verify(password, hash).unwrap_or(false),
            Kept::Pbkdf2(hash) => hash.verify(password),
            Kept::Scrypt(hash) => hash.verify(password),
        };
        match is_right {
            false => Verdict::Wrong,
            true if self.is_current(hash) => Verdict::Right,
            true => Verdict::RightButOld,
        }
    }

    /// The work of a comparison, for an account that does not exist.
    pub(super) fn verify_nothing(&self, password: &[u8]) -> Verdict {
        let _ = self.verify(password, &self.dummy);
        Verdict::Wrong
    }

    /// Whether a hash is of the kind and cost that are written today.
    fn is_current(&self, hash: &str) -> bool {
        match self.algorithm {
            PasswordAlgorithm::Bcrypt => hash
                .strip_prefix(KEYED)
                .and_then(|bcrypt| bcrypt.parse::<bcrypt::HashParts>().ok())
                .is_some_and(|parts| parts.get_cost() == self.bcrypt_cost),
            PasswordAlgorithm::Argon2id => PhcHash::new(hash).is_ok_and(|hash| {
                let wanted = self.argon2.params();
                hash.algorithm.as_str() == "argon2id"
                    && Params::try_from(&hash).is_ok_and(|params| {
                        (params.m_cost(), params.t_cost(), params.p_cost())
                            == (wanted.m_cost(), wanted.t_cost(), wanted.p_cost())
                    })
            }),
        }
    }
}

fn keyed_bcrypt(password: &[u8], salt: [u8; 16], cost: u32) -> Result<String, String> {
    let hash = bcrypt::non_truncating_hash_with_salt(keyed(password, &salt).as_bytes(), cost, salt);
    hash.map(|parts| format!("{KEYED}{parts}")).map_err(|error| error.to_string())
}

fn verify_keyed_bcrypt(password: &[u8], parts: &bcrypt::HashParts, hash: &str) -> bool {
    let again = keyed_bcrypt(password, parts.get_salt_raw(), parts.get_cost());
    again.is_ok_and(|again| again.as_bytes().ct_eq(hash.as_bytes()).into())
}

/// 43 characters without a NUL, whatever the password.
fn keyed(password: &[u8], salt: &[u8]) -> Zeroizing<String> {
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, salt), password);
    Zeroizing::new(BASE64_STANDARD_NO_PAD.encode(tag.as_ref()))
}

fn random<const N: usize>() -> Result<[u8; N], String> {
    let mut bytes = [0; N];
    rand::fill(&mut bytes).map_err(|_| "no randomness".to_owned())?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        kernel::units::{ByteSize, Span},
        modules::auth::config::Argon2Config,
    };

    fn config(algorithm: PasswordAlgorithm, iterations: u32, bcrypt_cost: u32) -> PasswordConfig {
        PasswordConfig {
            algorithm,
            min_length: 8,
            argon2: Argon2Config { memory: ByteSize(64 * 1024), iterations, parallelism: 1 },
            bcrypt_cost,
            breach_list: None,
            hashing_threads: 1,
            hashing_queue: 1,
            hashing_timeout: Span::secs(1),
            hashing_yield_after: 0,
        }
    }

    #[test]
    fn every_byte_counts_in_both() {
        for algorithm in [PasswordAlgorithm::Argon2id, PasswordAlgorithm::Bcrypt] {
            let hasher = Hasher::new(&config(algorithm, 1, 4)).unwrap();
            let long = "x".repeat(100);
            let hash = hasher.hash(long.as_bytes()).unwrap();
            assert_eq!(hasher.verify(long.as_bytes(), &hash), Verdict::Right);
            assert_eq!(hasher.verify("x".repeat(101).as_bytes(), &hash), Verdict::Wrong);
            assert_eq!(hasher.verify("x".repeat(72).as_bytes(), &hash), Verdict::Wrong);
            let hash = hasher.hash(b"abc\0defgh").unwrap();
            assert_eq!(hasher.verify(b"abc\0xxxxx", &hash), Verdict::Wrong);
            assert_eq!(hasher.verify(b"abc\0defgh", &hash), Verdict::Right);
        }
    }

    #[test]
    fn hashes_of_other_systems_are_verified_and_renewed() {
        let hasher = Hasher::new(&config(PasswordAlgorithm::Argon2id, 1, 4)).unwrap();
        for hash in super::super::formats::FOREIGN {
            assert_eq!(hasher.verify(b"correct horse", hash), Verdict::RightButOld, "{hash}");
            assert_eq!(hasher.verify(b"correct horsf", hash), Verdict::Wrong, "{hash}");
        }
    }

    #[test]
    fn both_are_verified_and_old_ones_are_told() {
        let argon2 = Hasher::new(&config(PasswordAlgorithm::Argon2id, 1, 4)).unwrap();
        let dearer = Hasher::new(&config(PasswordAlgorithm::Argon2id, 2, 4)).unwrap();
        let bcrypt = Hasher::new(&config(PasswordAlgorithm::Bcrypt, 1, 5)).unwrap();
        let cheaper = Hasher::new(&config(PasswordAlgorithm::Bcrypt, 1, 4)).unwrap();
        let hash = argon2.hash(b"correct horse").unwrap();
        assert_eq!(dearer.verify(b"correct horse", &hash), Verdict::RightButOld);
        assert_eq!(bcrypt.verify(b"correct horse", &hash), Verdict::RightButOld);
        let hash = cheaper.hash(b"correct horse").unwrap();
        assert_eq!(bcrypt.verify(b"correct horse", &hash), Verdict::RightButOld);
        assert_eq!(argon2.verify(b"correct horse", &hash), Verdict::RightButOld);
        assert_eq!(argon2.verify(b"wrong", &hash), Verdict::Wrong);
        let plain = ::bcrypt::hash("correct horse", 4).unwrap();
        assert_eq!(bcrypt.verify(b"correct horse", &plain), Verdict::RightButOld);
        assert_eq!(bcrypt.verify(b"anything", "no hash at all"), Verdict::Wrong);
        assert_eq!(bcrypt.verify_nothing(b"anything"), Verdict::Wrong);
    }
}
