//! Mails leave: each is held while it is sent, so that no two instances send it at the same time, and tried again for a while
//! when it cannot be delivered. One that a process was sending when it died is sent by another.

use std::{sync::Arc, time::Duration};

use chrono::TimeDelta;
use uuid::Uuid;

use super::{CarryFault, HeldEntry, Hold, MailCarrier, Outbox, PortError};
use crate::{
    kernel::{Clock, Random, ids::new_uuid},
    modules::auth::domain::{Channel, RetryRule},
};

/// For how long a mail is held without word from its holder. Longer than clocks of instances differ.
const HELD_FOR: TimeDelta = TimeDelta::seconds(15);
/// How often a holder gives word.
const WORD_EVERY: Duration = Duration::from_secs(4);
/// How often a mail that was sent is tried to be taken away, and the wait between.
const REMOVALS: u32 = 3;
const REMOVAL_PAUSE: Duration = Duration::from_secs(1);

/// The use case.
#[derive(Clone)]
pub(crate) struct DeliverMails {
    pub(crate) outbox: Arc<dyn Outbox>,
    pub(crate) carrier: Arc<dyn MailCarrier>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) random: Arc<dyn Random>,
    pub(crate) rule: RetryRule,
}

/// What became of a mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Delivery {
    /// It is delivered.
    Sent,
    /// It will be tried again.
    Postponed,
    /// It will not.
    GivenUp,
}

impl Delivery {
    /// The name in metrics.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Sent => "sent",
            Self::Postponed => "postponed",
            Self::GivenUp => "failed",
        }
    }
}

impl DeliverMails {
    /// Delivers the next mail that is due; `None` when there is none.
    pub(crate) async fn next(&self) -> Result<Option<Delivery>, PortError> {
        let holder = new_uuid(&*self.clock, &*self.random);
        let next = self.outbox.hold(Channel::Mail, &self.hold(holder)).await?;
        let Some(held) = next else { return Ok(None) };
        let carried = self.carry(&held, holder).await;
        self.settle(&held, holder, carried).await.map(Some)
    }

    /// How many mails wait.
    pub(crate) async fn waiting(&self) -> Result<u64, PortError> {
        self.outbox.waiting(Channel::Mail).await
    }

    /// Sends it, and meanwhile says again and again that it is held.
    async fn carry(&self, held: &HeldEntry, holder: Uuid) -> Result<(), CarryFault> {
        let mut carrying = self.carrier.carry(&held.entry);
        loop {
            tokio::select! {
                outcome = &mut carrying => return outcome,
                () = tokio::time::sleep(WORD_EVERY) => {
                    if let Err(error) = self.outbox.keep_hold(held.entry.id, &self.hold(holder)).await {
                        tracing::warn!(event = "mail_hold_not_kept", id = %held.entry.id, %error);
                    }
                }
            }
        }
    }

    async fn settle(
        &self,
        held: &HeldEntry,
        holder: Uuid,
        carried: Result<(), CarryFault>,
    ) -> Result<Delivery, PortError> {
        let (entry, attempt) = (&held.entry, held.attempts);
        let (fault, wait) = match carried {
            Ok(()) => {
                self.remove(entry.id).await?;
                return Ok(Delivery::Sent);
            }
            Err(CarryFault::Later(fault)) => (fault, self.rule.wait_after(attempt)),
            Err(CarryFault::Never(fault)) => (fault, None),
        };
        let Some(wait) = wait else {
            tracing::error!(event = "mail_given_up", id = %entry.id, to = %entry.key, attempt, error = %fault);
            self.remove(entry.id).await?;
            return Ok(Delivery::GivenUp);
        };
        tracing::info!(event = "mail_postponed", id = %entry.id, to = %entry.key, attempt, error = %fault);
        self.outbox.postpone(entry.id, holder, self.clock.now() + wait).await?;
        Ok(Delivery::Postponed)
    }

    /// What was sent and stays is sent again: worth more than one try.
    async fn remove(&self, id: Uuid) -> Result<(), PortError> {
        for _ in 1..REMOVALS {
            if self.outbox.remove(id).await.is_ok() {
                return Ok(());
            }
            tokio::time::sleep(REMOVAL_PAUSE).await;
        }
        self.outbox.remove(id).await
    }

    fn hold(&self, holder: Uuid) -> Hold {
        let now = self.clock.now();
        Hold { holder, now, until: now + HELD_FOR }
    }
}
