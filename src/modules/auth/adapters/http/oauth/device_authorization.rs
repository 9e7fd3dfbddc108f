//! `POST /oauth/device_authorization` (RFC 8628 §3.1): a device asks for a code to show.

use actix_web::{HttpRequest, HttpResponse, http::StatusCode, web};
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    Form, OAuthProblem,
    answer::{counted, unstored},
    client_authentication::authenticated,
    token::OAuthErrorBody,
};
use crate::modules::auth::{
    adapters::http::UseCases,
    application::oauth::{DeviceAuthorization, OAuthError},
};

/// What `POST /oauth/device_authorization` takes, beside what shows who the client is.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it is read parameter by parameter; this is its description")]
pub(in crate::modules::auth::adapters::http) struct DeviceForm {
    /// The client.
    client_id: Option<String>,
    /// Scopes, separated by spaces.
    scope: Option<String>,
    /// Who the tokens are for (RFC 8707).
    resource: Option<String>,
}

/// What the device shows, and what it asks with (RFC 8628 §3.2).
#[derive(Serialize, ToSchema)]
pub(in crate::modules::auth::adapters::http) struct DeviceBody {
    /// The device's own.
    device_code: String,
    /// To be typed by the user.
    #[schema(example = "BDWP-HQPK")]
    user_code: String,
    /// Where.
    verification_uri: String,
    /// The same with the code in it, for a QR code.
    verification_uri_complete: String,
    /// For how many seconds.
    #[schema(example = 600)]
    expires_in: i64,
    /// Seconds between two questions at the token endpoint.
    #[schema(example = 5)]
    interval: u32,
}

/// Begins a login on a device without a keyboard.
#[utoipa::path(
    post, path = "/oauth/device_authorization", tag = "oauth",
    request_body(content = DeviceForm, content_type = "application/x-www-form-urlencoded"),
    responses(
        (status = 200, description = "RFC 8628 §3.2", body = DeviceBody),
        (status = 400, description = "RFC 6749 §5.2", body = OAuthErrorBody),
        (status = 401, description = "`invalid_client`, with `WWW-Authenticate`", body = OAuthErrorBody),
        (status = 413, description = "The form is too long", body = OAuthErrorBody),
        (status = 415, description = "The body is not form-encoded", body = OAuthErrorBody),
        (status = 429, description = "Too many failed authentications of this client, with `Retry-After`", body = OAuthErrorBody),
        (status = 503, description = "`temporarily_unavailable`, with `Retry-After`", body = OAuthErrorBody),
    )
)]
pub(in crate::modules::auth::adapters::http) async fn begin(
    request: HttpRequest,
    form: Form,
    cases: web::Data<UseCases>,
) -> Result<HttpResponse, OAuthProblem> {
    let begun = counted("oauth_device", run(&request, &form, &cases).await.map_err(OAuthProblem))?;
    let DeviceAuthorization { device_code, user_code, expires_in, interval } = begun;
    let (uri, user_code) = (format!("{}/oauth/device", cases.settings.issuer), user_code.shown());
    Ok(unstored(StatusCode::OK).json(DeviceBody {
        device_code,
        verification_uri_complete: format!("{uri}?user_code={user_code}"),
        verification_uri: uri,
        user_code,
        expires_in,
        interval,
    }))
}

async fn run(request: &HttpRequest, form: &Form, cases: &UseCases) -> Result<DeviceAuthorization, OAuthError> {
    let client = authenticated(request, form, cases).await?;
    cases.user_facing.devices.begin(&client, form.get("scope"), form.get("resource")).await
}
