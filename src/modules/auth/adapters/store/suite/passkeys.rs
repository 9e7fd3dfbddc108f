//! Every promise of [`PasskeyRepository`], and that they go with their account.

use super::*;
use crate::{
    kernel::{ManualClock, PasskeyId},
    modules::auth::{
        application::{
            Administered, Changed, Confirmation, PasskeyKept, PasskeyRepository, SecondFactorRepository, UserDirectory,
        },
        domain::{Passkey, PasskeyCredential, UserChange},
    },
};

fn passkey(owner: &User, credential: &str, created: i64) -> Passkey {
    Passkey {
        id: PasskeyId::new(&ManualClock::at(at(created)), &SystemRandom),
        user_id: owner.id,
        name: DisplayName::parse("telephone").unwrap(),
        credential: credential_of(credential, 3),
        created_at: at(created),
        last_used_at: None,
    }
}

fn credential_of(id: &str, sign_count: u32) -> PasskeyCredential {
    let kept = format!("{{\"id\":\"{id}\",\"count\":{sign_count}}}");
    PasskeyCredential { id: id.to_owned(), sign_count, is_synced: sign_count == 0, kept }
}

pub(in super::super) async fn passkeys<S>(store: Arc<S>)
where
    S: PasskeyRepository + UserRepository + UserDirectory + SecondFactorRepository + 'static,
{
    let (rosa, lise) = (user("rosa@example.com"), user("lise@example.com"));
    for owner in [&rosa, &lise] {
        assert_eq!(store.create(owner).await, Ok(true));
    }
    keeping(&*store, &rosa, &lise).await;
    counters_only_grow(store.clone(), &lise).await;
    no_more_than_allowed(store.clone(), &lise).await;
    they_go_with_their_account(&*store, &lise).await;
    owners_who_are_out(&*store).await;
}

async fn keeping<S: PasskeyRepository>(store: &S, rosa: &User, lise: &User) {
    let (one, two) = (passkey(rosa, "one", 0), passkey(rosa, "two", 1));
    assert_eq!(store.keep_passkey(&one, 2).await, Ok(PasskeyKept::Kept));
    assert_eq!(store.keep_passkey(&passkey(lise, "one", 1), 2).await, Ok(PasskeyKept::Known), "another's");
    assert_eq!(store.keep_passkey(&passkey(rosa, "one", 1), 2).await, Ok(PasskeyKept::Known));
    assert_eq!(store.keep_passkey(&two, 2).await, Ok(PasskeyKept::Kept));
    assert_eq!(store.keep_passkey(&passkey(rosa, "three", 2), 2).await, Ok(PasskeyKept::TooMany));
    assert_eq!(store.passkey_of("one").await.unwrap().as_ref(), Some(&one));
    assert_eq!(store.passkey_of("One").await, Ok(None), "ids are compared letter by letter");

    let first = store.list_passkeys(rosa.id, &PageRequest { limit: 1, cursor: None }).await.unwrap();
    let rest = PageRequest { limit: 5, cursor: first.next_cursor };
    let rest = store.list_passkeys(rosa.id, &rest).await.unwrap();
    assert_eq!((&first.items, &rest.items, rest.next_cursor), (&vec![one.clone()], &vec![two.clone()], None));
    assert_eq!(store.list_passkeys(lise.id, &PageRequest::default()).await.unwrap().items, []);

    assert_eq!(store.remove_passkey(lise.id, one.id).await, Ok(false), "another's");
    assert_eq!(store.remove_passkey(rosa.id, one.id).await, Ok(true));
    assert_eq!(store.remove_passkey(rosa.id, one.id).await, Ok(false));
    assert_eq!(store.passkey_of("one").await, Ok(None));
    assert_eq!(store.use_passkey(one.id, &credential_of("one", 9), at(9)).await, Ok(false), "it is gone");
}

async fn counters_only_grow<S: PasskeyRepository + 'static>(store: Arc<S>, lise: &User) {
    let counting = passkey(lise, "counting", 0);
    assert_eq!(store.keep_passkey(&counting, 9).await, Ok(PasskeyKept::Kept));
    for (count, expected) in [(3, false), (2, false), (0, false), (4, true), (4, false), (9, true), (8, false)] {
        let used = store.use_passkey(counting.id, &credential_of("counting", count), at(i64::from(count))).await;
        assert_eq!(used, Ok(expected), "{count}");
    }
    let kept = store.passkey_of("counting").await.unwrap().unwrap();
    assert_eq!((kept.credential, kept.last_used_at), (credential_of("counting", 9), Some(at(9))));

    let silent = Passkey { credential: credential_of("silent", 0), ..passkey(lise, "", 0) };
    assert_eq!(store.keep_passkey(&silent, 9).await, Ok(PasskeyKept::Kept));
    for second in [10, 11] {
        assert_eq!(store.use_passkey(silent.id, &credential_of("silent", 0), at(second)).await, Ok(true));
    }
    let twice = join_all((0..10).map(|_| {
        let (store, id) = (store.clone(), silent.id);
        tokio::spawn(async move { store.use_passkey(id, &credential_of("silent", 1), at(12)).await.unwrap() })
    }));
    let won = twice.await.into_iter().filter(|used| *used.as_ref().unwrap()).count();
    assert_eq!(won, 1, "one count, one login");
}

async fn no_more_than_allowed<S: PasskeyRepository + 'static>(store: Arc<S>, lise: &User) {
    let outcomes = join_all((0..10).map(|number| {
        let (store, passkey) = (store.clone(), passkey(lise, &format!("of many {number}"), number));
        tokio::spawn(async move { store.keep_passkey(&passkey, 5).await.unwrap() })
    }));
    let kept = outcomes.await.into_iter().filter(|kept| *kept.as_ref().unwrap() == PasskeyKept::Kept).count();
    assert_eq!(kept, 3, "besides the two that there were");
}

async fn they_go_with_their_account<S: PasskeyRepository + UserDirectory + SecondFactorRepository>(
    store: &S,
    lise: &User,
) {
    let wanted = |change| Administered {
        user: lise.id,
        change,
        at: at(20),
        tokens_until: at(30),
        unless_changed_since: None,
        keeps_an_administrator: false,
    };
    let left = async || store.list_passkeys(lise.id, &PageRequest::default()).await.unwrap().items.len();
    assert!(matches!(store.change(&wanted(UserChange::Suspend)).await, Ok(Changed::Done { .. })));
    assert_eq!(left().await, 5, "who comes back has them still");
    let confirmation = Confirmation {
        user: lise.id,
        sealed: b"sealed".to_vec(),
        step: 1,
        recovery_codes: vec!["a code".to_owned()],
        at: at(20),
    };
    let enrol = async || {
        assert_eq!(store.offer_totp(lise.id, b"sealed", at(20)).await, Ok(true));
        assert_eq!(store.confirm_totp(&confirmation).await, Ok(true));
    };
    enrol().await;
    let removed = store.change(&wanted(UserChange::RemoveFactors)).await.unwrap();
    assert!(matches!(removed, Changed::Done { user, .. } if !user.mfa_enabled), "they are lost");
    assert_eq!(
        (left().await, store.totp(lise.id).await, store.recovery_codes_left(lise.id).await),
        (0, Ok(None), Ok(0))
    );
    assert_eq!(store.change(&wanted(UserChange::Activate)).await.map(drop), Ok(()));
    assert_eq!(store.keep_passkey(&passkey(lise, "anew", 0), 1).await, Ok(PasskeyKept::Kept));
    enrol().await;
    assert!(matches!(store.change(&wanted(UserChange::Delete)).await, Ok(Changed::Done { .. })));
    assert_eq!((left().await, store.totp(lise.id).await), (0, Ok(None)));
}

async fn owners_who_are_out<S: PasskeyRepository + UserRepository>(store: &S) {
    for (email, status) in [("max@example.com", UserStatus::Suspended), ("paul@example.com", UserStatus::Deleted)] {
        let owner = User { status, ..user(email) };
        assert_eq!(store.create(&owner).await, Ok(true));
        assert_eq!(store.keep_passkey(&passkey(&owner, email, 0), 3).await, Ok(PasskeyKept::NoOwner));
    }
    let stranger = user("nobody@example.com");
    assert_eq!(store.keep_passkey(&passkey(&stranger, "nobody", 0), 3).await, Ok(PasskeyKept::NoOwner));
}
