//! A user proves that the address is theirs: by the mailed link, or by the code in the same mail.

use std::{fmt::Write as _, sync::Arc};

use super::{AttemptLimiter, Audit, EmailProof, Failure, Mail, Mailer, STEADY, Settings, TokenSigner, UserRepository};
use crate::{
    kernel::{Clock, Random, UserId, ids::new_uuid},
    modules::auth::domain::{Actor, Email, EmailPurpose, EmailToken, Origin, Outcome, RESEND_INTERVAL},
};

/// The letters of a code: Crockford's base 32, which has no O, I, L and U to mistake.
const CODE_LETTERS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// A token that is about to be mailed: the only moment when it is known in the clear.
pub(crate) struct MailedToken {
    token: String,
    code: String,
    /// What is kept of it.
    pub(crate) kept: EmailToken,
}

impl MailedToken {
    /// A new token: 256 random bits for the link, 40 for the code.
    pub(crate) fn new(
        (user_id, email): (UserId, &Email),
        purpose: EmailPurpose,
        digests: &dyn TokenSigner,
        clock: &dyn Clock,
        random: &dyn Random,
    ) -> Self {
        let mut bytes = [0u8; 40];
        random.fill(&mut bytes);
        let (token, code) = bytes.split_at(32);
        let token = token.iter().fold(String::with_capacity(64), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        });
        let code: String = code.iter().map(|byte| char::from(CODE_LETTERS[usize::from(byte & 31)])).collect();
        let now = clock.now();
        let kept = EmailToken {
            id: new_uuid(clock, random),
            user_id,
            purpose,
            token_hash: digests.digest(&token),
            code_hash: code_hash(digests, email, &code),
            created_at: now,
            expires_at: now + purpose.lifetime(),
            registration: None,
        };
        Self { token, code, kept }
    }

    /// The mail that asks to verify the address.
    pub(crate) fn verification_mail(&self, to: &Email, issuer: &str) -> Mail {
        let link = format!("{issuer}/auth/verify-email?token={}", self.token);
        Mail::Verification { to: to.clone(), link, code: self.code_in_halves() }
    }

    fn code_in_halves(&self) -> String {
        let (first, second) = self.code.split_at(4);
        format!("{first}-{second}")
    }
}

impl MailedToken {
    /// The mail that lets its reader set a new password.
    pub(crate) fn reset_mail(&self, to: &Email, issuer: &str) -> Mail {
        Mail::PasswordReset { to: to.clone(), link: self.reset_link(issuer), code: self.code_in_halves() }
    }

    /// The link in that mail.
    pub(crate) fn reset_link(&self, issuer: &str) -> String {
        format!("{issuer}/auth/password/reset?token={}", self.token)
    }
}

fn code_hash(digests: &dyn TokenSigner, email: &Email, code: &str) -> String {
    digests.digest(&format!("{email} {code}"))
}

/// What is kept of a code, from the code as it was typed.
pub(super) fn mailed_code_hash(digests: &dyn TokenSigner, email: &Email, code: &str) -> String {
    code_hash(digests, email, &as_typed(code))
}

/// A code as people type it, in the letters it was made of.
fn as_typed(code: &str) -> String {
    let letters = code.chars().filter(|c| !c.is_whitespace() && *c != '-').map(|c| match c.to_ascii_uppercase() {
        'O' => '0',
        'I' | 'L' => '1',
        other => other,
    });
    letters.collect()
}

/// The use cases around the proof of an address.
#[derive(Clone)]
pub(crate) struct VerifyEmail {
    pub(crate) users: Arc<dyn UserRepository>,
    pub(crate) tokens: Arc<dyn TokenSigner>,
    pub(crate) attempts: Arc<dyn AttemptLimiter>,
    pub(crate) mailer: Arc<dyn Mailer>,
    pub(crate) audit: Audit,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) random: Arc<dyn Random>,
    pub(crate) settings: Arc<Settings>,
}

impl VerifyEmail {
    /// Spends a link's token.
    pub(crate) async fn by_link(&self, token: &str, origin: &Origin) -> Result<(), Failure> {
        self.spend(EmailProof::Link(self.tokens.digest(token)), origin).await
    }

    /// Spends a code, typed by the user of an address. It is short enough to be guessed: whoever guesses too often waits,
    /// whether or not there is such a user.
    pub(crate) async fn by_code(&self, email: &Email, code: &str, origin: &Origin) -> Result<(), Failure> {
        let client = origin.client();
        let account = format!("verification of {email}");
        self.attempts.check(&account, client).await?;
        let outcome = match self.users.find_by_email(email).await? {
            Some(user) => {
                let hash = mailed_code_hash(&*self.tokens, &user.email, code);
                self.spend(EmailProof::Code(user.id, hash), origin).await
            }
            None => Err(Failure::InvalidEmailToken),
        };
        if outcome.is_ok() || outcome == Err(Failure::InvalidEmailToken) {
            self.attempts.settle(&account, client, outcome.is_ok()).await?;
        }
        outcome
    }

    /// Whether a link would work now; a mail scanner that follows it changes nothing.
    pub(crate) async fn is_live(&self, token: &str) -> Result<bool, Failure> {
        let hash = self.tokens.digest(token);
        Ok(self.users.has_email_token(EmailPurpose::Verification, &hash, self.clock.now()).await?)
    }

    /// Mails a new link to a user who still needs one. The caller learns nothing: not whether there is such a user, not
    /// whether a mail was sent; at most one is sent an interval.
    pub(crate) async fn resend(&self, email: &Email) -> Result<(), Failure> {
        let (outcome, ()) = tokio::join!(self.mail_link(email), tokio::time::sleep(STEADY));
        outcome
    }

    /// For an address without a user who needs it the same is done, to no effect.
    async fn mail_link(&self, email: &Email) -> Result<(), Failure> {
        let user = self.users.find_by_email(email).await?.filter(|user| !user.email_verified);
        let id = user.as_ref().map_or_else(|| UserId::new(&*self.clock, &*self.random), |user| user.id);
        let purpose = EmailPurpose::Verification;
        let token = MailedToken::new((id, email), purpose, &*self.tokens, &*self.clock, &*self.random);
        let mail = self.mailer.write(&token.verification_mail(email, &self.settings.issuer));
        if user.is_none() {
            return Ok(self.users.rehearse_email_token(&token.kept, &mail, RESEND_INTERVAL).await?);
        }
        self.users.keep_email_token(&token.kept, Some(&mail), RESEND_INTERVAL).await?;
        Ok(())
    }

    async fn spend(&self, proof: EmailProof, origin: &Origin) -> Result<(), Failure> {
        let verified = self.users.verify_email(&proof, self.clock.now()).await?;
        let user = verified.ok_or(Failure::InvalidEmailToken)?;
        tracing::info!(event = "email_verified", user_id = %user);
        let line = self.audit.entry(Actor::User(user), origin, "email.verified", Outcome::Success);
        line.target("user", user).write().await;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_read_as_people_type_it() {
        assert_eq!(as_typed(" ab0d-e1gh "), "AB0DE1GH");
        assert_eq!(as_typed("oOiL"), "0011");
    }
}
