//! Whether the database can be used now.

use std::time::Duration;

use async_trait::async_trait;

use super::Database;
use crate::platform::http::HealthProbe;

pub(super) struct DatabaseProbe(pub(super) Database);

#[async_trait]
impl HealthProbe for DatabaseProbe {
    fn name(&self) -> &'static str {
        "database"
    }

    async fn check(&self) -> Result<(), String> {
        match tokio::time::timeout(Duration::from_millis(1_500), self.0.reader.ping()).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(error.to_string()),
            Err(_) => Err("no answer within 1.5 s".to_owned()),
        }
    }
}
