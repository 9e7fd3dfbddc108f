//! What every store promises about OAuth clients.

use std::sync::Arc;

use futures_util::future::join_all;

use super::{at, session, token, user};
use crate::{
    kernel::{FIRST_PARTY, PageRequest, SessionId, SystemClock, ids::new_uuid},
    modules::auth::{
        application::{ClientGrantRepository, ClientRepository, SessionRepository, UserRepository},
        domain::{Client, ClientGrant, ClientProof, ClientSecret, GrantType, RESEND_INTERVAL, RedirectUri, Session},
    },
    platform::random::SystemRandom,
};

pub(super) fn client(proof: ClientProof) -> Client {
    let uri = |text: &str| RedirectUri::parse(text).unwrap();
    Client {
        id: new_uuid(&SystemClock, &SystemRandom).to_string(),
        name: "Shop \"7\"".to_owned(),
        proof,
        redirect_uris: vec![uri("https://shop.example/cb?a=1"), uri("com.example.shop:/cb")],
        post_logout_redirect_uris: vec![uri("https://shop.example/")],
        grants: [GrantType::AuthorizationCode, GrantType::RefreshToken].into(),
        scopes: ["openid", "shop:read"].map(str::to_owned).into(),
        requires_pushed_requests: true,
        created_at: at(1),
        updated_at: at(2),
    }
}

fn grant(client: &Client, expires: i64) -> ClientGrant {
    ClientGrant {
        id: SessionId::new(&SystemClock, &SystemRandom),
        client_id: client.id.clone(),
        scope: "shop:read".to_owned(),
        audience: Some("https://api.example".to_owned()),
        issued_at: at(0),
        expires_at: at(expires),
        revoked_at: None,
    }
}

/// Every promise of [`ClientRepository`] and [`ClientGrantRepository`].
pub(in super::super) async fn clients<S>(store: Arc<S>)
where
    S: ClientRepository + ClientGrantRepository + SessionRepository + UserRepository + 'static,
{
    kept_and_replaced(&*store).await;
    assertions_work_once(store.clone()).await;
    grants_are_revoked(&*store).await;
    removal(&*store).await;
}

async fn kept_and_replaced(store: &impl ClientRepository) {
    let secret = |previous: Option<&str>| ClientSecret {
        hash: "a".repeat(64),
        previous: previous.map(|hash| (hash.to_owned(), at(9))),
    };
    let all = [
        client(ClientProof::Public),
        client(ClientProof::Secret(secret(None))),
        client(ClientProof::Secret(secret(Some("b")))),
        client(ClientProof::PrivateKey("{\"keys\":[]}".to_owned())),
    ];
    for client in &all {
        store.add(client).await.unwrap();
        assert_eq!(store.find(&client.id).await.unwrap().as_ref(), Some(client));
    }
    for stranger in ["nobody", "", "a\0b", "\u{e4}", &"x".repeat(1_000)] {
        assert_eq!(store.find(stranger).await, Ok(None));
        assert_eq!(store.remove(stranger, at(3), at(4)).await, Ok(None));
    }
    let first = store.list(&PageRequest { limit: 3, cursor: None }).await.unwrap();
    let rest = store.list(&PageRequest { limit: 3, cursor: first.next_cursor.clone() }).await.unwrap();
    let ids: Vec<_> = first.items.iter().chain(&rest.items).map(|client| client.id.clone()).collect();
    assert_eq!((ids.len(), rest.next_cursor), (4, None));
    assert!(ids.is_sorted());

    let changed = Client {
        name: "Other".to_owned(),
        proof: ClientProof::Secret(secret(Some("c"))),
        redirect_uris: Vec::new(),
        grants: [GrantType::ClientCredentials].into(),
        scopes: [].into(),
        updated_at: at(3),
        ..all[1].clone()
    };
    assert_eq!(store.replace(&changed, at(1)).await, Ok(false), "it has changed since");
    assert_eq!(store.replace(&changed, at(2)).await, Ok(true));
    assert_eq!(store.find(&changed.id).await.unwrap().as_ref(), Some(&changed));
    assert_eq!(store.replace(&changed, at(2)).await, Ok(false));
    assert_eq!(store.replace(&client(ClientProof::Public), at(2)).await, Ok(false));
    assert_eq!(store.find(&all[2].id).await.unwrap().as_ref(), Some(&all[2]), "no other is touched");
}

async fn assertions_work_once<S: ClientRepository + 'static>(store: Arc<S>) {
    let outcomes = join_all((0..10).map(|_| {
        let store = store.clone();
        tokio::spawn(async move { store.spend_assertion("client", "digest", at(100)).await.unwrap() })
    }))
    .await;
    assert_eq!(outcomes.into_iter().filter(|outcome| *outcome.as_ref().unwrap()).count(), 1);
    assert_eq!(store.spend_assertion("client", "another", at(100)).await, Ok(true));
}

async fn grants_are_revoked<S: ClientRepository + ClientGrantRepository + SessionRepository>(store: &S) {
    let shop = client(ClientProof::Public);
    store.add(&shop).await.unwrap();
    let (one, two) = (grant(&shop, 300), grant(&shop, 300));
    for grant in [&one, &two] {
        assert_eq!(store.insert_grant(grant).await, Ok(true));
        assert_eq!(store.find_grant(grant.id).await.unwrap().as_ref(), Some(grant));
    }
    assert_eq!(store.insert_grant(&grant(&client(ClientProof::Public), 300)).await, Ok(false), "no such client");
    assert_eq!(store.revoke_grant(one.id, at(10)).await, Ok(Some((one.id, at(300)))));
    assert_eq!(store.revoke_grant(one.id, at(11)).await, Ok(None), "it has ended");
    assert_eq!(store.revoke_grant(SessionId::new(&SystemClock, &SystemRandom), at(11)).await, Ok(None));
    assert_eq!(store.find_grant(one.id).await.unwrap().unwrap().revoked_at, Some(at(10)));
    assert_eq!(store.revoked(None, at(20)).await, Ok(vec![(one.id, at(300))]), "verifiers learn of it");
    assert_eq!(store.revoked(Some(at(11)), at(20)).await, Ok(vec![]));
    assert_eq!(store.revoked(None, at(300)).await, Ok(vec![]));
    assert_eq!(ClientRepository::remove(store, &shop.id, at(400), at(700)).await, Ok(Some(vec![])), "all had expired");
}

async fn removal<S: ClientRepository + ClientGrantRepository + SessionRepository + UserRepository>(store: &S) {
    let owner = user("olivia@example.com");
    store.register(&owner, &token(&owner, 0), None, RESEND_INTERVAL).await.unwrap();
    let (shop, other) = (client(ClientProof::Public), client(ClientProof::Public));
    store.add(&shop).await.unwrap();
    store.add(&other).await.unwrap();
    let of = |id: &str| Session { client_id: id.to_owned(), ..session(&owner) };
    let (own, theirs, direct) = (of(&shop.id), of(&other.id), of(FIRST_PARTY));
    for session in [&own, &theirs, &direct] {
        assert_eq!(SessionRepository::insert(store, session, None).await, Ok(true));
    }
    assert_eq!(SessionRepository::insert(store, &of("nobody"), None).await, Ok(false), "there is no such client");
    let kept = grant(&shop, 900);
    assert_eq!(store.insert_grant(&kept).await, Ok(true));

    let mut ended = store.remove(&shop.id, at(500), at(800)).await.unwrap().unwrap();
    ended.sort_unstable();
    let mut expected = vec![(own.id, at(800)), (kept.id, at(900))];
    expected.sort_unstable();
    assert_eq!(ended, expected);
    assert_eq!(ClientRepository::find(store, &shop.id).await, Ok(None));
    assert_eq!(store.remove(&shop.id, at(501), at(801)).await, Ok(None));
    assert_eq!(SessionRepository::insert(store, &of(&shop.id), None).await, Ok(false));
    assert_eq!(store.insert_grant(&grant(&shop, 900)).await, Ok(false));
    let mut told = store.revoked(Some(at(500)), at(600)).await.unwrap();
    told.sort_unstable();
    assert_eq!(told, expected);
    assert_eq!(SessionRepository::find(store, theirs.id).await.unwrap().unwrap().revoked_at, None);
}
