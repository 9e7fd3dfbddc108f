//! Somebody registers. While addresses are verified, one that is taken gets the same answer in the same time, and its
//! owner a mail; so nobody learns who has an account.

use std::sync::Arc;

use super::{
    Audit, Failure, Mail, MailedToken, Mailer, PasswordHasher, PasswordPolicy, Registered, Registration,
    RegistrationMails, Settings, TokenSigner, UserRepository, view_of,
};
use crate::{
    kernel::{Clock, Random, UserId},
    modules::auth::{
        api::UserView,
        domain::{
            Actor, Credentials, DisplayName, Email, EmailPurpose, Origin, Outcome, PasswordOwner, PlainPassword,
            RESEND_INTERVAL, RoleName, User, UserStatus,
        },
    },
};

/// What a registration says.
#[derive(Debug, Clone)]
pub(crate) struct RegisterCommand {
    pub(crate) email: Email,
    pub(crate) password: PlainPassword,
    pub(crate) display_name: Option<DisplayName>,
}

/// The use case.
#[derive(Clone)]
pub(crate) struct Register {
    pub(crate) users: Arc<dyn UserRepository>,
    pub(crate) passwords: Arc<dyn PasswordHasher>,
    pub(crate) policy: PasswordPolicy,
    pub(crate) tokens: Arc<dyn TokenSigner>,
    pub(crate) mailer: Arc<dyn Mailer>,
    pub(crate) audit: Audit,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) random: Arc<dyn Random>,
    pub(crate) settings: Arc<Settings>,
}

impl Register {
    /// The new user, or one that looks like it.
    pub(crate) async fn run(&self, command: RegisterCommand, origin: &Origin) -> Result<UserView, Failure> {
        if self.settings.registration == Registration::Closed {
            return Err(Failure::RegistrationClosed);
        }
        let owner = PasswordOwner { email: &command.email, display_name: command.display_name.as_ref() };
        self.policy.check("/password", &command.password, owner).await?;
        // Hashed before the address is looked at: a taken one must not answer sooner.
        let password_hash = self.passwords.hash(&command.password).await?;
        let now = self.clock.now();
        let verify = self.settings.require_verified_email;
        let user = User {
            id: UserId::new(&*self.clock, &*self.random),
            email: command.email,
            email_verified: false,
            display_name: command.display_name,
            status: if verify { UserStatus::Pending } else { UserStatus::Active },
            roles: vec![RoleName::user()],
            password_hash,
            mfa_enabled: false,
            created_at: now,
            updated_at: now,
        };
        let whose = (user.id, &user.email);
        let mut token = MailedToken::new(whose, EmailPurpose::Verification, &*self.tokens, &*self.clock, &*self.random);
        if verify {
            let (password_hash, display_name) = (user.password_hash.clone(), user.display_name.clone());
            token.kept.registration = Some(Credentials { password_hash, display_name });
        }
        // Both are written before it is known which is sent, if any: the answer takes as long either way.
        let mails = verify.then(|| RegistrationMails {
            verification: self.mailer.write(&token.verification_mail(&user.email, &self.settings.issuer)),
            taken: self.mailer.write(&Mail::AddressTaken { to: user.email.clone() }),
        });
        let registered = self.users.register(&user, &token.kept, mails.as_ref(), RESEND_INTERVAL).await?;
        self.note(&user, &registered, origin).await;
        match registered {
            Registered::Created => {
                tracing::info!(event = "user_registered", user_id = %user.id);
                Ok(view_of(&user))
            }
            Registered::Waiting { notify } => {
                tracing::info!(event = "registration_of_unverified_address", mailed = notify);
                Ok(view_of(&user))
            }
            Registered::Taken { owner, .. } => self.taken(&user, owner),
        }
    }

    /// One line whatever became of it: a taken address must not answer sooner.
    async fn note(&self, user: &User, registered: &Registered, origin: &Origin) {
        let (outcome, owner) = match registered {
            Registered::Created => (Outcome::Success, Some(user.id)),
            Registered::Waiting { .. } => (Outcome::Failure, None),
            Registered::Taken { owner, .. } => (Outcome::Failure, Some(*owner)),
        };
        let mut line = self.audit.entry(Actor::Anonymous, origin, "user.registered", outcome);
        if let Some(owner) = owner {
            line = line.target("user", owner);
        }
        if outcome == Outcome::Failure {
            line = line.detail("reason", "email-taken");
        }
        line.write().await;
    }

    fn taken(&self, user: &User, owner: UserId) -> Result<UserView, Failure> {
        tracing::info!(event = "registration_of_taken_address", user_id = %owner);
        if !self.settings.require_verified_email {
            return Err(Failure::EmailTaken);
        }
        Ok(view_of(user))
    }
}
