//! Signing keys are listed, followed by new ones, and retired.

use std::sync::Arc;

use async_trait::async_trait;

use super::{Audit, Failure, KeyCustodian, KeyRotation, KeyStanding};
use crate::{
    kernel::ErrorKind,
    modules::auth::{
        api::{AuthError, KeyAdministration, KeyView},
        domain::{Actor, KeyState, Origin, Outcome, SigningKey},
    },
};

/// The use cases.
#[derive(Clone)]
pub(crate) struct AdministerKeys {
    pub(crate) keys: Arc<dyn KeyCustodian>,
    pub(crate) audit: Audit,
}

impl AdministerKeys {
    /// What is done all the time while a process runs.
    pub(crate) async fn tend(&self) -> Result<(), Failure> {
        for kid in self.keys.tend().await? {
            tracing::info!(event = "signing_key_retired", kid, reason = "its last token has expired");
            self.note(Actor::System, "key.retired", &kid).await;
        }
        Ok(())
    }

    async fn note(&self, actor: Actor, action: &str, kid: &str) {
        self.audit.entry(actor, &Origin::default(), action, Outcome::Success).target("key", kid).write().await;
    }
}

#[async_trait]
impl KeyAdministration for AdministerKeys {
    async fn list_keys(&self) -> Result<Vec<KeyView>, AuthError> {
        let keys = self.keys.list().await.map_err(Failure::from)?;
        Ok(keys.into_iter().map(view_of).collect())
    }

    async fn rotate_keys(&self) -> Result<KeyView, AuthError> {
        let refused = |detail: String| AuthError { kind: ErrorKind::Conflict, detail };
        match self.keys.rotate().await.map_err(Failure::from)? {
            KeyRotation::Published(key) => {
                self.note(Actor::CommandLine, "key.rotated", &key.kid).await;
                Ok(published(key))
            }
            KeyRotation::Waiting(key) => Err(refused(format!(
                "key {} was published a moment ago and signs from {}; wait for that, or retire it",
                key.kid,
                key.signs_from.to_rfc3339()
            ))),
            KeyRotation::SharedSecret => Err(refused(
                "HS256 has no keys to rotate: it signs with `auth.tokens.secret`, which is changed in the configuration"
                    .to_owned(),
            )),
        }
    }

    async fn retire_key(&self, kid: &str) -> Result<(), AuthError> {
        if !self.keys.retire(kid).await.map_err(Failure::from)? {
            let detail = format!("there is no key {kid}, or it is retired already");
            return Err(AuthError { kind: ErrorKind::NotFound, detail });
        }
        self.note(Actor::CommandLine, "key.retired", kid).await;
        Ok(())
    }
}

fn published(key: SigningKey) -> KeyView {
    view_of(KeyStanding { key, state: KeyState::Published, retires_at: None })
}

fn view_of(standing: KeyStanding) -> KeyView {
    let KeyStanding { key, state, retires_at } = standing;
    KeyView {
        kid: key.kid,
        algorithm: key.algorithm,
        state: state.as_str(),
        created_at: key.created_at,
        signs_from: key.signs_from,
        retires_at: key.retired_at.or(retires_at),
    }
}
