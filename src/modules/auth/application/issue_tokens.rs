//! Makes the pair of tokens that a login and a refresh answer with.

use std::sync::Arc;

use chrono::{DateTime, SubsecRound as _, Utc};

use super::{AccessGrant, Failure, RefreshGrant, RoleRepository, Settings, TokenSigner};
use crate::{
    kernel::Subject,
    modules::auth::domain::{ADMIN_PERMISSIONS, RoleCatalog, RoleName, Session, User},
};

/// A pair of tokens. It cannot be printed.
#[derive(Clone)]
pub(crate) struct IssuedTokens {
    /// The access token.
    pub(crate) access: String,
    /// For how many seconds it works.
    pub(crate) expires_in: i64,
    /// The refresh token.
    pub(crate) refresh: String,
    /// For how many seconds it works.
    pub(crate) refresh_expires_in: i64,
    /// When the access token expires.
    pub(crate) access_expires_at: DateTime<Utc>,
    /// When the refresh token expires.
    pub(crate) refresh_expires_at: DateTime<Utc>,
    /// What the access token may do.
    pub(crate) scope: String,
}

/// An access token alone. It cannot be printed.
#[derive(Clone)]
pub(crate) struct IssuedAccess {
    /// The token.
    pub(crate) token: String,
    /// When it expires.
    pub(crate) expires_at: DateTime<Utc>,
    /// For how many seconds it works.
    pub(crate) expires_in: i64,
    /// What it may do.
    pub(crate) scope: String,
}

/// Makes tokens.
#[derive(Clone)]
pub(crate) struct IssueTokens {
    pub(crate) issuer: Arc<dyn TokenSigner>,
    pub(crate) roles: Arc<dyn RoleRepository>,
    pub(crate) settings: Arc<Settings>,
}

impl IssueTokens {
    /// A fresh pair for this user's session. The session's own expiry is not looked at, its end is.
    pub(crate) async fn pair(
        &self,
        user: &User,
        session: &Session,
        generation: i64,
        now: DateTime<Utc>,
    ) -> Result<IssuedTokens, Failure> {
        let access = self.access(user, session, now).await?;
        let issued_at = now.trunc_subsecs(0);
        let expires_at = (issued_at + self.settings.refresh_ttl).min(session.ends_at.trunc_subsecs(0));
        let grant = RefreshGrant { user: user.id, session: session.id, generation, issued_at, expires_at };
        Ok(IssuedTokens {
            access: access.token,
            expires_in: access.expires_in,
            refresh: self.issuer.refresh(&grant)?,
            refresh_expires_in: (expires_at - issued_at).num_seconds(),
            access_expires_at: access.expires_at,
            refresh_expires_at: expires_at,
            scope: access.scope,
        })
    }

    /// A fresh access token beside a refresh token that was given before.
    pub(crate) async fn beside(
        &self,
        user: &User,
        session: &Session,
        refresh: String,
        now: DateTime<Utc>,
    ) -> Result<IssuedTokens, Failure> {
        let access = self.access(user, session, now).await?;
        let issued_at = now.trunc_subsecs(0);
        Ok(IssuedTokens {
            access: access.token,
            expires_in: access.expires_in,
            refresh,
            refresh_expires_in: (session.expires_at - issued_at).num_seconds(),
            access_expires_at: access.expires_at,
            refresh_expires_at: session.expires_at,
            scope: access.scope,
        })
    }

    /// An access token for this user's session. It does not outlive the session's end.
    pub(crate) async fn access(
        &self,
        user: &User,
        session: &Session,
        now: DateTime<Utc>,
    ) -> Result<IssuedAccess, Failure> {
        let issued_at = now.trunc_subsecs(0);
        let expires_at = (issued_at + self.settings.access_ttl).min(session.ends_at.trunc_subsecs(0));
        let catalog = self.roles.catalog().await?;
        let permissions = catalog.permissions_of(&user.roles);
        let scope = match &session.scope {
            None => permissions.join(" "),
            Some(granted) => still_granted(granted, &permissions, &catalog),
        };
        let tells_email = session.scope.is_none() || scope.split(' ').any(|scope| scope == "email");
        let grant = AccessGrant {
            subject: Subject::User(user.id),
            session: session.id,
            client_id: session.client_id.clone(),
            scope: scope.clone(),
            audience: session.audience.clone(),
            roles: match &session.scope {
                None => user.role_names(),
                Some(_) => delegated(&user.roles, &scope, &catalog),
            },
            email: tells_email.then(|| user.email.to_string()),
            issued_at,
            expires_at,
        };
        let expires_in = (expires_at - issued_at).num_seconds();
        Ok(IssuedAccess { token: self.issuer.access(&grant)?, expires_at, expires_in, scope })
    }
}

/// Of a user's roles those that a client may act in: the user's own, and every role whose permissions the token holds all.
/// What is asked of a role somewhere else, as by `roles` of a gateway's route, is more than a user who allowed a narrow
/// scope has agreed to; an administrator who lets a client know the own name must not make it an administrator.
fn delegated(roles: &[RoleName], scope: &str, catalog: &RoleCatalog) -> Vec<String> {
    let holds = |permission: &String| scope.split(' ').any(|held| held == permission);
    let is_within = |role: &&RoleName| {
        let permissions = catalog.permissions_of(std::slice::from_ref(*role));
        **role == RoleName::user() || (!permissions.is_empty() && permissions.iter().all(holds))
    };
    roles.iter().filter(is_within).map(|role| role.as_str().to_owned()).collect()
}

/// What was granted to a client, less the permissions that the user does not have, or no longer.
fn still_granted(granted: &str, permissions: &[String], catalog: &RoleCatalog) -> String {
    let is_permission = |scope: &str| {
        ADMIN_PERMISSIONS.contains(&scope) || catalog.0.values().any(|role| role.permissions.contains(scope))
    };
    let holds = |scope: &&str| !is_permission(scope) || permissions.iter().any(|held| held == scope);
    granted.split(' ').filter(holds).collect::<Vec<_>>().join(" ")
}
