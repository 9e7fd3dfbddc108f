//! Counters of failed attempts in memory.

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::MemoryStore;
use crate::modules::auth::{
    application::{AttemptCounters, PortError},
    domain::{Failures, LockoutRule},
};

#[async_trait]
impl AttemptCounters for MemoryStore {
    async fn failures(&self, ids: &[String]) -> Result<Vec<Failures>, PortError> {
        let state = self.state();
        Ok(ids.iter().map(|id| state.attempts.get(id).cloned().unwrap_or_default()).collect())
    }

    async fn fail(&self, ids: &[(String, LockoutRule)], now: DateTime<Utc>) -> Result<Vec<Failures>, PortError> {
        let mut state = self.state();
        let count = |(id, rule): &(String, LockoutRule)| {
            let failures = state.attempts.entry(id.clone()).or_default();
            failures.note(*rule, now);
            failures.clone()
        };
        Ok(ids.iter().map(count).collect())
    }

    async fn forgive(&self, id: &str, now: DateTime<Utc>) -> Result<(), PortError> {
        let mut state = self.state();
        state.attempts.retain(|kept, failures| kept != id || failures.locked_until.is_some_and(|until| until > now));
        Ok(())
    }
}
