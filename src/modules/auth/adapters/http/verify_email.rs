//! `/auth/verify-email`: the mailed link's page, and what it and other clients post.

use actix_web::{HttpRequest, HttpResponse, web};

use super::{
    UseCases,
    bodies::{EmailBody, VerifyEmailBody},
    counted, page,
};
use crate::{
    modules::auth::{application::Failure, domain::Email},
    platform::http::{
        Fields, Problem,
        body::{expect_json, read_bounded},
    },
};

#[derive(serde::Deserialize)]
pub(super) struct Link {
    #[serde(default)]
    pub(super) token: String,
}

/// The page behind the mailed link: one button. To look at it changes nothing.
#[utoipa::path(
    get, path = "/auth/verify-email", tag = "auth", params(("token" = String, Query, description = "From the mail")),
    responses(
        (status = 200, description = "A page with a button", content_type = "text/html"),
        (status = 422, description = "A page that says that the link does not work", content_type = "text/html"),
    )
)]
pub(super) async fn show(link: web::Query<Link>, cases: web::Data<UseCases>) -> Result<HttpResponse, Problem> {
    if cases.verify_email.is_live(&link.token).await? {
        return Ok(page::confirm(&link.token, &*cases.random, cases.settings.issuer.starts_with("https://")));
    }
    Ok(page::dead_link())
}

/// Verifies an address by a link's token, or by address and code.
///
/// The page posts a form, everybody else JSON.
#[utoipa::path(
    post, path = "/auth/verify-email", tag = "auth", request_body = VerifyEmailBody,
    responses(
        (status = 204, description = "The address is verified"),
        (status = 422, description = "`invalid-token` or `validation-failed`"),
    )
)]
pub(super) async fn verify(
    request: HttpRequest,
    payload: web::Payload,
    cases: web::Data<UseCases>,
) -> Result<HttpResponse, Problem> {
    if page::is_form(&request) {
        let form = read_bounded(&request, payload.into_inner()).await?;
        let posted = page::Posted::read(&request, &form);
        let Some(token) = posted.as_ref().and_then(|posted| posted.field("token")) else {
            return Ok(page::dead_link());
        };
        return match counted("verify_email", cases.verify_email.by_link(token).await.map_err(Problem::from)) {
            Ok(()) => Ok(page::done("Address verified")),
            Err(problem) if problem.kind().status == 422 => Ok(page::dead_link()),
            Err(problem) => Err(problem),
        };
    }
    expect_json(&request)?;
    let fields = Fields::parse(&read_bounded(&request, payload.into_inner()).await?)?;
    counted("verify_email", by_json(fields, &cases).await)?;
    Ok(HttpResponse::NoContent().finish())
}

async fn by_json(mut fields: Fields, cases: &UseCases) -> Result<(), Problem> {
    let text = |text: &str| Ok(text.to_owned());
    let token = fields.optional("token", text);
    if let Some(token) = token {
        fields.finish()?;
        return Ok(cases.verify_email.by_link(&token).await?);
    }
    let email = fields.optional("email", Email::parse);
    let code = fields.optional("code", text);
    if email.is_none() && code.is_none() {
        fields.fault("token", "missing", "expected the link's token, or `email` and `code`");
    } else if code.is_none() {
        fields.fault("code", "missing", "expected the mailed code");
    } else if email.is_none() {
        fields.fault("email", "missing", "expected the address that the code was mailed to");
    }
    fields.finish()?;
    let (Some(email), Some(code)) = (email, code) else { return Err(Failure::InvalidEmailToken.into()) };
    Ok(cases.verify_email.by_code(&email, &code).await?)
}

/// Mails another link, if there is somebody to mail it to.
#[utoipa::path(
    post, path = "/auth/verify-email/resend", tag = "auth", request_body = EmailBody,
    responses(
        (status = 202, description = "Always, whether or not there is such an account"),
        (status = 422, description = "`validation-failed`"),
    )
)]
pub(super) async fn resend(mut fields: Fields, cases: web::Data<UseCases>) -> Result<HttpResponse, Problem> {
    let email = fields.required("email", Email::parse);
    fields.finish()?;
    if let Some(email) = email {
        cases.verify_email.resend(&email).await?;
    }
    Ok(HttpResponse::Accepted().finish())
}
