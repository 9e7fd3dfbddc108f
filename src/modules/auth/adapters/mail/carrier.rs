//! Carries mails by the configured transport.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;

use super::{Letter, context};
use crate::{
    modules::auth::{
        application::{CarryFault, MailCarrier},
        domain::OutboxEntry,
    },
    platform::{
        mail::{MailMessage, MailTransport, SendFault},
        sealing::Sealer,
    },
};

/// The port over a transport.
pub(crate) struct TransportCarrier {
    pub(crate) transport: MailTransport,
    pub(crate) sealer: Arc<Sealer>,
    /// How long one delivery may take.
    pub(crate) timeout: Duration,
}

#[async_trait]
impl MailCarrier for TransportCarrier {
    async fn carry(&self, entry: &OutboxEntry) -> Result<(), CarryFault> {
        let mail = self.read(entry)?;
        match tokio::time::timeout(self.timeout, self.transport.send(&mail)).await {
            Ok(Ok(())) => {
                let transport = self.transport.name();
                tracing::info!(event = "mail_sent", transport, id = %mail.id, to = %mail.to, subject = %mail.subject);
                Ok(())
            }
            Ok(Err(SendFault::Passing(fault))) => Err(CarryFault::Later(fault)),
            Ok(Err(SendFault::Final(fault))) => Err(CarryFault::Never(fault)),
            Err(_) => Err(CarryFault::Later("it took too long".to_owned())),
        }
    }
}

impl TransportCarrier {
    /// A mail that does not open waits like one that cannot be sent: its master key may come back.
    fn read(&self, entry: &OutboxEntry) -> Result<MailMessage, CarryFault> {
        let text = self.sealer.open(&context(entry.id), &entry.content);
        let text = text.map_err(|fault| CarryFault::Later(fault.to_string()))?;
        let letter: Letter = serde_json::from_slice(&text).map_err(|fault| CarryFault::Never(fault.to_string()))?;
        Ok(MailMessage {
            to: entry.key.clone(),
            subject: letter.subject,
            body: letter.body,
            date: entry.created_at,
            id: entry.id,
        })
    }
}
