//! Imported users, in memory.

use async_trait::async_trait;

use super::MemoryStore;
use crate::modules::auth::{
    application::{PortError, UserImportStore, UserRepository as _},
    domain::{Email, User},
};

#[async_trait]
impl UserImportStore for MemoryStore {
    async fn insert_all(&self, users: &[User]) -> Result<Vec<bool>, PortError> {
        let mut inserted = Vec::new();
        for user in users {
            inserted.push(self.create(user).await?);
        }
        Ok(inserted)
    }

    async fn taken(&self, emails: &[Email]) -> Result<Vec<Email>, PortError> {
        let state = self.state();
        Ok(emails.iter().filter(|email| state.users.iter().any(|user| user.email == **email)).cloned().collect())
    }
}
