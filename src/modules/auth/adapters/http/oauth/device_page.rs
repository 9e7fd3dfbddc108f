//! `/oauth/device` (RFC 8628 §3.3): where a user types the code that a device shows, and says yes or no.

use actix_web::{HttpRequest, HttpResponse, web};

use super::{
    browser::{browser, from_query, in_words, posted, riddle},
    log_in_page::for_device,
};
use crate::modules::auth::{
    adapters::http::{
        UseCases, client_of, origin_of,
        pages::{Page, ScopeLine},
    },
    application::{
        Failure,
        oauth::{Browser, DeviceRequest},
    },
    domain::UserCode,
};

/// The page, for users who are logged in; else the page for logging in.
#[utoipa::path(
    get, path = "/oauth/device", tag = "oauth",
    params(("user_code" = Option<String>, Query, description = "The code that the device shows")),
    responses(
        (status = 200, description = "A page", content_type = "text/html"),
        (status = 422, description = "A page: nothing waits for this code", content_type = "text/html"),
        (status = 429, description = "A page, with `Retry-After`", content_type = "text/html"),
        (status = 503, description = "A page, with `Retry-After`", content_type = "text/html"),
    )
)]
pub(in crate::modules::auth::adapters::http) async fn show_page(
    request: HttpRequest,
    cases: web::Data<UseCases>,
) -> HttpResponse {
    let typed = from_query(&request, "user_code").unwrap_or_default();
    run(&request, &cases, &typed, "").await.unwrap_or_else(|failure| cases.pages.problem(&request, &failure.into()))
}

/// Takes the code, and then the answer.
#[utoipa::path(
    post, path = "/oauth/device", tag = "oauth",
    request_body(content = String, content_type = "application/x-www-form-urlencoded", description = "`user_code`, then `decision` too, and the page's hidden fields"),
    responses(
        (status = 200, description = "A page", content_type = "text/html"),
        (status = 403, description = "A page: the form is not ours", content_type = "text/html"),
        (status = 413, description = "A page: the form is too long", content_type = "text/html"),
        (status = 422, description = "A page: nothing waits for this code", content_type = "text/html"),
        (status = 429, description = "A page, with `Retry-After`", content_type = "text/html"),
        (status = 503, description = "A page, with `Retry-After`", content_type = "text/html"),
    )
)]
pub(in crate::modules::auth::adapters::http) async fn answer(
    request: HttpRequest,
    payload: web::Payload,
    cases: web::Data<UseCases>,
) -> HttpResponse {
    let posted = match posted(&request, payload, &cases).await {
        Ok(posted) => posted,
        Err(answer) => return answer,
    };
    let outcome = run(&request, &cases, posted.text("user_code"), posted.text("decision")).await;
    outcome.unwrap_or_else(|failure| cases.pages.problem(&request, &failure.into()))
}

async fn run(request: &HttpRequest, cases: &UseCases, typed: &str, decision: &str) -> Result<HttpResponse, Failure> {
    let Some(browser) = browser(request, cases).await? else {
        return Ok(for_device(request, cases, UserCode::parse(typed).ok().as_ref(), (200, "", None), riddle(cases)));
    };
    if typed.is_empty() {
        return Ok(code_page(request, cases, "", None));
    }
    let devices = &cases.user_facing.devices;
    let Some(asked) = devices.find(&browser, typed, client_of(request)).await? else {
        return Ok(code_page(request, cases, typed, Some(WRONG)));
    };
    let is_allowed = match decision {
        "allow" => true,
        "deny" => false,
        _ => return Ok(confirm_page(request, cases, &browser, &asked)),
    };
    if !devices.decide(&browser, &asked, is_allowed, &origin_of(request)).await? {
        return Ok(code_page(request, cases, typed, Some(WRONG)));
    }
    let page = if is_allowed {
        Page::Done { title: "Your device is connected", text: "You can close this page and go back to your device." }
    } else {
        Page::Done { title: "Not allowed", text: "The device was told so. You can close this page." }
    };
    Ok(cases.pages.show(request, 200, &page))
}

const WRONG: &str = "Nothing waits for this code. Look at your device again; the code may have expired.";

fn code_page(request: &HttpRequest, cases: &UseCases, typed: &str, error: Option<&str>) -> HttpResponse {
    let page = Page::Device { action: "/oauth/device", user_code: typed, error, hidden: &[] };
    cases.pages.show(request, if error.is_some() { 422 } else { 200 }, &page)
}

fn confirm_page(request: &HttpRequest, cases: &UseCases, browser: &Browser, asked: &DeviceRequest) -> HttpResponse {
    let scopes: Vec<_> = asked.grant.scopes.iter().map(|name| ScopeLine { name, text: in_words(name) }).collect();
    let shown = asked.grant.user_code.shown();
    let email = browser.user.email.to_string();
    let page = Page::DeviceConfirm {
        action: "/oauth/device",
        client_name: &asked.client.name,
        scopes: &scopes,
        user_code: &shown,
        email: &email,
        hidden: &[("user_code", &shown)],
    };
    cases.pages.show(request, 200, &page)
}
