//! Users of another system are taken over, with the hashes of their passwords. A password's own rules cannot be applied to
//! a hash; what its comparison costs can be bounded.

use std::{collections::HashSet, sync::Arc};

use async_trait::async_trait;
use secrecy::{ExposeSecret as _, SecretString};

use super::{
    Audit, Failure, PasswordHasher, RoleRepository, Settings, UserImportStore,
    administer_users::{noted, read_roles},
};
use crate::{
    kernel::{Clock, FieldFault, Random, UserId, error::ValueFault},
    modules::auth::{
        api::{AuthError, ImportMode, ImportReport, ImportedUser, UserImport},
        domain::{Actor, DisplayName, Email, Origin, Outcome, PasswordHash, RoleCatalog, RoleName, User, UserStatus},
    },
};

/// The use case.
#[derive(Clone)]
pub(crate) struct ImportUsers {
    pub(crate) users: Arc<dyn UserImportStore>,
    pub(crate) roles: Arc<dyn RoleRepository>,
    pub(crate) passwords: Arc<dyn PasswordHasher>,
    pub(crate) audit: Audit,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) random: Arc<dyn Random>,
    pub(crate) settings: Arc<Settings>,
}

impl ImportUsers {
    async fn run(&self, batch: Vec<ImportedUser>, mode: ImportMode) -> Result<ImportReport, Failure> {
        let catalog = self.roles.catalog().await?;
        let mut report = ImportReport::default();
        let (mut lines, mut users) = (Vec::new(), Vec::new());
        for one in batch {
            match self.read(&one, &catalog) {
                Ok(user) => {
                    lines.push(one.line);
                    users.push(user);
                }
                Err(faults) => report.refused.extend(faults.into_iter().map(|fault| (one.line, fault))),
            }
        }
        let kept = if mode.dry_run { self.would_be_kept(&users).await? } else { self.users.insert_all(&users).await? };
        for (line, is_kept) in lines.into_iter().zip(kept) {
            match (is_kept, mode.skip_existing) {
                (true, _) => report.imported += 1,
                (false, true) => report.existing += 1,
                (false, false) => {
                    let detail = "there is an account with this address already";
                    report.refused.push((line, FieldFault::new("/email", "email-taken", detail)));
                }
            }
        }
        report.refused.sort_by_key(|(line, _)| *line);
        if report.imported > 0 && !mode.dry_run {
            let line = self.audit.entry(Actor::CommandLine, &Origin::default(), "user.created", Outcome::Success);
            line.detail("imported", report.imported).write().await;
            tracing::info!(event = "users_imported", count = report.imported);
        }
        Ok(report)
    }

    async fn would_be_kept(&self, users: &[User]) -> Result<Vec<bool>, Failure> {
        let emails: Vec<Email> = users.iter().map(|user| user.email.clone()).collect();
        let mut taken: HashSet<Email> = self.users.taken(&emails).await?.into_iter().collect();
        Ok(emails.into_iter().map(|email| taken.insert(email)).collect())
    }

    fn read(&self, one: &ImportedUser, catalog: &RoleCatalog) -> Result<User, Vec<FieldFault>> {
        let mut faults = Vec::new();
        let email = noted(&mut faults, "/email", Email::parse(&one.email));
        let hash = one.password_hash.as_ref().map(SecretString::expose_secret).filter(|text| !text.is_empty());
        let hash = hash.map_or_else(|| Ok(PasswordHash::none()), |text| self.passwords.recognise(text));
        let hash = noted(&mut faults, "/password_hash", hash);
        let name = one.display_name.as_deref().filter(|name| !name.is_empty()).map(DisplayName::parse).transpose();
        let name = noted(&mut faults, "/display_name", name);
        let mut roles = read_roles(&mut faults, &one.roles, catalog);
        if roles.is_empty() {
            roles.push(RoleName::user());
        }
        let status = one.status.as_deref().map(read_status).transpose();
        let status = noted(&mut faults, "/status", status);
        let now = self.clock.now();
        let created_at = one.created_at.unwrap_or(now);
        if created_at > now {
            faults.push(FieldFault::new("/created_at", "in-the-future", "expected a time that is past"));
        }
        match (email, hash, name, status) {
            (Some(email), Some(password_hash), Some(display_name), Some(status)) if faults.is_empty() => Ok(User {
                id: UserId::new(&*self.clock, &*self.random),
                email,
                email_verified: one.email_verified,
                display_name,
                status: status.unwrap_or_else(|| self.status_of(one.email_verified)),
                roles,
                password_hash,
                mfa_enabled: false,
                created_at,
                updated_at: now,
            }),
            _ => Err(faults),
        }
    }

    fn status_of(&self, email_verified: bool) -> UserStatus {
        let is_usable = email_verified || !self.settings.require_verified_email;
        if is_usable { UserStatus::Active } else { UserStatus::Pending }
    }
}

fn read_status(text: &str) -> Result<UserStatus, ValueFault> {
    match UserStatus::parse(text)? {
        UserStatus::Deleted => Err(ValueFault::new("unknown-status", "a user that is deleted is not imported")),
        status => Ok(status),
    }
}

#[async_trait]
impl UserImport for ImportUsers {
    async fn import_users(&self, batch: Vec<ImportedUser>, mode: ImportMode) -> Result<ImportReport, AuthError> {
        Ok(self.run(batch, mode).await?)
    }
}
