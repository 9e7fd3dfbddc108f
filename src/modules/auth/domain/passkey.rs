//! Passkeys: keys that devices hold, and that stand for both factors, since a device asks its user before it answers.

use chrono::{DateTime, Utc};

use super::DisplayName;
use crate::kernel::{PasskeyId, UserId};

/// A passkey, without its private half, which never leaves the device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Passkey {
    pub(crate) id: PasskeyId,
    pub(crate) user_id: UserId,
    /// What its owner calls it.
    pub(crate) name: DisplayName,
    pub(crate) credential: PasskeyCredential,
    pub(crate) created_at: DateTime<Utc>,
    pub(crate) last_used_at: Option<DateTime<Utc>>,
}

/// What is known of the device's half.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PasskeyCredential {
    /// The credential's id, in base64url.
    pub(crate) id: String,
    /// How often it has signed, as far as the device counts; 0 where it does not.
    pub(crate) sign_count: u32,
    /// Whether its owner's devices share it.
    pub(crate) is_synced: bool,
    /// The public key and what else a ceremony compares, in the ceremonies' own form.
    pub(crate) kept: String,
}

impl PasskeyCredential {
    /// How somebody logged in with it, as RFC 8176 names it: a key in hardware, or one that can be copied between devices;
    /// and with more than one factor, since the device has verified its user.
    pub(crate) const fn methods(&self) -> &'static str {
        if self.is_synced { "swk mfa" } else { "hwk mfa" }
    }

    /// Whether it can have answered after `before` did. A device that counts never counts back: if it seems to, there are
    /// two of it.
    pub(crate) const fn follows(&self, before: u32) -> bool {
        self.sign_count > before || (self.sign_count == 0 && before == 0)
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn credential(sign_count: u32, is_synced: bool) -> PasskeyCredential {
        PasskeyCredential { id: "AQ".to_owned(), sign_count, is_synced, kept: "{}".to_owned() }
    }

    #[rstest]
    #[case(0, 0, true)]
    #[case(0, 1, true)]
    #[case(4, 5, true)]
    #[case(5, 5, false)]
    #[case(5, 4, false)]
    #[case(5, 0, false)]
    fn a_counter_never_goes_back(#[case] before: u32, #[case] now: u32, #[case] expected: bool) {
        assert_eq!(credential(now, false).follows(before), expected);
    }

    #[test]
    fn a_key_that_can_be_copied_is_not_called_hardware() {
        assert_eq!((credential(0, false).methods(), credential(0, true).methods()), ("hwk mfa", "swk mfa"));
    }
}
