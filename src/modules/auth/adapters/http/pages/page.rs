//! The pages and what each of them says. Fields are what its template knows by the same name.

use serde::Serialize;

use super::Widget;

/// A page. `action` is a path that its form is posted to; `hidden` are fields that travel with the form as they are;
/// `error` says what was wrong with the last try.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(untagged)]
pub(crate) enum Page<'a> {
    /// Asks for `email` and `password`.
    Login {
        action: &'a str,
        /// Who the user is on the way to, if somebody else.
        client_name: Option<&'a str>,
        /// What the address field says already.
        email: &'a str,
        error: Option<&'a str>,
        hidden: &'a [(&'a str, &'a str)],
        /// Where a login by passkey is posted to, with its `ceremony` and the device's `credential`; the page's script
        /// makes them. `None`: there are no passkeys, and no script.
        passkey: Option<&'a str>,
        /// The riddle that has to be solved too.
        captcha: Option<Widget<'a>>,
    },
    /// Asks for the `code` of the second factor, or a recovery code.
    Code { action: &'a str, error: Option<&'a str>, hidden: &'a [(&'a str, &'a str)] },
    /// Asks whether a client may; `decision` is `allow` or `deny`.
    Consent {
        action: &'a str,
        client_name: &'a str,
        scopes: &'a [ScopeLine<'a>],
        /// Whose account it is about.
        email: &'a str,
        hidden: &'a [(&'a str, &'a str)],
    },
    /// Asks for the `user_code` that a device shows.
    Device {
        action: &'a str,
        /// What the field says already.
        user_code: &'a str,
        error: Option<&'a str>,
        hidden: &'a [(&'a str, &'a str)],
    },
    /// Asks whether a device may; `decision` is `allow` or `deny`.
    DeviceConfirm {
        action: &'a str,
        client_name: &'a str,
        scopes: &'a [ScopeLine<'a>],
        /// To be compared with what the device shows.
        user_code: &'a str,
        email: &'a str,
        hidden: &'a [(&'a str, &'a str)],
    },
    /// Asks whether to log out; `decision` is `allow` or `deny`.
    ConfirmSignOut {
        action: &'a str,
        /// Who asks for it, if known.
        client_name: Option<&'a str>,
        hidden: &'a [(&'a str, &'a str)],
    },
    /// It is done: logged out.
    SignedOut {},
    /// Asks for the click that verifies an address, with the link's `token`.
    VerifyEmail { token: &'a str },
    /// Asks for `email` and the mailed `code`.
    VerifyCode { email: &'a str, error: Option<&'a str> },
    /// Asks for a `new_password`, with the link's `token`.
    ResetPassword {
        token: &'a str,
        /// The fewest characters.
        min_length: usize,
        error: Option<&'a str>,
    },
    /// Asks for `email`, the mailed `code` and a `new_password`.
    ResetCode {
        email: &'a str,
        /// The fewest characters.
        min_length: usize,
        error: Option<&'a str>,
    },
    /// Asks for the `email` that a link is mailed to.
    ForgotPassword {
        email: &'a str,
        error: Option<&'a str>,
        /// The riddle that has to be solved too.
        captcha: Option<Widget<'a>>,
    },
    /// It worked.
    Done { title: &'a str, text: &'a str },
    /// It did not, and nothing on the page can help, but `next` may.
    Problem { title: &'a str, text: &'a str, next: Option<Next<'a>> },
}

/// What a client asks for, in a line of the consent page.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct ScopeLine<'a> {
    /// `openid`.
    pub(crate) name: &'a str,
    /// In the user's words.
    pub(crate) text: &'a str,
}

/// Where to go on from a page.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct Next<'a> {
    /// A path of ours.
    pub(crate) path: &'a str,
    /// What the link says.
    pub(crate) text: &'a str,
}

impl Page<'_> {
    /// Whether our script may run on it.
    pub(super) const fn has_script(&self) -> bool {
        matches!(self, Self::Login { passkey: Some(_), .. })
    }

    /// Where its riddle comes from, if it has one.
    pub(super) const fn riddle_from(&self) -> Option<&'static str> {
        match self {
            Self::Login { captcha: Some(widget), .. } | Self::ForgotPassword { captcha: Some(widget), .. } => {
                Some(widget.sources)
            }
            _ => None,
        }
    }

    /// The file it is written by.
    pub(super) const fn template(&self) -> &'static str {
        match self {
            Self::Login { .. } => "login.html",
            Self::Code { .. } => "code.html",
            Self::Consent { .. } => "consent.html",
            Self::Device { .. } => "device.html",
            Self::DeviceConfirm { .. } => "device_confirm.html",
            Self::ConfirmSignOut { .. } => "confirm_sign_out.html",
            Self::SignedOut {} => "signed_out.html",
            Self::VerifyEmail { .. } => "verify_email.html",
            Self::VerifyCode { .. } => "verify_code.html",
            Self::ResetPassword { .. } => "reset_password.html",
            Self::ResetCode { .. } => "reset_code.html",
            Self::ForgotPassword { .. } => "forgot_password.html",
            Self::Done { .. } => "done.html",
            Self::Problem { .. } => "problem.html",
        }
    }
}
