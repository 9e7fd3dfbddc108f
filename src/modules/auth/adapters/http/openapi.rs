//! The description of the module's API.

use utoipa::OpenApi;

use super::{api_keys, bodies, jwks, log_in, log_out, me, password, register, sessions, verify_email, verify_token};

#[derive(OpenApi)]
#[openapi(
    paths(
        register::register,
        verify_email::show,
        verify_email::verify,
        verify_email::resend,
        log_in::log_in,
        log_in::refresh,
        log_out::log_out,
        log_out::log_out_everywhere,
        verify_token::verify,
        password::change,
        password::forgot,
        password::show,
        password::reset,
        sessions::list,
        sessions::end,
        api_keys::create,
        api_keys::list,
        api_keys::show,
        api_keys::revoke,
        me::show,
        me::change,
        jwks::show,
    ),
    components(schemas(bodies::UserBody, bodies::TokensBody, bodies::TokenStateBody)),
    tags((name = "auth", description = "Accounts, sessions and tokens"))
)]
struct AuthDocument;

/// The module's part of the OpenAPI document.
pub fn openapi() -> utoipa::openapi::OpenApi {
    AuthDocument::openapi()
}
