//! `/oauth/logout` (OpenID Connect RP-Initiated Logout 1.0): a client ends the user's login.

use actix_web::{HttpRequest, HttpResponse, web};

use super::{
    Form,
    authorize::as_query,
    browser::{browser, posted, redirect, set_cookie},
};
use crate::modules::auth::{
    adapters::http::{UseCases, origin_of, pages::Page},
    application::{
        Failure,
        oauth::{LogoutRequest, LogoutStep},
    },
};

/// Logs out, or asks whether to.
#[utoipa::path(
    get, path = "/oauth/logout", tag = "oauth",
    params(
        ("id_token_hint" = Option<String>, Query, description = "The id_token that the client got; without it the user is asked"),
        ("client_id" = Option<String>, Query, description = "The client"),
        ("post_logout_redirect_uri" = Option<String>, Query, description = "Where to go then: exactly as it is registered"),
        ("state" = Option<String>, Query, description = "Sent back as it is"),
    ),
    responses(
        (status = 200, description = "A page: logged out, or asking whether to", content_type = "text/html"),
        (status = 303, description = "Logged out, and on to the client"),
        (status = 400, description = "A page: the request contradicts itself, or wants to go elsewhere", content_type = "text/html"),
        (status = 503, description = "A page, with `Retry-After`", content_type = "text/html"),
    )
)]
pub(in crate::modules::auth::adapters::http) async fn ask(
    request: HttpRequest,
    cases: web::Data<UseCases>,
) -> HttpResponse {
    let Ok(form) = Form::parse(request.query_string().as_bytes()) else {
        return wrong(&request, &cases, "The application sent something that cannot be read.");
    };
    let asked = LogoutRequest {
        id_token_hint: form.get("id_token_hint"),
        client_id: form.get("client_id"),
        post_logout_redirect_uri: form.get("post_logout_redirect_uri"),
        state: form.get("state"),
    };
    run(&request, &cases, asked, false).await
}

/// The same, from a form. It is answered with a redirect that brings the browser's cookie.
#[utoipa::path(
    post, path = "/oauth/logout", tag = "oauth",
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
    as_query(&request, payload, &cases, "/oauth/logout").await
}

/// The user was asked.
#[utoipa::path(
    post, path = "/oauth/logout/confirm", tag = "oauth",
    request_body(content = String, content_type = "application/x-www-form-urlencoded", description = "`decision` (`allow` or `deny`), and the page's hidden fields"),
    responses(
        (status = 200, description = "A page: logged out, or not", content_type = "text/html"),
        (status = 303, description = "Logged out, and on to the client"),
        (status = 400, description = "A page: the request contradicts itself, or wants to go elsewhere", content_type = "text/html"),
        (status = 403, description = "A page: the form is not ours", content_type = "text/html"),
        (status = 413, description = "A page: the form is too long", content_type = "text/html"),
        (status = 503, description = "A page, with `Retry-After`", content_type = "text/html"),
    )
)]
pub(in crate::modules::auth::adapters::http) async fn confirm(
    request: HttpRequest,
    payload: web::Payload,
    cases: web::Data<UseCases>,
) -> HttpResponse {
    let posted = match posted(&request, payload, &cases).await {
        Ok(posted) => posted,
        Err(answer) => return answer,
    };
    if posted.text("decision") != "allow" {
        let page = Page::Done { title: "Still logged in", text: "Nothing was changed. You can close this page." };
        return cases.pages.show(&request, 200, &page);
    }
    let given = |name: &str| posted.field(name).filter(|value| !value.is_empty());
    let asked = LogoutRequest {
        id_token_hint: None,
        client_id: given("client_id"),
        post_logout_redirect_uri: given("post_logout_redirect_uri"),
        state: given("state"),
    };
    run(&request, &cases, asked, true).await
}

async fn run(request: &HttpRequest, cases: &UseCases, asked: LogoutRequest<'_>, is_confirmed: bool) -> HttpResponse {
    let step: Result<LogoutStep, Failure> = async {
        let browser = browser(request, cases).await?;
        cases.user_facing.end_session.run(asked, browser.as_ref(), is_confirmed, &origin_of(request)).await
    }
    .await;
    match step {
        Ok(LogoutStep::Done { redirect_to: Some(to) }) => set_cookie(redirect(&to), None, cases),
        Ok(LogoutStep::Done { redirect_to: None }) => {
            set_cookie(cases.pages.show(request, 200, &Page::SignedOut {}), None, cases)
        }
        Ok(LogoutStep::Confirm { client_name, client_id, redirect_uri }) => {
            let mut hidden = Vec::new();
            hidden.extend(client_id.as_deref().map(|id| ("client_id", id)));
            hidden.extend(asked.post_logout_redirect_uri.map(|uri| ("post_logout_redirect_uri", uri)));
            hidden.extend(asked.state.map(|state| ("state", state)));
            let page = Page::ConfirmSignOut {
                action: "/oauth/logout/confirm",
                client_name: client_name.as_deref(),
                hidden: &hidden,
            };
            match redirect_uri {
                Some(uri) => cases.pages.show_before(&uri, request, 200, &page),
                None => cases.pages.show(request, 200, &page),
            }
        }
        Ok(LogoutStep::Wrong(text)) => wrong(request, cases, text),
        Err(failure) => cases.pages.problem(request, &failure.into()),
    }
}

fn wrong(request: &HttpRequest, cases: &UseCases, text: &str) -> HttpResponse {
    cases.pages.show(request, 400, &Page::Problem { title: "This request cannot be answered", text, next: None })
}
