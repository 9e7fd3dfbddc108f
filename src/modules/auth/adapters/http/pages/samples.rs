//! One of each page, as full and as bare as it can be: what templates are tried with at start.

use super::{Next, Page, ScopeLine, Widget};
use crate::modules::auth::config::CaptchaProvider;

const HIDDEN: &[(&str, &str)] = &[("request", "sample")];
const SCOPES: &[ScopeLine<'_>] = &[ScopeLine { name: "openid", text: "Know who you are" }];

const RIDDLE: Widget<'_> = Widget::of(CaptchaProvider::Turnstile, "key");

/// The pages.
pub(super) const SAMPLES: &[Page<'static>] = &[
    Page::Login {
        action: "/a",
        client_name: Some("Client"),
        email: "a@b",
        error: Some("Wrong"),
        hidden: HIDDEN,
        captcha: Some(RIDDLE),
        passkey: Some("/b"),
    },
    Page::Login { action: "/a", client_name: None, email: "", error: None, hidden: &[], captcha: None, passkey: None },
    Page::Code { action: "/a", error: Some("Wrong"), hidden: HIDDEN },
    Page::Code { action: "/a", error: None, hidden: &[] },
    Page::Consent { action: "/a", client_name: "Client", scopes: SCOPES, email: "a@b", hidden: HIDDEN },
    Page::Consent { action: "/a", client_name: "Client", scopes: &[], email: "a@b", hidden: &[] },
    Page::Device { action: "/a", user_code: "BCDF-GHJK", error: Some("Wrong"), hidden: HIDDEN },
    Page::Device { action: "/a", user_code: "", error: None, hidden: &[] },
    Page::DeviceConfirm {
        action: "/a",
        client_name: "Client",
        scopes: SCOPES,
        user_code: "BCDF-GHJK",
        email: "a@b",
        hidden: HIDDEN,
    },
    Page::ConfirmSignOut { action: "/a", client_name: Some("Client"), hidden: HIDDEN },
    Page::ConfirmSignOut { action: "/a", client_name: None, hidden: &[] },
    Page::SignedOut {},
    Page::VerifyEmail { token: "t" },
    Page::VerifyCode { email: "a@b", error: Some("Wrong") },
    Page::VerifyCode { email: "", error: None },
    Page::ResetPassword { token: "t", min_length: 8, error: Some("Wrong") },
    Page::ResetPassword { token: "t", min_length: 8, error: None },
    Page::ResetCode { email: "a@b", min_length: 8, error: Some("Wrong") },
    Page::ResetCode { email: "", min_length: 8, error: None },
    Page::ForgotPassword { email: "a@b", error: Some("Wrong"), captcha: Some(RIDDLE) },
    Page::ForgotPassword { email: "", error: None, captcha: None },
    Page::Done { title: "Done", text: "It worked." },
    Page::Problem { title: "Problem", text: "No.", next: Some(Next { path: "/a", text: "Again" }) },
    Page::Problem { title: "Problem", text: "No.", next: None },
];
