//! The riddle on a page, where one is asked for: the provider's own script shows it. It is the only script of all pages, and
//! on no page without a riddle.

use serde::Serialize;

use crate::modules::auth::config::CaptchaProvider;

/// A provider's widget.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(crate) struct Widget<'a> {
    /// What the script looks for.
    class: &'static str,
    /// The public key.
    site_key: &'a str,
    /// The script.
    script: &'static str,
    /// Where script and frames come from.
    #[serde(skip)]
    pub(super) sources: &'static str,
}

impl<'a> Widget<'a> {
    /// The widget of a provider.
    pub(crate) const fn of(provider: CaptchaProvider, site_key: &'a str) -> Self {
        let (class, script, sources) = match provider {
            CaptchaProvider::Turnstile => (
                "cf-turnstile",
                "https://challenges.cloudflare.com/turnstile/v0/api.js",
                "https://challenges.cloudflare.com",
            ),
            CaptchaProvider::Hcaptcha => {
                ("h-captcha", "https://js.hcaptcha.com/1/api.js", "https://hcaptcha.com https://*.hcaptcha.com")
            }
            CaptchaProvider::Recaptcha => (
                "g-recaptcha",
                "https://www.google.com/recaptcha/api.js",
                "https://www.google.com/recaptcha/ https://www.gstatic.com/recaptcha/",
            ),
        };
        Self { class, site_key, script, sources }
    }
}

/// The field of a form that the widget of a provider fills.
pub(crate) const fn field_of(provider: CaptchaProvider) -> &'static str {
    match provider {
        CaptchaProvider::Turnstile => "cf-turnstile-response",
        CaptchaProvider::Hcaptcha => "h-captcha-response",
        CaptchaProvider::Recaptcha => "g-recaptcha-response",
    }
}
