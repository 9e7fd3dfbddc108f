//! What the pages have in common: the browser's cookie, reading what was posted, showing the next step.

use actix_web::{
    HttpRequest, HttpResponse,
    http::header::{CACHE_CONTROL, COOKIE, LOCATION, REFERRER_POLICY, SET_COOKIE},
    web,
};

use super::form::{Form, decode};
use crate::{
    modules::auth::{
        adapters::http::{
            UseCases,
            pages::{Page, Posted, ScopeLine, Widget},
        },
        application::{
            Failure,
            oauth::{AuthorizationParameters, Browser, Refused, Step},
        },
        config::CaptchaPlace,
        domain::{EMAIL, OFFLINE_ACCESS, OPENID, PROFILE},
    },
    platform::http::{Problem, body::read_at_most},
};

/// The longest form that a page of ours posts, and the longest request that a client may post instead of linking to it.
pub(super) const MAX_FORM: usize = 16 * 1024;

/// With `__Host-`, no other host of the domain can set it.
fn cookie_name(cases: &UseCases) -> &'static str {
    if is_https(cases) { "__Host-vestibule_session" } else { "vestibule_session" }
}

fn is_https(cases: &UseCases) -> bool {
    cases.settings.issuer.starts_with("https://")
}

/// The browser's cookie (RFC 6265 §5.4).
pub(super) fn cookie<'a>(request: &'a HttpRequest, cases: &UseCases) -> Option<&'a str> {
    let wanted = cookie_name(cases);
    let mut lines = request.headers().get_all(COOKIE).filter_map(|value| value.to_str().ok());
    lines.find_map(|line| {
        let mut pairs = line.split(';').filter_map(|pair| pair.trim().split_once('='));
        pairs.find(|(name, _)| *name == wanted).map(|(_, value)| value)
    })
}

/// Gives the browser its cookie; it goes when the browser is closed. `None` takes it away.
pub(super) fn set_cookie(mut response: HttpResponse, value: Option<&str>, cases: &UseCases) -> HttpResponse {
    let secure = if is_https(cases) { "; Secure" } else { "" };
    let (value, age) = value.map_or(("", "; Max-Age=0"), |value| (value, ""));
    let line = format!("{}={value}; Path=/; HttpOnly; SameSite=Lax{secure}{age}", cookie_name(cases));
    if let Ok(line) = line.parse() {
        response.headers_mut().append(SET_COOKIE, line);
    }
    response
}

/// Who is logged in in this browser.
pub(super) async fn browser(request: &HttpRequest, cases: &UseCases) -> Result<Option<Browser>, Failure> {
    cases.user_facing.browsers.find(cookie(request, cases)).await
}

/// A form of ours; else the answer to what was posted instead.
pub(super) async fn posted(
    request: &HttpRequest,
    payload: web::Payload,
    cases: &UseCases,
) -> Result<Posted, HttpResponse> {
    let body = read_at_most(request, payload.into_inner(), MAX_FORM).await;
    let body = body.map_err(|problem| cases.pages.problem(request, &problem))?;
    cases.pages.posted(request, &body).ok_or_else(|| cases.pages.forged(request))
}

/// A parameter of the query that is there once.
pub(super) fn from_query(request: &HttpRequest, name: &str) -> Option<String> {
    Form::parse(request.query_string().as_bytes()).ok()?.get(name).map(str::to_owned)
}

/// Parameters in the order in which they were sent, repeated ones too; `None` when they are not form-encoded text.
pub(super) fn parameters(text: &[u8]) -> Option<AuthorizationParameters> {
    let pairs = text.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty()).map(|pair| {
        let at = pair.iter().position(|byte| *byte == b'=');
        let (name, value) = at.map_or((pair, &[][..]), |at| (&pair[..at], &pair[at + 1..]));
        Some((decode(name)?, decode(value)?))
    });
    pairs.collect::<Option<Vec<_>>>().filter(|pairs| pairs.len() <= 100).map(AuthorizationParameters)
}

/// Sends the browser to a path of ours, below the issuer's.
pub(super) fn go_to(path: &str, cases: &UseCases) -> HttpResponse {
    let base = url::Url::parse(&cases.settings.issuer).map(|url| url.path().trim_end_matches('/').to_owned());
    redirect(&format!("{}{path}", base.unwrap_or_default()))
}

/// Sends the browser on by GET, whatever it came by, and does not tell where from.
pub(super) fn redirect(to: &str) -> HttpResponse {
    HttpResponse::SeeOther()
        .insert_header((LOCATION, to))
        .insert_header((CACHE_CONTROL, "no-store"))
        .insert_header((REFERRER_POLICY, "no-referrer"))
        .finish()
}

/// Shows the next step of an authorization request, or why there is none.
pub(super) fn show(request: &HttpRequest, cases: &UseCases, step: Result<Step, Refused>) -> HttpResponse {
    match step {
        Ok(Step::Answer(to)) => redirect(&to),
        Ok(step @ Step::LogIn { .. }) => show_login(request, cases, &step, 200, None, None, riddle(cases)),
        Ok(Step::Consent { pending, client_name, scopes, account, email, redirect_uri }) => {
            let lines: Vec<_> = scopes.iter().map(|name| ScopeLine { name, text: in_words(name) }).collect();
            let page = Page::Consent {
                action: &format!("/oauth/consent?pending={pending}"),
                client_name: &client_name,
                scopes: &lines,
                email: &email,
                hidden: &[("account", &account)],
            };
            cases.pages.show_before(&redirect_uri, request, 200, &page)
        }
        Err(Refused::Unanswerable(text)) => {
            let page = Page::Problem { title: "This request cannot be answered", text, next: None };
            cases.pages.show(request, 400, &page)
        }
        Err(Refused::Gone) => {
            let text = "It was answered already, or it has expired. Go back to the application and begin again.";
            let page = Page::Problem { title: "This request is no longer waiting", text, next: None };
            cases.pages.show(request, 400, &page)
        }
        Err(Refused::Failed(failure)) => cases.pages.problem(request, &failure.into()),
    }
}

/// The riddle of a login page that is shown for the first time: where every login needs a solution.
pub(super) fn riddle(cases: &UseCases) -> Option<Widget<'_>> {
    let (provider, site_key) = cases.captcha.provider()?;
    cases.captcha.is_always_on(CaptchaPlace::Login).then(|| Widget::of(provider, site_key))
}

/// The page for logging in, on the way to a client.
pub(super) fn show_login(
    request: &HttpRequest,
    cases: &UseCases,
    step: &Step,
    status: u16,
    typed: Option<&str>,
    error: Option<&str>,
    captcha: Option<Widget<'_>>,
) -> HttpResponse {
    let Step::LogIn { pending, client_name, hint, redirect_uri } = step else {
        return cases.pages.problem(request, &Problem::from(Failure::NotFound));
    };
    let passkey = passkey_action(cases, &format!("pending={pending}"));
    let page = Page::Login {
        action: &format!("/oauth/login?pending={pending}"),
        client_name: Some(client_name),
        email: typed.or(hint.as_deref()).unwrap_or_default(),
        error,
        hidden: &[],
        passkey: passkey.as_deref(),
        captcha,
    };
    cases.pages.show_before(redirect_uri, request, status, &page)
}

/// Where a login by passkey is posted to, where there are passkeys.
pub(super) fn passkey_action(cases: &UseCases, query: &str) -> Option<String> {
    cases.passkeys.as_ref().map(|_| format!("/oauth/login/passkey?{query}"))
}

/// A scope in a user's words.
pub(super) fn in_words(scope: &str) -> &'static str {
    match scope {
        OPENID => "Know who you are",
        PROFILE => "See your name",
        EMAIL => "See your e-mail address",
        OFFLINE_ACCESS => "Keep access while you are away",
        _ => "Use this permission of your account",
    }
}
