//! The small pages behind mailed links: plain forms that need no script, readable by screen readers, that tell nobody the
//! link they came by.

use actix_web::{HttpRequest, HttpResponse, http::header};
use subtle::ConstantTimeEq as _;

use crate::kernel::Random;

const CSRF_COOKIE: &str = "vestibule_csrf";
const CSRF_FIELD: &str = "csrf_token";

/// Asks for the click that verifies.
pub(super) fn confirm(token: &str, random: &dyn Random, is_https: bool) -> HttpResponse {
    let form = Form {
        title: "Verify your e-mail address",
        text: "Click the button to verify that this address is yours.",
        fault: None,
        action: "/auth/verify-email",
        fields: "",
        button: "Verify",
    };
    form.show(200, token, random, is_https)
}

/// Asks for a new password; `fault` tells what was wrong with the last one.
pub(super) fn new_password(token: &str, fault: Option<&str>, random: &dyn Random, is_https: bool) -> HttpResponse {
    let form = Form {
        title: "Choose a new password",
        text: "Afterwards you are logged out everywhere, and log in with the new password.",
        fault,
        action: "/auth/password/reset",
        fields: "<p><label for=\"new_password\">New password</label>\n\
                 <input type=\"password\" id=\"new_password\" name=\"new_password\" autocomplete=\"new-password\" \
                 required></p>\n",
        button: "Set password",
    };
    form.show(if fault.is_some() { 422 } else { 200 }, token, random, is_https)
}

/// A page with one form.
struct Form<'a> {
    title: &'a str,
    text: &'a str,
    fault: Option<&'a str>,
    action: &'a str,
    /// Labelled inputs, as HTML.
    fields: &'a str,
    button: &'a str,
}

impl Form<'_> {
    fn show(&self, status: u16, token: &str, random: &dyn Random, is_https: bool) -> HttpResponse {
        let mut bytes = [0; 16];
        random.fill(&mut bytes);
        let csrf = format!("{:032x}", u128::from_be_bytes(bytes));
        let token = escape(token);
        let Self { title, text, action, fields, button, .. } = self;
        let fault = self.fault.map(|fault| format!("<p role=\"alert\">{}</p>\n", escape(fault))).unwrap_or_default();
        let form = format!(
            "<h1>{title}</h1>\n<p>{text}</p>\n{fault}\
             <form method=\"post\" action=\"{action}\">\n\
             <input type=\"hidden\" name=\"{CSRF_FIELD}\" value=\"{csrf}\">\n\
             <input type=\"hidden\" name=\"token\" value=\"{token}\">\n\
             {fields}<button type=\"submit\">{button}</button>\n</form>"
        );
        let secure = if is_https { "; Secure" } else { "" };
        let cookie = format!("{CSRF_COOKIE}={csrf}; Path={action}; HttpOnly; SameSite=Strict{secure}");
        let mut response = page(status, title, &form);
        // A cookie that cannot be written leaves a form that will be refused, which is the safe side.
        if let Ok(cookie) = header::HeaderValue::from_str(&cookie) {
            response.headers_mut().append(header::SET_COOKIE, cookie);
        }
        response
    }
}

/// It worked.
pub(super) fn done(title: &str) -> HttpResponse {
    page(200, title, &format!("<h1>{title}</h1>\n<p>Thank you. You can log in now.</p>"))
}

/// The link is unknown, used or expired.
pub(super) fn dead_link() -> HttpResponse {
    let text = "<h1>This link does not work</h1>\n<p>It was used already, or it has expired. Ask for a new mail.</p>";
    page(422, "This link does not work", text)
}

/// The fields of a posted form.
pub(super) struct Posted(Vec<(String, String)>);

impl Posted {
    /// Reads a form that is one of ours: its hidden field and its cookie say the same.
    pub(super) fn read(request: &HttpRequest, form: &[u8]) -> Option<Self> {
        let posted = Self(actix_web::web::Query::from_query(std::str::from_utf8(form).ok()?).ok()?.0);
        let is_ours: bool = cookie(request)?.as_bytes().ct_eq(posted.field(CSRF_FIELD)?.as_bytes()).into();
        is_ours.then_some(posted)
    }

    /// A field that is there once.
    pub(super) fn field(&self, wanted: &str) -> Option<&str> {
        let mut values = self.0.iter().filter(|(name, _)| name == wanted).map(|(_, value)| value.as_str());
        values.next().filter(|_| values.next().is_none())
    }
}

/// Whether the request carries a form.
pub(super) fn is_form(request: &HttpRequest) -> bool {
    let content_type = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    content_type.is_some_and(|text| text.to_ascii_lowercase().starts_with("application/x-www-form-urlencoded"))
}

/// The value of our cookie (RFC 6265 §5.4).
fn cookie(request: &HttpRequest) -> Option<&str> {
    let mut pairs = request.headers().get_all(header::COOKIE).filter_map(|value| value.to_str().ok());
    pairs.find_map(|pairs| {
        let mut pairs = pairs.split(';').filter_map(|pair| pair.trim().split_once('='));
        pairs.find(|(name, _)| *name == CSRF_COOKIE).map(|(_, value)| value)
    })
}

fn page(status: u16, title: &str, body: &str) -> HttpResponse {
    let status = actix_web::http::StatusCode::from_u16(status).unwrap_or(actix_web::http::StatusCode::OK);
    let html = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>{title}</title>\n</head>\n\
         <body>\n<main>\n{body}\n</main>\n</body>\n</html>\n"
    );
    HttpResponse::build(status)
        .content_type("text/html; charset=utf-8")
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .insert_header((header::REFERRER_POLICY, "no-referrer"))
        .insert_header((
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
        ))
        .body(html)
}

/// For text and quoted attributes.
fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;").replace('\'', "&#39;")
}
