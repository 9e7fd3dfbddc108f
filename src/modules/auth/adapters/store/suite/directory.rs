//! Every promise of [`UserDirectory`].

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::future::join_all;

use super::{at, session, token, user};
use crate::{
    kernel::{PageRequest, SystemClock, UserId},
    modules::auth::{
        application::{
            Administered, Changed, RevokedSession, RoleRepository, SessionRepository, UserDirectory, UserFilter,
            UserRepository,
        },
        domain::{DisplayName, Email, EmailPurpose, PasswordHash, RoleName, User, UserChange, UserStatus},
    },
    platform::random::SystemRandom,
};

fn wanted(user: UserId, change: UserChange, secs: i64) -> Administered {
    Administered {
        user,
        change,
        at: at(secs),
        tokens_until: at(secs + 300),
        unless_changed_since: None,
        keeps_an_administrator: true,
    }
}

fn identity(email: &str, name: Option<&str>) -> UserChange {
    let display_name = name.map(|name| DisplayName::parse(name).unwrap());
    UserChange::Identity { email: Email::parse(email).unwrap(), display_name }
}

async fn done<S: UserDirectory>(store: &S, change: Administered) -> (User, Vec<RevokedSession>) {
    match store.change(&change).await.unwrap() {
        Changed::Done { user, ended } => (user, ended),
        other => panic!("{other:?}"),
    }
}

pub(in super::super) async fn directory<S>(store: Arc<S>)
where
    S: UserDirectory + UserRepository + SessionRepository + RoleRepository + 'static,
{
    search(&*store).await;
    identities(&*store).await;
    ends(&*store).await;
    the_last_administrator_stays(store).await;
}

async fn search<S: UserDirectory + UserRepository>(store: &S) {
    let named = |email: &str, name: &str, status, roles: &[RoleName]| User {
        display_name: Some(DisplayName::parse(name).unwrap()),
        status,
        roles: roles.to_vec(),
        ..user(email)
    };
    let (plain, admin) = ([RoleName::user()], [RoleName::admin(), RoleName::user()]);
    for kept in [
        named("ada@example.com", "Ada Lovelace", UserStatus::Active, &admin),
        named("grace_h@example.com", "Grace 100%", UserStatus::Suspended, &plain),
        named("gracexh@example.org", "Änne Other", UserStatus::Pending, &plain),
    ] {
        assert_eq!(store.create(&kept).await, Ok(true));
    }
    let found = async |filter: UserFilter| {
        let page = store.list(&filter, &PageRequest::default()).await.unwrap();
        page.items.into_iter().map(|user| user.email.to_string()).collect::<Vec<_>>()
    };
    let by_text = async |text: &str| found(UserFilter { text: Some(text.to_owned()), ..UserFilter::default() }).await;
    assert_eq!(by_text("Änn").await, ["gracexh@example.org"], "letters beyond ASCII");
    assert_eq!(by_text("LOVE").await, ["ada@example.com"]);
    assert_eq!(by_text("love").await, ["ada@example.com"], "a name in any case");
    assert_eq!(by_text("e_h@").await, ["grace_h@example.com"], "an underscore is no wildcard");
    assert_eq!(by_text("100%").await, ["grace_h@example.com"]);
    assert_eq!(by_text("%").await, ["grace_h@example.com"]);
    assert_eq!(by_text("\\").await, [""; 0]);
    assert_eq!(by_text("example.org").await, ["gracexh@example.org"]);
    let by_status = UserFilter { status: Some(UserStatus::Suspended), ..UserFilter::default() };
    assert_eq!(found(by_status).await, ["grace_h@example.com"]);
    let by_role = UserFilter { role: Some(RoleName::admin()), ..UserFilter::default() };
    assert_eq!(found(by_role).await, ["ada@example.com"]);
    let first = store.list(&UserFilter::default(), &PageRequest { limit: 2, cursor: None }).await.unwrap();
    let rest = PageRequest { limit: 2, cursor: first.next_cursor.clone() };
    let rest = store.list(&UserFilter::default(), &rest).await.unwrap();
    assert_eq!((first.items.len(), rest.items.len(), rest.next_cursor), (2, 1, None));
    assert!(first.items.iter().chain(&rest.items).map(|user| user.id).is_sorted());
}

async fn identities<S: UserDirectory + UserRepository>(store: &S) {
    let mary = user("mary@example.com");
    let link = token(&mary, 0);
    store.register(&mary, &link, None, TimeDelta::zero()).await.unwrap();
    let is_live = async || store.has_email_token(EmailPurpose::Verification, &link.token_hash, at(1)).await.unwrap();

    let stale =
        Administered { unless_changed_since: Some(at(99)), ..wanted(mary.id, identity("mary@example.com", None), 1) };
    assert_eq!(store.change(&stale).await, Ok(Changed::Stale));
    let fresh = Administered {
        unless_changed_since: Some(mary.updated_at),
        ..wanted(mary.id, identity("mary@example.com", Some("Mary")), 1)
    };
    let (renamed, _) = done(store, fresh).await;
    assert!(!renamed.email_verified && is_live().await, "the same address: nothing about it changes");
    assert_eq!(store.find(mary.id).await.unwrap(), Some(renamed));
    let taken = wanted(mary.id, identity("ada@example.com", None), 2);
    assert_eq!(store.change(&taken).await, Ok(Changed::EmailTaken));
    let (moved, ended) = done(store, wanted(mary.id, identity("mary@example.org", None), 3)).await;
    assert_eq!((moved.email_verified, moved.status, ended.len()), (true, UserStatus::Active, 0));
    assert!(!is_live().await, "links went to the old address");
    assert_eq!(store.find_by_email(&moved.email).await.unwrap(), Some(moved));

    let unknown = UserChange::Roles(vec![RoleName::parse("none").unwrap()]);
    assert_eq!(store.change(&wanted(mary.id, unknown, 4)).await, Ok(Changed::UnknownRole));
    let both = vec![RoleName::admin(), RoleName::user()];
    let (user, _) = done(store, wanted(mary.id, UserChange::Roles(both.clone()), 5)).await;
    assert_eq!((user.roles, store.find(mary.id).await.unwrap().unwrap().roles), (both.clone(), both));
    done(store, wanted(mary.id, UserChange::Roles(vec![RoleName::user()]), 6)).await;
    let nobody = UserId::new(&SystemClock, &SystemRandom);
    assert_eq!(store.change(&wanted(nobody, UserChange::Suspend, 7)).await, Ok(Changed::NotFound));
}

async fn ends<S: UserDirectory + UserRepository + SessionRepository>(store: &S) {
    let joan = User { status: UserStatus::Active, ..user("joan@example.com") };
    assert_eq!(store.create(&joan).await, Ok(true));
    let begun = async || {
        let session = session(&joan);
        assert_eq!(store.insert(&session, None).await, Ok(true));
        session.id
    };
    let until = |secs: i64| -> DateTime<Utc> { at(300).max(at(secs + 300)) };
    let id = begun().await;
    let (suspended, ended) = done(store, wanted(joan.id, UserChange::Suspend, 10)).await;
    assert_eq!((suspended.status, ended), (UserStatus::Suspended, vec![(id, until(10))]));
    assert_eq!(store.insert(&session(&joan), None).await, Ok(false), "no session begins");
    let (again, ended) = done(store, wanted(joan.id, UserChange::Suspend, 11)).await;
    assert_eq!((again.updated_at, ended), (suspended.updated_at, vec![]));
    done(store, wanted(joan.id, UserChange::Activate, 12)).await;
    let id = begun().await;
    let reset = UserChange::Password(PasswordHash::from_text("new".to_owned()));
    let (changed, ended) = done(store, wanted(joan.id, reset, 13)).await;
    assert_eq!((changed.password_hash.as_text(), ended), ("new", vec![(id, until(13))]));
    let id = begun().await;
    let (deleted, ended) = done(store, wanted(joan.id, UserChange::Delete, 14)).await;
    assert_eq!((deleted.status, ended), (UserStatus::Deleted, vec![(id, until(14))]));
    assert_eq!(store.find_by_email(&joan.email).await, Ok(None));
    assert_eq!(store.create(&user("joan@example.com")).await, Ok(true), "the address is free");
    assert_eq!(store.change(&wanted(joan.id, UserChange::Activate, 15)).await, Ok(Changed::NotFound), "gone for good");
    let gone = UserFilter { status: Some(UserStatus::Deleted), ..UserFilter::default() };
    let found = store.list(&gone, &PageRequest::default()).await.unwrap().items;
    assert_eq!(found.iter().map(|user| user.id).collect::<Vec<_>>(), [joan.id]);
}

async fn the_last_administrator_stays<S: UserDirectory + UserRepository + RoleRepository + 'static>(store: Arc<S>) {
    let ada = store.find_by_email(&Email::parse("ada@example.com").unwrap()).await.unwrap().unwrap();
    let plain = UserChange::Roles(vec![RoleName::user()]);
    for change in [UserChange::Suspend, UserChange::Delete, plain.clone()] {
        assert_eq!(store.change(&wanted(ada.id, change, 20)).await, Ok(Changed::LastAdministrator));
    }
    assert_eq!(store.find(ada.id).await.unwrap().as_ref(), Some(&ada), "nothing changed");
    let other = User { roles: vec![RoleName::admin()], status: UserStatus::Active, ..user("root@example.com") };
    assert_eq!(store.create(&other).await, Ok(true));
    let outcomes = join_all([ada.id, other.id].map(|id| {
        let (store, change) = (store.clone(), plain.clone());
        tokio::spawn(async move { store.change(&wanted(id, change, 21)).await.unwrap() })
    }))
    .await;
    let kept = outcomes.iter().filter(|outcome| *outcome.as_ref().unwrap() == Changed::LastAdministrator).count();
    assert_eq!(kept, 1, "each takes itself away at the same moment: one stays");
    let admins = UserFilter { role: Some(RoleName::admin()), ..UserFilter::default() };
    let left = store.list(&admins, &PageRequest::default()).await.unwrap().items.remove(0);
    let forced = Administered { keeps_an_administrator: false, ..wanted(left.id, UserChange::Suspend, 22) };
    assert_eq!(done(&*store, forced).await.0.status, UserStatus::Suspended);
}
