//! Writes the module's mails, plain text with a link and a code and no more, and carries them from the outbox to where they
//! are read.

mod carrier;
mod notices;

use std::sync::Arc;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    kernel::{Clock, Random, ids::new_uuid},
    modules::auth::{
        application::{FactorNotice, Mail, Mailer, Outbox},
        domain::{Channel, OutboxEntry},
    },
    platform::sealing::{SealFault, Sealer},
};

pub(crate) use carrier::TransportCarrier;

/// Mails by way of the outbox. They hold links and codes, so they are sealed there where there is a master key.
pub(crate) struct OutboxMailer {
    pub(crate) outbox: Arc<dyn Outbox>,
    pub(crate) sealer: Arc<Sealer>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) random: Arc<dyn Random>,
}

/// What is kept of a mail besides whom it is to.
#[derive(Serialize, Deserialize)]
struct Letter {
    subject: String,
    body: String,
}

/// What a mail is sealed for.
fn context(id: Uuid) -> String {
    format!("mail:{id}")
}

/// Brings what is kept of a mail into the form in which it would be kept today; `None` when it is.
pub(crate) fn resealed(
    sealer: &Sealer,
    id: Uuid,
    kept: &[u8],
    random: &dyn Random,
) -> Result<Option<Vec<u8>>, SealFault> {
    if sealer.is_current(kept) {
        return Ok(None);
    }
    let text = sealer.open(&context(id), kept)?;
    Ok(Some(sealer.seal(&context(id), &text, random)))
}

#[async_trait]
impl Mailer for OutboxMailer {
    fn write(&self, mail: &Mail) -> OutboxEntry {
        let (to, subject, body) = write(mail);
        let id = new_uuid(&*self.clock, &*self.random);
        let letter = Letter { subject: subject.to_owned(), body };
        let text = zeroize::Zeroizing::new(serde_json::to_vec(&letter).expect("texts are always JSON"));
        OutboxEntry {
            id,
            channel: Channel::Mail,
            key: to,
            content: self.sealer.seal(&context(id), &text, &*self.random),
            created_at: self.clock.now(),
        }
    }

    async fn post(&self, mail: Mail) {
        let entry = self.write(&mail);
        if let Err(error) = self.outbox.put(&entry).await {
            tracing::error!(event = "mail_dropped", to = %entry.key, %error);
            metrics::counter!("mails_total", "outcome" => "dropped").increment(1);
        }
    }
}

fn write(mail: &Mail) -> (String, &'static str, String) {
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
            let page = link.split('?').next().unwrap_or_default();
            let body = format!(
                "Hello,\n\nsomebody, perhaps you, asked for a new password. Follow this link to choose one:\n\n{link}\n\n\
                 Or type this code: {code}\n\nat {page}\n\n\
                 Link or code work for one hour, once. If you did not ask for this, ignore this mail;\nyour password \
                 stays as it is.\n"
            );
            (to.to_string(), "Choose a new password", body)
        }
        Mail::SecondFactor { to, notice } => {
            let (subject, what) = of_factor(*notice);
            let body = format!(
                "Hello,\n\n{what}\n\nIf it was you, you need not do anything. If it was not, somebody knows your\n\
                 password: choose another one now, and log out everywhere.\n"
            );
            (to.to_string(), subject, body)
        }
        Mail::Changed { to, notice } => {
            let (subject, body) = notices::write(notice);
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
