//! OAuth 2.1 and OpenID Connect: what clients ask for.

mod begin_grant;
mod error;
mod target;

pub(crate) use begin_grant::{BeginGrant, Grant, OAuthTokens};
pub(crate) use error::{OAuthCode, OAuthError};
pub(crate) use target::audience_for;
