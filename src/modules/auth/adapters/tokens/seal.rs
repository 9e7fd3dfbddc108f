//! The seal on a successor: AES-256-GCM under a key that HKDF-SHA256 (RFC 5869) derives from the spent token. Who reads the
//! database alone finds no live refresh token in it.

use aws_lc_rs::{
    aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey},
    hkdf::{HKDF_SHA256, Salt},
};

use crate::kernel::Random;

const SALT: &[u8] = b"vestibule refresh token";
const INFO: &[u8] = b"successor seal v1";

/// Nonce, then ciphertext and tag.
pub(super) fn seal(text: &str, token: &str, random: &dyn Random) -> Option<Vec<u8>> {
    let mut nonce = [0; NONCE_LEN];
    random.fill(&mut nonce);
    let mut sealed = text.as_bytes().to_vec();
    key(token)?.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::empty(), &mut sealed).ok()?;
    Some([nonce.as_slice(), &sealed].concat())
}

/// `None` for another token, or for what was not sealed.
pub(super) fn open(sealed: &[u8], token: &str) -> Option<String> {
    let (nonce, sealed) = sealed.split_at_checked(NONCE_LEN)?;
    let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
    let mut sealed = sealed.to_vec();
    let text = key(token)?.open_in_place(nonce, Aad::empty(), &mut sealed).ok()?;
    String::from_utf8(text.to_vec()).ok()
}

fn key(token: &str) -> Option<LessSafeKey> {
    let derived = Salt::new(HKDF_SHA256, SALT).extract(token.as_bytes());
    let key: UnboundKey = derived.expand(&[INFO], &AES_256_GCM).ok()?.into();
    Some(LessSafeKey::new(key))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::platform::random::SystemRandom;

    proptest! {
        #[test]
        fn only_the_same_token_opens(text in ".{0,200}", token in ".{1,200}", other in ".{1,200}", flip: usize) {
            let mut sealed = seal(&text, &token, &SystemRandom).unwrap();
            prop_assert_eq!(open(&sealed, &token), Some(text));
            prop_assert_eq!(open(&sealed, &other).is_some(), other == token);
            let at = flip % sealed.len();
            sealed[at] ^= 1;
            prop_assert_eq!(open(&sealed, &token), None);
        }
    }
}
