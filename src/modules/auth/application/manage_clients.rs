//! Administration of OAuth clients, over HTTP and from the command line.

mod registration;

use std::{fmt::Write as _, sync::Arc};

use async_trait::async_trait;
use chrono::TimeDelta;

pub(crate) use registration::{ClientDraft, ClientWish, client_name};

use super::{
    Administrator, Audit, ClientKeys, ClientRepository, Failure, RevocationSink, RoleRepository, Settings, TokenSigner,
};
use crate::{
    kernel::{Clock, Page, PageRequest, Random, ids::new_uuid},
    modules::auth::{
        api::{AuthError, ClientAdministration, ClientView, CreateClient, CreatedClient},
        domain::{ADMIN_PERMISSIONS, Client, ClientProof, ClientSecret, Outcome, RoleCatalog},
    },
};

/// The longest time that a secret works on after it was replaced.
pub(crate) const LONGEST_OVERLAP: TimeDelta = TimeDelta::days(30);

/// The use cases.
#[derive(Clone)]
pub(crate) struct ManageClients {
    pub(crate) clients: Arc<dyn ClientRepository>,
    pub(crate) roles: Arc<dyn RoleRepository>,
    pub(crate) keys: Arc<dyn ClientKeys>,
    pub(crate) digests: Arc<dyn TokenSigner>,
    pub(crate) revocations: Arc<dyn RevocationSink>,
    pub(crate) audit: Audit,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) random: Arc<dyn Random>,
    pub(crate) settings: Arc<Settings>,
}

impl ManageClients {
    /// Registers a client. A secret is given here and never again.
    pub(crate) async fn create(
        &self,
        by: &Administrator,
        draft: ClientDraft,
    ) -> Result<(Client, Option<String>), Failure> {
        self.must_hold(by, draft.scopes.iter()).await?;
        let secret = (draft.proof.is_none()).then(|| self.new_secret());
        let proof = match (&secret, draft.proof) {
            (Some(secret), _) => ClientProof::Secret(self.kept(secret)),
            (None, proof) => proof.unwrap_or(ClientProof::Public),
        };
        let now = self.clock.now();
        let client = Client {
            id: new_uuid(&*self.clock, &*self.random).to_string(),
            name: draft.name,
            proof,
            redirect_uris: draft.redirect_uris,
            post_logout_redirect_uris: draft.post_logout_redirect_uris,
            grants: draft.grants,
            scopes: draft.scopes,
            requires_pushed_requests: draft.requires_pushed_requests,
            created_at: now,
            updated_at: now,
        };
        self.clients.add(&client).await?;
        self.tell(by, "client.created", &client).await;
        Ok((client, secret))
    }

    /// The client of an id.
    pub(crate) async fn show(&self, id: &str) -> Result<Client, Failure> {
        self.clients.find(id).await?.ok_or(Failure::NotFound)
    }

    /// Clients by creation, oldest first.
    pub(crate) async fn list(&self, page: &PageRequest) -> Result<Page<Client>, Failure> {
        Ok(self.clients.list(page).await?)
    }

    /// Replaces what a client is, as it was read. How it proves itself stays; a client that signs may have new keys.
    pub(crate) async fn replace(
        &self,
        by: &Administrator,
        client: &Client,
        draft: ClientDraft,
    ) -> Result<Client, Failure> {
        self.must_hold(by, draft.scopes.difference(&client.scopes)).await?;
        let changed = Client {
            name: draft.name,
            proof: match (&client.proof, draft.proof) {
                (ClientProof::PrivateKey(_), Some(proof @ ClientProof::PrivateKey(_))) => proof,
                (kept, _) => kept.clone(),
            },
            redirect_uris: draft.redirect_uris,
            post_logout_redirect_uris: draft.post_logout_redirect_uris,
            grants: draft.grants,
            scopes: draft.scopes,
            requires_pushed_requests: draft.requires_pushed_requests,
            updated_at: self.later_than(client),
            ..client.clone()
        };
        if !self.clients.replace(&changed, client.updated_at).await? {
            return Err(Failure::PreconditionFailed);
        }
        self.tell(by, "client.updated", &changed).await;
        Ok(changed)
    }

    /// Gives a client a new secret. The one before works on for a while, when asked for.
    pub(crate) async fn rotate_secret(
        &self,
        by: &Administrator,
        id: &str,
        overlap: TimeDelta,
    ) -> Result<(Client, String), Failure> {
        let client = self.show(id).await?;
        let ClientProof::Secret(old) = &client.proof else { return Err(Failure::ClientHasNoSecret) };
        // Whoever knows the secret can do what the client may.
        self.must_hold(by, client.scopes.iter()).await?;
        let secret = self.new_secret();
        let until = self.clock.now() + overlap.min(LONGEST_OVERLAP);
        let previous = (overlap > TimeDelta::zero()).then(|| (old.hash.clone(), until));
        let proof = ClientProof::Secret(ClientSecret { previous, ..self.kept(&secret) });
        let changed = Client { proof, updated_at: self.later_than(&client), ..client.clone() };
        if !self.clients.replace(&changed, client.updated_at).await? {
            return Err(Failure::PreconditionFailed);
        }
        self.tell(by, "client.secret_rotated", &changed).await;
        Ok((changed, secret))
    }

    /// Removes a client; its tokens stop working.
    pub(crate) async fn delete(&self, by: &Administrator, id: &str) -> Result<(), Failure> {
        let client = self.show(id).await?;
        let now = self.clock.now();
        let ended = self.clients.remove(id, now, now + self.settings.access_ttl).await?.ok_or(Failure::NotFound)?;
        self.revocations.revoked(&ended);
        self.tell(by, "client.deleted", &client).await;
        Ok(())
    }

    /// What a registration means; every fault of it.
    pub(crate) fn read(&self, wish: &ClientWish) -> Result<ClientDraft, Vec<crate::kernel::FieldFault>> {
        registration::read(wish, &*self.keys)
    }

    /// Nobody gives a client a permission that they do not have themselves.
    async fn must_hold(&self, by: &Administrator, scopes: impl Iterator<Item = &String> + Send) -> Result<(), Failure> {
        let catalog = self.roles.catalog().await?;
        by.must_hold(scopes.filter(|scope| is_permission(&catalog, scope)))
    }

    /// 256 random bits.
    fn new_secret(&self) -> String {
        let mut bytes = [0; 32];
        self.random.fill(&mut bytes);
        bytes.iter().fold(String::with_capacity(64), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
    }

    fn kept(&self, secret: &str) -> ClientSecret {
        ClientSecret { hash: self.digests.digest(secret), previous: None }
    }

    /// A version is told from the one before by its time, even within one tick of the clock.
    fn later_than(&self, client: &Client) -> chrono::DateTime<chrono::Utc> {
        self.clock.now().max(client.updated_at + TimeDelta::microseconds(1))
    }

    async fn tell(&self, by: &Administrator, action: &str, client: &Client) {
        tracing::info!(event = "client_administered", action, client_id = %client.id);
        let grants: Vec<&str> = client.grants.iter().map(|grant| grant.as_str()).collect();
        let scopes: Vec<&str> = client.scopes.iter().map(String::as_str).collect();
        let entry = self.audit.entry(by.actor.clone(), &by.origin, action, Outcome::Success);
        let entry = entry.target("client", &client.id).detail("name", client.name.as_str());
        entry.detail("grant_types", grants.join(" ")).detail("scope", scopes.join(" ")).write().await;
    }
}

fn is_permission(catalog: &RoleCatalog, scope: &str) -> bool {
    ADMIN_PERMISSIONS.contains(&scope) || catalog.0.values().any(|role| role.permissions.contains(scope))
}

#[async_trait]
impl ClientAdministration for ManageClients {
    async fn create_client(&self, command: CreateClient) -> Result<CreatedClient, AuthError> {
        let draft = self.read(&command.into()).map_err(Failure::Invalid)?;
        let (client, secret) = self.create(&Administrator::command_line(), draft).await?;
        Ok(CreatedClient { client: view(&client), secret: secret.map(Into::into) })
    }

    async fn list_clients(&self, page: PageRequest) -> Result<Page<ClientView>, AuthError> {
        let clients = self.list(&page).await?;
        Ok(Page { items: clients.items.iter().map(view).collect(), next_cursor: clients.next_cursor })
    }

    async fn rotate_secret(&self, id: &str, overlap: std::time::Duration) -> Result<CreatedClient, AuthError> {
        let overlap = TimeDelta::from_std(overlap).unwrap_or(LONGEST_OVERLAP);
        let by = Administrator::command_line();
        let (client, secret) = Self::rotate_secret(self, &by, id, overlap).await?;
        Ok(CreatedClient { client: view(&client), secret: Some(secret.into()) })
    }

    async fn delete_client(&self, id: &str) -> Result<(), AuthError> {
        Ok(self.delete(&Administrator::command_line(), id).await?)
    }
}

/// A client as others see it.
pub(crate) fn view(client: &Client) -> ClientView {
    let uris =
        |uris: &[crate::modules::auth::domain::RedirectUri]| uris.iter().map(|uri| uri.as_str().to_owned()).collect();
    ClientView {
        client_id: client.id.clone(),
        client_name: client.name.clone(),
        token_endpoint_auth_method: client.proof.method(),
        redirect_uris: uris(&client.redirect_uris),
        post_logout_redirect_uris: uris(&client.post_logout_redirect_uris),
        grant_types: client.grants.iter().map(|grant| grant.as_str()).collect(),
        scope: client.scopes.iter().map(String::as_str).collect::<Vec<_>>().join(" "),
        jwks: match &client.proof {
            ClientProof::PrivateKey(jwks) => serde_json::from_str(jwks).ok(),
            _ => None,
        },
        require_pushed_authorization_requests: client.requires_pushed_requests,
        created_at: client.created_at,
        updated_at: client.updated_at,
    }
}
