//! Passkeys: where they are kept, and who speaks with the devices that hold them.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use serde_json::Value;

use super::PortError;
use crate::{
    kernel::{Page, PageRequest, PasskeyId, UserId},
    modules::auth::domain::{Passkey, PasskeyCredential, User},
};

/// What became of a passkey that was to be kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PasskeyKept {
    /// It is there now.
    Kept,
    /// The user has as many as allowed.
    TooMany,
    /// Somebody, perhaps the user, has it already.
    Known,
    /// There is no such user, or it is suspended or deleted.
    NoOwner,
}

/// Where passkeys are kept.
#[async_trait]
pub(crate) trait PasskeyRepository: Send + Sync {
    /// Keeps a passkey of a user who can log in and has fewer than `most`. A credential MUST be kept once at most, whoever
    /// tries; concurrent calls MUST NOT exceed `most`.
    async fn keep_passkey(&self, passkey: &Passkey, most: u32) -> Result<PasskeyKept, PortError>;
    /// A user's passkeys, oldest first; cursors are ids.
    async fn list_passkeys(&self, user: UserId, page: &PageRequest) -> Result<Page<Passkey>, PortError>;
    /// The passkey with this credential.
    async fn passkey_of(&self, credential_id: &str) -> Result<Option<Passkey>, PortError>;
    /// Notes that a passkey was used, and what is known of it since: one atomic comparison and change. `false`, with nothing
    /// changed, when it is gone, or when its counter does not follow the one that is kept
    /// ([`PasskeyCredential::follows`]).
    async fn use_passkey(
        &self,
        id: PasskeyId,
        credential: &PasskeyCredential,
        now: DateTime<Utc>,
    ) -> Result<bool, PortError>;
    /// Takes a user's passkey away; `false` when it is none of the user's.
    async fn remove_passkey(&self, user: UserId, id: PasskeyId) -> Result<bool, PortError>;
}

/// Why a device's answer is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CeremonyFault {
    /// It does not answer what was asked, or its signature is wrong.
    Refused,
    /// It counts back: there are two of it.
    Cloned,
}

/// Asks devices for passkeys and checks their answers (Web Authentication, level 3), all of them with user verification.
/// Nothing is remembered here: what a ceremony needs to know at its end is the text beside the options.
pub(crate) trait PasskeyCeremonies: Send + Sync {
    /// The options for a new passkey of a user (`PublicKeyCredentialCreationOptionsJSON`), with a challenge of at least 128 random
    /// bits, and what the end needs to know. None of `known` may be made anew.
    fn begin_registration(&self, user: &User, known: &[Passkey]) -> Result<(Value, String), PortError>;
    /// The challenge that a device's answer says it answers to; `None` when it is no such answer.
    fn challenge_of(&self, answer: &Value) -> Option<String>;
    /// The new passkey.
    fn end_registration(&self, answer: &Value, begun: &str) -> Result<PasskeyCredential, CeremonyFault>;
    /// The options for a login (`PublicKeyCredentialRequestOptionsJSON`), which MUST NOT depend on anybody's account, and
    /// what the end needs to know.
    fn begin_login(&self) -> Result<(Value, String), PortError>;
    /// The id of the credential that a device answers with; `None` when it is no such answer.
    fn credential_of(&self, answer: &Value) -> Option<String>;
    /// The passkey's credential as it is since this login. MUST refuse an answer that names another user than the passkey's.
    fn end_login(&self, answer: &Value, begun: &str, passkey: &Passkey) -> Result<PasskeyCredential, CeremonyFault>;
}
