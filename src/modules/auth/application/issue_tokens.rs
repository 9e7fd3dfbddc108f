//! Makes the pair of tokens that a login and a refresh answer with.

use std::sync::Arc;

use chrono::{DateTime, SubsecRound as _, Utc};

use super::{AccessGrant, Failure, RefreshGrant, Settings, TokenIssuer};
use crate::{kernel::SessionId, modules::auth::domain::User};

/// The client of a login with address and password.
pub(crate) const FIRST_PARTY: &str = "vestibule";

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
}

/// Makes tokens.
#[derive(Clone)]
pub(crate) struct IssueTokens {
    pub(crate) issuer: Arc<dyn TokenIssuer>,
    pub(crate) settings: Arc<Settings>,
}

impl IssueTokens {
    /// A fresh pair for this user's session.
    pub(crate) fn pair(
        &self,
        user: &User,
        session: SessionId,
        generation: i64,
        now: DateTime<Utc>,
    ) -> Result<IssuedTokens, Failure> {
        let (access, access_expires_at) = self.access(user, session, now)?;
        let issued_at = now.trunc_subsecs(0);
        let expires_at = issued_at + self.settings.refresh_ttl;
        let grant = RefreshGrant { user: user.id, session, generation, issued_at, expires_at };
        Ok(IssuedTokens {
            access,
            expires_in: self.settings.access_ttl.num_seconds(),
            refresh: self.issuer.refresh(&grant)?,
            refresh_expires_in: self.settings.refresh_ttl.num_seconds(),
            access_expires_at,
            refresh_expires_at: expires_at,
        })
    }

    /// A fresh access token beside a refresh token that was given before.
    pub(crate) fn beside(
        &self,
        user: &User,
        session: SessionId,
        refresh: String,
        refresh_expires_at: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> Result<IssuedTokens, Failure> {
        let (access, access_expires_at) = self.access(user, session, now)?;
        Ok(IssuedTokens {
            access,
            expires_in: self.settings.access_ttl.num_seconds(),
            refresh,
            refresh_expires_in: (refresh_expires_at - now.trunc_subsecs(0)).num_seconds(),
            access_expires_at,
            refresh_expires_at,
        })
    }

    fn access(&self, user: &User, session: SessionId, now: DateTime<Utc>) -> Result<(String, DateTime<Utc>), Failure> {
        let issued_at = now.trunc_subsecs(0);
        let expires_at = issued_at + self.settings.access_ttl;
        let grant = AccessGrant {
            user: user.id,
            session,
            client_id: FIRST_PARTY.to_owned(),
            scope: user.permissions().join(" "),
            roles: user.role_names(),
            email: user.email.to_string(),
            issued_at,
            expires_at,
        };
        Ok((self.issuer.access(&grant)?, expires_at))
    }
}
