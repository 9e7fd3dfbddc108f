//! Writes the module's mails: plain text, a link and a code, no more.

mod notices;

use std::sync::Arc;

use crate::{
    kernel::{Clock, Random, ids::new_uuid},
    modules::auth::application::{FactorNotice, Mail, Mailer},
    platform::mail::{MailMessage, MailQueue},
};

/// Mails over the queue.
pub(crate) struct QueuedMailer {
    pub(crate) queue: Arc<MailQueue>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) random: Arc<dyn Random>,
}

impl Mailer for QueuedMailer {
    fn post(&self, mail: Mail) {
        let (to, subject, body) = write(mail);
        let id = new_uuid(&*self.clock, &*self.random);
        self.queue.post(MailMessage { to, subject: subject.to_owned(), body, date: self.clock.now(), id });
    }
}

/// For a process that sends no mails: what would have been told is in its log.
pub(crate) struct Unsent;

impl Mailer for Unsent {
    fn post(&self, mail: Mail) {
        let (_, subject, _) = write(mail);
        tracing::warn!(event = "mail_not_sent", subject, reason = "the command line sends no mails");
    }
}

fn write(mail: Mail) -> (String, &'static str, String) {
    match mail {
        Mail::Verification { to, link, code } => {
            let body = format!(
                "Hello,\n\nplease verify your e-mail address by following this link:\n\n{link}\n\n\
                 Or type this code: {code}\n\nLink and code work for 24 hours. Whoever asked for this mail\n\
                 chose the account's password: if it was not you, ignore it, and nothing happens.\n"
            );
            (to.to_string(), "Verify your e-mail address", body)
        }
        Mail::PasswordReset { to, link, code } => {
            let body = format!(
                "Hello,\n\nsomebody, perhaps you, asked for a new password. Follow this link to choose one:\n\n{link}\n\n\
                 Or type this code: {code}\n\n\
                 Link or code work for one hour, once. If you did not ask for this, ignore this mail;\nyour password \
                 stays as it is.\n"
            );
            (to.to_string(), "Choose a new password", body)
        }
        Mail::SecondFactor { to, notice } => {
            let (subject, what) = of_factor(notice);
            let body = format!(
                "Hello,\n\n{what}\n\nIf it was you, you need not do anything. If it was not, somebody knows your\n\
                 password: choose another one now, and log out everywhere.\n"
            );
            (to.to_string(), subject, body)
        }
        Mail::Changed { to, notice } => {
            let (subject, body) = notices::write(&notice);
            (to.to_string(), subject, body)
        }
        Mail::AddressTaken { to } => {
            let body = "Hello,\n\nsomebody, perhaps you, tried to register an account with this address.\n\
                        There is one already, and it was not changed.\n\nIf it was you, log in with your password. \
                        If it was not,\nyou need not do anything.\n"
                .to_owned();
            (to.to_string(), "You already have an account", body)
        }
    }
}

fn of_factor(notice: FactorNotice) -> (&'static str, String) {
    match notice {
        FactorNotice::TurnedOn => (
            "A second factor is on",
            "a second factor was put on your account: from now on a login wants a code too.".to_owned(),
        ),
        FactorNotice::TurnedOff => (
            "The second factor is off",
            "the second factor was taken off your account: from now on a login wants the password\nalone.".to_owned(),
        ),
        FactorNotice::RecoveryCodeUsed(left) => (
            "A recovery code was used",
            format!("one of your recovery codes was used. You have {left} left; when they run out,\nask for new ones."),
        ),
        FactorNotice::Guessed => (
            "Wrong codes at your account",
            "somebody tried several wrong codes at your account, each with the right password.\nNone was looked at \
             after that, and none will be for a while."
                .to_owned(),
        ),
    }
}

#[cfg(test)]
mod tests;
