//! OAuth 2.1 and OpenID Connect: what clients ask for.

mod authenticate_client;
mod begin_grant;
mod client_credentials;
mod error;
mod introspect_token;
mod revoke_token;
mod spend_refresh_token;
mod target;

pub(crate) use authenticate_client::{AuthenticateClient, Presented};
pub(crate) use begin_grant::{BeginGrant, Grant, OAuthTokens};
pub(crate) use client_credentials::ClientCredentials;
pub(crate) use error::{OAuthCode, OAuthError};
pub(crate) use introspect_token::{Asker, IntrospectToken, TokenState};
pub(crate) use revoke_token::RevokeToken;
pub(crate) use spend_refresh_token::SpendRefreshToken;
pub(crate) use target::audience_for;
