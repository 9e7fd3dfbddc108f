//! Forms that are ours: a hidden field that says what a cookie says, which no page of anybody else's can read or set.

use actix_web::{HttpRequest, http::header};
use subtle::ConstantTimeEq as _;

use crate::kernel::Random;

/// The hidden field.
pub(super) const FIELD: &str = "csrf_token";

/// What a form has to repeat.
pub(super) struct Csrf {
    pub(super) value: String,
    /// Whether the browser does not have it yet.
    pub(super) is_new: bool,
}

impl Csrf {
    /// The browser's, so that forms in several tabs work side by side, or a new one.
    pub(super) fn of(request: &HttpRequest, random: &dyn Random, is_https: bool) -> Self {
        if let Some(value) = cookie(request, is_https).filter(|value| is_value(value)) {
            return Self { value: value.to_owned(), is_new: false };
        }
        Self { value: random_text(random), is_new: true }
    }

    /// The `Set-Cookie` line. `Lax`, so that a user who comes from a client's page keeps it.
    pub(super) fn cookie_line(&self, is_https: bool) -> String {
        let secure = if is_https { "; Secure" } else { "" };
        format!("{}={}; Path=/; HttpOnly; SameSite=Lax{secure}", cookie_name(is_https), self.value)
    }
}

/// 128 random bits.
pub(super) fn random_text(random: &dyn Random) -> String {
    let mut bytes = [0; 16];
    random.fill(&mut bytes);
    format!("{:032x}", u128::from_be_bytes(bytes))
}

/// The fields of a posted form.
#[derive(Debug)]
pub(crate) struct Posted(Vec<(String, String)>);

impl Posted {
    /// Reads a form that is one of ours: its hidden field and its cookie say the same.
    pub(super) fn read(request: &HttpRequest, body: &[u8], is_https: bool) -> Option<Self> {
        // A browser that tells where a form stood is believed (Fetch Metadata).
        let site = request.headers().get("sec-fetch-site");
        if !is_form(request) || site.is_some_and(|site| site != "same-origin") {
            return None;
        }
        let posted = Self(form_urlencoded::parse(body).into_owned().collect());
        let cookie = cookie(request, is_https).filter(|value| is_value(value))?;
        let is_ours: bool = cookie.as_bytes().ct_eq(posted.field(FIELD)?.as_bytes()).into();
        is_ours.then_some(posted)
    }

    /// A field that is there once.
    pub(crate) fn field(&self, wanted: &str) -> Option<&str> {
        let mut values = self.0.iter().filter(|(name, _)| name == wanted).map(|(_, value)| value.as_str());
        values.next().filter(|_| values.next().is_none())
    }

    /// The same, or nothing in it.
    pub(crate) fn text(&self, wanted: &str) -> &str {
        self.field(wanted).unwrap_or_default()
    }
}

/// Whether the request carries a form.
pub(crate) fn is_form(request: &HttpRequest) -> bool {
    let content_type = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let media_type = content_type.and_then(|text| text.split(';').next()).unwrap_or_default();
    media_type.trim().eq_ignore_ascii_case("application/x-www-form-urlencoded")
}

/// With `__Host-`, no other host of the domain can set it.
const fn cookie_name(is_https: bool) -> &'static str {
    if is_https { "__Host-vestibule_csrf" } else { "vestibule_csrf" }
}

fn is_value(text: &str) -> bool {
    text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// The value of our cookie (RFC 6265 §5.4).
fn cookie(request: &HttpRequest, is_https: bool) -> Option<&str> {
    let wanted = cookie_name(is_https);
    let mut lines = request.headers().get_all(header::COOKIE).filter_map(|value| value.to_str().ok());
    lines.find_map(|line| {
        let mut pairs = line.split(';').filter_map(|pair| pair.trim().split_once('='));
        pairs.find(|(name, _)| *name == wanted).map(|(_, value)| value)
    })
}
