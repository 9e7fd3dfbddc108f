//! `/auth/passkeys/*`: logins without a password. What devices are asked for, and what they answer, is as browsers read and
//! write it (Web Authentication, level 3): `PublicKeyCredential.parseCreationOptionsFromJSON`,
//! `parseRequestOptionsFromJSON` and `toJSON`.

mod bodies;

use actix_web::{
    HttpRequest, HttpResponse,
    http::header::{CACHE_CONTROL, HeaderValue},
    web,
};
use serde::Serialize;
use serde_json::Value;

use self::bodies::{
    LoginFinishBody, LoginOptionsBody, LoginStartBody, PasskeyBody, PasskeysBody, RegisterFinishBody,
    RegistrationOptionsBody,
};
use super::{
    UseCases,
    bodies::TokensBody,
    counted,
    idempotency::{Created, keyed, once},
    log_in::tokens,
    origin_of,
    sessions::PageQuery,
};
use crate::{
    kernel::PasskeyId,
    modules::auth::{
        application::{Failure, NewPasskey, Passkeys},
        domain::{Device, DisplayName, Email},
    },
    platform::http::{
        Fields, Problem,
        authentication::Caller,
        body::{expect_json, read_bounded},
    },
};

impl UseCases {
    /// The use cases of passkeys, where they are enabled.
    fn passkeys(&self) -> Result<&Passkeys, Failure> {
        self.passkeys.as_ref().ok_or(Failure::PasskeysDisabled)
    }
}

/// The options for a new passkey of the caller. The device's answer is awaited for a few minutes, once.
#[utoipa::path(
    post, path = "/auth/passkeys/register/start", tag = "auth", security(("bearer" = [])),
    responses(
        (status = 200, description = "What to give to `navigator.credentials.create`", body = RegistrationOptionsBody),
        (status = 401, description = "`unauthenticated`, or `step-up-required` when the login was too long ago"),
        (status = 403, description = "`forbidden`: an API key, or the token of an OAuth client; `passkeys-disabled`"),
        (status = 409, description = "`too-many-passkeys`"),
        (status = 503, description = "`unavailable`, with `Retry-After`"),
    )
)]
pub(super) async fn begin_registration(caller: Caller, cases: web::Data<UseCases>) -> Result<HttpResponse, Problem> {
    counted("begin_passkey", run_begin_registration(&caller, &cases).await)
}

async fn run_begin_registration(caller: &Caller, cases: &UseCases) -> Result<HttpResponse, Problem> {
    let owner = caller.owner()?;
    let passkeys = cases.passkeys()?;
    // Else a found token would be enough to come back for ever.
    cases.step_up.demand(&caller.0).await?;
    let options = passkeys.begin_registration(caller.0.session_id, owner).await?;
    Ok(private(&RegistrationOptionsBody { options }))
}

/// Keeps the passkey that a device made, in the session that asked for it.
#[utoipa::path(
    post, path = "/auth/passkeys/register/finish", tag = "auth", security(("bearer" = [])),
    request_body = RegisterFinishBody,
    params(("Idempotency-Key" = Option<String>, Header, description = "Sent again, the call answers as the first time")),
    responses(
        (status = 201, description = "The passkey", body = PasskeyBody,
            headers(("Location" = String, description = "Where it is"))),
        (status = 400, description = "`malformed-request`: the JSON or the `Idempotency-Key`"),
        (status = 401, description = "`unauthenticated`"),
        (status = 403, description = "`forbidden`: an API key, or the token of an OAuth client; `passkeys-disabled`"),
        (status = 409, description = "`passkey-known` or `too-many-passkeys`; `idempotency-key-in-use`"),
        (status = 422, description = "`validation-failed`: of the credential `malformed-credential`, or `invalid-credential` when it answers nothing that waits; or `idempotency-key-reused`"),
        (status = 503, description = "`unavailable`, with `Retry-After`"),
    )
)]
pub(super) async fn end_registration(
    request: HttpRequest,
    caller: Caller,
    payload: web::Payload,
    cases: web::Data<UseCases>,
) -> Result<HttpResponse, Problem> {
    counted("add_passkey", run_end_registration(&request, &caller, payload, &cases).await)
}

async fn run_end_registration(
    request: &HttpRequest,
    caller: &Caller,
    payload: web::Payload,
    cases: &web::Data<UseCases>,
) -> Result<HttpResponse, Problem> {
    let owner = caller.owner()?;
    let passkeys = cases.passkeys()?.clone();
    expect_json(request)?;
    let body = read_bounded(request, payload.into_inner()).await?;
    let mut fields = Fields::parse(&body)?;
    let name = fields.required("name", DisplayName::parse);
    let answer = credential(&mut fields);
    fields.finish()?;
    let (Some(name), Some(answer)) = (name, answer) else { return Err(Problem::invalid(Vec::new())) };
    let call = keyed(request, caller, &body, None)?;
    let (session, origin) = (caller.0.session_id, origin_of(request));
    let work = async move {
        let passkey = passkeys.end_registration(session, owner, NewPasskey { name, answer }, &origin).await?;
        let location = format!("/auth/passkeys/{}", passkey.id);
        let body = serde_json::to_value(PasskeyBody::from(passkey));
        let body = body.map_err(|error| Failure::Internal(error.to_string()))?;
        Ok(Created { location, etag: None, body })
    };
    once(cases, call, work).await
}

/// The caller's passkeys, oldest first.
#[utoipa::path(
    get, path = "/auth/passkeys", tag = "auth", security(("bearer" = [])),
    params(
        ("limit" = Option<u32>, Query, description = "At most so many; 20 without it, 100 at most"),
        ("cursor" = Option<String>, Query, description = "The `next_cursor` of the page before"),
    ),
    responses(
        (status = 200, description = "A page of passkeys", body = PasskeysBody),
        (status = 400, description = "`malformed-request`: `limit` or `cursor`"),
        (status = 401, description = "`unauthenticated`"),
        (status = 403, description = "`forbidden`: an API key, or the token of an OAuth client; `passkeys-disabled`"),
        (status = 503, description = "`unavailable`, with `Retry-After`"),
    )
)]
pub(super) async fn list(
    caller: Caller,
    query: web::Query<PageQuery>,
    cases: web::Data<UseCases>,
) -> Result<HttpResponse, Problem> {
    let owner = caller.owner()?;
    let page = cases.passkeys()?.list(owner, &query.into_inner().read()?).await?;
    let items = page.items.into_iter().map(PasskeyBody::from).collect();
    Ok(private(&PasskeysBody { items, next_cursor: page.next_cursor }))
}

/// Removes one of the caller's passkeys: it opens nothing any more.
#[utoipa::path(
    delete, path = "/auth/passkeys/{id}", tag = "auth", security(("bearer" = [])),
    params(("id" = String, Path, description = "The passkey's id")),
    responses(
        (status = 204, description = "The passkey is gone"),
        (status = 401, description = "`unauthenticated`"),
        (status = 403, description = "`forbidden`: an API key, or the token of an OAuth client; `passkeys-disabled`"),
        (status = 404, description = "`not-found`: no passkey of the caller"),
        (status = 503, description = "`unavailable`, with `Retry-After`"),
    )
)]
pub(super) async fn remove(
    request: HttpRequest,
    caller: Caller,
    id: web::Path<String>,
    cases: web::Data<UseCases>,
) -> Result<HttpResponse, Problem> {
    let owner = caller.owner()?;
    let passkeys = cases.passkeys()?;
    let id: PasskeyId = id.parse().map_err(|_| Failure::NotFound)?;
    let removed = passkeys.remove(owner, id, &origin_of(&request)).await;
    counted("remove_passkey", removed.map_err(Problem::from))?;
    Ok(HttpResponse::NoContent().finish())
}

/// The options for a login by passkey, the same for everybody. With an address, only its account's passkeys end it.
#[utoipa::path(
    post, path = "/auth/passkeys/login/start", tag = "auth", request_body = Option<LoginStartBody>,
    responses(
        (status = 200, description = "What to give to `navigator.credentials.get`", body = LoginOptionsBody),
        (status = 403, description = "`passkeys-disabled`"),
        (status = 422, description = "`validation-failed`"),
        (status = 503, description = "`unavailable`, with `Retry-After`"),
    )
)]
pub(super) async fn begin_log_in(
    request: HttpRequest,
    payload: web::Payload,
    cases: web::Data<UseCases>,
) -> Result<HttpResponse, Problem> {
    let passkeys = cases.passkeys()?;
    let body = read_bounded(&request, payload.into_inner()).await?;
    let mut email = None;
    if !body.is_empty() {
        expect_json(&request)?;
        let mut fields = Fields::parse(&body)?;
        email = fields.optional("email", Email::parse);
        fields.finish()?;
    }
    let (ceremony, options) = passkeys.begin_log_in(email.as_ref()).await?;
    Ok(private(&LoginOptionsBody { ceremony, options }))
}

/// Logs in by what a device answered: a passkey stands for both factors.
#[utoipa::path(
    post, path = "/auth/passkeys/login/finish", tag = "auth", request_body = LoginFinishBody,
    responses(
        (status = 200, description = "A new session's tokens", body = TokensBody),
        (status = 401, description = "`invalid-passkey`"),
        (status = 403, description = "`email-not-verified` or `account-suspended`, only after a right answer; `passkeys-disabled`"),
        (status = 422, description = "`validation-failed`"),
        (status = 429, description = "`too-many-attempts`, with `Retry-After`"),
        (status = 503, description = "`unavailable`, with `Retry-After`"),
    )
)]
pub(super) async fn end_log_in(
    request: HttpRequest,
    fields: Fields,
    cases: web::Data<UseCases>,
) -> Result<HttpResponse, Problem> {
    counted("passkey_login", run_end_log_in(&request, fields, &cases).await)
}

async fn run_end_log_in(request: &HttpRequest, mut fields: Fields, cases: &UseCases) -> Result<HttpResponse, Problem> {
    let passkeys = cases.passkeys()?;
    let ceremony = fields.required("ceremony", |text| Ok(text.to_owned()));
    let answer = credential(&mut fields);
    fields.finish()?;
    let (Some(ceremony), Some(answer)) = (ceremony, answer) else { return Err(Failure::InvalidPasskey.into()) };
    let origin = origin_of(request);
    let authenticated = passkeys.end_log_in(&ceremony, &answer, &origin).await?;
    let device = Device { user_agent: origin.user_agent.clone(), address: Some(origin.client().to_string()) };
    Ok(tokens(cases.log_in.begin_session(authenticated, device).await.map_err(late)?))
}

/// The account changed while its user was logging in; nobody spoke of a password.
fn late(failure: Failure) -> Failure {
    if failure == Failure::InvalidCredentials { Failure::InvalidPasskey } else { failure }
}

/// What a device answered: an object whose inside is the standard's.
fn credential(fields: &mut Fields) -> Option<Value> {
    match fields.take("credential") {
        Some(answer @ Value::Object(_)) => Some(answer),
        None | Some(Value::Null) => {
            fields.fault("credential", "missing", "expected an object");
            None
        }
        Some(_) => {
            fields.fault("credential", "wrong-type", "expected an object");
            None
        }
    }
}

fn private(body: &impl Serialize) -> HttpResponse {
    HttpResponse::Ok().insert_header((CACHE_CONTROL, HeaderValue::from_static("no-store"))).json(body)
}
