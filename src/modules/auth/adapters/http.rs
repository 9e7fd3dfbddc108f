//! The module's HTTP surface. A handler extracts, calls its use case, and converts the answer.

mod api_keys;
mod audit;
mod bodies;
mod clients;
mod conditions;
mod consents;
mod idempotency;
mod internal;
mod jwks;
mod lists;
mod log_in;
mod log_out;
mod me;
mod mfa;
mod oauth;
mod openapi;
mod pages;
mod passkeys;
mod password;
mod problems;
mod register;
mod roles;
mod sessions;
mod step_up;
mod users;
mod verify_email;
mod verify_token;

use std::{net::IpAddr, sync::Arc};

use actix_web::{
    HttpMessage as _, HttpRequest, Resource,
    http::header::{ALLOW, HeaderValue, USER_AGENT},
    web,
};

pub use openapi::openapi;
pub(crate) use pages::{Pages, check as check_pages};
pub use problems::PROBLEMS;

use crate::{
    modules::auth::{
        api::AuthApi,
        application::{
            AdministerUsers, ApiKeys, Audit, Captcha, Idempotency, LogIn, LogOut, ManageClients, ManagePasswords,
            ManageRoles, ManageTotp, Passkeys, Profile, Refresh, Register, Sessions, Settings, StepUp, VerifyEmail,
            oauth::{
                AuthenticateClient, ClientCredentials, IntrospectToken, RevokeToken, SpendRefreshToken, UserFacing,
            },
        },
        domain::Origin,
    },
    platform::{
        http::{Problem, RequestContext, problem::METHOD_NOT_ALLOWED},
        tokens::TokenVerifier,
    },
};

/// What handlers call.
pub(crate) struct UseCases {
    pub(crate) register: Register,
    pub(crate) verify_email: VerifyEmail,
    pub(crate) captcha: Captcha,
    pub(crate) log_in: LogIn,
    pub(crate) refresh: Refresh,
    pub(crate) log_out: LogOut,
    pub(crate) profile: Profile,
    pub(crate) passwords: ManagePasswords,
    pub(crate) sessions: Sessions,
    pub(crate) api_keys: ApiKeys,
    pub(crate) totp: ManageTotp,
    /// `None`: they are not enabled.
    pub(crate) passkeys: Option<Passkeys>,
    pub(crate) step_up: StepUp,
    pub(crate) clients: ManageClients,
    pub(crate) authenticate_client: AuthenticateClient,
    pub(crate) client_credentials: ClientCredentials,
    pub(crate) spend_refresh_token: SpendRefreshToken,
    pub(crate) revoke_token: RevokeToken,
    pub(crate) introspect_token: IntrospectToken,
    pub(crate) user_facing: UserFacing,
    pub(crate) users: AdministerUsers,
    pub(crate) roles: ManageRoles,
    pub(crate) idempotency: Idempotency,
    pub(crate) audit: Audit,
    pub(crate) api: Arc<dyn AuthApi>,
    pub(crate) verifier: Arc<TokenVerifier>,
    pub(crate) settings: Arc<Settings>,
    pub(crate) pages: Pages,
}

/// Adds the routes.
pub(crate) fn configure(use_cases: Arc<UseCases>, service: &mut web::ServiceConfig) {
    service
        .app_data(web::Data::from(use_cases))
        .service(resource("/auth/register", "POST").route(web::post().to(register::register)))
        .service(
            resource("/auth/verify-email", "GET, POST")
                .route(web::get().to(verify_email::show))
                .route(web::post().to(verify_email::verify)),
        )
        .service(resource("/auth/verify-email/resend", "POST").route(web::post().to(verify_email::resend)))
        .service(resource("/auth/login", "POST").route(web::post().to(log_in::log_in)))
        .service(resource("/auth/refresh", "POST").route(web::post().to(log_in::refresh)))
        .service(resource("/auth/logout", "POST").route(web::post().to(log_out::log_out)))
        .service(resource("/auth/logout-all", "POST").route(web::post().to(log_out::log_out_everywhere)))
        .service(resource("/auth/verify", "POST").route(web::post().to(verify_token::verify)))
        .service(resource("/auth/me", "GET, PATCH").route(web::get().to(me::show)).route(web::patch().to(me::change)))
        .service(resource("/auth/password/change", "POST").route(web::post().to(password::change)))
        .service(
            resource("/auth/password/forgot", "GET, POST")
                .route(web::get().to(password::ask))
                .route(web::post().to(password::forgot)),
        )
        .service(
            resource("/auth/password/reset", "GET, POST")
                .route(web::get().to(password::show))
                .route(web::post().to(password::reset)),
        )
        .service(resource("/auth/consents", "GET").route(web::get().to(consents::list)))
        .service(resource("/auth/consents/{client_id}", "DELETE").route(web::delete().to(consents::revoke)))
        .service(resource("/auth/sessions", "GET").route(web::get().to(sessions::list)))
        .service(resource("/auth/sessions/{id}", "DELETE").route(web::delete().to(sessions::end)))
        .service(
            resource("/auth/api-keys", "GET, POST")
                .route(web::get().to(api_keys::list))
                .route(web::post().to(api_keys::create)),
        )
        .service(
            resource("/auth/api-keys/{id}", "GET, DELETE")
                .route(web::get().to(api_keys::show))
                .route(web::delete().to(api_keys::revoke)),
        )
        .configure(administration)
        .configure(by_passkey)
        .service(resource("/auth/mfa", "GET").route(web::get().to(mfa::show)))
        .service(
            resource("/auth/mfa/totp", "POST, DELETE")
                .route(web::post().to(mfa::begin))
                .route(web::delete().to(mfa::disable)),
        )
        .service(resource("/auth/mfa/totp/confirm", "POST").route(web::post().to(mfa::confirm)))
        .service(resource("/auth/mfa/recovery-codes", "POST").route(web::post().to(mfa::renew_codes)))
        .service(resource("/auth/step-up", "POST").route(web::post().to(step_up::step_up)))
        .service(resource("/.well-known/jwks.json", "GET").route(web::get().to(jwks::show)))
        .service(resource("/internal/auth/api-keys/{digest}", "GET").route(web::get().to(internal::api_key)))
        .service(resource("/internal/auth/revocations", "GET").route(web::get().to(internal::revocations)))
        .configure(clients::configure)
        .configure(oauth::configure);
}

/// Adds the routes of passkeys.
fn by_passkey(service: &mut web::ServiceConfig) {
    service
        .service(resource("/auth/passkeys", "GET").route(web::get().to(passkeys::list)))
        .service(resource("/auth/passkeys/register/start", "POST").route(web::post().to(passkeys::begin_registration)))
        .service(resource("/auth/passkeys/register/finish", "POST").route(web::post().to(passkeys::end_registration)))
        .service(resource("/auth/passkeys/login/start", "POST").route(web::post().to(passkeys::begin_log_in)))
        .service(resource("/auth/passkeys/login/finish", "POST").route(web::post().to(passkeys::end_log_in)))
        .service(resource("/auth/passkeys/{id}", "DELETE").route(web::delete().to(passkeys::remove)));
}

/// Adds the routes of administrators.
fn administration(service: &mut web::ServiceConfig) {
    service
        .service(resource("/users", "GET, POST").route(web::get().to(users::list)).route(web::post().to(users::create)))
        .service(
            resource("/users/{id}", "GET, PUT, DELETE")
                .route(web::get().to(users::show))
                .route(web::put().to(users::replace))
                .route(web::delete().to(users::delete)),
        )
        .service(resource("/users/{id}/suspend", "POST").route(web::post().to(users::suspend)))
        .service(resource("/users/{id}/activate", "POST").route(web::post().to(users::activate)))
        .service(resource("/users/{id}/mfa", "DELETE").route(web::delete().to(users::factors::remove)))
        .service(resource("/users/{id}/roles", "PUT").route(web::put().to(users::set_roles)))
        .service(resource("/roles", "GET").route(web::get().to(roles::list)))
        .service(
            resource("/roles/{name}", "GET, PUT, DELETE")
                .route(web::get().to(roles::show))
                .route(web::put().to(roles::save))
                .route(web::delete().to(roles::delete)),
        )
        .service(resource("/audit", "GET").route(web::get().to(audit::list)));
}

/// A resource whose other methods are answered with 405 and `Allow`.
fn resource(path: &str, allow: &'static str) -> Resource {
    let refuse = move || async move {
        let detail = format!("this path takes {allow}");
        Err::<String, _>(Problem::new(&METHOD_NOT_ALLOWED, detail).with_header(ALLOW, HeaderValue::from_static(allow)))
    };
    web::resource(path.to_owned()).default_service(web::to(refuse))
}

/// A form as the OAuth endpoints read it, for its fuzz target.
#[cfg(fuzzing)]
pub(crate) fn read_form(text: &[u8]) -> Option<Vec<(String, String)>> {
    let form = oauth::Form::parse(text).ok()?;
    Some(form.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
}

/// Where a request comes from, as the front found it.
fn client_of(request: &HttpRequest) -> IpAddr {
    let context = request.extensions().get::<RequestContext>().map(|context| context.client_ip);
    let peer = || request.peer_addr().map(|peer| peer.ip());
    context.or_else(peer).unwrap_or(IpAddr::from([0, 0, 0, 0]))
}

/// Where a request comes from, for the audit log.
fn origin_of(request: &HttpRequest) -> Origin {
    let context = request.extensions().get::<RequestContext>().map(|context| context.request_id.to_string());
    Origin { address: Some(client_of(request)), user_agent: user_agent_of(request), request_id: context }
}

/// What the client calls itself, cut to what is worth keeping.
fn user_agent_of(request: &HttpRequest) -> Option<String> {
    let text = request.headers().get(USER_AGENT)?.to_str().ok()?;
    Some(text.chars().take(256).collect())
}

/// Counts how a business operation ended.
fn counted<T>(operation: &'static str, outcome: Result<T, Problem>) -> Result<T, Problem> {
    let result = match &outcome {
        Ok(_) => "success",
        Err(problem) => problem.kind().code,
    };
    metrics::counter!("business_operations_total", "operation" => operation, "outcome" => result).increment(1);
    outcome
}
