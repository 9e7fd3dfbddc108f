//! Administration of users: who exists, and what becomes of them.

mod changes;
mod command_line;

use std::sync::Arc;

pub(crate) use changes::WhichUser;
use secrecy::ExposeSecret as _;

use super::{
    Administrator, Audit, Failure, Mailer, PasswordHasher, PasswordPolicy, RevocationSink, RoleRepository, Settings,
    TokenSigner, UserDirectory, UserFilter, UserRepository, view_of,
};
use crate::{
    kernel::{Clock, FieldFault, Page, PageRequest, Random, UserId, error::ValueFault},
    modules::auth::{
        api::{CreateUser, UserView},
        domain::{DisplayName, Email, Outcome, PasswordOwner, PlainPassword, RoleCatalog, RoleName, User, UserStatus},
    },
};

/// The use cases. A user is told by mail what became of the own credentials; whose address is to be verified asks for that
/// mail by `POST /auth/verify-email/resend`.
#[derive(Clone)]
pub(crate) struct AdministerUsers {
    pub(crate) users: Arc<dyn UserRepository>,
    pub(crate) directory: Arc<dyn UserDirectory>,
    pub(crate) roles: Arc<dyn RoleRepository>,
    pub(crate) passwords: Arc<dyn PasswordHasher>,
    pub(crate) policy: PasswordPolicy,
    pub(crate) tokens: Arc<dyn TokenSigner>,
    pub(crate) revocations: Arc<dyn RevocationSink>,
    pub(crate) mailer: Arc<dyn Mailer>,
    pub(crate) audit: Audit,
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
    /// Makes a user.
    pub(crate) async fn create(&self, by: &Administrator, command: CreateUser) -> Result<UserView, Failure> {
        let catalog = self.roles.catalog().await?;
        let wanted = self.read(&command, &catalog)?;
        by.must_hold(&catalog.permissions_of(&wanted.roles))?;
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
            mfa_enabled: false,
            created_at: now,
            updated_at: now,
        };
        if !self.users.create(&user).await? {
            return Err(Failure::EmailTaken);
        }
        tracing::info!(event = "user_created", user_id = %user.id);
        let line = self.audit.entry(by.actor.clone(), &by.origin, "user.created", Outcome::Success);
        line.target("user", user.id).detail("roles", user.role_names()).write().await;
        Ok(view_of(&user))
    }

    fn read(&self, command: &CreateUser, catalog: &RoleCatalog) -> Result<Wanted, Failure> {
        let mut faults = Vec::new();
        let email = noted(&mut faults, "/email", Email::parse(&command.email));
        let password = PlainPassword::new(command.password.expose_secret(), self.settings.min_password_length);
        let password = noted(&mut faults, "/password", password);
        let display_name = command.display_name.as_deref().map(DisplayName::parse).transpose();
        let display_name = noted(&mut faults, "/display_name", display_name);
        let mut roles = read_roles(&mut faults, &command.roles, catalog);
        if roles.is_empty() {
            roles.push(RoleName::user());
        }
        match (email, password, display_name) {
            (Some(email), Some(password), Some(display_name)) if faults.is_empty() => {
                Ok(Wanted { email, password, display_name, roles })
            }
            _ => Err(Failure::Invalid(faults)),
        }
    }

    /// Users by creation.
    pub(crate) async fn list(&self, filter: &UserFilter, page: &PageRequest) -> Result<Page<UserView>, Failure> {
        let users = self.directory.list(filter, page).await?;
        Ok(Page { items: users.items.iter().map(view_of).collect(), next_cursor: users.next_cursor })
    }

    /// One user; `NotFound` when deleted.
    pub(crate) async fn show(&self, id: UserId) -> Result<UserView, Failure> {
        self.find(id).await.map(|user| view_of(&user))
    }

    async fn find(&self, id: UserId) -> Result<User, Failure> {
        let user = self.users.find(id).await?.filter(|user| user.status != UserStatus::Deleted);
        user.ok_or(Failure::NotFound)
    }
}

/// Roles that exist, in order and each once; every fault noted at its place.
pub(super) fn read_roles(faults: &mut Vec<FieldFault>, texts: &[String], catalog: &RoleCatalog) -> Vec<RoleName> {
    let mut roles = Vec::new();
    for (place, text) in texts.iter().enumerate() {
        let pointer = format!("/roles/{place}");
        let Some(role) = noted(faults, &pointer, RoleName::parse(text)) else { continue };
        if !catalog.0.contains_key(&role) {
            faults.push(FieldFault::new(pointer, "unknown-role", format!("there is no role {text:?}")));
        }
        roles.push(role);
    }
    roles.sort_unstable();
    roles.dedup();
    roles
}

/// The value, or its fault noted.
pub(super) fn noted<T>(faults: &mut Vec<FieldFault>, pointer: &str, value: Result<T, ValueFault>) -> Option<T> {
    value.map_err(|fault| faults.push(FieldFault::new(pointer, fault.code, fault.detail))).ok()
}
