//! The queue between those who write mails and the transport that sends them.

use std::{sync::Mutex, time::Duration};

use tokio::{sync::mpsc, task::JoinHandle};

use super::{MailMessage, MailTransport};

/// Mails that may wait; more are dropped and told in the log.
const CAPACITY: usize = 1_000;
/// How often one mail is tried.
const TRIES: u32 = 5;

/// A bounded queue and the task that empties it.
pub struct MailQueue {
    sender: Mutex<Option<mpsc::Sender<MailMessage>>>,
    worker: Mutex<Option<JoinHandle<()>>>,
}

impl MailQueue {
    /// Starts the task on the running tokio runtime.
    pub fn start(transport: MailTransport) -> Self {
        let (sender, receiver) = mpsc::channel(CAPACITY);
        let worker = tokio::spawn(work(transport, receiver));
        Self { sender: Mutex::new(Some(sender)), worker: Mutex::new(Some(worker)) }
    }

    /// Puts a mail into the queue; never waits, never fails.
    pub fn post(&self, mail: MailMessage) {
        let sender = lock(&self.sender).clone();
        let outcome = sender.map(|sender| sender.try_send(mail));
        if !matches!(outcome, Some(Ok(()))) {
            tracing::error!(event = "mail_dropped", reason = "the mail queue is full or stopped");
            metrics::counter!("mails_total", "outcome" => "dropped").increment(1);
        }
    }

    /// Takes no more mails, and waits for those in the queue, at most `patience`.
    pub async fn stop(&self, patience: Duration) {
        drop(lock(&self.sender).take());
        let Some(mut worker) = lock(&self.worker).take() else { return };
        if tokio::time::timeout(patience, &mut worker).await.is_err() {
            worker.abort();
            tracing::warn!(event = "mail_queue_abandoned", reason = "mails were left when the process had to stop");
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

async fn work(transport: MailTransport, mut mails: mpsc::Receiver<MailMessage>) {
    while let Some(mail) = mails.recv().await {
        deliver(&transport, &mail).await;
    }
}

async fn deliver(transport: &MailTransport, mail: &MailMessage) {
    for attempt in 1..=TRIES {
        match transport.send(mail).await {
            Ok(()) => {
                tracing::info!(event = "mail_sent", transport = transport.name(), to = %mail.to, subject = %mail.subject);
                metrics::counter!("mails_total", "outcome" => "sent").increment(1);
                return;
            }
            Err(error) if attempt < TRIES => {
                tracing::debug!(event = "mail_retried", to = %mail.to, attempt, %error);
                tokio::time::sleep(Duration::from_millis(250) * 2u32.pow(attempt)).await;
            }
            Err(error) => {
                tracing::error!(event = "mail_failed", to = %mail.to, subject = %mail.subject, %error);
                metrics::counter!("mails_total", "outcome" => "failed").increment(1);
            }
        }
    }
}
