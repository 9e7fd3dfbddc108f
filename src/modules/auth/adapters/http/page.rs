//! The small pages behind mailed links: plain forms that need no script, readable by screen readers, that tell nobody the
//! link they came by.

use actix_web::{HttpRequest, HttpResponse, http::header};
use subtle::ConstantTimeEq as _;

use crate::kernel::Random;

const CSRF_COOKIE: &str = "vestibule_csrf";
const CSRF_FIELD: &str = "csrf_token";

/// Asks for the click that verifies.
pub(super) fn confirm(token: &str, random: &dyn Random, is_https: bool) -> HttpResponse {
    let mut bytes = [0; 16];
    random.fill(&mut bytes);
    let csrf = format!("{:032x}", u128::from_be_bytes(bytes));
    let token = escape(token);
    let form = format!(
        "<h1>Verify your e-mail address</h1>\n<p>Click the button to verify that this address is yours.</p>\n\
         <form method=\"post\" action=\"/auth/verify-email\">\n\
         <input type=\"hidden\" name=\"{CSRF_FIELD}\" value=\"{csrf}\">\n\
         <input type=\"hidden\" name=\"token\" value=\"{token}\">\n\
         <button type=\"submit\">Verify</button>\n</form>"
    );
    let secure = if is_https { "; Secure" } else { "" };
    let cookie = format!("{CSRF_COOKIE}={csrf}; Path=/auth/verify-email; HttpOnly; SameSite=Strict{secure}");
    let mut response = page(200, "Verify your e-mail address", &form);
    // A cookie that cannot be written leaves a form that will be refused, which is the safe side.
    if let Ok(cookie) = header::HeaderValue::from_str(&cookie) {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    response
}

/// It worked.
pub(super) fn done() -> HttpResponse {
    page(200, "Address verified", "<h1>Address verified</h1>\n<p>Thank you. You can log in now.</p>")
}

/// The link is unknown, used or expired.
pub(super) fn dead_link() -> HttpResponse {
    let text = "<h1>This link does not work</h1>\n<p>It was used already, or it has expired. Ask for a new mail.</p>";
    page(422, "This link does not work", text)
}

/// The token of a posted form, if the form is one of ours: its hidden field and its cookie say the same.
pub(super) fn posted_token(request: &HttpRequest, form: &[u8]) -> Option<String> {
    let fields: Vec<(String, String)> = actix_web::web::Query::from_query(std::str::from_utf8(form).ok()?).ok()?.0;
    let field = |wanted: &str| {
        let mut values = fields.iter().filter(|(name, _)| name == wanted).map(|(_, value)| value.as_str());
        values.next().filter(|_| values.next().is_none())
    };
    let is_ours: bool = cookie(request)?.as_bytes().ct_eq(field(CSRF_FIELD)?.as_bytes()).into();
    if is_ours { field("token").map(str::to_owned) } else { None }
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
