//! `/oauth/authorize` (RFC 6749 §3.1): where clients send browsers.

use actix_web::{HttpRequest, HttpResponse, web};

use super::browser::{MAX_FORM, browser, go_to, parameters, show};
use crate::{
    modules::auth::{
        adapters::http::{
            UseCases,
            pages::{Page, is_form},
        },
        application::oauth::Refused,
    },
    platform::http::body::read_at_most,
};

/// Asks a user who it is, and whether a client may.
///
/// Answers with a page, or with a redirect to the client.
#[utoipa::path(
    get, path = "/oauth/authorize", tag = "oauth",
    params(
        ("client_id" = String, Query, description = "The client"),
        ("redirect_uri" = Option<String>, Query, description = "Where the answer goes: exactly as it is registered"),
        ("response_type" = Option<String>, Query, description = "`code`"),
        ("scope" = Option<String>, Query, description = "Scopes, separated by spaces"),
        ("state" = Option<String>, Query, description = "Sent back as it is"),
        ("code_challenge" = Option<String>, Query, description = "RFC 7636 §4.2"),
        ("code_challenge_method" = Option<String>, Query, description = "`S256`"),
        ("nonce" = Option<String>, Query, description = "Goes into the id_token"),
        ("prompt" = Option<String>, Query, description = "`none`, `login`, `consent`, `select_account`"),
        ("max_age" = Option<u32>, Query, description = "For how many seconds a login counts"),
        ("login_hint" = Option<String>, Query, description = "The address that the page suggests"),
        ("id_token_hint" = Option<String>, Query, description = "Whose answer is wanted"),
        ("resource" = Option<String>, Query, description = "Who the tokens are for (RFC 8707)"),
        ("request_uri" = Option<String>, Query, description = "What `POST /oauth/par` gave"),
    ),
    responses(
        (status = 200, description = "A page", content_type = "text/html"),
        (status = 303, description = "To the client: `code` or `error`, with `state` and `iss`"),
        (status = 400, description = "A page: the client or the redirect URI is wrong", content_type = "text/html"),
        (status = 503, description = "A page, with `Retry-After`", content_type = "text/html"),
    )
)]
pub(in crate::modules::auth::adapters::http) async fn ask(
    request: HttpRequest,
    cases: web::Data<UseCases>,
) -> HttpResponse {
    let step = async {
        let parameters = parameters(request.query_string().as_bytes())
            .ok_or(Refused::Unanswerable("The application sent something that cannot be read."))?;
        let browser = browser(&request, &cases).await?;
        cases.user_facing.authorize.begin(parameters, browser.as_ref()).await
    };
    let step = step.await;
    let outcome = if step.is_ok() { "success" } else { "refused" };
    metrics::counter!("business_operations_total", "operation" => "oauth_authorize", "outcome" => outcome).increment(1);
    show(&request, &cases, step)
}

/// The same, from a form (OpenID Connect Core 1.0 §3.1.2.1).
///
/// A form of another site comes without the browser's cookie; so it is answered with a redirect that brings it.
#[utoipa::path(
    post, path = "/oauth/authorize", tag = "oauth",
    request_body(content = String, content_type = "application/x-www-form-urlencoded", description = "As the query of GET"),
    responses(
        (status = 303, description = "To the same by GET"),
        (status = 400, description = "A page: it cannot be read", content_type = "text/html"),
        (status = 413, description = "A page: it is too long", content_type = "text/html"),
    )
)]
pub(in crate::modules::auth::adapters::http) async fn ask_by_form(
    request: HttpRequest,
    payload: web::Payload,
    cases: web::Data<UseCases>,
) -> HttpResponse {
    as_query(&request, payload, &cases, "/oauth/authorize").await
}

/// A posted form as the query of the same path.
pub(super) async fn as_query(
    request: &HttpRequest,
    payload: web::Payload,
    cases: &UseCases,
    path: &str,
) -> HttpResponse {
    let body = match read_at_most(request, payload.into_inner(), MAX_FORM).await {
        Ok(body) => body,
        Err(problem) => return cases.pages.problem(request, &problem),
    };
    let parameters = if is_form(request) { parameters(&body) } else { None };
    let Some(parameters) = parameters else {
        let text = "The application sent something that cannot be read.";
        return cases.pages.show(
            request,
            400,
            &Page::Problem { title: "This request cannot be answered", text, next: None },
        );
    };
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.extend_pairs(parameters.0);
    go_to(&format!("{path}?{}", query.finish()), cases)
}
