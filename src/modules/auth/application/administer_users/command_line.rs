//! What operators do from the command line: the same, in the name of whoever may run our commands.

use async_trait::async_trait;
use chrono::TimeDelta;
use secrecy::{ExposeSecret as _, SecretString};

use super::{AdministerUsers, changes::WhichUser};
use crate::{
    kernel::{FieldFault, Page, PageRequest, UserId},
    modules::auth::{
        api::{AuthError, CreateUser, UserAdministration, UserView},
        application::{Administrator, Failure, MailedToken, UserFilter, view_of},
        domain::{Email, EmailPurpose, Outcome, PlainPassword, User, UserStatus},
    },
};

impl AdministerUsers {
    async fn named(&self, id_or_email: &str) -> Result<User, Failure> {
        let found = match id_or_email.parse::<UserId>() {
            Ok(id) => self.users.find(id).await?,
            Err(_) => match Email::parse(id_or_email) {
                Ok(email) => self.users.find_by_email(&email).await?,
                Err(_) => None,
            },
        };
        found.filter(|user| user.status != UserStatus::Deleted).ok_or(Failure::NotFound)
    }

    async fn which(&self, id_or_email: &str) -> Result<WhichUser, Failure> {
        Ok(WhichUser { id: self.named(id_or_email).await?.id, unless_changed_since: None })
    }

    /// A link that lets its bearer set the password, for the operator to hand over.
    async fn link(&self, id_or_email: &str) -> Result<String, Failure> {
        let user = self.named(id_or_email).await?;
        let whose = (user.id, &user.email);
        let token = MailedToken::new(whose, EmailPurpose::PasswordReset, &*self.tokens, &*self.clock, &*self.random);
        // The interval keeps strangers from sending mails; an operator may have as many links as wanted.
        self.users.keep_email_token(&token.kept, None, TimeDelta::zero()).await?;
        let by = Administrator::command_line();
        let line = self.audit.entry(by.actor, &by.origin, "password.reset_requested", Outcome::Success);
        line.target("user", user.id).write().await;
        Ok(token.reset_link(&self.settings.issuer))
    }

    async fn password(&self, id_or_email: &str, password: &SecretString) -> Result<(), Failure> {
        let read = PlainPassword::new(password.expose_secret(), self.settings.min_password_length);
        let told = |fault: crate::kernel::error::ValueFault| FieldFault::new("/password", fault.code, fault.detail);
        let password = read.map_err(|fault| Failure::Invalid(vec![told(fault)]))?;
        let which = self.which(id_or_email).await?;
        self.set_password(&Administrator::command_line(), which, &password).await.map(drop)
    }
}

#[async_trait]
impl UserAdministration for AdministerUsers {
    async fn create_user(&self, command: CreateUser) -> Result<UserView, AuthError> {
        Ok(self.create(&Administrator::command_line(), command).await?)
    }

    async fn list_users(&self, page: PageRequest) -> Result<Page<UserView>, AuthError> {
        Ok(self.list(&UserFilter::default(), &page).await?)
    }

    async fn show_user(&self, id_or_email: &str) -> Result<UserView, AuthError> {
        Ok(view_of(&self.named(id_or_email).await?))
    }

    async fn suspend_user(&self, id_or_email: &str) -> Result<UserView, AuthError> {
        Ok(self.suspend(&Administrator::command_line(), self.which(id_or_email).await?).await?)
    }

    async fn activate_user(&self, id_or_email: &str) -> Result<UserView, AuthError> {
        Ok(self.activate(&Administrator::command_line(), self.which(id_or_email).await?).await?)
    }

    async fn set_user_roles(&self, id_or_email: &str, roles: Vec<String>) -> Result<UserView, AuthError> {
        let which = self.which(id_or_email).await?;
        Ok(self.set_roles(&Administrator::command_line(), which, &roles).await?)
    }

    async fn set_user_password(&self, id_or_email: &str, password: SecretString) -> Result<(), AuthError> {
        Ok(self.password(id_or_email, &password).await?)
    }

    async fn password_reset_link(&self, id_or_email: &str) -> Result<String, AuthError> {
        Ok(self.link(id_or_email).await?)
    }

    async fn remove_user_factors(&self, id_or_email: &str) -> Result<UserView, AuthError> {
        Ok(self.remove_factors(&Administrator::command_line(), self.which(id_or_email).await?).await?)
    }

    async fn delete_user(&self, id_or_email: &str) -> Result<(), AuthError> {
        Ok(self.delete(&Administrator::command_line(), self.which(id_or_email).await?).await?)
    }
}
