//! Secrets at rest: AES-256-GCM under a key that HKDF-SHA256 (RFC 5869) derives from the operator's master key. Who reads
//! the database alone finds nothing in it to sign or log in with.
//!
//! A sealed value is `MARK`, the id of its key (8 bytes), a nonce (12 bytes), ciphertext and tag. What it was sealed for, its
//! context, is authenticated: a value that is moved to another row does not open there.

use aws_lc_rs::{
    aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey},
    hkdf::{HKDF_SHA256, KeyType, Salt},
};
use base64::{
    Engine as _,
    prelude::{BASE64_STANDARD, BASE64_STANDARD_NO_PAD, BASE64_URL_SAFE, BASE64_URL_SAFE_NO_PAD},
};
use zeroize::Zeroizing;

use crate::kernel::{Random, error::ValueFault};

/// How a sealed value begins. A value without it was kept in the clear.
const MARK: &[u8; 8] = b"vst-sl1\0";
const ID_LEN: usize = 8;
const HEAD_LEN: usize = MARK.len() + ID_LEN + NONCE_LEN;
const SALT: &[u8] = b"vestibule master key";

/// Why a kept value does not open.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SealFault {
    /// It was sealed under a master key that is not configured.
    #[error("it is sealed with the master key {0}, which is neither `auth.master_key` nor a previous one")]
    UnknownKey(String),
    /// It was changed, or belongs elsewhere.
    #[error("it was changed since it was sealed, or belongs elsewhere")]
    Broken,
}

/// One master key, as what is derived from it.
struct MasterKey {
    id: [u8; ID_LEN],
    cipher: LessSafeKey,
}

/// Seals and opens values. Without a master key it seals nothing, and opens what was kept in the clear.
#[derive(Default)]
pub struct Sealer {
    /// The first seals, every one opens.
    keys: Vec<MasterKey>,
}

impl std::fmt::Debug for Sealer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.keys.iter().map(|key| hex(&key.id))).finish()
    }
}

impl Sealer {
    /// A sealer for a master key, and for those it came after.
    pub fn new(master: Option<&str>, previous: &[String]) -> Result<Self, ValueFault> {
        let texts = master.into_iter().chain(previous.iter().map(String::as_str));
        Ok(Self { keys: texts.map(MasterKey::parse).collect::<Result<_, _>>()? })
    }

    /// Whether what is kept is sealed.
    pub fn is_on(&self) -> bool {
        !self.keys.is_empty()
    }

    /// The form in which a secret is to be kept. `context` names the row, such as `signing-key:KID`.
    ///
    /// # Panics
    /// For a secret of more than 64 GiB.
    pub fn seal(&self, context: &str, secret: &[u8], random: &dyn Random) -> Vec<u8> {
        let Some(key) = self.keys.first() else { return secret.to_vec() };
        let mut nonce = [0; NONCE_LEN];
        random.fill(&mut nonce);
        let mut sealed = secret.to_vec();
        key.cipher
            .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(context.as_bytes()), &mut sealed)
            .expect("a short text is within what AES-GCM takes");
        [MARK.as_slice(), &key.id, &nonce, &sealed].concat()
    }

    /// The secret that is kept in this form.
    pub fn open(&self, context: &str, kept: &[u8]) -> Result<Zeroizing<Vec<u8>>, SealFault> {
        if !is_sealed(kept) {
            return Ok(Zeroizing::new(kept.to_vec()));
        }
        let (head, sealed) = kept.split_at_checked(HEAD_LEN).ok_or(SealFault::Broken)?;
        let (id, nonce) = head[MARK.len()..].split_at(ID_LEN);
        let key = self.keys.iter().find(|key| key.id == id).ok_or_else(|| SealFault::UnknownKey(hex(id)))?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| SealFault::Broken)?;
        let mut secret = Zeroizing::new(sealed.to_vec());
        let opened = key.cipher.open_in_place(nonce, Aad::from(context.as_bytes()), &mut secret);
        let length = opened.map_err(|_| SealFault::Broken)?.len();
        secret.truncate(length);
        Ok(secret)
    }

    /// Whether a value is kept as it would be today. What is not may be opened and sealed again.
    pub fn is_current(&self, kept: &[u8]) -> bool {
        match self.keys.first() {
            Some(key) => is_sealed(kept) && kept.get(MARK.len()..MARK.len() + ID_LEN) == Some(&key.id),
            None => !is_sealed(kept),
        }
    }
}

impl MasterKey {
    /// Reads 32 bytes of base64 or hexadecimal.
    fn parse(text: &str) -> Result<Self, ValueFault> {
        let expected = || ValueFault::new("invalid-master-key", "expected 32 random bytes as base64 or hexadecimal");
        let bytes = read_bytes(text.trim()).filter(|bytes| bytes.len() == 32).ok_or_else(expected)?;
        let pseudo_random = Salt::new(HKDF_SHA256, SALT).extract(&bytes);
        let mut id = [0; ID_LEN];
        let unexpected = |_| expected();
        pseudo_random.expand(&[b"id"], IdLength).and_then(|id_key| id_key.fill(&mut id)).map_err(unexpected)?;
        let key: UnboundKey = pseudo_random.expand(&[b"secrets at rest v1"], &AES_256_GCM).map_err(unexpected)?.into();
        Ok(Self { id, cipher: LessSafeKey::new(key) })
    }
}

/// How many bytes of a derived id are taken.
struct IdLength;

impl KeyType for IdLength {
    fn len(&self) -> usize {
        ID_LEN
    }
}

fn is_sealed(kept: &[u8]) -> bool {
    kept.starts_with(MARK)
}

/// 64 hexadecimal digits, or base64 of either alphabet with or without padding.
fn read_bytes(text: &str) -> Option<Zeroizing<Vec<u8>>> {
    let is_hex = text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    if is_hex {
        let pairs = (0..32).map(|at| u8::from_str_radix(text.get(2 * at..2 * at + 2)?, 16).ok());
        return pairs.collect::<Option<Vec<_>>>().map(Zeroizing::new);
    }
    [BASE64_STANDARD, BASE64_STANDARD_NO_PAD, BASE64_URL_SAFE, BASE64_URL_SAFE_NO_PAD]
        .iter()
        .find_map(|engine| engine.decode(text).ok())
        .map(Zeroizing::new)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::platform::random::SystemRandom;

    const OLD: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
    const NEW: &str = "//////////////////////////////////////////8=";

    fn sealer(master: &str, previous: &[&str]) -> Sealer {
        let previous: Vec<String> = previous.iter().map(|text| (*text).to_owned()).collect();
        Sealer::new(Some(master), &previous).unwrap()
    }

    #[test]
    fn a_key_is_32_bytes_in_either_form() {
        let same = BASE64_STANDARD.encode((0..32).collect::<Vec<u8>>());
        let kept = sealer(OLD, &[]).seal("row", b"secret", &SystemRandom);
        assert_eq!(&**sealer(&format!(" {same}\n"), &[]).open("row", &kept).unwrap(), b"secret");
        for wrong in ["", "short", &OLD[2..], &"z".repeat(64), "AAAA"] {
            assert_eq!(Sealer::new(Some(wrong), &[]).unwrap_err().code, "invalid-master-key", "{wrong}");
        }
    }

    #[test]
    fn a_previous_key_opens_and_the_newest_seals() {
        let old = sealer(OLD, &[]);
        let kept = old.seal("row", b"secret", &SystemRandom);
        let both = sealer(NEW, &[OLD]);
        assert_eq!(&**both.open("row", &kept).unwrap(), b"secret");
        assert!(old.is_current(&kept) && !both.is_current(&kept));
        let renewed = both.seal("row", b"secret", &SystemRandom);
        assert!(both.is_current(&renewed));
        assert!(matches!(old.open("row", &renewed), Err(SealFault::UnknownKey(_))));
        assert!(matches!(Sealer::default().open("row", &renewed), Err(SealFault::UnknownKey(_))));
    }

    #[test]
    fn without_a_key_values_are_kept_in_the_clear_and_read_later() {
        let off = Sealer::default();
        let kept = off.seal("row", b"secret", &SystemRandom);
        assert_eq!(kept, b"secret");
        let on = sealer(OLD, &[]);
        assert_eq!(&**on.open("row", &kept).unwrap(), b"secret");
        assert!(off.is_current(&kept) && !on.is_current(&kept));
    }

    proptest! {
        #[test]
        fn a_changed_or_moved_value_does_not_open(secret: Vec<u8>, flip: usize) {
            let sealer = sealer(OLD, &[]);
            let mut kept = sealer.seal("row", &secret, &SystemRandom);
            prop_assert_eq!(&**sealer.open("row", &kept).unwrap(), &secret);
            prop_assert_eq!(sealer.open("other", &kept), Err(SealFault::Broken));
            let at = MARK.len() + flip % (kept.len() - MARK.len());
            kept[at] ^= 1;
            prop_assert!(sealer.open("row", &kept).is_err());
        }
    }
}
