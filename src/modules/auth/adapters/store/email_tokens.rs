//! Mailed tokens, within the transactions of the user store.

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::{
    ActiveValue::Set, ColumnTrait as _, ConnectionTrait, DbErr, EntityTrait as _, PaginatorTrait as _,
    QueryFilter as _, sea_query::ExprTrait as _,
};
use uuid::Uuid;

use super::entities::{email_token, user};
use crate::modules::auth::{
    application::EmailProof,
    domain::{EmailPurpose, EmailToken, PasswordHash},
};

pub(super) async fn insert(connection: &impl ConnectionTrait, token: &EmailToken) -> Result<(), DbErr> {
    let registration = token.registration.as_ref();
    let row = email_token::ActiveModel {
        id: Set(token.id),
        user_id: Set(token.user_id.0),
        purpose: Set(token.purpose.as_str().to_owned()),
        token_hash: Set(token.token_hash.clone()),
        code_hash: Set(token.code_hash.clone()),
        created_at: Set(token.created_at),
        expires_at: Set(token.expires_at),
        password_hash: Set(registration.map(|said| said.password_hash.as_text().to_owned())),
        display_name: Set(registration.and_then(|said| said.display_name.as_ref().map(|name| name.as_str().to_owned()))),
    };
    email_token::Entity::insert(row).exec_without_returning(connection).await.map(drop)
}

/// Keeps the token unless `most` of its user and purpose were kept within `interval`.
pub(super) async fn keep(
    connection: &impl ConnectionTrait,
    token: &EmailToken,
    interval: TimeDelta,
    most: u64,
) -> Result<bool, DbErr> {
    if recent(connection, token, interval).await? >= most {
        return Ok(false);
    }
    forget_expired(connection, token).await?;
    insert(connection, token).await?;
    Ok(true)
}

/// The work of [`keep`] for a user who is not there.
pub(super) async fn rehearse(
    connection: &impl ConnectionTrait,
    token: &EmailToken,
    interval: TimeDelta,
) -> Result<(), DbErr> {
    recent(connection, token, interval).await?;
    forget_expired(connection, token).await
}

/// How many tokens of this user and purpose were kept within the interval.
async fn recent(connection: &impl ConnectionTrait, token: &EmailToken, interval: TimeDelta) -> Result<u64, DbErr> {
    // Whoever else would keep a token for this user waits here, so that two do not both find none. The row is written
    // with what it holds.
    user::Entity::update_many()
        .col_expr(user::Column::Status, sea_orm::sea_query::Expr::col(user::Column::Status))
        .filter(user::Column::Id.eq(token.user_id.0))
        .exec(connection)
        .await?;
    email_token::Entity::find()
        .filter(alike(token))
        .filter(email_token::Column::CreatedAt.gt(token.created_at - interval))
        .count(connection)
        .await
}

async fn forget_expired(connection: &impl ConnectionTrait, token: &EmailToken) -> Result<(), DbErr> {
    email_token::Entity::delete_many()
        .filter(alike(token))
        .filter(email_token::Column::ExpiresAt.lte(token.created_at))
        .exec(connection)
        .await
        .map(drop)
}

/// Tokens of the same user and purpose.
fn alike(token: &EmailToken) -> sea_orm::Condition {
    sea_orm::Condition::all()
        .add(email_token::Column::UserId.eq(token.user_id.0))
        .add(email_token::Column::Purpose.eq(token.purpose.as_str()))
}

/// Spends the token that a proof names, and every other of its user and purpose. The deletion decides who of several wins.
pub(super) async fn spend(
    connection: &impl ConnectionTrait,
    purpose: EmailPurpose,
    proof: &EmailProof,
    now: DateTime<Utc>,
) -> Result<Option<email_token::Model>, DbErr> {
    let Some(token) = find(connection, purpose, proof, now).await? else { return Ok(None) };
    let spent = email_token::Entity::delete_by_id(token.id).exec(connection).await?.rows_affected;
    if spent == 0 {
        return Ok(None);
    }
    email_token::Entity::delete_many()
        .filter(email_token::Column::UserId.eq(token.user_id))
        .filter(email_token::Column::Purpose.eq(purpose.as_str()))
        .exec(connection)
        .await?;
    Ok(Some(token))
}

/// The unexpired token of a purpose that a proof names.
pub(super) async fn find(
    connection: &impl ConnectionTrait,
    purpose: EmailPurpose,
    proof: &EmailProof,
    now: DateTime<Utc>,
) -> Result<Option<email_token::Model>, DbErr> {
    let named = match proof {
        EmailProof::Link(hash) => email_token::Column::TokenHash.eq(hash.as_str()),
        EmailProof::Code(user, hash) => {
            email_token::Column::UserId.eq(user.0).and(email_token::Column::CodeHash.eq(hash.as_str()))
        }
    };
    let purpose = email_token::Column::Purpose.eq(purpose.as_str());
    let alive = named.and(purpose).and(email_token::Column::ExpiresAt.gt(now));
    email_token::Entity::find().filter(alive).one(connection).await
}

pub(super) async fn exists(
    connection: &impl ConnectionTrait,
    purpose: EmailPurpose,
    token_hash: &str,
    now: DateTime<Utc>,
) -> Result<bool, DbErr> {
    let found = email_token::Entity::find()
        .filter(email_token::Column::TokenHash.eq(token_hash))
        .filter(email_token::Column::Purpose.eq(purpose.as_str()))
        .filter(email_token::Column::ExpiresAt.gt(now))
        .count(connection)
        .await?;
    Ok(found > 0)
}

/// Takes the passwords from a user's verification tokens: they verify the address and no more.
pub(super) async fn void_registrations(connection: &impl ConnectionTrait, user: Uuid) -> Result<(), DbErr> {
    let void = PasswordHash::none().as_text().to_owned();
    email_token::Entity::update_many()
        .col_expr(email_token::Column::PasswordHash, void.into())
        .filter(email_token::Column::UserId.eq(user))
        .filter(email_token::Column::Purpose.eq(EmailPurpose::Verification.as_str()))
        .exec(connection)
        .await
        .map(drop)
}

/// Takes every token of a user and purpose away.
pub(super) async fn void(connection: &impl ConnectionTrait, user: Uuid, purpose: EmailPurpose) -> Result<(), DbErr> {
    email_token::Entity::delete_many()
        .filter(email_token::Column::UserId.eq(user))
        .filter(email_token::Column::Purpose.eq(purpose.as_str()))
        .exec(connection)
        .await
        .map(drop)
}
