//! A user logs in by a passkey, which stands for both factors. What is asked for does not depend on whose address it is, or
//! whether it is anybody's: the device knows by itself which passkeys it has.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Passkeys, unreadable};
use crate::{
    kernel::UserId,
    modules::auth::{
        application::{Authenticated, CeremonyFault, Failure, Held, Notice, authenticate::failure_of},
        domain::{Actor, Email, InteractionKind, Origin, Outcome, Passkey, PasskeyCredential, User},
    },
};

/// A login whose answer is awaited.
#[derive(Serialize, Deserialize)]
struct Waiting {
    begun: String,
    /// Whose it has to be: the digest of an address; `None`: anybody's.
    account: Option<String>,
}

/// Why a login came to nothing.
enum Refusal {
    /// The answer is wrong.
    Wrong(Option<UserId>, &'static str),
    /// It is right, and that is not enough, or something failed.
    Other(Option<UserId>, Failure),
}

impl<E: Into<Failure>> From<E> for Refusal {
    fn from(error: E) -> Self {
        Self::Other(None, error.into())
    }
}

impl Passkeys {
    /// A secret that stands for the login, and the options for a device to answer by.
    pub(crate) async fn begin_log_in(&self, email: Option<&Email>) -> Result<(String, Value), Failure> {
        let (options, begun) = self.ceremonies.begin_login()?;
        let account = email.map(|email| self.interactions.digests.digest(email.as_str()));
        let waiting = Waiting { begun, account };
        let secret = self.interactions.leave(InteractionKind::PasskeyLogin, &waiting, self.patience).await?;
        Ok((secret, options))
    }

    /// Who answered. Whatever comes of it, the ceremony is over.
    pub(crate) async fn end_log_in(
        &self,
        ceremony: &str,
        answer: &Value,
        origin: &Origin,
    ) -> Result<Authenticated, Failure> {
        let credential = self.ceremonies.credential_of(answer).ok_or_else(unreadable)?;
        let client = origin.client();
        self.attempts.check(&credential, client).await?;
        let outcome = self.prove(ceremony, answer, &credential).await;
        // What failed on our side is no attempt.
        let is_right = matches!(outcome, Ok(_) | Err(Refusal::Other(Some(_), _)));
        if is_right || matches!(outcome, Err(Refusal::Wrong(..))) {
            let settled = self.attempts.settle(&credential, client, is_right).await;
            if let (Err(Held::For(_)), Err(Refusal::Wrong(known, _))) = (&settled, &outcome) {
                self.tell("account.locked", *known, "too-many-attempts", origin).await;
            }
            settled?;
        }
        match outcome {
            Ok(authenticated) => {
                let (id, methods) = (authenticated.user.id, authenticated.methods.as_str());
                let line = self.audit.entry(Actor::User(id), origin, "login.succeeded", Outcome::Success);
                line.target("user", id).detail("methods", methods).write().await;
                Ok(authenticated)
            }
            Err(Refusal::Wrong(known, why)) => {
                tracing::info!(event = "passkey_refused", reason = why);
                self.tell("login.failed", known, why, origin).await;
                Err(Failure::InvalidPasskey)
            }
            Err(Refusal::Other(known, failure)) => {
                let reason = match failure {
                    Failure::EmailNotVerified => "email-not-verified",
                    Failure::AccountSuspended => "account-suspended",
                    other => return Err(other),
                };
                self.tell("login.failed", known, reason, origin).await;
                Err(failure)
            }
        }
    }

    async fn prove(&self, ceremony: &str, answer: &Value, credential: &str) -> Result<Authenticated, Refusal> {
        let waiting: Option<Waiting> = self.interactions.take(InteractionKind::PasskeyLogin, ceremony).await?;
        let waiting = waiting.ok_or(Refusal::Wrong(None, "no-such-ceremony"))?;
        let passkey = self.store.passkey_of(credential).await?.ok_or(Refusal::Wrong(None, "unknown-passkey"))?;
        let owner = Some(passkey.user_id);
        let user = self.users.find(passkey.user_id).await?.ok_or(Refusal::Wrong(owner, "unknown-passkey"))?;
        let is_whose = |account: &String| *account == self.interactions.digests.digest(user.email.as_str());
        if !waiting.account.as_ref().is_none_or(is_whose) {
            return Err(Refusal::Wrong(owner, "another-account"));
        }
        let answered = match self.ceremonies.end_login(answer, &waiting.begun, &passkey) {
            Ok(credential) => self.note_use(&passkey, credential).await?,
            Err(fault) => Err(fault),
        };
        let credential = match answered {
            Ok(credential) => credential,
            Err(CeremonyFault::Refused) => return Err(Refusal::Wrong(owner, "invalid-passkey")),
            Err(CeremonyFault::Cloned) => return Err(self.report_clone(&user, &passkey).await),
        };
        let may = user.can_log_in(self.settings.require_verified_email);
        may.map_err(|refusal| Refusal::Other(owner, failure_of(refusal)))?;
        Ok(Authenticated { user, methods: credential.methods().to_owned() })
    }

    async fn note_use(
        &self,
        passkey: &Passkey,
        credential: PasskeyCredential,
    ) -> Result<Result<PasskeyCredential, CeremonyFault>, Failure> {
        if !credential.follows(passkey.credential.sign_count) {
            return Ok(Err(CeremonyFault::Cloned));
        }
        if self.store.use_passkey(passkey.id, &credential, self.clock.now()).await? {
            return Ok(Ok(credential));
        }
        // It was removed since it was looked at, or another login counted as far.
        let is_there = self.store.passkey_of(&passkey.credential.id).await?.is_some();
        Ok(Err(if is_there { CeremonyFault::Cloned } else { CeremonyFault::Refused }))
    }

    async fn report_clone(&self, user: &User, passkey: &Passkey) -> Refusal {
        tracing::warn!(event = "passkey_cloned", user_id = %user.id, passkey_id = %passkey.id);
        self.notify(user, Notice::PasskeyCloned(passkey.name.as_str().to_owned())).await;
        Refusal::Wrong(Some(user.id), "cloned-passkey")
    }

    async fn tell(&self, action: &str, known: Option<UserId>, reason: &str, origin: &Origin) {
        let line = self.audit.entry(Actor::Anonymous, origin, action, Outcome::Failure).detail("reason", reason);
        let line = line.detail("factor", "passkey");
        match known {
            Some(user) => line.target("user", user).write().await,
            None => line.write().await,
        }
    }
}
