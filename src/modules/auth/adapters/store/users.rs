//! The user store.

use std::collections::HashMap;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait as _, ConnectionTrait, DbErr, EntityTrait as _, QueryFilter as _, QueryOrder as _,
    sea_query::{ExprTrait as _, OnConflict},
};
use uuid::Uuid;

use super::{
    Store, corrupt, email_tokens,
    entities::{session, user, user_role},
    outbox, roles, sessions,
};
use crate::{
    kernel::UserId,
    modules::auth::{
        application::{
            EmailProof, PasswordChange, PortError, Registered, RegistrationMails, RevokedSession, UserRepository,
        },
        domain::{
            DisplayName, Email, EmailPurpose, EmailToken, OutboxEntry, PasswordHash, REGISTRATION_INTERVAL,
            REGISTRATION_MAILS, RoleName, User, UserStatus,
        },
    },
};

#[async_trait]
impl UserRepository for Store {
    async fn register(
        &self,
        user: &User,
        verification: &EmailToken,
        mails: Option<&RegistrationMails>,
        interval: TimeDelta,
    ) -> Result<Registered, PortError> {
        let register = || async {
            let transaction = self.database.begin().await?;
            if let Some(mails) = mails
                && !outbox::has_room(&transaction, mails.verification.channel, self.outbox.most).await?
            {
                return Ok(None);
            }
            let outcome = if insert(&transaction, user).await? {
                email_tokens::insert(&transaction, verification).await?;
                Registered::Created
            } else {
                taken(&transaction, user, verification, interval).await?
            };
            if let Some(mails) = mails {
                keep_mail(&transaction, &outcome, mails).await?;
            }
            transaction.commit().await?;
            Ok(Some(outcome))
        };
        let registered = self.database.run("register_user", register).await?;
        self.written(registered)
    }

    async fn create(&self, user: &User) -> Result<bool, PortError> {
        let create = || async {
            let transaction = self.database.begin().await?;
            if !roles::hold(&transaction, &user.roles).await? {
                return Ok(None);
            }
            let created = insert(&transaction, user).await?;
            transaction.commit().await?;
            Ok(Some(created))
        };
        let created = self.database.run("create_user", create).await?;
        created.ok_or_else(|| PortError::Unavailable("a role of the user was deleted meanwhile".to_owned()))
    }

    async fn find_by_email(&self, email: &Email) -> Result<Option<User>, PortError> {
        let find = || user::Entity::find().filter(user::Column::Email.eq(email.as_str())).one(self.database.reader());
        let row = self.database.run("find_user_by_email", find).await?;
        self.with_roles(row).await
    }

    async fn find(&self, id: UserId) -> Result<Option<User>, PortError> {
        let find = || user::Entity::find_by_id(id.0).one(self.database.reader());
        let row = self.database.run("find_user", find).await?;
        self.with_roles(row).await
    }

    async fn rename(
        &self,
        id: UserId,
        display_name: Option<&str>,
        now: DateTime<Utc>,
        unless_changed_since: Option<DateTime<Utc>>,
    ) -> Result<bool, PortError> {
        let rename = || async {
            let transaction = self.database.begin().await?;
            let mut update = user::Entity::update_many()
                .col_expr(user::Column::DisplayName, display_name.map(str::to_owned).into())
                .col_expr(user::Column::UpdatedAt, now.into())
                .filter(user::Column::Id.eq(id.0))
                .filter(user::Column::Status.ne(UserStatus::Deleted.as_str()));
            if let Some(since) = unless_changed_since {
                update = update.filter(user::Column::UpdatedAt.eq(since));
            }
            let changed = update.exec(&transaction).await?.rows_affected;
            transaction.commit().await?;
            Ok(changed == 1)
        };
        Ok(self.database.run("rename_user", rename).await?)
    }

    async fn renew_hash(&self, id: UserId, old: &PasswordHash, new: &PasswordHash) -> Result<(), PortError> {
        let renew = || async {
            let transaction = self.database.begin().await?;
            user::Entity::update_many()
                .col_expr(user::Column::PasswordHash, new.as_text().into())
                .filter(user::Column::Id.eq(id.0))
                .filter(user::Column::PasswordHash.eq(old.as_text()))
                .exec(&transaction)
                .await?;
            transaction.commit().await
        };
        Ok(self.database.run("renew_password_hash", renew).await?)
    }

    async fn keep_email_token(
        &self,
        token: &EmailToken,
        mail: Option<&OutboxEntry>,
        interval: TimeDelta,
    ) -> Result<bool, PortError> {
        let keep = || async {
            let transaction = self.database.begin().await?;
            if let Some(mail) = mail
                && !outbox::has_room(&transaction, mail.channel, self.outbox.most).await?
            {
                return Ok(None);
            }
            let kept = email_tokens::keep(&transaction, token, interval, 1).await?;
            match mail {
                Some(mail) if kept => outbox::insert(&transaction, mail).await?,
                Some(mail) => outbox::rehearse(&transaction, mail).await?,
                None => {}
            }
            transaction.commit().await?;
            Ok(Some(kept))
        };
        let kept = self.database.run("keep_email_token", keep).await?;
        self.written(kept)
    }

    async fn rehearse_email_token(
        &self,
        token: &EmailToken,
        mail: &OutboxEntry,
        interval: TimeDelta,
    ) -> Result<(), PortError> {
        let rehearse = || async {
            let transaction = self.database.begin().await?;
            if !outbox::has_room(&transaction, mail.channel, self.outbox.most).await? {
                return Ok(None);
            }
            email_tokens::rehearse(&transaction, token, interval).await?;
            outbox::rehearse(&transaction, mail).await?;
            transaction.commit().await?;
            Ok(Some(()))
        };
        // The same name: a metric is no way to tell either.
        let rehearsed = self.database.run("keep_email_token", rehearse).await?;
        self.written(rehearsed)
    }

    async fn verify_email(&self, proof: &EmailProof, now: DateTime<Utc>) -> Result<Option<UserId>, PortError> {
        let verify = || async {
            let transaction = self.database.begin().await?;
            let purpose = EmailPurpose::Verification;
            let spent = email_tokens::spend(&transaction, purpose, proof, now).await?;
            let Some(token) = spent else { return Ok(None) };
            let of_user = user::Column::Id.eq(token.user_id);
            user::Entity::update_many()
                .col_expr(user::Column::EmailVerified, true.into())
                .col_expr(user::Column::UpdatedAt, now.into())
                .filter(of_user.clone())
                .exec(&transaction)
                .await?;
            let mut activate = user::Entity::update_many()
                .col_expr(user::Column::Status, UserStatus::Active.as_str().into())
                .filter(of_user)
                .filter(user::Column::Status.eq(UserStatus::Pending.as_str()));
            if let Some(password_hash) = token.password_hash {
                activate = activate
                    .col_expr(user::Column::PasswordHash, password_hash.into())
                    .col_expr(user::Column::DisplayName, token.display_name.into());
            }
            activate.exec(&transaction).await?;
            transaction.commit().await?;
            Ok(Some(UserId(token.user_id)))
        };
        Ok(self.database.run("verify_email", verify).await?)
    }

    async fn change_password(&self, change: &PasswordChange) -> Result<Option<Vec<RevokedSession>>, PortError> {
        let replace = || async {
            let transaction = self.database.begin().await?;
            let replaced = user::Entity::update_many()
                .col_expr(user::Column::PasswordHash, change.new.as_text().into())
                .col_expr(user::Column::UpdatedAt, change.at.into())
                .filter(user::Column::Id.eq(change.user.0))
                .filter(user::Column::PasswordHash.eq(change.old.as_text()))
                .exec(&transaction)
                .await?
                .rows_affected;
            if replaced == 0 {
                return Ok(None);
            }
            let others = session::Column::UserId.eq(change.user.0).and(session::Column::Id.ne(change.keep.0));
            let ended = sessions::end(&transaction, others, "password_changed", change.at, change.tokens_until).await?;
            email_tokens::void(&transaction, change.user.0, EmailPurpose::PasswordReset).await?;
            transaction.commit().await?;
            Ok(Some(ended))
        };
        Ok(self.database.run("change_password", replace).await?)
    }

    async fn reset_password(
        &self,
        proof: &EmailProof,
        new: &PasswordHash,
        now: DateTime<Utc>,
        tokens_until: DateTime<Utc>,
    ) -> Result<Option<(UserId, Vec<RevokedSession>)>, PortError> {
        let reset = || async {
            let transaction = self.database.begin().await?;
            let spent = email_tokens::spend(&transaction, EmailPurpose::PasswordReset, proof, now).await?;
            let Some(id) = spent.map(|token| token.user_id) else { return Ok(None) };
            let of_user = user::Column::Id.eq(id);
            let replaced = user::Entity::update_many()
                .col_expr(user::Column::PasswordHash, new.as_text().into())
                .col_expr(user::Column::EmailVerified, true.into())
                .col_expr(user::Column::UpdatedAt, now.into())
                .filter(of_user.clone())
                .filter(user::Column::Status.ne(UserStatus::Deleted.as_str()))
                .exec(&transaction)
                .await?
                .rows_affected;
            if replaced == 0 {
                return Ok(None);
            }
            user::Entity::update_many()
                .col_expr(user::Column::Status, UserStatus::Active.as_str().into())
                .filter(of_user)
                .filter(user::Column::Status.eq(UserStatus::Pending.as_str()))
                .exec(&transaction)
                .await?;
            let all = session::Column::UserId.eq(id);
            let ended = sessions::end(&transaction, all, "password_reset", now, tokens_until).await?;
            transaction.commit().await?;
            Ok(Some((UserId(id), ended)))
        };
        Ok(self.database.run("reset_password", reset).await?)
    }

    async fn owner_of_email_token(
        &self,
        purpose: EmailPurpose,
        proof: &EmailProof,
        now: DateTime<Utc>,
    ) -> Result<Option<UserId>, PortError> {
        let find = || email_tokens::find(self.database.reader(), purpose, proof, now);
        let found = self.database.run("find_email_token", find).await?;
        Ok(found.map(|token| UserId(token.user_id)))
    }

    async fn has_email_token(
        &self,
        purpose: EmailPurpose,
        token_hash: &str,
        now: DateTime<Utc>,
    ) -> Result<bool, PortError> {
        let find = || email_tokens::exists(self.database.reader(), purpose, token_hash, now);
        Ok(self.database.run("find_email_token", find).await?)
    }
}

impl Store {
    async fn with_roles(&self, row: Option<user::Model>) -> Result<Option<User>, PortError> {
        let Some(row) = row else { return Ok(None) };
        let find = || roles_of(self.database.reader(), [row.id].into_iter());
        let mut roles = self.database.run("find_user_roles", find).await?;
        let roles = roles.remove(&row.id).unwrap_or_default();
        user_of(row, &roles).map(Some)
    }
}

/// `false` when the address is taken.
pub(super) async fn insert(connection: &impl ConnectionTrait, user: &User) -> Result<bool, DbErr> {
    let on_conflict = OnConflict::column(user::Column::Email).do_nothing().to_owned();
    let insert = user::Entity::insert(row_of(user)).on_conflict(on_conflict);
    if insert.exec_without_returning(connection).await? == 0 {
        return Ok(false);
    }
    let roles = user
        .roles
        .iter()
        .map(|role| user_role::ActiveModel { user_id: Set(user.id.0), role: Set(role.as_str().to_owned()) });
    user_role::Entity::insert_many(roles).exec_without_returning(connection).await?;
    Ok(true)
}

/// Keeps the mail that a registration's outcome asks for.
async fn keep_mail(
    connection: &impl ConnectionTrait,
    outcome: &Registered,
    mails: &RegistrationMails,
) -> Result<(), DbErr> {
    match outcome {
        Registered::Created | Registered::Waiting { notify: true } => {
            outbox::insert(connection, &mails.verification).await
        }
        Registered::Taken { notify: true, .. } => outbox::insert(connection, &mails.taken).await,
        Registered::Waiting { notify: false } | Registered::Taken { notify: false, .. } => {
            outbox::rehearse(connection, &mails.taken).await
        }
    }
}

/// The address has an owner; the owner is noted as told, or was told a moment ago.
async fn taken(
    connection: &impl ConnectionTrait,
    user: &User,
    token: &EmailToken,
    interval: TimeDelta,
) -> Result<Registered, DbErr> {
    let find = || user::Entity::find().filter(user::Column::Email.eq(user.email.as_str())).one(connection);
    let gone = || DbErr::Custom("the address was taken and is no longer".to_owned());
    let owner = find().await?.ok_or_else(gone)?.id;
    let roles = roles_of(connection, [owner].into_iter()).await?.remove(&owner).unwrap_or_default();
    if token.registration.is_some() && roles == [RoleName::user().as_str()] {
        // The account waits: it loses its password, so that only a mailed link decides whose counts. Who verifies at the
        // same moment comes before this change or after it.
        let waiting = user::Entity::update_many()
            .col_expr(user::Column::PasswordHash, PasswordHash::none().as_text().into())
            .filter(user::Column::Id.eq(owner))
            .filter(user::Column::Status.eq(UserStatus::Pending.as_str()))
            .exec(connection)
            .await?;
        if waiting.rows_affected == 1 {
            let verification = EmailToken { user_id: UserId(owner), ..token.clone() };
            let notify =
                email_tokens::keep(connection, &verification, REGISTRATION_INTERVAL, REGISTRATION_MAILS).await?;
            if !notify {
                email_tokens::void_registrations(connection, owner).await?;
            }
            return Ok(Registered::Waiting { notify });
        }
    }
    let notice =
        EmailToken { user_id: UserId(owner), purpose: EmailPurpose::TakenNotice, registration: None, ..token.clone() };
    let notify = email_tokens::keep(connection, &notice, interval, 1).await?;
    Ok(Registered::Taken { owner: UserId(owner), notify })
}

pub(super) async fn roles_of(
    connection: &impl ConnectionTrait,
    users: impl Iterator<Item = Uuid>,
) -> Result<HashMap<Uuid, Vec<String>>, DbErr> {
    let rows = user_role::Entity::find()
        .filter(user_role::Column::UserId.is_in(users))
        .order_by_asc(user_role::Column::Role)
        .all(connection)
        .await?;
    let mut roles: HashMap<Uuid, Vec<String>> = HashMap::new();
    for row in rows {
        roles.entry(row.user_id).or_default().push(row.role);
    }
    Ok(roles)
}

fn row_of(user: &User) -> user::ActiveModel {
    user::ActiveModel {
        id: Set(user.id.0),
        email: Set(user.email.as_str().to_owned()),
        email_verified: Set(user.email_verified),
        display_name: Set(user.display_name.as_ref().map(|name| name.as_str().to_owned())),
        status: Set(user.status.as_str().to_owned()),
        password_hash: Set(user.password_hash.as_text().to_owned()),
        mfa_enabled: Set(user.mfa_enabled),
        created_at: Set(user.created_at),
        updated_at: Set(user.updated_at),
    }
}

pub(super) fn user_of(row: user::Model, roles: &[String]) -> Result<User, PortError> {
    let roles = roles.iter().map(|role| RoleName::parse(role)).collect::<Result<_, _>>();
    let display_name = row.display_name.as_deref().map(DisplayName::parse).transpose();
    Ok(User {
        id: UserId(row.id),
        email: Email::parse(&row.email).map_err(|_| corrupt("email"))?,
        email_verified: row.email_verified,
        display_name: display_name.map_err(|_| corrupt("display_name"))?,
        status: UserStatus::parse(&row.status).map_err(|_| corrupt("status"))?,
        roles: roles.map_err(|_| corrupt("role"))?,
        password_hash: PasswordHash::from_text(row.password_hash),
        mfa_enabled: row.mfa_enabled,
        created_at: row.created_at,
        updated_at: row.updated_at,
    })
}
