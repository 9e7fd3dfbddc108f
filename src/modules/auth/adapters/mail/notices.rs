//! The mails about changed credentials: what happened, and what to do about it.

use crate::modules::auth::application::Notice;

/// A notice's subject and text.
pub(super) fn write(notice: &Notice) -> (&'static str, String) {
    let (subject, what, otherwise) = said(notice);
    let body =
        format!("Hello,\n\n{what}\n\nIf you know about it, you need not do anything. If you do not, {otherwise}\n");
    (subject, body)
}

/// What somebody should do who did not do it.
const CHOOSE_ANOTHER: &str =
    "somebody has\ngot into your account: choose another password now, and log out everywhere.";
const ASK: &str = "ask whoever\nadministers this service.";

fn said(notice: &Notice) -> (&'static str, String, &'static str) {
    match notice {
        Notice::PasswordChanged => (
            "Your password was changed",
            "the password of your account was changed, and its other sessions were ended.".to_owned(),
            "somebody knew\nyour password: choose another one now, by \"Forgot your password?\" on the login page.",
        ),
        Notice::PasswordReset => (
            "Your password was reset",
            "a new password was chosen for your account, by a mail to this address. Every\nsession was ended."
                .to_owned(),
            "somebody reads\nyour mail: protect your mailbox first, then choose another password here.",
        ),
        Notice::PasswordSet => (
            "Your password was set",
            "an administrator set a new password for your account. Every session was ended.".to_owned(),
            ASK,
        ),
        Notice::AddressChanged(to) => (
            "The address of your account was changed",
            format!("an administrator changed the e-mail address of your account. It is now:\n\n{to}"),
            ASK,
        ),
        Notice::FactorsRemoved => (
            "Your second factor was removed",
            "an administrator took the second factor and the passkeys off your account, and\nended its sessions: from \
             now on a login wants the password alone. Please set up a\nsecond factor again."
                .to_owned(),
            ASK,
        ),
        Notice::PasskeyAdded(name) => (
            "A passkey was added",
            format!("a passkey was added to your account: \"{name}\". Who holds it can log in with it."),
            CHOOSE_ANOTHER,
        ),
        Notice::PasskeyRemoved(name) => (
            "A passkey was removed",
            format!("a passkey was removed from your account: \"{name}\". It no longer opens anything."),
            CHOOSE_ANOTHER,
        ),
        Notice::PasskeyCloned(name) => (
            "A copy of your passkey was refused",
            format!(
                "somebody tried to log in with what seems to be a copy of your passkey \"{name}\".\nIt was refused."
            ),
            "remove\nthat passkey from your account, and make another one.",
        ),
        Notice::ApiKeyCreated(name) => (
            "An API key was made",
            format!("an API key was made for your account: \"{name}\". Programs that have it act in\nyour name."),
            CHOOSE_ANOTHER,
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::modules::auth::domain::Email;

    #[test]
    fn every_notice_says_what_happened_and_what_to_do() {
        let name = || "desk\u{301}".to_owned();
        for notice in [
            Notice::PasswordChanged,
            Notice::PasswordReset,
            Notice::PasswordSet,
            Notice::AddressChanged(Email::parse("ada@example.com").unwrap()),
            Notice::FactorsRemoved,
            Notice::PasskeyAdded(name()),
            Notice::PasskeyRemoved(name()),
            Notice::PasskeyCloned(name()),
            Notice::ApiKeyCreated(name()),
        ] {
            let (subject, body) = write(&notice);
            assert!(subject.is_ascii() && !subject.contains('\n'), "{subject}");
            assert!(
                body.starts_with("Hello,\n\n") && body.contains("If you do not, ") && body.ends_with(".\n"),
                "{body}"
            );
            assert!(body.lines().all(|line| line.chars().count() < 120), "{body}");
        }
    }
}
