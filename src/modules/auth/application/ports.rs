//! What the use cases need from outside. An implementation keeps what the comments oblige it to; the suites in
//! `adapters/store/suite.rs` hold every store to it.

mod api_keys;
mod attempts;
mod audit;
mod authorization_codes;
mod browser_sessions;
mod captcha;
mod clients;
mod consents;
mod device_grants;
mod directory;
mod id_tokens;
mod idempotency;
mod interactions;
mod notices;
mod outbox;
mod passkeys;
mod passwords;
mod revocation_feed;
mod roles;
mod second_factors;
mod signing_keys;
mod user_import;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};

use crate::{
    kernel::{Page, PageRequest, SessionId, Subject, UserId, error::ValueFault},
    modules::auth::domain::{Email, EmailPurpose, EmailToken, OutboxEntry, PasswordHash, PlainPassword, Session, User},
};

pub(crate) use api_keys::{ApiKeyKept, ApiKeyRepository};
pub(crate) use attempts::{AttemptCounters, AttemptLimiter, Held};
pub(crate) use audit::{AuditFilter, AuditLog};
pub(crate) use authorization_codes::AuthorizationCodeRepository;
pub(crate) use browser_sessions::BrowserSessionRepository;
pub(crate) use captcha::CaptchaVerifier;
pub(crate) use clients::{ClientGrantRepository, ClientKeys, ClientRepository};
pub(crate) use consents::ConsentRepository;
pub(crate) use device_grants::DeviceGrantRepository;
pub(crate) use directory::{Administered, Changed, UserDirectory, UserFilter};
pub(crate) use id_tokens::{IdGrant, IdHint};
pub(crate) use idempotency::{Begun, Claim, IdempotencyStore, KeptAnswer};
pub(crate) use interactions::InteractionRepository;
pub(crate) use notices::Notice;
pub(crate) use outbox::{CarryFault, HeldEntry, Hold, MailCarrier, Mailer, Outbox};
pub(crate) use passkeys::{CeremonyFault, PasskeyCeremonies, PasskeyKept, PasskeyRepository};
pub(crate) use passwords::{BreachList, CommonPasswords};
pub(crate) use revocation_feed::RevocationFeed;
pub(crate) use roles::{RemovedRole, RoleRepository, SavedRole};
pub(crate) use second_factors::{
    Confirmation, Enrolment, FactorNotice, KeptTotp, OneTimePasswords, SecondFactorRepository,
};
pub(crate) use signing_keys::{KeyCustodian, KeyRotation, KeyStanding};
pub(crate) use user_import::UserImportStore;

/// Why a port failed, beyond what its own answers say.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum PortError {
    /// Gone, full, too slow; worth another try.
    #[error("{0}")]
    Unavailable(String),
    /// A fault of ours.
    #[error("{0}")]
    Internal(String),
}

/// What became of an account that was to be inserted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Registered {
    /// It is there now.
    Created,
    /// The address has an account that waits to be verified. The mail of this very registration may be sent; spending its
    /// token makes this registration's password the account's.
    Waiting {
        /// Whether it is to be sent: not after too many of them.
        notify: bool,
    },
    /// The address has this owner already; whether a notice may be mailed, which is the case once an interval.
    Taken {
        /// Who has the address.
        owner: UserId,
        /// Whether the owner is to be told now.
        notify: bool,
    },
}

/// The mails of a registration, of which at most one is sent.
#[derive(Debug, Clone)]
pub(crate) struct RegistrationMails {
    /// To whoever registered: prove that the address is yours.
    pub(crate) verification: OutboxEntry,
    /// To whom the address belongs already.
    pub(crate) taken: OutboxEntry,
}

/// Where users are kept.
#[async_trait]
pub(crate) trait UserRepository: Send + Sync {
    /// Inserts a user with a token for its address, both or neither. When the address is taken it MUST note `taken_notice`
    /// for its owner unless one was noted within `interval`, change nothing else of the owner, and take about as long as a
    /// success: one transaction, one commit. Concurrent calls with one address MUST end with one user.
    ///
    /// When the taken account is a plain user's that still waits for its verification, and the token carries a
    /// registration, nobody knows yet whose address it is: the token MUST be kept for that account, which MUST lose the
    /// password it had. After too many of them in their interval no more is kept, and those that are there MUST lose their
    /// passwords too.
    ///
    /// Of the mails, the one that the outcome asks for MUST be kept in the same transaction, the other one not; where none
    /// is to be sent the work MUST be about the same. `Unavailable`, with nothing changed and whatever the outcome would have
    /// been, when too many mails wait.
    async fn register(
        &self,
        user: &User,
        verification: &EmailToken,
        mails: Option<&RegistrationMails>,
        interval: TimeDelta,
    ) -> Result<Registered, PortError>;
    /// Inserts a user. `false`, with nothing changed, when the address is taken. `Unavailable` when one of the roles was
    /// deleted a moment ago.
    async fn create(&self, user: &User) -> Result<bool, PortError>;
    /// The user of an address.
    async fn find_by_email(&self, email: &Email) -> Result<Option<User>, PortError>;
    /// The user of an id.
    async fn find(&self, id: UserId) -> Result<Option<User>, PortError>;
    /// Sets the name if the user was not changed after `unless_changed_since`; `false` when there is none such.
    async fn rename(
        &self,
        id: UserId,
        display_name: Option<&str>,
        now: DateTime<Utc>,
        unless_changed_since: Option<DateTime<Utc>>,
    ) -> Result<bool, PortError>;
    /// Replaces the hash only while it is still `old`, so that a password changed meanwhile is not undone.
    async fn renew_hash(&self, id: UserId, old: &PasswordHash, new: &PasswordHash) -> Result<(), PortError>;
    /// Keeps a token, unless one of its user and purpose was kept within `interval`: then `false`, and nothing changes.
    /// Earlier tokens stay good until they expire; expired ones go. The mail that brings the token MUST be kept in the same
    /// transaction; `Unavailable`, with nothing changed, when too many mails wait.
    async fn keep_email_token(
        &self,
        token: &EmailToken,
        mail: Option<&OutboxEntry>,
        interval: TimeDelta,
    ) -> Result<bool, PortError>;
    /// Does the work of [`Self::keep_email_token`] for nobody, fails where that would fail, and changes nothing: so that an
    /// address without an account is answered like one with.
    async fn rehearse_email_token(
        &self,
        token: &EmailToken,
        mail: &OutboxEntry,
        interval: TimeDelta,
    ) -> Result<(), PortError>;
    /// Spends a verification token that has not expired: its user is verified, a pending one active with the credentials
    /// of the token's registration, and the user's tokens are gone, all at once. Exactly one of several concurrent calls succeeds. `None` when there is no such token.
    async fn verify_email(&self, proof: &EmailProof, now: DateTime<Utc>) -> Result<Option<UserId>, PortError>;
    /// Replaces a password, ends the user's other sessions and voids mailed resets, all at once. `None`, with nothing
    /// changed, when the hash is no longer the one that was compared.
    async fn change_password(&self, change: &PasswordChange) -> Result<Option<Vec<RevokedSession>>, PortError>;
    /// Spends a reset token that has not expired: its user has the new password and no session, the address counts as
    /// verified, a pending account is active, and other resets are void, all at once. Exactly one of several concurrent
    /// calls succeeds. `None` when there is no such token.
    async fn reset_password(
        &self,
        proof: &EmailProof,
        new: &PasswordHash,
        now: DateTime<Utc>,
        tokens_until: DateTime<Utc>,
    ) -> Result<Option<(UserId, Vec<RevokedSession>)>, PortError>;
    /// Whose unexpired token of the purpose it is; spends nothing. `None` when there is no such token.
    async fn owner_of_email_token(
        &self,
        purpose: EmailPurpose,
        proof: &EmailProof,
        now: DateTime<Utc>,
    ) -> Result<Option<UserId>, PortError>;
    /// Whether an unexpired token of the purpose exists; spends nothing.
    async fn has_email_token(
        &self,
        purpose: EmailPurpose,
        token_hash: &str,
        now: DateTime<Utc>,
    ) -> Result<bool, PortError>;
}

/// A new password in the place of one that its user knew.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PasswordChange {
    /// Whose.
    pub(crate) user: UserId,
    /// The hash that the old password was compared with.
    pub(crate) old: PasswordHash,
    /// The new one.
    pub(crate) new: PasswordHash,
    /// The session that goes on.
    pub(crate) keep: SessionId,
    /// Now.
    pub(crate) at: DateTime<Utc>,
    /// When the last access token of a session that ends has expired.
    pub(crate) tokens_until: DateTime<Utc>,
}

/// What proves that somebody reads an address's mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum EmailProof {
    /// The hash of a link's token.
    Link(String),
    /// A user and the hash of the code.
    Code(UserId, String),
}

/// What a refresh asks the store to change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Rotation {
    /// The session.
    pub(crate) session: SessionId,
    /// The generation that is being spent.
    pub(crate) spent: i64,
    /// The next refresh token, sealed under the spent one.
    pub(crate) sealed_successor: Vec<u8>,
    /// Now.
    pub(crate) at: DateTime<Utc>,
    /// When the next refresh token expires.
    pub(crate) expires_at: DateTime<Utc>,
    /// When the access token that goes with it expires.
    pub(crate) access_expires_at: DateTime<Utc>,
}

/// A session that ended early, and until when its access tokens would look valid.
pub(crate) type RevokedSession = (SessionId, DateTime<Utc>);

/// Where sessions are kept.
#[async_trait]
pub(crate) trait SessionRepository: Send + Sync {
    /// Keeps a new session if its user is neither suspended nor deleted and, when one is given, still has this password,
    /// and if its client is there; `false` otherwise. So no login that began before a reset outlives it.
    async fn insert(&self, session: &Session, password: Option<&PasswordHash>) -> Result<bool, PortError>;
    /// The living sessions of a user, by their beginning.
    async fn list_alive(
        &self,
        user: UserId,
        page: &PageRequest,
        now: DateTime<Utc>,
    ) -> Result<Page<Session>, PortError>;
    /// The session of an id.
    async fn find(&self, id: SessionId) -> Result<Option<Session>, PortError>;
    /// Spends a generation if it is the session's newest and the session lives: one atomic comparison and change. Exactly
    /// one of several concurrent calls with one generation gets `true`.
    async fn rotate(&self, rotation: &Rotation) -> Result<bool, PortError>;
    /// Notes that the user of a living session proved again who it is, and how; `false` when it has ended.
    async fn reauthenticate(&self, id: SessionId, methods: &str, now: DateTime<Utc>) -> Result<bool, PortError>;
    /// Ends a session. MUST set the end of its access tokens to at least `tokens_until`. `None` when it had ended before,
    /// or never was.
    async fn revoke(
        &self,
        id: SessionId,
        reason: &'static str,
        now: DateTime<Utc>,
        tokens_until: DateTime<Utc>,
    ) -> Result<Option<RevokedSession>, PortError>;
    /// Ends every session of a user, and tells which.
    async fn revoke_all(
        &self,
        user: UserId,
        reason: &'static str,
        now: DateTime<Utc>,
        tokens_until: DateTime<Utc>,
    ) -> Result<Vec<RevokedSession>, PortError>;
    /// The sessions, and grants of clients to themselves, revoked at or after `since` (`None`: ever) whose access tokens may look valid at `now`, oldest first.
    async fn revoked(&self, since: Option<DateTime<Utc>>, now: DateTime<Utc>)
    -> Result<Vec<RevokedSession>, PortError>;
}

/// What a password check found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It is the password.
    Right,
    /// It is, and its hash is of another kind or cost than those written today.
    RightButOld,
    /// It is not.
    Wrong,
}

/// Hashes passwords.
#[async_trait]
pub(crate) trait PasswordHasher: Send + Sync {
    /// A new hash. `Unavailable` when the hashing is overloaded, and never later than its timeout.
    async fn hash(&self, password: &PlainPassword) -> Result<PasswordHash, PortError>;
    /// Compares. Without a hash it MUST do the work of a comparison with a hash written today, and say `Wrong`.
    async fn verify(&self, password: &PlainPassword, hash: Option<&PasswordHash>) -> Result<Verdict, PortError>;
    /// A hash that another system wrote, if it can be compared with here. MUST refuse one whose comparison would take
    /// unreasonably much time or memory. Faults: `unknown-hash`, `malformed-hash`, `costly-hash`.
    fn recognise(&self, text: &str) -> Result<PasswordHash, ValueFault>;
}

/// What an access token says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AccessGrant {
    /// `sub`: a user, or the client itself.
    pub(crate) subject: Subject,
    pub(crate) session: SessionId,
    pub(crate) client_id: String,
    pub(crate) scope: String,
    /// `aud`, when it is not the configured one (RFC 8707).
    pub(crate) audience: Option<String>,
    pub(crate) roles: Vec<String>,
    pub(crate) email: Option<String>,
    pub(crate) issued_at: DateTime<Utc>,
    pub(crate) expires_at: DateTime<Utc>,
}

/// What a refresh token says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RefreshGrant {
    pub(crate) user: UserId,
    pub(crate) session: SessionId,
    pub(crate) generation: i64,
    pub(crate) issued_at: DateTime<Utc>,
    pub(crate) expires_at: DateTime<Utc>,
}

/// Signs tokens, and reads its own.
#[async_trait]
pub(crate) trait TokenSigner: Send + Sync {
    /// An access token (RFC 9068).
    fn access(&self, grant: &AccessGrant) -> Result<String, PortError>;
    /// A refresh token.
    fn refresh(&self, grant: &RefreshGrant) -> Result<String, PortError>;
    /// An id_token (OpenID Connect Core 1.0 §2). MUST be of a type that is neither an access token's nor a refresh token's.
    fn id_token(&self, grant: &IdGrant<'_>) -> Result<String, PortError>;
    /// What an id_token says; `None` unless it is genuine and ours. That it has expired is no matter.
    fn read_id_token(&self, token: &str) -> Option<IdHint>;
    /// SHA-256 in base64url (RFC 7636 §4.6).
    fn s256(&self, text: &str) -> String;
    /// What a refresh token says; `None` unless it is genuine, of the right type, issuer and audience. Expiry is the
    /// caller's to judge.
    fn read_refresh(&self, token: &str) -> Option<RefreshGrant>;
    /// What an access token says, whatever its audience, and its `jti`; `None` unless it is genuine, of the right type and
    /// issuer. Expiry and revocation are the caller's to judge.
    fn read_access(&self, token: &str) -> Option<(AccessGrant, String)>;
    /// Seals a text under a key that only `token` gives.
    fn seal(&self, text: &str, token: &str) -> Result<Vec<u8>, PortError>;
    /// Opens what was sealed; `None` for another token.
    fn open(&self, sealed: &[u8], token: &str) -> Option<String>;
    /// SHA-256 in lower-case hexadecimal.
    fn digest(&self, text: &str) -> String;
    /// The public keys as a JWK Set (RFC 7517). MUST hold no secret.
    async fn jwks(&self) -> Result<String, PortError>;
}

/// What is mailed.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Mail {
    /// Please verify this address.
    Verification {
        /// To whom.
        to: Email,
        /// The link to follow.
        link: String,
        /// The code to type instead.
        code: String,
    },
    /// Please choose a new password.
    PasswordReset {
        /// To whom.
        to: Email,
        /// The link to follow.
        link: String,
        /// The code to type instead.
        code: String,
    },
    /// Something about the second factor changed.
    SecondFactor {
        /// To whom.
        to: Email,
        /// What.
        notice: FactorNotice,
    },
    /// A credential of the account changed.
    Changed {
        /// To whom.
        to: Email,
        /// What.
        notice: Notice,
    },
    /// Somebody tried to register your address again.
    AddressTaken {
        /// To whom.
        to: Email,
    },
}

/// Learns of sessions that ended, so that their access tokens stop working in this process at once.
pub(crate) trait RevocationSink: Send + Sync {
    /// Takes note; when it returns, no access token of these sessions is accepted in this process.
    fn revoked(&self, sessions: &[RevokedSession]);
}
