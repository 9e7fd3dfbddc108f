//! Second factors: where they are kept, and how a code is checked.

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::PortError;
use crate::{kernel::UserId, modules::auth::domain::Email};

/// A TOTP secret as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct KeptTotp {
    /// The secret, sealed.
    pub(crate) sealed: Vec<u8>,
    /// Whether its first code was seen, so that logins ask for one.
    pub(crate) is_on: bool,
}

/// The first code of a new secret, and what it turns on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Confirmation {
    /// Whose.
    pub(crate) user: UserId,
    /// The sealed secret that the code was compared with.
    pub(crate) sealed: Vec<u8>,
    /// The time step of the code, which is spent.
    pub(crate) step: i64,
    /// The hashes of the recovery codes.
    pub(crate) recovery_codes: Vec<String>,
    /// Now.
    pub(crate) at: DateTime<Utc>,
}

/// Where second factors are kept. The used time steps and recovery codes MUST stay used whatever else is restarted or
/// emptied: they live where the users do.
#[async_trait]
pub(crate) trait SecondFactorRepository: Send + Sync {
    /// Keeps a secret that waits for its first code, in the place of an earlier one that waits. `false`, with nothing
    /// changed, when one is on.
    async fn offer_totp(&self, user: UserId, sealed: &[u8], now: DateTime<Utc>) -> Result<bool, PortError>;
    /// A user's secret, whether it is on or waits.
    async fn totp(&self, user: UserId) -> Result<Option<KeptTotp>, PortError>;
    /// Turns the waiting secret on: its step is spent, these recovery codes are the only ones, the user has a second
    /// factor, all at once. `false`, with nothing changed, when the secret is on or another one. Exactly one of several
    /// concurrent calls succeeds.
    async fn confirm_totp(&self, confirmation: &Confirmation) -> Result<bool, PortError>;
    /// Spends a time step of a secret that is on: one atomic comparison and change. `false` when this step or a later one
    /// was spent before; exactly one of several concurrent calls with one step gets `true`.
    async fn spend_step(&self, user: UserId, step: i64) -> Result<bool, PortError>;
    /// Spends a recovery code, and tells how many are left. `None` when it is none of the user's, or was spent; exactly one
    /// of several concurrent calls with one code gets `Some`.
    async fn spend_recovery_code(&self, user: UserId, hash: &str) -> Result<Option<u64>, PortError>;
    /// How many recovery codes a user has left.
    async fn recovery_codes_left(&self, user: UserId) -> Result<u64, PortError>;
    /// Replaces every recovery code. `false`, with nothing changed, when no factor is on.
    async fn replace_recovery_codes(&self, user: UserId, hashes: &[String]) -> Result<bool, PortError>;
    /// Takes the secret and the recovery codes away, and notes at the user that there is no second factor, all at once.
    /// `false`, with nothing changed, when none was on.
    async fn remove_totp(&self, user: UserId, now: DateTime<Utc>) -> Result<bool, PortError>;
}

/// What an account's owner is told about its second factor, so that somebody else's doing is noticed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FactorNotice {
    /// It was turned on.
    TurnedOn,
    /// It was taken off.
    TurnedOff,
    /// A recovery code was used; so many are left.
    RecoveryCodeUsed(u64),
    /// There were too many wrong codes, each with the right password.
    Guessed,
}

/// A new secret, for its owner to put into an authenticator.
#[derive(Clone)]
pub(crate) struct Enrolment {
    /// The secret in base 32, to type.
    pub(crate) secret: String,
    /// The same as a link that authenticators read.
    pub(crate) otpauth_uri: String,
    /// The link as a QR code: an SVG document.
    pub(crate) qr_svg: String,
    /// The secret as it is kept.
    pub(crate) sealed: Vec<u8>,
}

/// Makes and checks time-based one-time passwords (RFC 6238): SHA-1, six digits, 30 seconds, which is what every
/// authenticator knows.
pub(crate) trait OneTimePasswords: Send + Sync {
    /// A new secret of 160 random bits.
    fn enrol(&self, user: UserId, email: &Email) -> Result<Enrolment, PortError>;
    /// The time step whose code this is: the present one, the one before or the one after. `None` for another code. MUST
    /// take the same time for every wrong code.
    fn step_of(&self, user: UserId, sealed: &[u8], code: &str, now: DateTime<Utc>) -> Result<Option<i64>, PortError>;
}
