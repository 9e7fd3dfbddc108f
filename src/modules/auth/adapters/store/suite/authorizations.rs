//! What every store promises about what users allow clients.

use std::{collections::BTreeSet, sync::Arc};

use futures_util::future::join_all;

use super::{at, clients::client, session, token, user};
use crate::{
    kernel::{PageRequest, SessionId, SystemClock},
    modules::auth::{
        application::{
            AuthorizationCodeRepository, BrowserSessionRepository, ClientRepository, ConsentRepository,
            DeviceGrantRepository, InteractionRepository, SessionRepository, UserRepository,
        },
        domain::{
            Approval, AuthorizationCode, Client, ClientProof, CodeChallenge, DeviceGrant, DeviceState, Interaction,
            InteractionKind, PasswordHash, RESEND_INTERVAL, Session, User, UserCode,
        },
    },
    platform::random::SystemRandom,
};

async fn registered(store: &impl UserRepository, email: &str) -> User {
    let user = user(email);
    store.register(&user, &token(&user, 0), None, RESEND_INTERVAL).await.unwrap();
    user
}

fn approval(by: &User) -> Approval {
    Approval {
        user: by.id,
        browser: SessionId::new(&SystemClock, &SystemRandom),
        authenticated_at: at(3),
        methods: "pwd otp".to_owned(),
    }
}

fn code(hash: &str, by: &User) -> AuthorizationCode {
    AuthorizationCode {
        hash: hash.to_owned(),
        client_id: "shop".to_owned(),
        redirect_uri: "https://shop.example/cb?x=1".to_owned(),
        challenge: CodeChallenge::parse(&"c".repeat(43)).unwrap(),
        scopes: vec!["openid".to_owned(), "email".to_owned()],
        nonce: Some("n-0S6_WzA2Mj".to_owned()),
        resource: None,
        approval: approval(by),
        created_at: at(0),
        expires_at: at(60),
        spent_at: None,
        session: None,
    }
}

/// How many of twenty concurrent calls win.
async fn winners<F: Future<Output = bool> + Send + 'static>(call: impl Fn() -> F) -> usize {
    let outcomes = join_all((0..20).map(|_| tokio::spawn(call()))).await;
    outcomes.into_iter().filter(|outcome| *outcome.as_ref().unwrap()).count()
}

/// Every promise of [`BrowserSessionRepository`].
pub(in super::super) async fn browsers<S>(store: Arc<S>)
where
    S: BrowserSessionRepository + SessionRepository + UserRepository,
{
    let ada = registered(&*store, "ada@example.com").await;
    let kept = session(&ada);
    let wrong = PasswordHash::from_text("another".to_owned());
    assert_eq!(store.keep("one", &kept, &wrong).await, Ok(false));
    assert_eq!(BrowserSessionRepository::find(&*store, "one").await, Ok(None), "neither");
    assert_eq!(store.keep("one", &kept, &ada.password_hash).await, Ok(true));
    assert_eq!(BrowserSessionRepository::find(&*store, "one").await, Ok(Some(kept.clone())));
    assert_eq!(BrowserSessionRepository::find(&*store, "two").await, Ok(None));
    store.touch(kept.id, at(2_000)).await.unwrap();
    let touched = Session { expires_at: at(2_000), ..kept.clone() };
    assert_eq!(BrowserSessionRepository::find(&*store, "one").await, Ok(Some(touched.clone())));
    let alive = store.list_alive(ada.id, &PageRequest { limit: 20, cursor: None }, at(1_500)).await.unwrap();
    assert_eq!(alive.items, [touched], "listed with the others");
    store.revoke_all(ada.id, "test", at(10), at(310)).await.unwrap();
    store.touch(kept.id, at(3_000)).await.unwrap();
    let ended = BrowserSessionRepository::find(&*store, "one").await.unwrap().unwrap();
    assert_eq!((ended.revoked_at, ended.expires_at), (Some(at(10)), at(2_000)), "and ended with them");
}

/// Every promise of [`InteractionRepository`].
pub(in super::super) async fn interactions<S: InteractionRepository + 'static>(store: Arc<S>) {
    let left = Interaction {
        hash: "one".to_owned(),
        kind: InteractionKind::Authorization,
        body: r#"{"a":1}"#.to_owned(),
        created_at: at(0),
        expires_at: at(60),
    };
    store.keep(&left).await.unwrap();
    let kind = InteractionKind::Authorization;
    assert_eq!(store.find(kind, "one", at(59)).await, Ok(Some(left.clone())));
    assert_eq!(store.find(kind, "two", at(59)).await, Ok(None));
    assert_eq!(store.find(InteractionKind::PushedRequest, "one", at(59)).await, Ok(None));
    assert_eq!(store.take(InteractionKind::SecondFactor, "one", at(59)).await, Ok(None));
    assert_eq!(store.take(kind, "one", at(60)).await, Ok(None), "expired");
    let takers = winners(|| {
        let store = store.clone();
        async move { store.take(kind, "one", at(59)).await.unwrap().is_some() }
    });
    assert_eq!(takers.await, 1, "one takes it");
    assert_eq!(store.find(kind, "one", at(59)).await, Ok(None));
}

/// Every promise of [`AuthorizationCodeRepository`].
pub(in super::super) async fn codes<S: AuthorizationCodeRepository + UserRepository + 'static>(store: Arc<S>) {
    let ada = registered(&*store, "ada@example.com").await;
    let one = code("one", &ada);
    AuthorizationCodeRepository::keep(&*store, &one).await.unwrap();
    assert_eq!(AuthorizationCodeRepository::find(&*store, "one").await, Ok(Some(one.clone())));
    assert_eq!(AuthorizationCodeRepository::find(&*store, "two").await, Ok(None));
    assert_eq!(store.reuse("one", at(10)).await, Ok(None), "it has not been used");
    assert_eq!(store.spend("one", at(60)).await, Ok(false), "expired");
    assert_eq!(store.spend("two", at(10)).await, Ok(false));
    let spent = winners(|| {
        let store = store.clone();
        async move { store.spend("one", at(10)).await.unwrap() }
    });
    assert_eq!(spent.await, 1, "one redeems it");
    let session = SessionId::new(&SystemClock, &SystemRandom);
    assert_eq!(store.given(one.approval.browser, "shop").await, Ok(vec![]));
    assert_eq!(store.gave("one", session).await, Ok(false));
    assert_eq!(store.given(one.approval.browser, "shop").await, Ok(vec![session]));
    assert_eq!(store.given(one.approval.browser, "other").await, Ok(vec![]));
    assert_eq!(store.reuse("one", at(5_000)).await, Ok(Some(session)), "long after it expired, too");
    let kept = AuthorizationCodeRepository::find(&*store, "one").await.unwrap().unwrap();
    assert_eq!((kept.spent_at, kept.session), (Some(at(10)), Some(session)));

    AuthorizationCodeRepository::keep(&*store, &code("two", &ada)).await.unwrap();
    assert_eq!(store.spend("two", at(10)).await, Ok(true));
    assert_eq!(store.reuse("two", at(10)).await, Ok(None), "what it gave is not known yet");
    assert_eq!(store.gave("two", session).await, Ok(true), "and this one is told");
    assert_eq!(store.gave("gone", session).await, Ok(true), "a code that was taken away gives nothing");
}

/// Every promise of [`ConsentRepository`].
pub(in super::super) async fn consents<S>(store: Arc<S>)
where
    S: ConsentRepository
        + ClientRepository
        + AuthorizationCodeRepository
        + DeviceGrantRepository
        + SessionRepository
        + UserRepository
        + 'static,
{
    let (ada, bob) = (registered(&*store, "ada@example.com").await, registered(&*store, "bob@example.com").await);
    let words = |scopes: &[&str]| scopes.iter().map(|&scope| scope.to_owned()).collect::<Vec<_>>();
    let find = async |user: &User, client: &str| ConsentRepository::find(&*store, user.id, client).await.unwrap();
    assert_eq!(find(&ada, "shop").await, None);
    store.grant(ada.id, "shop", &words(&["openid", "email"]), at(1)).await.unwrap();
    store.grant(ada.id, "shop", &words(&["profile", "openid"]), at(2)).await.unwrap();
    let kept = find(&ada, "shop").await.unwrap();
    assert_eq!(kept.scopes, BTreeSet::from_iter(words(&["openid", "email", "profile"])));
    assert_eq!((kept.granted_at, kept.updated_at), (at(1), at(2)));
    assert_eq!((find(&ada, "blog").await, find(&bob, "shop").await), (None, None));
    let grants = join_all((0..10).map(|number| {
        let (store, user, scopes) = (store.clone(), bob.id, words(&[&format!("s{number}")]));
        tokio::spawn(async move { store.grant(user, "shop", &scopes, at(3)).await.unwrap() })
    }));
    grants.await.into_iter().for_each(|done| done.unwrap());
    assert_eq!(find(&bob, "shop").await.unwrap().scopes.len(), 10, "none is lost");

    store.grant(ada.id, "blog", &words(&["openid"]), at(4)).await.unwrap();
    let page = |limit, cursor| PageRequest { limit, cursor };
    let clients = |items: &[crate::modules::auth::domain::Consent]| {
        items.iter().map(|consent| consent.client_id.clone()).collect::<Vec<_>>()
    };
    let first = ConsentRepository::list(&*store, ada.id, &page(1, None)).await;
    let first: crate::kernel::Page<crate::modules::auth::domain::Consent> = first.unwrap();
    assert_eq!((clients(&first.items), first.next_cursor.as_deref()), (words(&["blog"]), Some("blog")));
    let rest = ConsentRepository::list(&*store, ada.id, &page(20, first.next_cursor)).await.unwrap();
    assert_eq!((clients(&rest.items), rest.next_cursor), (words(&["shop"]), None));

    let shop = Client { id: "shop".to_owned(), ..client(ClientProof::Public) };
    store.add(&shop).await.unwrap();
    let of = |user: &User, client: &str| Session { client_id: client.to_owned(), ..session(user) };
    let (theirs, own, others) = (of(&ada, "shop"), of(&ada, "vestibule"), of(&bob, "shop"));
    for one in [&theirs, &own, &others] {
        assert_eq!(store.insert(one, None).await, Ok(true));
    }
    for (hash, user) in [("ada", &ada), ("bob", &bob)] {
        AuthorizationCodeRepository::keep(&*store, &code(hash, user)).await.unwrap();
        let grant = DeviceGrant { state: DeviceState::Allowed(approval(user)), ..grant(hash) };
        assert_eq!(DeviceGrantRepository::keep(&*store, &grant).await, Ok(true));
    }
    assert_eq!(ConsentRepository::revoke(&*store, ada.id, "none", at(5), at(305)).await, Ok(None));
    let ended = ConsentRepository::revoke(&*store, ada.id, "shop", at(5), at(305)).await.unwrap().unwrap();
    assert_eq!(ended, [(theirs.id, at(305))]);
    assert_eq!(ConsentRepository::revoke(&*store, ada.id, "shop", at(5), at(305)).await, Ok(None));
    assert_eq!(find(&ada, "shop").await, None);
    let code = async |hash: &str| AuthorizationCodeRepository::find(&*store, hash).await.unwrap().is_some();
    let device = async |hash: &str| DeviceGrantRepository::find(&*store, hash).await.unwrap().is_some();
    assert_eq!((code("ada").await, code("bob").await), (false, true));
    assert_eq!((device("ada").await, device("bob").await), (false, true));
}

fn grant(hash: &str) -> DeviceGrant {
    let bits = hash.bytes().fold(7, |bits: u64, byte| bits.wrapping_mul(31).wrapping_add(byte.into()));
    DeviceGrant {
        hash: hash.to_owned(),
        user_code: UserCode::from_random(bits),
        client_id: "shop".to_owned(),
        scopes: vec!["openid".to_owned()],
        resource: Some("https://api.example".to_owned()),
        created_at: at(0),
        expires_at: at(600),
        interval: 5,
        polled_at: None,
        state: DeviceState::Waiting,
    }
}

/// Every promise of [`DeviceGrantRepository`].
pub(in super::super) async fn devices<S: DeviceGrantRepository + UserRepository + 'static>(store: Arc<S>) {
    let ada = registered(&*store, "ada@example.com").await;
    let tv = grant("tv");
    assert_eq!(DeviceGrantRepository::keep(&*store, &tv).await, Ok(true));
    let same_code = DeviceGrant { hash: "other".to_owned(), ..tv.clone() };
    assert_eq!(DeviceGrantRepository::keep(&*store, &same_code).await, Ok(false));
    let find = async |hash: &str| DeviceGrantRepository::find(&*store, hash).await.unwrap();
    assert_eq!((find("tv").await, find("other").await), (Some(tv.clone()), None));
    assert_eq!(store.waiting(&tv.user_code, at(599)).await, Ok(Some(tv.clone())));
    assert_eq!(store.waiting(&tv.user_code, at(600)).await, Ok(None), "expired");
    assert_eq!(store.waiting(&grant("none").user_code, at(1)).await, Ok(None));
    store.polled("tv", 10, at(8)).await.unwrap();
    let polled = find("tv").await.unwrap();
    assert_eq!((polled.interval, polled.polled_at), (10, Some(at(8))));
    assert_eq!(store.spend("tv", at(9)).await, Ok(false), "nobody has allowed it");
    let by = approval(&ada);
    assert_eq!(store.answer(&tv.user_code, Some(&by), at(600)).await, Ok(false), "too late");
    let answered = winners(|| {
        let (store, by, code) = (store.clone(), by.clone(), tv.user_code.clone());
        async move { store.answer(&code, Some(&by), at(10)).await.unwrap() }
    });
    assert_eq!(answered.await, 1, "answered once");
    assert_eq!(store.answer(&tv.user_code, None, at(10)).await, Ok(false));
    assert_eq!(store.waiting(&tv.user_code, at(10)).await, Ok(None));
    assert_eq!(find("tv").await.unwrap().state, DeviceState::Allowed(by));
    assert_eq!(store.spend("tv", at(600)).await, Ok(false), "expired");
    let spent = winners(|| {
        let store = store.clone();
        async move { store.spend("tv", at(11)).await.unwrap() }
    });
    assert_eq!(spent.await, 1, "one gets the tokens");
    assert_eq!(find("tv").await.unwrap().state, DeviceState::Spent);

    let denied = grant("radio");
    assert_eq!(DeviceGrantRepository::keep(&*store, &denied).await, Ok(true));
    assert_eq!(store.answer(&denied.user_code, None, at(10)).await, Ok(true));
    assert_eq!(find("radio").await.unwrap().state, DeviceState::Denied);
}
