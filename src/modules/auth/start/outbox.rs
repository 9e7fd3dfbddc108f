//! The tasks that empty the outbox while the module runs.

use std::{future::pending, sync::Arc, time::Duration};

use tokio::{
    sync::watch,
    task::JoinHandle,
    time::{sleep, timeout},
};

use super::{cannot, core::Core, delta};
use crate::{
    config::MailConfig,
    kernel::{Clock, Random, StartError},
    modules::auth::{
        adapters::{
            mail::{OutboxMailer, TransportCarrier, resealed},
            store::Store,
        },
        application::{DeliverMails, Delivery, Mailer, PortError},
        domain::RetryRule,
    },
    platform::mail::MailTransport,
};

/// Between two looks for mails that another process wrote, or that are to be tried again.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Between two counts of what waits.
const COUNT_EVERY: Duration = Duration::from_secs(2);

/// What writes mails into the outbox.
pub(super) fn mailer(core: &Core, clock: &Arc<dyn Clock>, random: &Arc<dyn Random>) -> Arc<dyn Mailer> {
    let (outbox, sealer) = (core.store.clone(), core.sealer.clone());
    Arc::new(OutboxMailer { outbox, sealer, clock: clock.clone(), random: random.clone() })
}

/// Brings what waits into the form in which it would be kept today: sealed, since there is a master key, or sealed anew, since
/// there is another one. A mail that does not open waits: its key may come back.
pub(super) async fn reseal(core: &Core, random: &dyn Random) -> Result<(), StartError> {
    try_reseal(core, random).await.map_err(cannot("seal the mails that wait"))
}

async fn try_reseal(core: &Core, random: &dyn Random) -> Result<(), PortError> {
    let mut after = None;
    loop {
        let kept = core.store.outbox_contents(after).await?;
        let Some((last, _)) = kept.last() else { return Ok(()) };
        after = Some(*last);
        for (id, before) in &kept {
            match resealed(&core.sealer, *id, before, random) {
                Ok(Some(sealed)) => core.store.reseal_outbox(*id, before, &sealed).await?,
                Ok(None) => {}
                Err(fault) => tracing::warn!(event = "mail_not_opened", %id, error = %fault),
            }
        }
    }
}

/// The tasks that send what is there.
pub(super) struct Postmen {
    /// Told to end: after what is being sent.
    ending: watch::Sender<bool>,
    tasks: Vec<JoinHandle<()>>,
    counting: JoinHandle<()>,
}

impl Postmen {
    /// Starts as many as configured.
    pub(super) fn start(
        core: &Core,
        config: &MailConfig,
        transport: MailTransport,
        clock: &Arc<dyn Clock>,
        random: &Arc<dyn Random>,
    ) -> Self {
        let carrier = TransportCarrier { transport, sealer: core.sealer.clone(), timeout: config.send_timeout.get() };
        let deliver = DeliverMails {
            outbox: core.store.clone(),
            carrier: Arc::new(carrier),
            clock: clock.clone(),
            random: random.clone(),
            rule: RetryRule {
                attempts: config.attempts,
                first: delta(config.retry_after),
                longest: delta(config.retry_after_max),
            },
        };
        let (ending, heard) = watch::channel(false);
        let postman = |number: u32| {
            let postman = Postman { deliver: deliver.clone(), store: core.store.clone(), looks: number == 0 };
            tokio::spawn(postman.work(heard.clone()))
        };
        let tasks = (0..config.senders).map(postman).collect();
        Self { ending, tasks, counting: tokio::spawn(count(deliver)) }
    }

    /// Lets what is being sent be sent, at most for `patience`. What waits stays in the database.
    pub(super) async fn stop(&self, patience: Duration) {
        self.counting.abort();
        self.ending.send_replace(true);
        let all_ended = async {
            while !self.tasks.iter().all(JoinHandle::is_finished) {
                sleep(Duration::from_millis(5)).await;
            }
        };
        if timeout(patience, all_ended).await.is_err() {
            self.tasks.iter().for_each(JoinHandle::abort);
            tracing::warn!(event = "mails_interrupted", reason = "a mail was being sent when the process had to stop");
        }
    }
}

/// Sends one mail at a time.
struct Postman {
    deliver: DeliverMails,
    store: Arc<Store>,
    /// Whether it looks for mails without being called. One does; it calls the next for as long as there are more.
    looks: bool,
}

impl Postman {
    async fn work(self, mut ending: watch::Receiver<bool>) {
        let mut is_failing = false;
        while !*ending.borrow() {
            match self.deliver.next().await {
                Ok(Some(delivery)) => {
                    counted(delivery);
                    is_failing = false;
                    self.store.ring_outbox();
                    continue;
                }
                Ok(None) => is_failing = false,
                Err(error) => {
                    if !is_failing {
                        tracing::warn!(event = "outbox_not_emptied", %error);
                    }
                    is_failing = true;
                }
            }
            let next_look = async { if self.looks || is_failing { sleep(LOOK_EVERY).await } else { pending().await } };
            tokio::select! {
                () = self.store.outbox_rung(), if !is_failing => {}
                () = next_look => {}
                // Nobody is there to end it any more.
                told = ending.changed() => if told.is_err() { return },
            }
        }
    }
}

fn counted(delivery: Delivery) {
    metrics::counter!("mails_total", "outcome" => delivery.as_str()).increment(1);
}

async fn count(deliver: DeliverMails) {
    loop {
        if let Ok(waiting) = deliver.waiting().await {
            #[expect(clippy::cast_precision_loss, reason = "a bounded number of mails")]
            metrics::gauge!("outbox_pending", "outbox" => "mails").set(waiting as f64);
        }
        sleep(COUNT_EVERY).await;
    }
}
