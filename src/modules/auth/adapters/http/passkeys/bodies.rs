//! What the calls of passkeys take and give.

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::modules::auth::{adapters::http::bodies::rfc3339, domain::Passkey};

/// What `POST /auth/passkeys/register/finish` takes.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it is read member by member; this is its description")]
pub(in crate::modules::auth::adapters::http) struct RegisterFinishBody {
    /// What its owner calls it.
    #[schema(example = "telephone")]
    name: String,
    /// What `navigator.credentials.create` gave, as `toJSON()` writes it.
    #[schema(value_type = Object)]
    credential: Value,
}

/// What `POST /auth/passkeys/login/start` takes; it may be left out.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it is read member by member; this is its description")]
pub(in crate::modules::auth::adapters::http) struct LoginStartBody {
    /// Whose login it has to be; absent: the device tells.
    #[schema(format = "email", example = "ada@example.com")]
    email: Option<String>,
}

/// What `POST /auth/passkeys/login/finish` takes.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it is read member by member; this is its description")]
pub(in crate::modules::auth::adapters::http) struct LoginFinishBody {
    /// What the start gave.
    ceremony: String,
    /// What `navigator.credentials.get` gave, as `toJSON()` writes it.
    #[schema(value_type = Object)]
    credential: Value,
}

/// The options for a new passkey.
#[derive(Serialize, ToSchema)]
pub(in crate::modules::auth::adapters::http) struct RegistrationOptionsBody {
    /// For `PublicKeyCredential.parseCreationOptionsFromJSON`.
    #[schema(value_type = Object)]
    pub(super) options: Value,
}

/// The options for a login.
#[derive(Serialize, ToSchema)]
pub(in crate::modules::auth::adapters::http) struct LoginOptionsBody {
    /// Stands for this login, once.
    pub(super) ceremony: String,
    /// For `PublicKeyCredential.parseRequestOptionsFromJSON`.
    #[schema(value_type = Object)]
    pub(super) options: Value,
}

/// A passkey.
#[derive(Serialize, ToSchema)]
pub(in crate::modules::auth::adapters::http) struct PasskeyBody {
    /// The id: a UUIDv7.
    id: uuid::Uuid,
    /// What its owner calls it.
    #[schema(example = "telephone")]
    name: String,
    /// Whether its owner's devices share it, so that a lost one does not lose it.
    synced: bool,
    /// When it was made.
    #[schema(value_type = String, format = "date-time")]
    created_at: String,
    /// When it was last used; null: not yet.
    #[schema(value_type = Option<String>, format = "date-time")]
    last_used_at: Option<String>,
}

/// A page of passkeys.
#[derive(Serialize, ToSchema)]
pub(in crate::modules::auth::adapters::http) struct PasskeysBody {
    pub(super) items: Vec<PasskeyBody>,
    /// Where the next page begins; null on the last.
    pub(super) next_cursor: Option<String>,
}

impl From<Passkey> for PasskeyBody {
    fn from(passkey: Passkey) -> Self {
        Self {
            id: passkey.id.0,
            name: passkey.name.as_str().to_owned(),
            synced: passkey.credential.is_synced,
            created_at: rfc3339(passkey.created_at),
            last_used_at: passkey.last_used_at.map(rfc3339),
        }
    }
}
