//! `/auth/verify-email`: the mailed link's page, and what it and other clients post.

use actix_web::{HttpRequest, HttpResponse, web};

use super::{
    UseCases,
    bodies::{EmailBody, VerifyEmailBody},
    counted, origin_of,
    pages::{Next, Page, is_form},
};
use crate::{
    modules::auth::{application::Failure, domain::Email},
    platform::http::{
        Fields, Problem,
        body::{expect_json, read_bounded},
    },
};

/// What a page says of an address that is none.
pub(super) const NO_ADDRESS: &str = "Please type an e-mail address, such as ada@example.org.";

/// What a mailed link carries.
#[derive(serde::Deserialize)]
pub(super) struct Link {
    #[serde(default)]
    pub(super) token: String,
}

/// The page behind the mailed link: one button. To look at it changes nothing.
///
/// Without a token, the page where the mailed code is typed.
#[utoipa::path(
    get, path = "/auth/verify-email", tag = "auth",
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
        return Ok(cases.pages.show(&request, 200, &Page::VerifyCode { email: "", error: None }));
    }
    if cases.verify_email.is_live(&link.token).await? {
        return Ok(cases.pages.show(&request, 200, &Page::VerifyEmail { token: &link.token }));
    }
    Ok(dead_link(&request, &cases))
}

/// Verifies an address by a link's token, or by address and code.
///
/// The pages post forms and get pages, everybody else posts JSON.
#[utoipa::path(
    post, path = "/auth/verify-email", tag = "auth", request_body = VerifyEmailBody,
    responses(
        (status = 200, description = "For a form: a page that says so", content_type = "text/html"),
        (status = 204, description = "The address is verified"),
        (status = 403, description = "For a form that is not ours: a page that says so", content_type = "text/html"),
        (status = 422, description = "`invalid-token` or `validation-failed`"),
    )
)]
pub(super) async fn verify(
    request: HttpRequest,
    payload: web::Payload,
    cases: web::Data<UseCases>,
) -> Result<HttpResponse, Problem> {
    if is_form(&request) {
        let form = read_bounded(&request, payload.into_inner()).await?;
        return Ok(by_form(&request, &form, &cases).await);
    }
    expect_json(&request)?;
    let fields = Fields::parse(&read_bounded(&request, payload.into_inner()).await?)?;
    counted("verify_email", by_json(&request, fields, &cases).await)?;
    Ok(HttpResponse::NoContent().finish())
}

async fn by_form(request: &HttpRequest, form: &[u8], cases: &UseCases) -> HttpResponse {
    let Some(posted) = cases.pages.posted(request, form) else { return cases.pages.forged(request) };
    let verified = match posted.field("token") {
        Some(token) => cases.verify_email.by_link(token, &origin_of(request)).await,
        None => match Email::parse(posted.text("email")) {
            Ok(email) => cases.verify_email.by_code(&email, posted.text("code"), &origin_of(request)).await,
            Err(_) => Err(Failure::InvalidEmailToken),
        },
    };
    match counted("verify_email", verified.map_err(Problem::from)) {
        Ok(()) => {
            let page = Page::Done { title: "Address verified", text: "Thank you. You can log in now." };
            cases.pages.show(request, 200, &page)
        }
        Err(problem) if problem.kind().status == 422 && posted.field("token").is_none() => {
            let error = Some("Address and code do not belong together, or the code was used or has expired.");
            cases.pages.show(request, 422, &Page::VerifyCode { email: posted.text("email"), error })
        }
        Err(problem) if problem.kind().status == 422 => dead_link(request, cases),
        Err(problem) => cases.pages.problem(request, &problem),
    }
}

fn dead_link(request: &HttpRequest, cases: &UseCases) -> HttpResponse {
    let text = "It was used already, or it has expired. If you cannot log in yet, ask for a new mail.";
    let next = Some(Next { path: "/auth/verify-email", text: "Type a code or ask for a new mail" });
    cases.pages.show(request, 422, &Page::Problem { title: "This link does not work", text, next })
}

async fn by_json(request: &HttpRequest, mut fields: Fields, cases: &UseCases) -> Result<(), Problem> {
    let text = |text: &str| Ok(text.to_owned());
    let token = fields.optional("token", text);
    if let Some(token) = token {
        fields.finish()?;
        return Ok(cases.verify_email.by_link(&token, &origin_of(request)).await?);
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
    Ok(cases.verify_email.by_code(&email, &code, &origin_of(request)).await?)
}

/// Mails another link, if there is somebody to mail it to.
///
/// The page posts a form and gets a page, everybody else posts JSON.
#[utoipa::path(
    post, path = "/auth/verify-email/resend", tag = "auth", request_body = EmailBody,
    responses(
        (status = 200, description = "For a form: a page that says so, always", content_type = "text/html"),
        (status = 202, description = "Always, whether or not there is such an account"),
        (status = 403, description = "For a form that is not ours: a page that says so", content_type = "text/html"),
        (status = 422, description = "`validation-failed`"),
    )
)]
pub(super) async fn resend(
    request: HttpRequest,
    payload: web::Payload,
    cases: web::Data<UseCases>,
) -> Result<HttpResponse, Problem> {
    if is_form(&request) {
        let form = read_bounded(&request, payload.into_inner()).await?;
        return Ok(resend_by_form(&request, &form, &cases).await);
    }
    expect_json(&request)?;
    let mut fields = Fields::parse(&read_bounded(&request, payload.into_inner()).await?)?;
    let email = fields.required("email", Email::parse);
    fields.finish()?;
    if let Some(email) = email {
        cases.verify_email.resend(&email).await?;
    }
    Ok(HttpResponse::Accepted().finish())
}

async fn resend_by_form(request: &HttpRequest, form: &[u8], cases: &UseCases) -> HttpResponse {
    let Some(posted) = cases.pages.posted(request, form) else { return cases.pages.forged(request) };
    let typed = posted.text("email");
    let Ok(email) = Email::parse(typed) else {
        return cases.pages.show(request, 422, &Page::VerifyCode { email: typed, error: Some(NO_ADDRESS) });
    };
    if let Err(failure) = cases.verify_email.resend(&email).await {
        return cases.pages.problem(request, &failure.into());
    }
    let text = "If this address still has to be verified, a mail with a link and a code is on its way.";
    cases.pages.show(request, 200, &Page::Done { title: "Look into your mail", text })
}
