//! `/oauth/login`: the page for logging in, on the way to a client or to a device's code.

pub(in crate::modules::auth::adapters::http) mod passkey;

use actix_web::{HttpRequest, HttpResponse, web};

use super::browser::{
    browser, cookie, from_query, go_to, passkey_action, posted, riddle, set_cookie, show, show_login,
};
use crate::modules::auth::{
    adapters::http::{
        UseCases, client_of, origin_of,
        pages::{Page, Posted, UNSOLVED, Widget, solution},
    },
    application::{
        Failure, LoginAttempt,
        oauth::{PageLogin, Refused, Step},
    },
    config::CaptchaPlace,
    domain::{Email, PlainPassword, UserCode},
};

/// Where a login leads. Only to paths of ours.
enum Way {
    /// To an authorization request that waits.
    Client(Step),
    /// To a device's code, as far as it is known.
    Device(Option<UserCode>),
}

impl Way {
    async fn of(request: &HttpRequest, cases: &UseCases) -> Result<Self, Refused> {
        match from_query(request, "pending") {
            Some(pending) => match cases.user_facing.authorize.proceed(&pending, None).await? {
                step @ Step::LogIn { .. } => Ok(Self::Client(step)),
                Step::Consent { .. } | Step::Answer(_) => Err(Refused::Gone),
            },
            None => Ok(Self::Device(from_query(request, "user_code").and_then(|typed| UserCode::parse(&typed).ok()))),
        }
    }

    /// The query that leads on.
    fn query(&self) -> String {
        match self {
            Self::Client(Step::LogIn { pending, .. }) => format!("pending={pending}"),
            Self::Device(Some(code)) => format!("user_code={}", code.shown()),
            Self::Client(_) | Self::Device(None) => String::new(),
        }
    }

    fn target(&self) -> String {
        match self {
            Self::Client(_) => format!("/oauth/consent?{}", self.query()),
            Self::Device(_) => format!("/oauth/device?{}", self.query()),
        }
    }

    fn page(
        &self,
        request: &HttpRequest,
        cases: &UseCases,
        status: u16,
        (typed, error): (&str, &str),
        captcha: Option<Widget<'_>>,
    ) -> HttpResponse {
        match self {
            Self::Client(step) => show_login(request, cases, step, status, Some(typed), Some(error), captcha),
            Self::Device(code) => for_device(request, cases, code.as_ref(), (status, typed, Some(error)), captcha),
        }
    }
}

/// The page for logging in, on the way to a device's code.
pub(super) fn for_device(
    request: &HttpRequest,
    cases: &UseCases,
    code: Option<&UserCode>,
    (status, typed, error): (u16, &str, Option<&str>),
    captcha: Option<Widget<'_>>,
) -> HttpResponse {
    let query = code.map(|code| format!("user_code={}", code.shown())).unwrap_or_default();
    let action = if query.is_empty() { "/oauth/login".to_owned() } else { format!("/oauth/login?{query}") };
    let passkey = passkey_action(cases, &query);
    let passkey = passkey.as_deref();
    let page = Page::Login { action: &action, client_name: None, email: typed, error, hidden: &[], captcha, passkey };
    cases.pages.show(request, status, &page)
}

/// The page again, or what comes after it.
#[utoipa::path(
    get, path = "/oauth/login", tag = "oauth",
    params(
        ("pending" = Option<String>, Query, description = "The request that waits"),
        ("user_code" = Option<String>, Query, description = "The code that a device shows"),
    ),
    responses(
        (status = 200, description = "A page", content_type = "text/html"),
        (status = 303, description = "To the client, or to the device's page"),
        (status = 400, description = "A page: nothing waits", content_type = "text/html"),
        (status = 503, description = "A page, with `Retry-After`", content_type = "text/html"),
    )
)]
pub(in crate::modules::auth::adapters::http) async fn show_page(
    request: HttpRequest,
    cases: web::Data<UseCases>,
) -> HttpResponse {
    let Some(pending) = from_query(&request, "pending") else {
        let code = from_query(&request, "user_code").and_then(|typed| UserCode::parse(&typed).ok());
        return go_to(&Way::Device(code).target(), &cases);
    };
    proceed(&request, &cases, &pending).await
}

/// Shows how far a request has come.
pub(super) async fn proceed(request: &HttpRequest, cases: &UseCases, pending: &str) -> HttpResponse {
    let step = match browser(request, cases).await {
        Ok(browser) => cases.user_facing.authorize.proceed(pending, browser.as_ref()).await,
        Err(failure) => Err(failure.into()),
    };
    show(request, cases, step)
}

/// Logs in. The browser gets another cookie each time.
#[utoipa::path(
    post, path = "/oauth/login", tag = "oauth",
    request_body(content = String, content_type = "application/x-www-form-urlencoded", description = "`email`, `password`, and the page's hidden field"),
    params(
        ("pending" = Option<String>, Query, description = "The request that waits"),
        ("user_code" = Option<String>, Query, description = "The code that a device shows"),
    ),
    responses(
        (status = 200, description = "A page that asks for the second factor's code", content_type = "text/html"),
        (status = 303, description = "On the way"),
        (status = 400, description = "A page: nothing waits", content_type = "text/html"),
        (status = 401, description = "The page again: address or password are wrong", content_type = "text/html"),
        (status = 403, description = "A page: the form is not ours, the account may not log in, or a riddle has to be solved", content_type = "text/html"),
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
    count("page_login", outcome.as_ref().err());
    match outcome {
        Ok(PageLogin::Done(secret)) => set_cookie(go_to(&way.target(), &cases), Some(&secret), &cases),
        Ok(PageLogin::NeedsCode(half)) => code_page(&request, &cases, &way, &half, 200, None),
        Err(failure) => {
            let typed = posted.text("email");
            let captcha = next_riddle(&request, &cases, typed, &failure).await;
            refused(&request, &cases, &way, (typed, failure), captcha)
        }
    }
}

async fn try_log_in(request: &HttpRequest, cases: &UseCases, posted: &Posted) -> Result<PageLogin, Failure> {
    // What is no address is nobody's; it is told no sooner than that of somebody unknown would need to be.
    let email = Email::parse(posted.text("email")).map_err(|_| Failure::InvalidCredentials)?;
    let password = PlainPassword::given(posted.text("password")).map_err(|_| Failure::InvalidCredentials)?;
    let (origin, client) = (origin_of(request), client_of(request));
    cases.captcha.demand(CaptchaPlace::Login, (&email, client), solution(cases, posted)).await?;
    let attempt = LoginAttempt {
        email: email.clone(),
        password,
        code: None,
        client,
        user_agent: origin.user_agent.clone(),
        request_id: origin.request_id.clone(),
    };
    let outcome = cases.user_facing.browsers.log_in(attempt, cookie(request, cases), &origin).await;
    // A login that waits for its code is neither a guess nor done.
    if !matches!(outcome, Ok(PageLogin::NeedsCode(_))) {
        cases.captcha.note_login((&email, client), &outcome).await;
    }
    outcome
}

/// The riddle of the page that comes after a refusal: when the next login would need its solution.
async fn next_riddle<'a>(
    request: &HttpRequest,
    cases: &'a UseCases,
    typed: &str,
    failure: &Failure,
) -> Option<Widget<'a>> {
    let (provider, site_key) = cases.captcha.provider()?;
    let is_due = match (failure, Email::parse(typed)) {
        (Failure::CaptchaRequired { .. }, _) => true,
        (_, Ok(email)) => cases.captcha.is_due_at_login((&email, client_of(request))).await,
        (_, Err(_)) => cases.captcha.is_always_on(CaptchaPlace::Login),
    };
    is_due.then(|| Widget::of(provider, site_key))
}

/// Ends a login that waits for its second factor.
#[utoipa::path(
    post, path = "/oauth/login/code", tag = "oauth",
    request_body(content = String, content_type = "application/x-www-form-urlencoded", description = "`code`, and the page's hidden fields"),
    params(
        ("pending" = Option<String>, Query, description = "The request that waits"),
        ("user_code" = Option<String>, Query, description = "The code that a device shows"),
    ),
    responses(
        (status = 303, description = "On the way"),
        (status = 400, description = "A page: nothing waits", content_type = "text/html"),
        (status = 401, description = "The page again: the code is wrong", content_type = "text/html"),
        (status = 403, description = "A page: the form is not ours, the account may not log in, or a riddle has to be solved", content_type = "text/html"),
        (status = 413, description = "A page: the form is too long", content_type = "text/html"),
        (status = 429, description = "A page, with `Retry-After`", content_type = "text/html"),
        (status = 503, description = "A page, with `Retry-After`", content_type = "text/html"),
    )
)]
pub(in crate::modules::auth::adapters::http) async fn second_factor(
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
    let (half, code) = (posted.text("login"), posted.text("code"));
    let origin = origin_of(&request);
    let outcome = cases.user_facing.browsers.finish_log_in(half, code, cookie(&request, &cases), &origin).await;
    count("page_login", outcome.as_ref().err());
    match outcome {
        Ok(secret) => set_cookie(go_to(&way.target(), &cases), Some(&secret), &cases),
        Err(Failure::InvalidCode | Failure::MfaRequired) => {
            let error = "The code is wrong, or was used before. Wait for the next one and type that.";
            code_page(&request, &cases, &way, half, 401, Some(error))
        }
        Err(failure) => refused(&request, &cases, &way, ("", failure), riddle(&cases)),
    }
}

fn code_page(
    request: &HttpRequest,
    cases: &UseCases,
    way: &Way,
    half: &str,
    status: u16,
    error: Option<&str>,
) -> HttpResponse {
    let action = format!("/oauth/login/code?{}", way.query());
    let page = Page::Code { action: &action, error, hidden: &[("login", half)] };
    match way {
        Way::Client(Step::LogIn { redirect_uri, .. }) => cases.pages.show_before(redirect_uri, request, status, &page),
        Way::Client(_) | Way::Device(_) => cases.pages.show(request, status, &page),
    }
}

fn refused(
    request: &HttpRequest,
    cases: &UseCases,
    way: &Way,
    (typed, failure): (&str, Failure),
    captcha: Option<Widget<'_>>,
) -> HttpResponse {
    let (status, error) = match &failure {
        Failure::InvalidCredentials => (401, "The address or the password is wrong. Please try again."),
        Failure::InvalidPasskey => (401, "This passkey was not accepted. Please try again, or log in by password."),
        Failure::EmailNotVerified => {
            (403, "This address has to be verified first. Follow the link in the mail we sent.")
        }
        Failure::AccountSuspended => (403, "This account is suspended."),
        Failure::CaptchaRequired { .. } => (403, UNSOLVED),
        _ => return cases.pages.problem(request, &failure.into()),
    };
    way.page(request, cases, status, (typed, error), captcha)
}

fn count(operation: &'static str, failure: Option<&Failure>) {
    let outcome = if failure.is_none() { "success" } else { "refused" };
    metrics::counter!("business_operations_total", "operation" => operation, "outcome" => outcome).increment(1);
}
