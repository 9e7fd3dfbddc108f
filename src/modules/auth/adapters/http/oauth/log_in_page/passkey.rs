//! `/oauth/login/passkey`: the login page's way without a password, and the script that it takes.

use actix_web::{
    HttpRequest, HttpResponse,
    http::header::{CACHE_CONTROL, X_CONTENT_TYPE_OPTIONS},
    web,
};

use super::{Way, count, refused};
use crate::modules::auth::{
    adapters::http::{
        UseCases,
        oauth::browser::{cookie, go_to, posted, riddle, set_cookie, show},
        origin_of,
        pages::Posted,
    },
    application::Failure,
};

/// The only script of the pages: it asks the browser for a passkey, which no form can.
const SCRIPT: &str = include_str!("passkey.js");

/// The script.
#[utoipa::path(
    get, path = "/oauth/passkey.js", tag = "oauth",
    responses((status = 200, description = "What the login page offers passkeys by", content_type = "text/javascript"))
)]
pub(in crate::modules::auth::adapters::http) async fn script() -> HttpResponse {
    HttpResponse::Ok()
        .content_type("text/javascript; charset=utf-8")
        .insert_header((CACHE_CONTROL, "public, max-age=300"))
        .insert_header((X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .body(SCRIPT)
}

/// Logs in by a passkey. The browser gets another cookie each time.
#[utoipa::path(
    post, path = "/oauth/login/passkey", tag = "oauth",
    request_body(content = String, content_type = "application/x-www-form-urlencoded", description = "`ceremony`, `credential`, and the page's hidden field"),
    params(
        ("pending" = Option<String>, Query, description = "The request that waits"),
        ("user_code" = Option<String>, Query, description = "The code that a device shows"),
    ),
    responses(
        (status = 303, description = "On the way"),
        (status = 400, description = "A page: nothing waits", content_type = "text/html"),
        (status = 401, description = "The page again: the passkey is not valid", content_type = "text/html"),
        (status = 403, description = "A page: the form is not ours, or the account may not log in, or there are no passkeys", content_type = "text/html"),
        (status = 413, description = "A page: the form is too long", content_type = "text/html"),
        (status = 429, description = "A page, with `Retry-After`", content_type = "text/html"),
        (status = 503, description = "A page, with `Retry-After`", content_type = "text/html"),
    )
)]
pub(in crate::modules::auth::adapters::http) async fn log_in(
    request: HttpRequest,
    payload: web::Payload,
    cases: web::Data<UseCases>,
) -> HttpResponse {
    let posted = match posted(&request, payload, &cases).await {
        Ok(posted) => posted,
        Err(answer) => return answer,
    };
    let way = match Way::of(&request, &cases).await {
        Ok(way) => way,
        Err(refused) => return show(&request, &cases, Err(refused)),
    };
    let outcome = try_log_in(&request, &cases, &posted).await;
    count("page_passkey_login", outcome.as_ref().err());
    match outcome {
        Ok(secret) => set_cookie(go_to(&way.target(), &cases), Some(&secret), &cases),
        Err(failure) => refused(&request, &cases, &way, ("", failure), riddle(&cases)),
    }
}

async fn try_log_in(request: &HttpRequest, cases: &UseCases, posted: &Posted) -> Result<String, Failure> {
    let passkeys = cases.passkeys.as_ref().ok_or(Failure::PasskeysDisabled)?;
    let answer = serde_json::from_str(posted.text("credential")).map_err(|_| Failure::InvalidPasskey)?;
    let origin = origin_of(request);
    let authenticated = passkeys.end_log_in(posted.text("ceremony"), &answer, &origin).await.map_err(in_short)?;
    let browsers = &cases.user_facing.browsers;
    browsers.begin(authenticated, cookie(request, cases), &origin).await.map_err(in_short)
}

/// The page says no more than that the passkey was not accepted.
fn in_short(failure: Failure) -> Failure {
    match failure {
        Failure::Invalid(_) | Failure::InvalidCredentials => Failure::InvalidPasskey,
        other => other,
    }
}
