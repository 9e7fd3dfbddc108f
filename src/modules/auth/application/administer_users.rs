//! Administration of users from the command line.

use std::sync::Arc;

use async_trait::async_trait;
use secrecy::ExposeSecret as _;

use super::{Failure, PasswordHasher, PasswordPolicy, Settings, UserRepository, view_of};
use crate::{
    kernel::{Clock, FieldFault, Page, PageRequest, Random, UserId, error::ValueFault},
    modules::auth::{
        api::{AuthError, CreateUser, UserAdministration, UserView},
        domain::{DisplayName, Email, PasswordOwner, PlainPassword, RoleName, User, UserStatus},
    },
};

/// The use cases. They send no mails: a user whose address is to be verified asks for one by
/// `POST /auth/verify-email/resend`.
#[derive(Clone)]
pub(crate) struct AdministerUsers {
    pub(crate) users: Arc<dyn UserRepository>,
    pub(crate) passwords: Arc<dyn PasswordHasher>,
    pub(crate) policy: PasswordPolicy,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) random: Arc<dyn Random>,
    pub(crate) settings: Arc<Settings>,
}

/// What a command's texts mean.
struct Wanted {
    email: Email,
    password: PlainPassword,
    display_name: Option<DisplayName>,
    roles: Vec<RoleName>,
}

impl AdministerUsers {
    fn read(&self, command: &CreateUser) -> Result<Wanted, Failure> {
        let mut faults = Vec::new();
        let email = noted(&mut faults, "/email", Email::parse(&command.email));
        let password = PlainPassword::new(command.password.expose_secret(), self.settings.min_password_length);
        let password = noted(&mut faults, "/password", password);
        let display_name = command.display_name.as_deref().map(DisplayName::parse).transpose();
        let display_name = noted(&mut faults, "/display_name", display_name);
        let roles = command.roles.iter().map(|role| RoleName::parse(role)).collect::<Result<Vec<_>, _>>();
        let roles = noted(&mut faults, "/roles", roles);
        match (email, password, display_name, roles) {
            (Some(email), Some(password), Some(display_name), Some(mut roles)) => {
                if roles.is_empty() {
                    roles.push(RoleName::user());
                }
                roles.sort_unstable();
                roles.dedup();
                Ok(Wanted { email, password, display_name, roles })
            }
            _ => Err(Failure::Invalid(faults)),
        }
    }

    async fn create(&self, command: CreateUser) -> Result<UserView, Failure> {
        let wanted = self.read(&command)?;
        let owner = PasswordOwner { email: &wanted.email, display_name: wanted.display_name.as_ref() };
        self.policy.check("/password", &wanted.password, owner).await?;
        let password_hash = self.passwords.hash(&wanted.password).await?;
        let now = self.clock.now();
        let is_usable = command.verified || !self.settings.require_verified_email;
        let user = User {
            id: UserId::new(&*self.clock, &*self.random),
            email: wanted.email,
            email_verified: command.verified,
            display_name: wanted.display_name,
            status: if is_usable { UserStatus::Active } else { UserStatus::Pending },
            roles: wanted.roles,
            password_hash,
            created_at: now,
            updated_at: now,
        };
        if !self.users.create(&user).await? {
            return Err(Failure::EmailTaken);
        }
        tracing::info!(event = "user_created", user_id = %user.id);
        Ok(view_of(&user))
    }

    async fn show(&self, id_or_email: &str) -> Result<UserView, Failure> {
        let found = match id_or_email.parse::<UserId>() {
            Ok(id) => self.users.find(id).await?,
            Err(_) => match Email::parse(id_or_email) {
                Ok(email) => self.users.find_by_email(&email).await?,
                Err(_) => None,
            },
        };
        found.as_ref().map(view_of).ok_or(Failure::NotFound)
    }
}

/// The value, or its fault noted.
fn noted<T>(faults: &mut Vec<FieldFault>, pointer: &str, value: Result<T, ValueFault>) -> Option<T> {
    value.map_err(|fault| faults.push(FieldFault::new(pointer, fault.code, fault.detail))).ok()
}

#[async_trait]
impl UserAdministration for AdministerUsers {
    async fn create_user(&self, command: CreateUser) -> Result<UserView, AuthError> {
        Ok(self.create(command).await?)
    }

    async fn list_users(&self, page: PageRequest) -> Result<Page<UserView>, AuthError> {
        let users = self.users.list(&page).await.map_err(Failure::from)?;
        Ok(Page { items: users.items.iter().map(view_of).collect(), next_cursor: users.next_cursor })
    }

    async fn show_user(&self, id_or_email: &str) -> Result<UserView, AuthError> {
        Ok(self.show(id_or_email).await?)
    }
}
