//! The ceremonies of passkeys, by webauthn-rs. Every passkey is one that its device finds by itself, so that a login asks
//! the same of everybody; every answer has to say that the device verified its user.

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use url::Url;
use webauthn_rs::prelude::{
    DiscoverableAuthentication, Passkey as Kept, PasskeyRegistration, PublicKeyCredential, RegisterPublicKeyCredential,
    Webauthn, WebauthnBuilder, WebauthnError,
};

use super::{
    application::{CeremonyFault, PasskeyCeremonies, PortError},
    config::AuthConfig,
    domain::{DisplayName, Passkey, PasskeyCredential, User},
};

/// The ceremonies of one relying party: the issuer's host.
pub(super) struct Ceremonies(Webauthn);

impl Ceremonies {
    /// For the issuer, which has to be one that browsers make passkeys for.
    pub(super) fn new(config: &AuthConfig) -> Result<Self, String> {
        let issuer = Url::parse(&config.issuer).map_err(|error| error.to_string())?;
        let origin = Url::parse(&issuer.origin().ascii_serialization()).map_err(|error| error.to_string())?;
        let host = origin.domain().ok_or("an address is no relying party")?;
        let builder = WebauthnBuilder::new(host, &origin).map_err(|error| error.to_string())?;
        let builder = builder.rp_name(&config.mfa.name).timeout(config.passkeys.ceremony_ttl.get());
        builder.build().map(Self).map_err(|error| error.to_string())
    }
}

impl PasskeyCeremonies for Ceremonies {
    fn begin_registration(&self, user: &User, known: &[Passkey]) -> Result<(Value, String), PortError> {
        let known =
            known.iter().map(|passkey| read::<Kept>(&passkey.credential.kept).map(|kept| kept.cred_id().clone()));
        let known = known.collect::<Result<Vec<_>, _>>()?;
        let begun = self.0.start_passkey_registration(
            user.id.0,
            user.email.as_str(),
            user.display_name.as_ref().map_or(user.email.as_str(), DisplayName::as_str),
            (!known.is_empty()).then_some(known),
        );
        let (options, state) = begun.map_err(|error| PortError::Internal(error.to_string()))?;
        let mut options = written(&options.public_key)?;
        // Level 3 of the standard, §5.4.4: the device keeps it, so that it can be found without the account's name.
        if let Some(selection) = options.get_mut("authenticatorSelection").and_then(Value::as_object_mut) {
            selection.insert("residentKey".to_owned(), "required".into());
            selection.insert("requireResidentKey".to_owned(), true.into());
        }
        Ok((options, text(&state)?))
    }

    fn challenge_of(&self, answer: &Value) -> Option<String> {
        let answer: RegisterPublicKeyCredential = serde_json::from_value(answer.clone()).ok()?;
        let said: Value = serde_json::from_slice(&answer.response.client_data_json).ok()?;
        said.get("challenge")?.as_str().map(str::to_owned)
    }

    fn end_registration(&self, answer: &Value, begun: &str) -> Result<PasskeyCredential, CeremonyFault> {
        let answer: RegisterPublicKeyCredential = serde_json::from_value(answer.clone()).map_err(refused)?;
        let state: PasskeyRegistration = serde_json::from_str(begun).map_err(refused)?;
        let made = self.0.finish_passkey_registration(&answer, &state).map_err(fault_of)?;
        credential_of(&made).ok_or(CeremonyFault::Refused)
    }

    fn begin_login(&self) -> Result<(Value, String), PortError> {
        let begun = self.0.start_discoverable_authentication();
        let (options, state) = begun.map_err(|error| PortError::Internal(error.to_string()))?;
        Ok((written(&options.public_key)?, text(&state)?))
    }

    fn credential_of(&self, answer: &Value) -> Option<String> {
        let answer: PublicKeyCredential = serde_json::from_value(answer.clone()).ok()?;
        Some(BASE64_URL_SAFE_NO_PAD.encode(answer.get_credential_id()))
    }

    fn end_login(&self, answer: &Value, begun: &str, passkey: &Passkey) -> Result<PasskeyCredential, CeremonyFault> {
        let answer: PublicKeyCredential = serde_json::from_value(answer.clone()).map_err(refused)?;
        let state: DiscoverableAuthentication = serde_json::from_str(begun).map_err(refused)?;
        let mut kept: Kept = serde_json::from_str(&passkey.credential.kept).map_err(refused)?;
        let (user, _) = self.0.identify_discoverable_authentication(&answer).map_err(fault_of)?;
        if user != passkey.user_id.0 {
            return Err(CeremonyFault::Refused);
        }
        let result = self.0.finish_discoverable_authentication_v2(&answer, state, &kept).map_err(fault_of)?;
        kept.update_credential(&result).filter(|_| result.user_verified()).ok_or(CeremonyFault::Refused)?;
        credential_of(&kept).ok_or(CeremonyFault::Refused)
    }
}

/// What is kept of a passkey. Its counter and flags are told only by its written form.
fn credential_of(kept: &Kept) -> Option<PasskeyCredential> {
    let written = serde_json::to_value(kept).ok()?;
    let credential = written.get("cred")?;
    Some(PasskeyCredential {
        id: BASE64_URL_SAFE_NO_PAD.encode(kept.cred_id()),
        sign_count: credential.get("counter")?.as_u64()?.try_into().ok()?,
        is_synced: credential.get("backup_eligible")?.as_bool()?,
        kept: written.to_string(),
    })
}

fn fault_of(error: WebauthnError) -> CeremonyFault {
    match error {
        WebauthnError::CredentialPossibleCompromise => CeremonyFault::Cloned,
        error => refused(error),
    }
}

fn refused(error: impl std::fmt::Display) -> CeremonyFault {
    tracing::debug!(event = "passkey_ceremony_failed", %error);
    CeremonyFault::Refused
}

fn read<T: DeserializeOwned>(kept: &str) -> Result<T, PortError> {
    serde_json::from_str(kept).map_err(|error| PortError::Internal(format!("a kept passkey cannot be read: {error}")))
}

fn written(what: &impl Serialize) -> Result<Value, PortError> {
    serde_json::to_value(what).map_err(|error| PortError::Internal(error.to_string()))
}

fn text(what: &impl Serialize) -> Result<String, PortError> {
    serde_json::to_string(what).map_err(|error| PortError::Internal(error.to_string()))
}
