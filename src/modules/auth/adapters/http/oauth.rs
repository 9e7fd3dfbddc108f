//! The endpoints of OAuth 2.1 and OpenID Connect. They answer as RFC 6749 §5 says, not with problem details.

pub(super) mod answer;
pub(super) mod client_authentication;
pub(super) mod discovery;
pub(super) mod form;
pub(super) mod introspect;
pub(super) mod revoke;
pub(super) mod token;

use actix_web::web;

pub(super) use answer::OAuthProblem;
pub(super) use form::Form;

use super::resource;

/// Adds the routes.
pub(super) fn configure(service: &mut web::ServiceConfig) {
    service
        .service(resource("/oauth/token", "POST").route(web::post().to(token::token)))
        .service(resource("/oauth/revoke", "POST").route(web::post().to(revoke::revoke)))
        .service(resource("/oauth/introspect", "POST").route(web::post().to(introspect::introspect)))
        .service(resource("/.well-known/openid-configuration", "GET").route(web::get().to(discovery::openid)))
        .service(resource("/.well-known/oauth-authorization-server", "GET").route(web::get().to(discovery::oauth)));
}
