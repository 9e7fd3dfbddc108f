//! OAuth clients and their own grants, in memory.

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::MemoryStore;
use crate::{
    kernel::{Page, PageRequest, SessionId},
    modules::auth::{
        application::{ClientGrantRepository, ClientRepository, PortError, RevokedSession},
        domain::{Client, ClientGrant},
    },
};

#[async_trait]
impl ClientRepository for MemoryStore {
    async fn add(&self, client: &Client) -> Result<(), PortError> {
        self.state().clients.push(client.clone());
        Ok(())
    }

    async fn find(&self, id: &str) -> Result<Option<Client>, PortError> {
        Ok(self.state().clients.iter().find(|client| client.id == id).cloned())
    }

    async fn list(&self, page: &PageRequest) -> Result<Page<Client>, PortError> {
        let mut clients = self.state().clients.clone();
        clients.sort_by(|one, other| one.id.cmp(&other.id));
        let mut rest = clients.into_iter().filter(|client| page.cursor.as_ref().is_none_or(|after| client.id > *after));
        let items: Vec<Client> = rest.by_ref().take(page.limit as usize).collect();
        let next_cursor = rest.next().and(items.last()).map(|client| client.id.clone());
        Ok(Page { items, next_cursor })
    }

    async fn replace(&self, client: &Client, unless_changed_since: DateTime<Utc>) -> Result<bool, PortError> {
        let mut state = self.state();
        let is_meant = |kept: &&mut Client| kept.id == client.id && kept.updated_at == unless_changed_since;
        let Some(kept) = state.clients.iter_mut().find(is_meant) else { return Ok(false) };
        *kept = client.clone();
        Ok(true)
    }

    async fn remove(
        &self,
        id: &str,
        now: DateTime<Utc>,
        tokens_until: DateTime<Utc>,
    ) -> Result<Option<Vec<RevokedSession>>, PortError> {
        let mut state = self.state();
        let before = state.clients.len();
        state.clients.retain(|client| client.id != id);
        if state.clients.len() == before {
            return Ok(None);
        }
        let is_alive =
            |grant: &&mut ClientGrant| grant.client_id == id && grant.revoked_at.is_none() && grant.expires_at > now;
        let mut ended = Vec::new();
        for grant in state.client_grants.iter_mut().filter(is_alive) {
            grant.revoked_at = Some(now);
            ended.push((grant.id, grant.expires_at));
        }
        drop(state);
        ended.extend(self.end(|session| session.client_id == id, now, tokens_until));
        Ok(Some(ended))
    }

    async fn spend_assertion(&self, _: &str, digest: &str, _: DateTime<Utc>) -> Result<bool, PortError> {
        let mut state = self.state();
        let is_new = state.assertions.iter().all(|spent| spent != digest);
        if is_new {
            state.assertions.push(digest.to_owned());
        }
        Ok(is_new)
    }
}

#[async_trait]
impl ClientGrantRepository for MemoryStore {
    async fn insert_grant(&self, grant: &ClientGrant) -> Result<bool, PortError> {
        let mut state = self.state();
        let has_client = state.clients.iter().any(|client| client.id == grant.client_id);
        if has_client {
            state.client_grants.push(grant.clone());
        }
        Ok(has_client)
    }

    async fn find_grant(&self, id: SessionId) -> Result<Option<ClientGrant>, PortError> {
        Ok(self.state().client_grants.iter().find(|grant| grant.id == id).cloned())
    }

    async fn revoke_grant(&self, id: SessionId, now: DateTime<Utc>) -> Result<Option<RevokedSession>, PortError> {
        let mut state = self.state();
        let is_meant = |grant: &&mut ClientGrant| grant.id == id && grant.revoked_at.is_none();
        let Some(grant) = state.client_grants.iter_mut().find(is_meant) else { return Ok(None) };
        grant.revoked_at = Some(now);
        Ok(Some((grant.id, grant.expires_at)))
    }
}
