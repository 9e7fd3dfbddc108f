//! What every store of second factors promises.

use std::sync::Arc;

use futures_util::future::join_all;

use super::{at, user};
use crate::{
    kernel::UserId,
    modules::auth::application::{Confirmation, KeptTotp, SecondFactorRepository, UserRepository},
};

/// Every promise of [`SecondFactorRepository`].
pub(crate) async fn second_factors<S: SecondFactorRepository + UserRepository + 'static>(store: Arc<S>) {
    a_secret_waits_until_it_is_confirmed(&*store).await;
    a_step_is_spent_once(store.clone()).await;
    a_recovery_code_is_spent_once(store.clone()).await;
    one_of_many_confirmations_succeeds(store.clone()).await;
    what_is_removed_is_gone(&*store).await;
}

async fn someone(store: &impl UserRepository, email: &str) -> UserId {
    let user = user(email);
    assert_eq!(store.create(&user).await, Ok(true));
    user.id
}

fn codes(names: &[&str]) -> Vec<String> {
    names.iter().map(ToString::to_string).collect()
}

fn confirmation(user: UserId, sealed: &[u8], step: i64) -> Confirmation {
    Confirmation { user, sealed: sealed.to_vec(), step, recovery_codes: codes(&["one", "two"]), at: at(5) }
}

async fn with_factor<S: SecondFactorRepository + UserRepository>(store: &S, email: &str) -> UserId {
    let user = someone(store, email).await;
    assert_eq!(store.offer_totp(user, b"secret", at(0)).await, Ok(true));
    assert_eq!(store.confirm_totp(&confirmation(user, b"secret", 10)).await, Ok(true));
    user
}

async fn a_secret_waits_until_it_is_confirmed<S: SecondFactorRepository + UserRepository>(store: &S) {
    let ada = someone(store, "waiting@example.com").await;
    assert_eq!(store.totp(ada).await, Ok(None));
    assert_eq!(store.offer_totp(ada, b"first", at(0)).await, Ok(true));
    assert_eq!(store.offer_totp(ada, b"second", at(1)).await, Ok(true), "it replaces the one that waits");
    assert_eq!(store.totp(ada).await, Ok(Some(KeptTotp { sealed: b"second".to_vec(), is_on: false })));
    assert_eq!(store.spend_step(ada, 1).await, Ok(false), "what waits has no steps");
    assert_eq!(store.replace_recovery_codes(ada, &codes(&["x"])).await, Ok(false));
    assert_eq!(store.remove_totp(ada, at(2)).await, Ok(false));
    assert_eq!(store.confirm_totp(&confirmation(ada, b"first", 1)).await, Ok(false), "it was replaced");
    assert!(!store.find(ada).await.unwrap().unwrap().mfa_enabled);

    assert_eq!(store.confirm_totp(&confirmation(ada, b"second", 1)).await, Ok(true));
    assert_eq!(store.confirm_totp(&confirmation(ada, b"second", 2)).await, Ok(false), "it is on");
    assert_eq!(store.offer_totp(ada, b"third", at(3)).await, Ok(false), "one is on");
    assert_eq!(store.totp(ada).await, Ok(Some(KeptTotp { sealed: b"second".to_vec(), is_on: true })));
    let user = store.find(ada).await.unwrap().unwrap();
    assert_eq!((user.mfa_enabled, user.updated_at), (true, at(5)));
    assert_eq!(store.recovery_codes_left(ada).await, Ok(2));
}

async fn a_step_is_spent_once<S: SecondFactorRepository + UserRepository + 'static>(store: Arc<S>) {
    let ada = with_factor(&*store, "steps@example.com").await;
    assert_eq!(store.spend_step(ada, 10).await, Ok(false), "the confirmation spent it");
    assert_eq!(store.spend_step(ada, 9).await, Ok(false), "and every one before");
    let spend = |_| {
        let store = store.clone();
        tokio::spawn(async move { store.spend_step(ada, 11).await.unwrap() })
    };
    let won: Vec<_> = join_all((0..20).map(spend)).await.into_iter().map(Result::unwrap).collect();
    assert_eq!(won.iter().filter(|won| **won).count(), 1);
    assert_eq!(store.spend_step(ada, 13).await, Ok(true));
    assert_eq!(store.spend_step(ada, 12).await, Ok(false));
    let nobody = user("nobody@example.com").id;
    assert_eq!(store.spend_step(nobody, 1).await, Ok(false));
}

async fn a_recovery_code_is_spent_once<S: SecondFactorRepository + UserRepository + 'static>(store: Arc<S>) {
    let ada = with_factor(&*store, "codes@example.com").await;
    let eve = with_factor(&*store, "other-codes@example.com").await;
    assert_eq!(store.spend_recovery_code(ada, "three").await, Ok(None));
    let spend = |_| {
        let store = store.clone();
        tokio::spawn(async move { store.spend_recovery_code(ada, "one").await.unwrap() })
    };
    let won: Vec<_> = join_all((0..20).map(spend)).await.into_iter().map(Result::unwrap).collect();
    assert_eq!(won.iter().flatten().collect::<Vec<_>>(), [&1]);
    assert_eq!(store.recovery_codes_left(eve).await, Ok(2), "another's are not touched");

    assert_eq!(store.replace_recovery_codes(ada, &codes(&["three", "four", "five"])).await, Ok(true));
    assert_eq!(store.spend_recovery_code(ada, "two").await, Ok(None), "the old ones are gone");
    assert_eq!(store.spend_recovery_code(ada, "five").await, Ok(Some(2)));
}

async fn one_of_many_confirmations_succeeds<S: SecondFactorRepository + UserRepository + 'static>(store: Arc<S>) {
    let ada = someone(&*store, "confirming@example.com").await;
    store.offer_totp(ada, b"secret", at(0)).await.unwrap();
    let confirm = |number: i64| {
        let store = store.clone();
        let recovery_codes = vec![format!("code of {number}")];
        let confirmation = Confirmation { recovery_codes, ..confirmation(ada, b"secret", number) };
        tokio::spawn(async move { store.confirm_totp(&confirmation).await.unwrap() })
    };
    let won: Vec<_> = join_all((0..10).map(confirm)).await.into_iter().map(Result::unwrap).collect();
    let winners: Vec<_> = won.iter().enumerate().filter(|(_, won)| **won).map(|(number, _)| number).collect();
    assert_eq!(winners.len(), 1);
    assert_eq!(store.spend_recovery_code(ada, &format!("code of {}", winners[0])).await, Ok(Some(0)));
}

async fn what_is_removed_is_gone<S: SecondFactorRepository + UserRepository>(store: &S) {
    let ada = with_factor(store, "removing@example.com").await;
    assert_eq!(store.remove_totp(ada, at(9)).await, Ok(true));
    assert_eq!(store.remove_totp(ada, at(9)).await, Ok(false));
    assert_eq!((store.totp(ada).await, store.recovery_codes_left(ada).await), (Ok(None), Ok(0)));
    let user = store.find(ada).await.unwrap().unwrap();
    assert_eq!((user.mfa_enabled, user.updated_at), (false, at(9)));
    assert_eq!(store.spend_step(ada, 100).await, Ok(false));
    assert_eq!(store.offer_totp(ada, b"again", at(10)).await, Ok(true));
    assert_eq!(store.confirm_totp(&confirmation(ada, b"again", 10)).await, Ok(true), "a new secret has its own steps");
}
