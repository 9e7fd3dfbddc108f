//! Login sessions, and how their refresh tokens follow each other: each is used once, and gives the next.

use chrono::{DateTime, TimeDelta, Utc};

use crate::kernel::{SessionId, UserId};

/// Where a session began, for its user to recognise.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Device {
    /// What it called itself, at most 256 characters.
    pub(crate) user_agent: Option<String>,
    /// The client's IP address.
    pub(crate) address: Option<String>,
}

/// One login of one user on one device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Session {
    pub(crate) id: SessionId,
    pub(crate) user_id: UserId,
    /// Whose tokens these are: our own, or an OAuth client's.
    pub(crate) client_id: String,
    /// What a client was granted, separated by spaces; `None`: everything that the user's roles permit.
    pub(crate) scope: Option<String>,
    /// Who the access tokens are for, when it is not the configured audience (RFC 8707).
    pub(crate) audience: Option<String>,
    pub(crate) device: Device,
    pub(crate) created_at: DateTime<Utc>,
    /// When the user last proved who it is.
    pub(crate) authenticated_at: DateTime<Utc>,
    /// How, as RFC 8176 names it, separated by spaces: `pwd`, `pwd otp`.
    pub(crate) methods: String,
    /// When it ends, however often it is refreshed.
    pub(crate) ends_at: DateTime<Utc>,
    /// When the newest refresh token expires, and the session with it.
    pub(crate) expires_at: DateTime<Utc>,
    /// The number of the only refresh token that is not spent.
    pub(crate) generation: i64,
    /// When its predecessor was spent.
    pub(crate) rotated_at: Option<DateTime<Utc>>,
    /// The newest refresh token, sealed for whoever holds its predecessor.
    pub(crate) sealed_successor: Option<Vec<u8>>,
    /// When the last access token given expires.
    pub(crate) access_expires_at: DateTime<Utc>,
    pub(crate) revoked_at: Option<DateTime<Utc>>,
}

impl Session {
    /// Whether it has neither ended nor expired.
    pub(crate) fn is_alive(&self, now: DateTime<Utc>) -> bool {
        self.revoked_at.is_none() && self.expires_at > now
    }

    /// When it was last refreshed, or began.
    pub(crate) fn last_used_at(&self) -> DateTime<Utc> {
        self.rotated_at.unwrap_or(self.created_at)
    }
}

/// What a refresh token of some generation gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RefreshDecision {
    /// It is the newest: it is spent now, and gives the next.
    Rotate,
    /// It was spent a moment ago, by another tab or a lost answer: it gives what it already gave.
    Replay,
    /// It was spent long ago, or is not the last one spent: somebody else has it. The session ends.
    Reused,
    /// The session has ended.
    Ended,
}

/// Decides about the refresh token number `generation` of `session` at `now`.
pub(crate) fn decide_refresh(
    session: &Session,
    generation: i64,
    now: DateTime<Utc>,
    leeway: TimeDelta,
) -> RefreshDecision {
    if !session.is_alive(now) {
        return RefreshDecision::Ended;
    }
    if generation == session.generation {
        return RefreshDecision::Rotate;
    }
    let spent_just_now = session.rotated_at.is_some_and(|at| now - at <= leeway);
    if generation.checked_add(1) == Some(session.generation) && spent_just_now && session.sealed_successor.is_some() {
        return RefreshDecision::Replay;
    }
    RefreshDecision::Reused
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn session(generation: i64, rotated_secs: i64) -> Session {
        let at = |secs| DateTime::from_timestamp(secs, 0).unwrap();
        Session {
            id: SessionId(uuid::Uuid::nil()),
            user_id: UserId(uuid::Uuid::nil()),
            client_id: "vestibule".to_owned(),
            scope: None,
            audience: None,
            device: Device::default(),
            created_at: at(0),
            authenticated_at: at(0),
            methods: "pwd".to_owned(),
            ends_at: at(2_000),
            expires_at: at(1_000),
            generation,
            rotated_at: Some(at(rotated_secs)),
            sealed_successor: Some(vec![1]),
            access_expires_at: at(900),
            revoked_at: None,
        }
    }

    fn decide(session: &Session, generation: i64, now: i64) -> RefreshDecision {
        decide_refresh(session, generation, DateTime::from_timestamp(now, 0).unwrap(), TimeDelta::seconds(10))
    }

    #[test]
    fn only_the_last_spent_token_is_replayed_and_only_for_a_moment() {
        let session = session(5, 100);
        assert_eq!(decide(&session, 5, 100), RefreshDecision::Rotate);
        assert_eq!(decide(&session, 4, 110), RefreshDecision::Replay);
        assert_eq!(decide(&session, 4, 111), RefreshDecision::Reused);
        assert_eq!(decide(&session, 3, 100), RefreshDecision::Reused);
        assert_eq!(decide(&session, 5, 1_000), RefreshDecision::Ended);
        let ended = Session { revoked_at: Some(DateTime::UNIX_EPOCH), ..session };
        assert_eq!(decide(&ended, 5, 100), RefreshDecision::Ended);
    }

    proptest! {
        #[test]
        fn at_most_one_generation_ever_rotates(current in 0i64..50, asked in -5i64..60, now in 0i64..2_000) {
            let decision = decide(&session(current, 100), asked, now);
            prop_assert_eq!(decision == RefreshDecision::Rotate, asked == current && now < 1_000);
            if decision == RefreshDecision::Replay {
                prop_assert!(asked == current - 1 && now <= 110);
            }
        }
    }
}
