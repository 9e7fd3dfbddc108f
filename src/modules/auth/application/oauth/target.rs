//! Who a token is for (RFC 8707).

use super::{OAuthCode, OAuthError};
use crate::modules::auth::application::Settings;

/// The audience that `resource` names; `None`: the configured one. Only what is configured is a target.
pub(crate) fn audience_for(settings: &Settings, resource: Option<&str>) -> Result<Option<String>, OAuthError> {
    match resource {
        None => Ok(None),
        Some(resource) if resource == settings.audience => Ok(None),
        Some(resource) if settings.oauth.resources.iter().any(|known| known == resource) => {
            Ok(Some(resource.to_owned()))
        }
        Some(_) => Err(OAuthError::new(OAuthCode::InvalidTarget, "the resource is none that tokens are given for")),
    }
}
