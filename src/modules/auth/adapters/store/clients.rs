//! OAuth clients.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait as _, EntityTrait as _, QueryFilter as _, QueryOrder as _, QuerySelect as _,
    sea_query::{Expr, OnConflict},
};

use super::{
    Store,
    consents::forget_client,
    corrupt,
    entities::{
        client_assertion, client_grant,
        oauth_client::{ActiveModel, Column, Entity, Model},
        session,
    },
    page, sessions,
};
use crate::{
    kernel::{Page, PageRequest, SessionId},
    modules::auth::{
        application::{ClientRepository, PortError, RevokedSession},
        domain::{Client, ClientProof, ClientSecret, GrantType, RedirectUri},
    },
};

#[async_trait]
impl ClientRepository for Store {
    async fn add(&self, client: &Client) -> Result<(), PortError> {
        let add = || async {
            let transaction = self.database.begin().await?;
            Entity::insert(row_of(client)).exec_without_returning(&transaction).await?;
            transaction.commit().await
        };
        Ok(self.database.run("add_client", add).await?)
    }

    async fn find(&self, id: &str) -> Result<Option<Client>, PortError> {
        if !may_be_id(id) {
            return Ok(None);
        }
        let find = || Entity::find_by_id(id).one(self.database.reader());
        self.database.run("find_client", find).await?.map(client_of).transpose()
    }

    async fn list(&self, page: &PageRequest) -> Result<Page<Client>, PortError> {
        let limit = page.limit.clamp(1, PageRequest::MAX);
        let find = || {
            let mut query = Entity::find().order_by_asc(Column::Id).limit(u64::from(limit) + 1);
            if let Some(after) = &page.cursor {
                query = query.filter(Column::Id.gt(after));
            }
            query.all(self.database.reader())
        };
        let rows = self.database.run("list_clients", find).await?;
        page::cut(rows, limit, |row| row.id.clone(), client_of)
    }

    async fn replace(&self, client: &Client, unless_changed_since: DateTime<Utc>) -> Result<bool, PortError> {
        let replace = || async {
            let transaction = self.database.begin().await?;
            let changed = Entity::update_many()
                .set(row_of(client))
                .filter(Column::Id.eq(&client.id))
                .filter(Column::UpdatedAt.eq(unless_changed_since))
                .exec(&transaction)
                .await?
                .rows_affected;
            transaction.commit().await?;
            Ok(changed == 1)
        };
        Ok(self.database.run("replace_client", replace).await?)
    }

    async fn remove(
        &self,
        id: &str,
        now: DateTime<Utc>,
        tokens_until: DateTime<Utc>,
    ) -> Result<Option<Vec<RevokedSession>>, PortError> {
        if !may_be_id(id) {
            return Ok(None);
        }
        let remove = || async {
            let transaction = self.database.begin().await?;
            // The client first: whoever begins something for it waits for its row, or was before.
            if Entity::delete_by_id(id).exec(&transaction).await?.rows_affected == 0 {
                return Ok(None);
            }
            let which = session::Column::ClientId.eq(id);
            let mut ended = sessions::end(&transaction, which, "client_removed", now, tokens_until).await?;
            let grants = client_grant::Entity::update_many()
                .col_expr(client_grant::Column::RevokedAt, Expr::value(now))
                .filter(client_grant::Column::ClientId.eq(id))
                .filter(client_grant::Column::RevokedAt.is_null())
                .filter(client_grant::Column::ExpiresAt.gt(now))
                .exec_with_returning(&transaction)
                .await?;
            ended.extend(grants.into_iter().map(|grant| (SessionId(grant.id), grant.expires_at)));
            forget_client(&transaction, id).await?;
            transaction.commit().await?;
            Ok(Some(ended))
        };
        Ok(self.database.run("remove_client", remove).await?)
    }

    async fn spend_assertion(
        &self,
        client_id: &str,
        digest: &str,
        expires_at: DateTime<Utc>,
    ) -> Result<bool, PortError> {
        let spend = || async {
            let transaction = self.database.begin().await?;
            let row = client_assertion::ActiveModel {
                digest: Set(digest.to_owned()),
                client_id: Set(client_id.to_owned()),
                expires_at: Set(expires_at),
            };
            let is_taken = OnConflict::column(client_assertion::Column::Digest).do_nothing().to_owned();
            let kept = client_assertion::Entity::insert(row)
                .on_conflict(is_taken)
                .exec_without_returning(&transaction)
                .await?;
            transaction.commit().await?;
            Ok(kept == 1)
        };
        Ok(self.database.run("spend_assertion", spend).await?)
    }
}

/// Strangers' texts are no ids; PostgreSQL would take offence at a NUL.
fn may_be_id(text: &str) -> bool {
    text.len() <= 64 && text.bytes().all(|byte| byte.is_ascii_graphic())
}

fn row_of(client: &Client) -> ActiveModel {
    let (secret, jwks) = match &client.proof {
        ClientProof::Public => (None, None),
        ClientProof::Secret(secret) => (Some(secret), None),
        ClientProof::PrivateKey(jwks) => (None, Some(jwks.clone())),
    };
    let (previous_hash, previous_until) = secret.and_then(|secret| secret.previous.clone()).unzip();
    let texts = |uris: &[RedirectUri]| {
        serde_json::Value::from(uris.iter().map(RedirectUri::as_str).collect::<Vec<_>>()).to_string()
    };
    let grants: Vec<_> = client.grants.iter().map(|grant| grant.as_str()).collect();
    let scopes: Vec<_> = client.scopes.iter().map(String::as_str).collect();
    ActiveModel {
        id: Set(client.id.clone()),
        name: Set(client.name.clone()),
        auth_method: Set(client.proof.method().to_owned()),
        secret_hash: Set(secret.map(|secret| secret.hash.clone())),
        previous_secret_hash: Set(previous_hash),
        previous_secret_until: Set(previous_until),
        jwks: Set(jwks),
        redirect_uris: Set(texts(&client.redirect_uris)),
        post_logout_redirect_uris: Set(texts(&client.post_logout_redirect_uris)),
        grants: Set(grants.join(" ")),
        scopes: Set(scopes.join(" ")),
        require_pushed_requests: Set(client.requires_pushed_requests),
        created_at: Set(client.created_at),
        updated_at: Set(client.updated_at),
    }
}

fn client_of(row: Model) -> Result<Client, PortError> {
    let proof = match (row.secret_hash, row.jwks) {
        (Some(hash), None) => {
            let previous = row.previous_secret_hash.zip(row.previous_secret_until);
            ClientProof::Secret(ClientSecret { hash, previous })
        }
        (None, Some(jwks)) => ClientProof::PrivateKey(jwks),
        (None, None) if row.auth_method == ClientProof::Public.method() => ClientProof::Public,
        _ => return Err(corrupt("auth_method")),
    };
    let uris = |text: &str| {
        let texts: Vec<String> = serde_json::from_str(text).map_err(|_| corrupt("redirect_uris"))?;
        texts
            .iter()
            .map(|uri| RedirectUri::parse(uri).map_err(|_| corrupt("redirect_uris")))
            .collect::<Result<Vec<_>, _>>()
    };
    let grants = row.grants.split_ascii_whitespace().map(GrantType::parse).collect::<Result<_, _>>();
    Ok(Client {
        id: row.id,
        name: row.name,
        proof,
        redirect_uris: uris(&row.redirect_uris)?,
        post_logout_redirect_uris: uris(&row.post_logout_redirect_uris)?,
        grants: grants.map_err(|_| corrupt("grants"))?,
        scopes: row.scopes.split_ascii_whitespace().map(str::to_owned).collect(),
        requires_pushed_requests: row.require_pushed_requests,
        created_at: row.created_at,
        updated_at: row.updated_at,
    })
}
