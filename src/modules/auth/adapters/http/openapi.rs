//! The description of the module's API.

use utoipa::OpenApi;

use super::{
    api_keys, audit, bodies, clients, consents, jwks, log_in, log_out, me, mfa,
    oauth::{
        authorize, consent_page, device_authorization, device_page, discovery, end_session, introspect, log_in_page,
        par, revoke, token, userinfo,
    },
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
        consents::list,
        consents::revoke,
        sessions::list,
        sessions::end,
        api_keys::create,
        api_keys::list,
        api_keys::show,
        api_keys::revoke,
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
        authorize::ask,
        authorize::ask_by_form,
        log_in_page::show_page,
        log_in_page::log_in,
        log_in_page::second_factor,
        consent_page::show_page,
        consent_page::decide,
        device_page::show_page,
        device_page::answer,
        device_authorization::begin,
        par::push,
        userinfo::show,
        userinfo::show_by_post,
        end_session::ask,
        end_session::ask_by_form,
        end_session::confirm,
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
