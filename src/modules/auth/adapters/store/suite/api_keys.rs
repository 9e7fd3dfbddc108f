//! Every promise of [`ApiKeyRepository`].

use super::*;
use crate::{
    kernel::{ApiKeyId, ManualClock},
    modules::auth::{
        application::{ApiKeyKept, ApiKeyRepository},
        domain::ApiKey,
    },
};

fn key(owner: &User, created: i64) -> ApiKey {
    ApiKey {
        id: ApiKeyId::new(&ManualClock::at(at(created)), &SystemRandom),
        user_id: owner.id,
        name: DisplayName::parse("laptop").unwrap(),
        hint: "vk_01234567".to_owned(),
        scopes: ["users:read".to_owned(), "audit:read".to_owned()].into(),
        created_at: at(created),
        expires_at: Some(at(1_000)),
        last_used_at: None,
    }
}

pub(in super::super) async fn api_keys<S: ApiKeyRepository + UserRepository + 'static>(store: Arc<S>) {
    let (rosa, lise) = (user("rosa@example.com"), user("lise@example.com"));
    for owner in [&rosa, &lise] {
        assert_eq!(store.create(owner).await, Ok(true));
    }
    keeping(&*store, &rosa, &lise).await;
    no_more_than_allowed(store.clone(), &lise).await;
    owners_who_are_out(&*store).await;
}

async fn keeping<S: ApiKeyRepository + UserRepository>(store: &S, rosa: &User, lise: &User) {
    let (one, two) = (key(rosa, 0), ApiKey { expires_at: None, scopes: [].into(), ..key(rosa, 1) });
    assert_eq!(store.keep_api_key(&one, "digest 1", 3).await, Ok(ApiKeyKept::Kept));
    assert_eq!(store.keep_api_key(&two, "digest 2", 3).await, Ok(ApiKeyKept::Kept));
    assert_eq!(store.find_by_digest("digest 1").await.unwrap().as_ref(), Some(&one));
    assert_eq!(store.find_by_digest("digest 2").await.unwrap().as_ref(), Some(&two));
    assert_eq!(store.find_by_digest("digest 3").await, Ok(None));
    assert_eq!(store.find_api_key(rosa.id, one.id).await.unwrap().as_ref(), Some(&one));
    assert_eq!(store.find_api_key(lise.id, one.id).await, Ok(None), "another's");

    let first = store.list_api_keys(rosa.id, &PageRequest { limit: 1, cursor: None }).await.unwrap();
    let rest = PageRequest { limit: 5, cursor: first.next_cursor };
    let rest = store.list_api_keys(rosa.id, &rest).await.unwrap();
    assert_eq!((&first.items, &rest.items, rest.next_cursor), (&vec![one.clone()], &vec![two.clone()], None));

    store.note_use(one.id, at(20)).await.unwrap();
    store.note_use(one.id, at(10)).await.unwrap();
    assert_eq!(store.find_by_digest("digest 1").await.unwrap().unwrap().last_used_at, Some(at(20)));

    assert_eq!(store.revoke_api_key(lise.id, one.id, at(30)).await, Ok(false), "another's");
    assert_eq!(store.revoke_api_key(rosa.id, one.id, at(30)).await, Ok(true));
    assert_eq!(store.revoke_api_key(rosa.id, one.id, at(31)).await, Ok(false));
    assert_eq!(store.find_by_digest("digest 1").await, Ok(None));
    assert_eq!(store.find_api_key(rosa.id, one.id).await, Ok(None));
    let left = store.list_api_keys(rosa.id, &PageRequest::default()).await.unwrap();
    assert_eq!(left.items, [two]);
    assert_eq!(store.stopped_api_keys(at(30), at(90)).await, Ok(vec![(SessionId(one.id.0), at(90))]));
    assert_eq!(store.stopped_api_keys(at(31), at(90)).await, Ok(vec![]));
}

async fn no_more_than_allowed<S: ApiKeyRepository + UserRepository + 'static>(store: Arc<S>, lise: &User) {
    let outcomes = join_all((0..10).map(|number| {
        let (store, key) = (store.clone(), key(lise, number));
        tokio::spawn(async move { store.keep_api_key(&key, &format!("of many {number}"), 3).await.unwrap() })
    }))
    .await;
    let outcomes: Vec<_> = outcomes.into_iter().map(Result::unwrap).collect();
    assert_eq!(outcomes.iter().filter(|kept| **kept == ApiKeyKept::Kept).count(), 3);
    assert!(outcomes.iter().all(|kept| matches!(kept, ApiKeyKept::Kept | ApiKeyKept::TooMany)));
}

async fn owners_who_are_out<S: ApiKeyRepository + UserRepository>(store: &S) {
    for (email, status) in [("max@example.com", UserStatus::Suspended), ("paul@example.com", UserStatus::Deleted)] {
        let owner = User { status, ..user(email) };
        assert_eq!(store.create(&owner).await, Ok(true));
        assert_eq!(store.keep_api_key(&key(&owner, 0), email, 3).await, Ok(ApiKeyKept::NoOwner));
    }
    let stranger = user("nobody@example.com");
    assert_eq!(store.keep_api_key(&key(&stranger, 0), "nobody", 3).await, Ok(ApiKeyKept::NoOwner));
}

/// One that lives, one that expires at 200, one that is revoked at 200.
pub(in super::super) async fn api_keys_of_three_ages<S>(store: &S) -> [ApiKeyId; 3]
where
    S: ApiKeyRepository + UserRepository,
{
    let owner = user("keys@example.com");
    assert_eq!(store.create(&owner).await, Ok(true));
    let alive = ApiKey { expires_at: None, ..key(&owner, 0) };
    let (expired, revoked) = (ApiKey { expires_at: Some(at(200)), ..key(&owner, 1) }, key(&owner, 2));
    for (key, digest) in [(&alive, "alive"), (&expired, "expired"), (&revoked, "revoked")] {
        assert_eq!(store.keep_api_key(key, digest, 3).await, Ok(ApiKeyKept::Kept));
    }
    assert_eq!(store.revoke_api_key(owner.id, revoked.id, at(200)).await, Ok(true));
    [alive.id, expired.id, revoked.id]
}
