//! Many users in one transaction.

use async_trait::async_trait;
use sea_orm::{ColumnTrait as _, EntityTrait as _, QueryFilter as _, QuerySelect as _};

use super::{Store, corrupt, entities::user, roles, users};
use crate::modules::auth::{
    application::{PortError, UserImportStore},
    domain::{Email, RoleName, User},
};

#[async_trait]
impl UserImportStore for Store {
    async fn insert_all(&self, users: &[User]) -> Result<Vec<bool>, PortError> {
        let wanted_roles: Vec<RoleName> = users.iter().flat_map(|user| user.roles.clone()).collect();
        let insert = || async {
            let transaction = self.database.begin().await?;
            if !roles::hold(&transaction, &wanted_roles).await? {
                return Ok(None);
            }
            let mut inserted = Vec::with_capacity(users.len());
            for user in users {
                inserted.push(users::insert(&transaction, user).await?);
            }
            transaction.commit().await?;
            Ok(Some(inserted))
        };
        let inserted = self.database.run("import_users", insert).await?;
        inserted.ok_or_else(|| PortError::Unavailable("a role of the users was deleted meanwhile".to_owned()))
    }

    async fn taken(&self, emails: &[Email]) -> Result<Vec<Email>, PortError> {
        let find = || {
            user::Entity::find()
                .select_only()
                .column(user::Column::Email)
                .filter(user::Column::Email.is_in(emails.iter().map(Email::as_str)))
                .into_tuple::<String>()
                .all(self.database.reader())
        };
        let found = self.database.run("find_taken_addresses", find).await?;
        found.iter().map(|text| Email::parse(text).map_err(|_| corrupt("email"))).collect()
    }
}
