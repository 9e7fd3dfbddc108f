//! A device without a keyboard asks, its user answers in a browser elsewhere (RFC 8628).

use chrono::{DateTime, TimeDelta, Utc};

use super::Approval;
use crate::kernel::error::ValueFault;

/// Consonants alone: no words come of them, and none looks like a digit (RFC 8628 §6.1).
const ALPHABET: &[u8; 20] = b"BCDFGHJKLMNPQRSTVWXZ";
/// How many letters.
const LENGTH: usize = 8;
/// How much longer a device has to wait that asked too soon (RFC 8628 §3.5).
const SLOWER: u32 = 5;
/// How much sooner than agreed is still in time: clocks and networks are not exact.
const TOLERANCE: TimeDelta = TimeDelta::milliseconds(500);

/// What the device shows and its user types.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct UserCode(String);

impl UserCode {
    /// A code of 64 random bits.
    pub(crate) fn from_random(mut bits: u64) -> Self {
        let letters = (0..LENGTH).map(|_| {
            let index = usize::try_from(bits % 20).unwrap_or_default();
            bits /= 20;
            char::from(ALPHABET[index])
        });
        Self(letters.collect())
    }

    /// Reads what a user typed, whatever its case, spaces and hyphens. Fault: `invalid-user-code`.
    pub(crate) fn parse(text: &str) -> Result<Self, ValueFault> {
        let letters: String =
            text.chars().filter(|c| !matches!(c, ' ' | '-')).map(|c| c.to_ascii_uppercase()).take(LENGTH + 1).collect();
        let is_code = letters.len() == LENGTH && letters.bytes().all(|letter| ALPHABET.contains(&letter));
        let fault = || ValueFault::new("invalid-user-code", "expected a code such as BDWP-HQPK");
        is_code.then_some(Self(letters)).ok_or_else(fault)
    }

    /// The letters alone, as they are kept.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// As it is shown.
    pub(crate) fn shown(&self) -> String {
        let (left, right) = self.0.split_at(LENGTH / 2);
        format!("{left}-{right}")
    }
}

/// How far a device's request has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum DeviceState {
    /// Nobody has answered.
    Waiting,
    /// The user said yes.
    Allowed(Approval),
    /// The user said no.
    Denied,
    /// The device has its tokens.
    Spent,
}

/// A device's request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DeviceGrant {
    /// SHA-256 of the device code in hexadecimal.
    pub(crate) hash: String,
    pub(crate) user_code: UserCode,
    pub(crate) client_id: String,
    pub(crate) scopes: Vec<String>,
    pub(crate) resource: Option<String>,
    pub(crate) created_at: DateTime<Utc>,
    pub(crate) expires_at: DateTime<Utc>,
    /// Seconds between two questions of the device.
    pub(crate) interval: u32,
    /// When it last asked.
    pub(crate) polled_at: Option<DateTime<Utc>>,
    pub(crate) state: DeviceState,
}

/// What a device is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Poll {
    /// Nobody has answered yet.
    Pending,
    /// It asked too soon, and has to wait so many seconds from now on.
    SlowDown(u32),
    /// The user said no.
    Denied,
    /// Nobody answered in time.
    Expired,
    /// It had its tokens already.
    Spent,
    /// The user said yes.
    Ready(Approval),
}

impl DeviceGrant {
    /// What the device is told at `now`.
    pub(crate) fn poll(&self, now: DateTime<Utc>) -> Poll {
        match &self.state {
            DeviceState::Spent => Poll::Spent,
            DeviceState::Denied => Poll::Denied,
            _ if self.expires_at <= now => Poll::Expired,
            DeviceState::Allowed(approval) => Poll::Ready(approval.clone()),
            DeviceState::Waiting => {
                let pause = TimeDelta::seconds(self.interval.into()) - TOLERANCE;
                let is_early = self.polled_at.is_some_and(|last| now - last < pause);
                if is_early { Poll::SlowDown(self.interval.saturating_add(SLOWER)) } else { Poll::Pending }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::kernel::{SessionId, UserId};

    proptest! {
        #[test]
        fn every_code_is_read_as_it_is_shown(bits: u64) {
            let code = UserCode::from_random(bits);
            prop_assert_eq!(UserCode::parse(&code.shown()).unwrap(), code.clone());
            prop_assert_eq!(UserCode::parse(&format!(" {} ", code.as_str().to_lowercase())).unwrap(), code);
        }

        #[test]
        fn whatever_is_typed_is_read_or_refused(text in ".{0,40}") {
            let _ = UserCode::parse(&text);
        }
    }

    #[test]
    fn a_code_has_eight_consonants() {
        for wrong in ["", "BDWP-HQP", "BDWP-HQPKB", "BDWP-HQPA", "BDWP-HQP0", "ẞDWPHQPK"] {
            assert_eq!(UserCode::parse(wrong).unwrap_err().code, "invalid-user-code", "{wrong}");
        }
        assert_eq!(UserCode::parse("b d w p-h q p k").unwrap().shown(), "BDWP-HQPK");
    }

    #[test]
    fn a_device_is_told_how_far_its_request_has_come() {
        let at = |millis| DateTime::from_timestamp_millis(millis).unwrap();
        let approval = Approval {
            user: UserId(uuid::Uuid::nil()),
            browser: SessionId(uuid::Uuid::nil()),
            authenticated_at: at(0),
            methods: "pwd".to_owned(),
        };
        let waiting = DeviceGrant {
            hash: String::new(),
            user_code: UserCode::from_random(1),
            client_id: "tv".to_owned(),
            scopes: vec![],
            resource: None,
            created_at: at(0),
            expires_at: at(600_000),
            interval: 5,
            polled_at: None,
            state: DeviceState::Waiting,
        };
        assert_eq!(waiting.poll(at(0)), Poll::Pending);
        let polled = DeviceGrant { polled_at: Some(at(10_000)), ..waiting.clone() };
        assert_eq!(polled.poll(at(14_400)), Poll::SlowDown(10));
        assert_eq!(polled.poll(at(14_500)), Poll::Pending);
        assert_eq!(polled.poll(at(600_000)), Poll::Expired);
        let allowed = DeviceGrant { state: DeviceState::Allowed(approval.clone()), ..polled };
        assert_eq!(allowed.poll(at(10_001)), Poll::Ready(approval));
        assert_eq!(allowed.poll(at(600_000)), Poll::Expired);
        assert_eq!(DeviceGrant { state: DeviceState::Denied, ..waiting.clone() }.poll(at(600_001)), Poll::Denied);
        assert_eq!(DeviceGrant { state: DeviceState::Spent, ..waiting }.poll(at(600_001)), Poll::Spent);
    }
}
