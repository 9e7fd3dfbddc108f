//! `/auth/password/*`: change, forgot, and the reset by a mailed link with its page, or by a mailed code.

use actix_web::{HttpRequest, HttpResponse, web};

use super::{
    UseCases,
    bodies::{ChangePasswordBody, ForgotPasswordBody, ResetPasswordBody},
    client_of, counted, origin_of,
    pages::{Next, Page, Posted, UNSOLVED, Widget, is_form, solution},
    verify_email::{Link, NO_ADDRESS},
};
use crate::{
    modules::auth::{
        application::Failure,
        config::CaptchaPlace,
        domain::{Email, PlainPassword},
    },
    platform::http::{
        Fields, Problem,
        authentication::Caller,
        body::{expect_json, read_bounded},
    },
};

/// Changes the caller's password; the caller's other sessions end.
#[utoipa::path(
    post, path = "/auth/password/change", tag = "auth", security(("bearer" = [])), request_body = ChangePasswordBody,
    responses(
        (status = 204, description = "The password is changed"),
        (status = 401, description = "`unauthenticated`, or `invalid-credentials` when the current password is wrong"),
        (status = 422, description = "`validation-failed`"),
        (status = 429, description = "`too-many-attempts`, with `Retry-After`"),
        (status = 503, description = "`unavailable`, with `Retry-After`"),
    )
)]
pub(super) async fn change(
    request: HttpRequest,
    caller: Caller,
    mut fields: Fields,
    cases: web::Data<UseCases>,
) -> Result<HttpResponse, Problem> {
    let least = cases.settings.min_password_length;
    let current = fields.required("current_password", PlainPassword::given);
    let new = fields.required("new_password", |text| PlainPassword::new(text, least));
    fields.finish()?;
    let (Some(current), Some(new)) = (current, new) else { return Err(Failure::InvalidCredentials.into()) };
    let changed = cases.passwords.change(&caller.0, &origin_of(&request), &current, &new).await;
    counted("change_password", changed.map_err(Problem::from))?;
    Ok(HttpResponse::NoContent().finish())
}

/// The page where a user asks for a link to set a new password.
#[utoipa::path(
    get, path = "/auth/password/forgot", tag = "auth",
    responses((status = 200, description = "A page with a form", content_type = "text/html"))
)]
pub(super) async fn ask(request: HttpRequest, cases: web::Data<UseCases>) -> HttpResponse {
    cases.pages.show(&request, 200, &Page::ForgotPassword { email: "", error: None, captcha: riddle(&cases) })
}

/// Mails a link to set a new password, if there is somebody to mail it to.
///
/// The page posts a form and gets a page, everybody else posts JSON.
#[utoipa::path(
    post, path = "/auth/password/forgot", tag = "auth", request_body = ForgotPasswordBody,
    responses(
        (status = 200, description = "For a form: a page that says so, always", content_type = "text/html"),
        (status = 202, description = "Always, whether or not there is such an account"),
        (status = 403, description = "`captcha-required`; for a form the page again, and for one that is not ours a page that says so"),
        (status = 422, description = "`validation-failed`"),
        (status = 503, description = "`unavailable`, with `Retry-After`"),
    )
)]
pub(super) async fn forgot(
    request: HttpRequest,
    payload: web::Payload,
    cases: web::Data<UseCases>,
) -> Result<HttpResponse, Problem> {
    if is_form(&request) {
        let form = read_bounded(&request, payload.into_inner()).await?;
        return Ok(forgot_by_form(&request, &form, &cases).await);
    }
    expect_json(&request)?;
    let mut fields = Fields::parse(&read_bounded(&request, payload.into_inner()).await?)?;
    let email = fields.required("email", Email::parse);
    let captcha = fields.optional("captcha", |text| Ok(text.to_owned()));
    fields.finish()?;
    if let Some(email) = email {
        let who = (&email, client_of(&request));
        cases.captcha.demand(CaptchaPlace::Forgot, who, captcha.as_deref()).await?;
        cases.passwords.forgot(&email, &origin_of(&request)).await?;
    }
    Ok(HttpResponse::Accepted().finish())
}

/// The riddle on the page, where there is one.
fn riddle(cases: &UseCases) -> Option<Widget<'_>> {
    let (provider, site_key) = cases.captcha.provider()?;
    cases.captcha.is_always_on(CaptchaPlace::Forgot).then(|| Widget::of(provider, site_key))
}

async fn forgot_by_form(request: &HttpRequest, form: &[u8], cases: &UseCases) -> HttpResponse {
    let Some(posted) = cases.pages.posted(request, form) else { return cases.pages.forged(request) };
    let typed = posted.text("email");
    let again = |status, error| {
        let page = Page::ForgotPassword { email: typed, error: Some(error), captcha: riddle(cases) };
        cases.pages.show(request, status, &page)
    };
    let Ok(email) = Email::parse(typed) else { return again(422, NO_ADDRESS) };
    let who = (&email, client_of(request));
    match cases.captcha.demand(CaptchaPlace::Forgot, who, solution(cases, &posted)).await {
        Ok(()) => {}
        Err(Failure::CaptchaRequired { .. }) => return again(403, UNSOLVED),
        Err(failure) => return cases.pages.problem(request, &failure.into()),
    }
    if let Err(failure) = cases.passwords.forgot(&email, &origin_of(request)).await {
        return cases.pages.problem(request, &failure.into());
    }
    let text =
        "If there is an account with this address, a mail with a link is on its way. The link works for one hour.";
    cases.pages.show(request, 200, &Page::Done { title: "Look into your mail", text })
}

/// The page behind the mailed link: a form for the new password. To look at it changes nothing.
///
/// Without a token, the page where the mailed code is typed.
#[utoipa::path(
    get, path = "/auth/password/reset", tag = "auth",
    params(("token" = Option<String>, Query, description = "From the mail")),
    responses(
        (status = 200, description = "A page with a form", content_type = "text/html"),
        (status = 422, description = "A page that says that the link does not work", content_type = "text/html"),
    )
)]
pub(super) async fn show(
    request: HttpRequest,
    link: web::Query<Link>,
    cases: web::Data<UseCases>,
) -> Result<HttpResponse, Problem> {
    if link.token.is_empty() {
        return Ok(code_page(&request, &cases, "", None));
    }
    if cases.passwords.is_live(&link.token).await? {
        return Ok(new_password(&request, &cases, &link.token, None));
    }
    Ok(dead_link(&request, &cases))
}

/// Sets a new password by a mailed link's token, or by address and code, and ends every session.
///
/// Only success spends the token. The page posts a form and gets a page, everybody else posts JSON.
#[utoipa::path(
    post, path = "/auth/password/reset", tag = "auth", request_body = ResetPasswordBody,
    responses(
        (status = 200, description = "For a form: a page that says so", content_type = "text/html"),
        (status = 204, description = "The password is set"),
        (status = 403, description = "For a form that is not ours: a page that says so", content_type = "text/html"),
        (status = 422, description = "`invalid-token` or `validation-failed`"),
        (status = 429, description = "`too-many-attempts` with wrong codes, with `Retry-After`"),
        (status = 503, description = "`unavailable`, with `Retry-After`"),
    )
)]
pub(super) async fn reset(
    request: HttpRequest,
    payload: web::Payload,
    cases: web::Data<UseCases>,
) -> Result<HttpResponse, Problem> {
    if is_form(&request) {
        let form = read_bounded(&request, payload.into_inner()).await?;
        return Ok(reset_by_form(&request, &form, &cases).await);
    }
    expect_json(&request)?;
    let fields = Fields::parse(&read_bounded(&request, payload.into_inner()).await?)?;
    counted("reset_password", reset_by_json(&request, fields, &cases).await)?;
    Ok(HttpResponse::NoContent().finish())
}

async fn reset_by_json(request: &HttpRequest, mut fields: Fields, cases: &UseCases) -> Result<(), Problem> {
    let least = cases.settings.min_password_length;
    let text = |text: &str| Ok(text.to_owned());
    let by_code = fields.has("email") || fields.has("code");
    let (token, email, code) = if by_code {
        (None, fields.required("email", Email::parse), fields.required("code", text))
    } else {
        (fields.required("token", text), None, None)
    };
    let new = fields.required("new_password", |text| PlainPassword::new(text, least));
    fields.finish()?;
    match (token, email, code, new) {
        (Some(token), _, _, Some(new)) => Ok(cases.passwords.reset(&token, &new, &origin_of(request)).await?),
        (None, Some(email), Some(code), Some(new)) => {
            Ok(cases.passwords.reset_by_code((&email, &code), &new, &origin_of(request)).await?)
        }
        _ => Err(Failure::InvalidEmailToken.into()),
    }
}

async fn reset_by_form(request: &HttpRequest, form: &[u8], cases: &UseCases) -> HttpResponse {
    let Some(posted) = cases.pages.posted(request, form) else { return cases.pages.forged(request) };
    let Some(token) = posted.field("token") else { return reset_by_typed_code(request, &posted, cases).await };
    let new = match PlainPassword::new(posted.text("new_password"), cases.settings.min_password_length) {
        Ok(new) => new,
        Err(fault) => return new_password(request, cases, token, Some(&fault.detail)),
    };
    let reset = cases.passwords.reset(token, &new, &origin_of(request)).await;
    // The count is all that is wanted of it.
    let _ = counted("reset_password", reset.clone().map_err(Problem::from));
    match reset {
        Ok(()) => password_set(request, cases),
        Err(Failure::InvalidEmailToken) => dead_link(request, cases),
        Err(failure @ Failure::Invalid(_)) => new_password(request, cases, token, Some(&failure.to_string())),
        Err(failure) => cases.pages.problem(request, &failure.into()),
    }
}

async fn reset_by_typed_code(request: &HttpRequest, posted: &Posted, cases: &UseCases) -> HttpResponse {
    let typed = posted.text("email");
    let again = |error: &str| code_page(request, cases, typed, Some(error));
    let Ok(email) = Email::parse(typed) else { return again(NO_ADDRESS) };
    let new = match PlainPassword::new(posted.text("new_password"), cases.settings.min_password_length) {
        Ok(new) => new,
        Err(fault) => return again(&unusable(&fault.detail)),
    };
    let reset = cases.passwords.reset_by_code((&email, posted.text("code")), &new, &origin_of(request)).await;
    // The count is all that is wanted of it.
    let _ = counted("reset_password", reset.clone().map_err(Problem::from));
    match reset {
        Ok(()) => password_set(request, cases),
        Err(Failure::InvalidEmailToken) => {
            again("Address and code do not belong together, or the code was used or has expired.")
        }
        Err(failure @ Failure::Invalid(_)) => again(&unusable(&failure.to_string())),
        Err(failure) => cases.pages.problem(request, &failure.into()),
    }
}

fn password_set(request: &HttpRequest, cases: &UseCases) -> HttpResponse {
    let text = "You are logged out everywhere, and can log in with the new password now.";
    cases.pages.show(request, 200, &Page::Done { title: "Password set", text })
}

fn unusable(fault: &str) -> String {
    format!("This password cannot be used: {fault}.")
}

/// The form for a typed code, and what was wrong with what it was last sent with.
fn code_page(request: &HttpRequest, cases: &UseCases, email: &str, error: Option<&str>) -> HttpResponse {
    let page = Page::ResetCode { email, min_length: cases.settings.min_password_length, error };
    cases.pages.show(request, if error.is_some() { 422 } else { 200 }, &page)
}

/// The form, and what was wrong with the last password.
fn new_password(request: &HttpRequest, cases: &UseCases, token: &str, fault: Option<&str>) -> HttpResponse {
    let min_length = cases.settings.min_password_length;
    let error = fault.map(unusable);
    let page = Page::ResetPassword { token, min_length, error: error.as_deref() };
    cases.pages.show(request, if fault.is_some() { 422 } else { 200 }, &page)
}

fn dead_link(request: &HttpRequest, cases: &UseCases) -> HttpResponse {
    let (title, text) = ("This link does not work", "It was used already, or it has expired.");
    let next = Some(Next { path: "/auth/password/forgot", text: "Ask for a new mail" });
    cases.pages.show(request, 422, &Page::Problem { title, text, next })
}
