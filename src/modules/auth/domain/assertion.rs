//! The assertion with which a client proves that it holds a key (RFC 7523 §3).

use chrono::{DateTime, TimeDelta, Utc};

/// How far a client's clock may be off.
const SKEW: TimeDelta = TimeDelta::seconds(30);
/// The longest `jti`.
const MAX_ID: usize = 256;

/// What a genuine assertion says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Assertion {
    /// `iss`.
    pub(crate) issuer: String,
    /// `sub`.
    pub(crate) subject: String,
    /// `aud`.
    pub(crate) audiences: Vec<String>,
    /// `exp`.
    pub(crate) expires_at: DateTime<Utc>,
    /// `nbf`.
    pub(crate) not_before: Option<DateTime<Utc>>,
    /// `jti`.
    pub(crate) id: String,
}

impl Assertion {
    /// Whether it proves now that its sender is this client, to one of these audiences. That it is used for the first
    /// time is the caller's to find out.
    pub(crate) fn proves(
        &self,
        client_id: &str,
        audiences: &[String],
        now: DateTime<Utc>,
        max_lifetime: TimeDelta,
    ) -> bool {
        self.issuer == client_id
            && self.subject == client_id
            && self.audiences.iter().any(|audience| audiences.contains(audience))
            && self.expires_at > now - SKEW
            && self.expires_at <= now + max_lifetime + SKEW
            && self.not_before.is_none_or(|at| at <= now + SKEW)
            && (1..=MAX_ID).contains(&self.id.len())
    }

    /// Until when it must be remembered that it was used.
    pub(crate) fn remembered_until(&self) -> DateTime<Utc> {
        self.expires_at + SKEW
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(secs: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000 + secs, 0).unwrap()
    }

    fn assertion() -> Assertion {
        Assertion {
            issuer: "client".to_owned(),
            subject: "client".to_owned(),
            audiences: vec!["https://issuer".to_owned()],
            expires_at: at(60),
            not_before: None,
            id: "1".to_owned(),
        }
    }

    #[test]
    fn everything_must_be_right() {
        let audiences = ["https://issuer".to_owned(), "https://issuer/oauth/token".to_owned()];
        let proves = |assertion: &Assertion| assertion.proves("client", &audiences, at(0), TimeDelta::seconds(300));
        assert!(proves(&assertion()));
        assert!(proves(&Assertion { audiences: vec!["x".to_owned(), audiences[1].clone()], ..assertion() }));
        assert!(proves(&Assertion { not_before: Some(at(20)), expires_at: at(-20), ..assertion() }), "clocks differ");
        for wrong in [
            Assertion { issuer: "other".to_owned(), ..assertion() },
            Assertion { subject: "other".to_owned(), ..assertion() },
            Assertion { audiences: vec!["https://other".to_owned()], ..assertion() },
            Assertion { audiences: Vec::new(), ..assertion() },
            Assertion { expires_at: at(-30), ..assertion() },
            Assertion { expires_at: at(331), ..assertion() },
            Assertion { not_before: Some(at(31)), ..assertion() },
            Assertion { id: String::new(), ..assertion() },
            Assertion { id: "x".repeat(257), ..assertion() },
        ] {
            assert!(!proves(&wrong), "{wrong:?}");
        }
    }
}
