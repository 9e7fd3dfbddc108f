//! `[auth.captcha]`: a riddle for people, by Turnstile, hCaptcha or reCAPTCHA.

use serde::{Deserialize, Serialize};

use crate::kernel::units::Span;

/// `[auth.captcha]`.
#[derive(Debug, Clone, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CaptchaConfig {
    /// Who is asked.
    pub provider: CaptchaProvider,
    /// The secret that the provider gave.
    pub secret: String,
    /// The public key for the widget; clients learn it from the refusal.
    pub site_key: String,
    /// What is guarded.
    #[serde(default = "everything")]
    pub on: Vec<CaptchaPlace>,
    /// Failed logins of the account, or `lockout.client_factor` times as many from the client address, within
    /// `lockout.window`, after which a login needs it for `lockout.cooldown`; 0: every login.
    #[serde(default = "after_failures")]
    pub after_failures: u32,
    /// The least score of providers that give one, as reCAPTCHA 3 does; absent: none is asked for.
    pub min_score: Option<f64>,
    /// How long the provider may take.
    #[serde(default = "timeout")]
    pub timeout: Span,
    /// Whether the guard is open while the provider is away; otherwise 503.
    #[serde(default)]
    pub fail_open: bool,
    /// Where tokens are verified; absent: the provider's own address.
    pub verify_url: Option<String>,
}

/// Who is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum CaptchaProvider {
    /// Cloudflare's.
    Turnstile,
    /// hCaptcha.
    Hcaptcha,
    /// Google's.
    Recaptcha,
}

impl CaptchaProvider {
    /// The name, as in the configuration.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Turnstile => "turnstile",
            Self::Hcaptcha => "hcaptcha",
            Self::Recaptcha => "recaptcha",
        }
    }

    /// Where it verifies tokens.
    pub const fn verify_url(self) -> &'static str {
        match self {
            Self::Turnstile => "https://challenges.cloudflare.com/turnstile/v0/siteverify",
            Self::Hcaptcha => "https://api.hcaptcha.com/siteverify",
            Self::Recaptcha => "https://www.google.com/recaptcha/api/siteverify",
        }
    }
}

/// What can be guarded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum CaptchaPlace {
    /// `POST /auth/register`.
    Register,
    /// `POST /auth/login`.
    Login,
    /// `POST /auth/password/forgot`.
    Forgot,
}

fn everything() -> Vec<CaptchaPlace> {
    vec![CaptchaPlace::Register, CaptchaPlace::Login, CaptchaPlace::Forgot]
}

const fn after_failures() -> u32 {
    3
}

const fn timeout() -> Span {
    Span::secs(3)
}

impl CaptchaConfig {
    /// What is wrong with it: key and what was expected.
    pub(super) fn faults(&self) -> Vec<(&'static str, &'static str)> {
        let mut faults = Vec::new();
        if self.secret.is_empty() {
            faults.push(("captcha.secret", "expected the secret that the provider gave"));
        }
        if self.site_key.is_empty() {
            faults.push(("captcha.site_key", "expected the site key that the provider gave"));
        }
        if self.timeout.get().is_zero() {
            faults.push(("captcha.timeout", "expected more than zero"));
        }
        if self.min_score.is_some_and(|score| !(0.0..=1.0).contains(&score)) {
            faults.push(("captcha.min_score", "expected a number from 0 to 1"));
        }
        if self.verify_url.as_deref().is_some_and(|url| !super::is_callable(url)) {
            faults.push(("captcha.verify_url", "expected an http or https URL without query and fragment"));
        }
        faults
    }
}
