//! The endpoints of OAuth 2.1 and OpenID Connect. They answer as RFC 6749 §5 says, not with problem details.

pub(super) mod answer;
pub(super) mod authorize;
mod browser;
pub(super) mod client_authentication;
pub(super) mod consent_page;
pub(super) mod device_authorization;
pub(super) mod device_page;
pub(super) mod discovery;
pub(super) mod end_session;
pub(super) mod form;
pub(super) mod introspect;
pub(super) mod log_in_page;
pub(super) mod par;
pub(super) mod revoke;
pub(super) mod token;
pub(super) mod userinfo;

use actix_web::web;

pub(super) use answer::OAuthProblem;
pub(super) use form::Form;

use super::resource;

/// Adds the routes.
pub(super) fn configure(service: &mut web::ServiceConfig) {
    service
        .service(
            resource("/oauth/authorize", "GET, POST")
                .route(web::get().to(authorize::ask))
                .route(web::post().to(authorize::ask_by_form)),
        )
        .service(
            resource("/oauth/login", "GET, POST")
                .route(web::get().to(log_in_page::show_page))
                .route(web::post().to(log_in_page::log_in)),
        )
        .service(resource("/oauth/login/code", "POST").route(web::post().to(log_in_page::second_factor)))
        .service(resource("/oauth/login/passkey", "POST").route(web::post().to(log_in_page::passkey::log_in)))
        .service(resource("/oauth/passkey.js", "GET").route(web::get().to(log_in_page::passkey::script)))
        .service(
            resource("/oauth/consent", "GET, POST")
                .route(web::get().to(consent_page::show_page))
                .route(web::post().to(consent_page::decide)),
        )
        .service(
            resource("/oauth/device", "GET, POST")
                .route(web::get().to(device_page::show_page))
                .route(web::post().to(device_page::answer)),
        )
        .service(resource("/oauth/device_authorization", "POST").route(web::post().to(device_authorization::begin)))
        .service(resource("/oauth/par", "POST").route(web::post().to(par::push)))
        .service(
            resource("/oauth/userinfo", "GET, POST")
                .route(web::get().to(userinfo::show))
                .route(web::post().to(userinfo::show_by_post)),
        )
        .service(
            resource("/oauth/logout", "GET, POST")
                .route(web::get().to(end_session::ask))
                .route(web::post().to(end_session::ask_by_form)),
        )
        .service(resource("/oauth/logout/confirm", "POST").route(web::post().to(end_session::confirm)))
        .service(resource("/oauth/token", "POST").route(web::post().to(token::token)))
        .service(resource("/oauth/revoke", "POST").route(web::post().to(revoke::revoke)))
        .service(resource("/oauth/introspect", "POST").route(web::post().to(introspect::introspect)))
        .service(resource("/.well-known/openid-configuration", "GET").route(web::get().to(discovery::openid)))
        .service(resource("/.well-known/oauth-authorization-server", "GET").route(web::get().to(discovery::oauth)));
}
