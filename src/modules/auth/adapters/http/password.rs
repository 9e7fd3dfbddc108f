//! `/auth/password/*`: change, forgot, and the reset by a mailed link with its page, or by a mailed code.

use std::net::IpAddr;

use actix_web::{HttpRequest, HttpResponse, web};

use super::{
    UseCases,
    bodies::{ChangePasswordBody, EmailBody, ResetPasswordBody},
    client_of, counted, page,
    verify_email::Link,
};
use crate::{
    modules::auth::{
        application::Failure,
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
    let changed = cases.passwords.change(&caller.0, client_of(&request), &current, &new).await;
    counted("change_password", changed.map_err(Problem::from))?;
    Ok(HttpResponse::NoContent().finish())
}

/// Mails a link to set a new password, if there is somebody to mail it to.
#[utoipa::path(
    post, path = "/auth/password/forgot", tag = "auth", request_body = EmailBody,
    responses(
        (status = 202, description = "Always, whether or not there is such an account"),
        (status = 422, description = "`validation-failed`"),
        (status = 503, description = "`unavailable`, with `Retry-After`"),
    )
)]
pub(super) async fn forgot(mut fields: Fields, cases: web::Data<UseCases>) -> Result<HttpResponse, Problem> {
    let email = fields.required("email", Email::parse);
    fields.finish()?;
    if let Some(email) = email {
        cases.passwords.forgot(&email).await?;
    }
    Ok(HttpResponse::Accepted().finish())
}

/// The page behind the mailed link: a form for the new password. To look at it changes nothing.
#[utoipa::path(
    get, path = "/auth/password/reset", tag = "auth", params(("token" = String, Query, description = "From the mail")),
    responses(
        (status = 200, description = "A page with a form", content_type = "text/html"),
        (status = 422, description = "A page that says that the link does not work", content_type = "text/html"),
    )
)]
pub(super) async fn show(link: web::Query<Link>, cases: web::Data<UseCases>) -> Result<HttpResponse, Problem> {
    if cases.passwords.is_live(&link.token).await? {
        return Ok(page::new_password(&link.token, None, &*cases.random, is_https(&cases)));
    }
    Ok(page::dead_link())
}

/// Sets a new password by a mailed link's token, or by address and code, and ends every session.
///
/// Only success spends the token. The page posts a form, everybody else JSON.
#[utoipa::path(
    post, path = "/auth/password/reset", tag = "auth", request_body = ResetPasswordBody,
    responses(
        (status = 204, description = "The password is set"),
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
    let is_form = page::is_form(&request);
    if !is_form {
        expect_json(&request)?;
    }
    let body = read_bounded(&request, payload.into_inner()).await?;
    if is_form {
        return reset_by_form(&request, &body, &cases).await;
    }
    counted("reset_password", reset_by_json(Fields::parse(&body)?, client_of(&request), &cases).await)?;
    Ok(HttpResponse::NoContent().finish())
}

async fn reset_by_json(mut fields: Fields, client: IpAddr, cases: &UseCases) -> Result<(), Problem> {
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
        (Some(token), _, _, Some(new)) => Ok(cases.passwords.reset(&token, &new).await?),
        (None, Some(email), Some(code), Some(new)) => {
            Ok(cases.passwords.reset_by_code((&email, &code), client, &new).await?)
        }
        _ => Err(Failure::InvalidEmailToken.into()),
    }
}

async fn reset_by_form(request: &HttpRequest, form: &[u8], cases: &UseCases) -> Result<HttpResponse, Problem> {
    let posted = page::Posted::read(request, form);
    let fields = posted.as_ref().and_then(|posted| Some((posted.field("token")?, posted.field("new_password")?)));
    let Some((token, new)) = fields else { return Ok(page::dead_link()) };
    let new = match PlainPassword::new(new, cases.settings.min_password_length) {
        Ok(new) => new,
        Err(fault) => return Ok(page::new_password(token, Some(&fault.detail), &*cases.random, is_https(cases))),
    };
    let outcome = cases.passwords.reset(token, &new).await;
    if let Err(Failure::Invalid(faults)) = &outcome {
        let why: Vec<_> = faults.iter().map(|fault| fault.detail.as_str()).collect();
        return Ok(page::new_password(token, Some(&why.join("; ")), &*cases.random, is_https(cases)));
    }
    match counted("reset_password", outcome.map_err(Problem::from)) {
        Ok(()) => Ok(page::done("Password set")),
        Err(problem) if problem.kind().status == 422 => Ok(page::dead_link()),
        Err(problem) => Err(problem),
    }
}

fn is_https(cases: &UseCases) -> bool {
    cases.settings.issuer.starts_with("https://")
}
