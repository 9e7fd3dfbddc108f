//! `POST /auth/register`.

use actix_web::{HttpRequest, HttpResponse, http::header::LOCATION, web};

use super::{
    UseCases,
    bodies::{RegisterBody, UserBody},
    client_of, counted, origin_of,
};
use crate::{
    modules::auth::{
        application::RegisterCommand,
        config::CaptchaPlace,
        domain::{DisplayName, Email, PlainPassword},
    },
    platform::http::{Fields, Problem},
};

/// Makes an account.
///
/// While addresses are verified, one that is taken gets the same answer, and its owner a mail.
#[utoipa::path(
    post, path = "/auth/register", tag = "auth", request_body = RegisterBody,
    responses(
        (status = 201, description = "The account is made", body = UserBody,
            headers(("Location" = String, description = "The user"))),
        (status = 403, description = "`registration-closed` or `captcha-required`"),
        (status = 409, description = "`email-taken`; only while addresses are not verified"),
        (status = 422, description = "`validation-failed`"),
        (status = 503, description = "`unavailable`, with `Retry-After`"),
    )
)]
pub(super) async fn register(
    request: HttpRequest,
    fields: Fields,
    cases: web::Data<UseCases>,
) -> Result<HttpResponse, Problem> {
    counted("register", run(&request, fields, &cases).await)
}

async fn run(request: &HttpRequest, mut fields: Fields, cases: &UseCases) -> Result<HttpResponse, Problem> {
    let least = cases.settings.min_password_length;
    let email = fields.required("email", Email::parse);
    let password = fields.required("password", |text| PlainPassword::new(text, least));
    let display_name = fields.optional("display_name", DisplayName::parse);
    let captcha = fields.optional("captcha", |text| Ok(text.to_owned()));
    fields.finish()?;
    let (Some(email), Some(password)) = (email, password) else { return Err(Problem::invalid(Vec::new())) };
    let who = (&email, client_of(request));
    cases.captcha.demand(CaptchaPlace::Register, who, captcha.as_deref()).await?;
    let user = cases.register.run(RegisterCommand { email, password, display_name }, &origin_of(request)).await?;
    let location = format!("/users/{}", user.id);
    Ok(HttpResponse::Created().insert_header((LOCATION, location)).json(UserBody::from(user)))
}
