//! The description of the module's API.

use utoipa::OpenApi;

use super::{
    audit, bodies, clients, jwks, log_in, log_out, me, mfa,
    oauth::{discovery, introspect, revoke, token},
    password, register, roles, sessions, step_up, users, verify_email, verify_token,
};

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
        password::ask,
        password::forgot,
        password::show,
        password::reset,
        sessions::list,
        sessions::end,
        mfa::show,
        mfa::begin,
        mfa::confirm,
        mfa::disable,
        mfa::renew_codes,
        step_up::step_up,
        me::show,
        me::change,
        users::list,
        users::create,
        users::show,
        users::replace,
        users::delete,
        users::suspend,
        users::activate,
        users::set_roles,
        roles::list,
        roles::show,
        roles::save,
        roles::delete,
        audit::list,
        jwks::show,
        clients::list,
        clients::create,
        clients::show,
        clients::replace,
        clients::delete,
        clients::rotate_secret,
        token::token,
        revoke::revoke,
        introspect::introspect,
        discovery::openid,
        discovery::oauth,
    ),
    components(schemas(bodies::UserBody, bodies::TokensBody, bodies::TokenStateBody)),
    tags(
        (name = "auth", description = "Accounts, sessions and tokens"),
        (name = "oauth", description = "OAuth 2.1 and OpenID Connect"),
        (name = "users", description = "Administration of accounts and roles"),
        (name = "audit", description = "Who did what"),
    )
)]
struct AuthDocument;

/// The module's part of the OpenAPI document.
pub fn openapi() -> utoipa::openapi::OpenApi {
    AuthDocument::openapi()
}
