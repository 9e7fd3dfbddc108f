//! What every hasher promises, on each of them.

use std::collections::HashSet;

use async_trait::async_trait;

use super::*;
use crate::{
    kernel::units::{ByteSize, Span},
    modules::auth::config::{Argon2Config, PasswordAlgorithm},
};

fn plain(text: &str) -> PlainPassword {
    PlainPassword::given(text).unwrap()
}

/// Every promise of [`PasswordHasher`].
async fn suite(hasher: &dyn PasswordHasher) {
    let long = "x".repeat(1_024);
    let passwords =
        ["correct horse", "", "crème brûlée", "with\0nul", "with\0null", long.as_str(), &long[..1_023], &long[..72]];
    let mut kept = Vec::new();
    for text in passwords {
        kept.push((text, hasher.hash(&plain(text)).await.unwrap()));
    }
    for (text, hash) in &kept {
        for other in passwords {
            let expected = if other == *text { Verdict::Right } else { Verdict::Wrong };
            assert_eq!(hasher.verify(&plain(other), Some(hash)).await, Ok(expected), "{other:?} against {text:?}");
        }
        assert!(text.is_empty() || !hash.as_text().contains(text), "a hash tells nothing");
        // What was written here comes back as itself.
        assert_eq!(hasher.recognise(hash.as_text()).as_ref(), Ok(hash));
    }
    let again = hasher.hash(&plain("correct horse")).await.unwrap();
    let all: HashSet<&str> = kept.iter().map(|(_, hash)| hash.as_text()).chain([again.as_text()]).collect();
    assert_eq!(all.len(), passwords.len() + 1, "two hashes of one password differ");

    assert_eq!(hasher.verify(&plain("correct horse"), None).await, Ok(Verdict::Wrong));
    assert_eq!(hasher.verify(&plain("anything"), Some(&PasswordHash::none())).await, Ok(Verdict::Wrong));
    let garbage = PasswordHash::from_text("no hash at all".to_owned());
    assert_eq!(hasher.verify(&plain("no hash at all"), Some(&garbage)).await, Ok(Verdict::Wrong));
    for (text, code) in [
        ("no hash at all", "unknown-hash"),
        ("!", "unknown-hash"),
        ("$2b$", "malformed-hash"),
        ("$argon2id$v=19$m=4294967295,t=1,p=1$c29tZXNhbHQ$RdescudvJCsgt3ub+b4dWRWJTmaaJObG", "costly-hash"),
    ] {
        assert_eq!(hasher.recognise(text).unwrap_err().code, code, "{text}");
    }

    // As Python makes it of a decomposed "café au lait": the normalised text alone would not do.
    let foreign = hasher.recognise("pbkdf2_sha256$1000$seasalt$HWdWINvbQIZJrnAOOKV+qObiBOySCBT9kdJm3vTrzoc=").unwrap();
    let typed = plain("cafe\u{301} au lait");
    assert_eq!(hasher.verify(&typed, Some(&foreign)).await, Ok(Verdict::RightButOld));
    assert_eq!(hasher.verify(&plain("cafe au lait"), Some(&foreign)).await, Ok(Verdict::Wrong));
    let renewed = hasher.hash(&typed).await.unwrap();
    assert_eq!(hasher.verify(&plain("caf\u{e9} au lait"), Some(&renewed)).await, Ok(Verdict::Right));
}

/// Without cost, for tests of what is around.
struct FastHasher;

#[async_trait]
impl PasswordHasher for FastHasher {
    async fn hash(&self, password: &PlainPassword) -> Result<PasswordHash, PortError> {
        let mut salt = [0; 8];
        aws_lc_rs::rand::fill(&mut salt).map_err(|_| PortError::Internal("no randomness".to_owned()))?;
        Ok(PasswordHash::from_text(fast(password.expose(), &format!("{:016x}", u64::from_be_bytes(salt)))))
    }

    async fn verify(&self, password: &PlainPassword, hash: Option<&PasswordHash>) -> Result<Verdict, PortError> {
        let Some(hash) = hash.map(PasswordHash::as_text) else { return Ok(Verdict::Wrong) };
        let Some(salted) = hash.strip_prefix("fast$") else {
            let Ok(formats::Kept::Pbkdf2(kept)) = formats::Kept::parse(hash) else { return Ok(Verdict::Wrong) };
            let is_right =
                kept.verify(password.expose()) || password.as_typed().is_some_and(|typed| kept.verify(typed));
            return Ok(if is_right { Verdict::RightButOld } else { Verdict::Wrong });
        };
        let salt = salted.split('$').next().unwrap_or_default();
        Ok(if fast(password.expose(), salt) == hash { Verdict::Right } else { Verdict::Wrong })
    }

    fn recognise(&self, text: &str) -> Result<PasswordHash, ValueFault> {
        if !text.starts_with("fast$") {
            formats::Kept::parse(text)?;
        }
        Ok(PasswordHash::from_text(text.to_owned()))
    }
}

fn fast(password: &[u8], salt: &str) -> String {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &[salt.as_bytes(), password].concat());
    format!("fast${salt}${:?}", digest.as_ref())
}

fn pooled(algorithm: PasswordAlgorithm) -> PooledPasswords {
    let config = PasswordConfig {
        algorithm,
        min_length: 8,
        argon2: Argon2Config { memory: ByteSize(64 * 1024), iterations: 1, parallelism: 1 },
        bcrypt_cost: 4,
        breach_list: None,
        hashing_threads: 2,
        hashing_queue: 100,
        hashing_timeout: Span::secs(30),
        hashing_yield_after: 0,
    };
    PooledPasswords::start(&config).unwrap()
}

#[tokio::test]
async fn argon2id() {
    suite(&pooled(PasswordAlgorithm::Argon2id)).await;
}

#[tokio::test]
async fn bcrypt() {
    suite(&pooled(PasswordAlgorithm::Bcrypt)).await;
}

#[tokio::test]
async fn a_fast_fake() {
    suite(&FastHasher).await;
}
