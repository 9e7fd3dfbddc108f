//! Every promise of [`RoleRepository`].

use std::sync::Arc;

use futures_util::future::join_all;

use super::{at, user};
use crate::modules::auth::{
    application::{PortError, RemovedRole, RoleRepository, SavedRole, UserRepository},
    domain::{RemovalRefusal, Role, RoleCatalog, RoleFault, RoleName, User},
};

fn name(text: &str) -> RoleName {
    RoleName::parse(text).unwrap()
}

fn role(permissions: &[&str], inherits: &[&str]) -> Role {
    Role {
        permissions: permissions.iter().map(ToString::to_string).collect(),
        inherits: inherits.iter().map(|parent| name(parent)).collect(),
    }
}

pub(in super::super) async fn roles<S: RoleRepository + UserRepository + 'static>(store: Arc<S>) {
    assert_eq!(store.catalog().await, Ok(RoleCatalog::built_in()));
    let editor = role(&["texts:read", "texts:write"], &["user"]);
    assert_eq!(store.save(&name("editor"), &editor, None, at(0)).await, Ok(SavedRole::Created));
    assert_eq!(store.catalog().await.unwrap().0.get(&name("editor")), Some(&editor));
    let less = role(&["texts:read"], &[]);
    assert_eq!(store.save(&name("editor"), &less, Some(&less), at(1)).await, Ok(SavedRole::Stale));
    assert_eq!(store.save(&name("editor"), &less, Some(&editor), at(1)).await, Ok(SavedRole::Replaced));
    assert_eq!(store.save(&name("chief"), &role(&[], &["editor"]), None, at(2)).await, Ok(SavedRole::Created));
    let refused = store.save(&name("editor"), &role(&[], &["chief", "none"]), None, at(3)).await.unwrap();
    let faults = vec![RoleFault::Circle(name("chief")), RoleFault::UnknownRole(name("none"))];
    assert_eq!(refused, SavedRole::Refused(faults));
    assert_eq!(store.catalog().await.unwrap().0.get(&name("editor")), Some(&less), "nothing changed");

    let remove = async |text: &str| store.remove(&name(text), None).await.unwrap();
    assert_eq!(remove("editor").await, RemovedRole::Refused(RemovalRefusal::Inherited(name("chief"))));
    assert_eq!(remove("admin").await, RemovedRole::Refused(RemovalRefusal::BuiltIn));
    assert_eq!(remove("none").await, RemovedRole::Refused(RemovalRefusal::NotFound));
    assert_eq!(store.remove(&name("chief"), Some(&editor)).await, Ok(RemovedRole::Stale));
    let ida = User { roles: vec![name("chief")], ..user("ida@example.com") };
    assert_eq!(store.create(&ida).await, Ok(true));
    assert_eq!(remove("chief").await, RemovedRole::Held);
    let lost = User { roles: vec![name("none")], ..user("lost@example.com") };
    assert!(matches!(store.create(&lost).await, Err(PortError::Unavailable(_))), "the role is gone");
    assert_eq!(store.find(lost.id).await, Ok(None));

    two_at_once_make_no_circle(store.clone()).await;
    a_role_is_not_given_while_it_goes(store).await;
}

async fn two_at_once_make_no_circle<S: RoleRepository + 'static>(store: Arc<S>) {
    for pair in ["a", "b"] {
        store.save(&name(pair), &role(&[], &[]), None, at(10)).await.unwrap();
    }
    let saved = join_all([("a", "b"), ("b", "a")].map(|(one, other)| {
        let store = store.clone();
        tokio::spawn(async move { store.save(&name(one), &role(&[], &[other]), None, at(11)).await.unwrap() })
    }))
    .await;
    let replaced = saved.into_iter().filter(|saved| *saved.as_ref().unwrap() == SavedRole::Replaced).count();
    assert_eq!(replaced, 1);
}

async fn a_role_is_not_given_while_it_goes<S: RoleRepository + UserRepository + 'static>(store: Arc<S>) {
    for round in 0..5 {
        store.save(&name("passing"), &role(&[], &[]), None, at(20)).await.unwrap();
        let holder = User { roles: vec![name("passing")], ..user(&format!("holder-{round}@example.com")) };
        let passing = name("passing");
        let (created, removed) = tokio::join!(store.create(&holder), store.remove(&passing, None));
        assert_eq!(created.is_ok(), removed == Ok(RemovedRole::Held), "{created:?} {removed:?}");
        if created.is_ok() {
            break;
        }
    }
}
