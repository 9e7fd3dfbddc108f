//! Users in memory, as administrators see and change them.

use async_trait::async_trait;

use super::MemoryStore;
use crate::{
    kernel::{Page, PageRequest},
    modules::auth::{
        application::{Administered, Changed, PortError, UserDirectory, UserFilter},
        domain::{EmailPurpose, RoleCatalog, User, UserChange, UserStatus},
    },
};

#[async_trait]
impl UserDirectory for MemoryStore {
    async fn list(&self, filter: &UserFilter, page: &PageRequest) -> Result<Page<User>, PortError> {
        let mut users = self.state().users.clone();
        users.sort_by_key(|user| user.id);
        users.retain(|user| matches(filter, user));
        let after = page.cursor.clone();
        let mut rest = users.into_iter().filter(|user| after.as_ref().is_none_or(|after| user.id.to_string() > *after));
        let items: Vec<User> = rest.by_ref().take(page.limit as usize).collect();
        let next_cursor = rest.next().and(items.last()).map(|user| user.id.to_string());
        Ok(Page { items, next_cursor })
    }

    async fn change(&self, wanted: &Administered) -> Result<Changed, PortError> {
        let mut state = self.state();
        let catalog = RoleCatalog::with_kept(state.roles.clone());
        if let UserChange::Roles(given) = &wanted.change
            && given.iter().any(|role| !catalog.0.contains_key(role))
        {
            return Ok(Changed::UnknownRole);
        }
        let is_meant = |user: &User| user.id == wanted.user && user.status != UserStatus::Deleted;
        let Some(place) = state.users.iter().position(is_meant) else { return Ok(Changed::NotFound) };
        let before = state.users[place].clone();
        if wanted.unless_changed_since.is_some_and(|read| read != before.updated_at) {
            return Ok(Changed::Stale);
        }
        let mut user = before.clone();
        wanted.change.apply(&mut user, wanted.at);
        let others = || state.users.iter().filter(|other| other.id != user.id);
        if others().any(|other| other.email == user.email) {
            return Ok(Changed::EmailTaken);
        }
        let loses_one = before.is_administrator() && !user.is_administrator();
        if wanted.keeps_an_administrator && loses_one && !others().any(User::is_administrator) {
            return Ok(Changed::LastAdministrator);
        }
        state.users[place] = user.clone();
        if wanted.change.voids_mails(&before) {
            state.tokens.retain(|token| token.user_id != user.id || token.purpose == EmailPurpose::TakenNotice);
        }
        if wanted.change.removes_factors() {
            state.remove_factors(user.id);
        }
        drop(state);
        let ends = wanted.change.ends_sessions().is_some();
        let ended = self.end(|session| ends && session.user_id == wanted.user, wanted.at, wanted.tokens_until);
        Ok(Changed::Done { user, ended })
    }
}

fn matches(filter: &UserFilter, user: &User) -> bool {
    let name = user.display_name.as_ref().map(|name| name.as_str().to_lowercase()).unwrap_or_default();
    let is_said = |text: &String| {
        let text = text.to_lowercase();
        user.email.as_str().contains(&text) || name.contains(&text)
    };
    filter.text.as_ref().is_none_or(is_said)
        && filter.status.map_or(user.status != UserStatus::Deleted, |status| user.status == status)
        && filter.role.as_ref().is_none_or(|role| user.roles.contains(role))
}
