//! The life of a signing key: published first, so that everybody knows it when it begins to sign; followed by the next one;
//! verifying until the last token that it signed has expired; retired.

use chrono::{DateTime, TimeDelta, Utc};

/// A key pair, without its keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SigningKey {
    pub(crate) kid: String,
    /// The algorithm's name.
    pub(crate) algorithm: String,
    pub(crate) created_at: DateTime<Utc>,
    /// From then on it may sign.
    pub(crate) signs_from: DateTime<Utc>,
    /// When an instance last said that it signs with it.
    pub(crate) used_at: Option<DateTime<Utc>>,
    /// When it was retired.
    pub(crate) retired_at: Option<DateTime<Utc>>,
}

/// Where in its life a key is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum KeyState {
    /// Everybody may know it; it does not sign yet.
    Published,
    /// It signs.
    Signing,
    /// It verifies what it signed.
    Verifying,
    /// It is no longer known.
    Retired,
}

impl KeyState {
    /// The name, as in lists.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Published => "published",
            Self::Signing => "signing",
            Self::Verifying => "verifying",
            Self::Retired => "retired",
        }
    }
}

/// The key that signs now where `algorithm` is configured: the newest of that algorithm. While that has none yet that may
/// sign, the newest of any, so that a change of the algorithm waits for the new key to be known. Every instance that knows
/// the same keys finds the same one.
pub(crate) fn signer<'a>(
    keys: impl IntoIterator<Item = &'a SigningKey>,
    algorithm: &str,
    now: DateTime<Utc>,
) -> Option<&'a SigningKey> {
    let may_sign = keys.into_iter().filter(|key| key.retired_at.is_none() && key.signs_from <= now);
    may_sign.max_by_key(|key| (key.algorithm == algorithm, key.signs_from, key.kid.as_str()))
}

impl SigningKey {
    /// Where in its life it is, beside the key that signs.
    pub(crate) fn state(&self, signer: Option<&str>, now: DateTime<Utc>) -> KeyState {
        if self.retired_at.is_some() {
            KeyState::Retired
        } else if signer == Some(self.kid.as_str()) {
            KeyState::Signing
        } else if self.signs_from > now {
            KeyState::Published
        } else {
            KeyState::Verifying
        }
    }

    /// When a key that signs no longer is to be retired: once no token of it can be valid.
    pub(crate) fn retires_at(&self, longest_token: TimeDelta) -> Option<DateTime<Utc>> {
        self.used_at.and_then(|used| used.checked_add_signed(longest_token))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(secs: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(secs, 0).unwrap()
    }

    fn key(kid: &str, algorithm: &str, signs_from: i64, retired: Option<i64>) -> SigningKey {
        SigningKey {
            kid: kid.to_owned(),
            algorithm: algorithm.to_owned(),
            created_at: at(0),
            signs_from: at(signs_from),
            used_at: Some(at(signs_from)),
            retired_at: retired.map(at),
        }
    }

    #[test]
    fn the_newest_key_signs_once_it_is_known() {
        let keys = [key("old", "ES256", 0, None), key("new", "ES256", 60, None)];
        let kid = |now| signer(&keys, "ES256", at(now)).map(|key| key.kid.as_str());
        assert_eq!((kid(-1), kid(59), kid(60)), (None, Some("old"), Some("new")));
        let states = |now| keys.each_ref().map(|key| key.state(kid(now), at(now)).as_str());
        assert_eq!(states(59), ["signing", "published"]);
        assert_eq!(states(60), ["verifying", "signing"]);
        assert_eq!(keys[0].retires_at(TimeDelta::seconds(100)), Some(at(100)));
    }

    #[test]
    fn another_algorithm_waits_for_its_key_to_be_known() {
        let keys = [key("old", "ES256", 0, None), key("new", "EdDSA", 60, None)];
        let kid = |algorithm, now| signer(&keys, algorithm, at(now)).map(|key| key.kid.as_str());
        assert_eq!((kid("EdDSA", 59), kid("EdDSA", 60)), (Some("old"), Some("new")));
        assert_eq!(kid("ES256", 60), Some("old"), "an instance with the earlier setting goes on");
    }

    proptest! {
        #[test]
        fn a_retired_or_unpublished_key_never_signs(keys in prop::collection::vec((0i64..100, any::<bool>()), 0..6), now in 0i64..100) {
            let keys: Vec<_> = keys.iter().enumerate()
                .map(|(n, (from, retired))| key(&n.to_string(), "ES256", *from, retired.then_some(0)))
                .collect();
            match signer(&keys, "ES256", at(now)) {
                Some(found) => prop_assert!(found.retired_at.is_none() && found.signs_from <= at(now)),
                None => prop_assert!(keys.iter().all(|key| key.retired_at.is_some() || key.signs_from > at(now))),
            }
        }
    }
}
