//! OAuth 2.1 and OpenID Connect: what clients ask for.

mod authenticate_client;
mod authorization_parameters;
mod authorize;
mod begin_grant;
mod browser_session;
mod client_credentials;
mod consents;
mod device;
mod end_session;
mod error;
mod id_token;
mod interactions;
mod introspect_token;
mod push_request;
mod redeem_code;
mod revoke_token;
mod secret;
mod spend_refresh_token;
mod target;
mod user_info;

pub(crate) use authenticate_client::{AuthenticateClient, Presented};
pub(crate) use authorization_parameters::AuthorizationParameters;
pub(crate) use authorize::{Authorize, Refused, Step};
pub(crate) use begin_grant::{BeginGrant, Grant, OAuthTokens};
pub(crate) use browser_session::{Browser, BrowserSessions, PageLogin};
pub(crate) use client_credentials::ClientCredentials;
pub(crate) use consents::Consents;
pub(crate) use device::{DeviceAuthorization, DeviceRequest, Devices};
pub(crate) use end_session::{EndSession, LogoutRequest, LogoutStep};
pub(crate) use error::{OAuthCode, OAuthError};
pub(crate) use id_token::IssueIdToken;
pub(crate) use interactions::Interactions;
pub(crate) use introspect_token::{Asker, IntrospectToken, TokenState};
pub(crate) use push_request::PushRequest;
pub(crate) use redeem_code::{GiveApproved, RedeemCode, Redemption};
pub(crate) use revoke_token::RevokeToken;
pub(crate) use spend_refresh_token::SpendRefreshToken;
pub(crate) use target::audience_for;
pub(crate) use user_info::UserInfo;

/// What is asked of users in the browser, and what comes of it.
#[derive(Clone)]
pub(crate) struct UserFacing {
    pub(crate) browsers: BrowserSessions,
    pub(crate) authorize: Authorize,
    pub(crate) push_request: PushRequest,
    pub(crate) redeem_code: RedeemCode,
    pub(crate) devices: Devices,
    pub(crate) consents: Consents,
    pub(crate) end_session: EndSession,
    pub(crate) user_info: UserInfo,
}
