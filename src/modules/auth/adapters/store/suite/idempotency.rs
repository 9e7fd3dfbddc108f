//! Every promise of [`IdempotencyStore`].

use std::sync::Arc;

use futures_util::future::join_all;

use super::at;
use crate::modules::auth::{
    application::{Begun, Claim, IdempotencyStore, KeptAnswer},
    domain::PasswordHash,
};

fn claim(owner: &str, fingerprint: &str, secs: i64) -> Claim {
    Claim {
        owner: owner.to_owned(),
        key_hash: "key".to_owned(),
        fingerprint: fingerprint.to_owned(),
        at: at(secs),
        claimed_until: at(secs + 30),
        expires_at: at(secs + 1_000),
    }
}

pub(in super::super) async fn idempotency<S: IdempotencyStore + 'static>(store: Arc<S>) {
    let outcomes = join_all((0..10).map(|_| {
        let store = store.clone();
        tokio::spawn(async move { store.claim(&claim("ada", "one", 0)).await.unwrap() })
    }))
    .await;
    let mine = outcomes.iter().filter(|begun| *begun.as_ref().unwrap() == Begun::Mine).count();
    assert_eq!(mine, 1);
    assert!(outcomes.into_iter().all(|begun| matches!(begun.unwrap(), Begun::Mine | Begun::UnderWay)));
    assert_eq!(store.claim(&claim("ada", "two", 1)).await, Ok(Begun::OtherCall));
    assert_eq!(store.claim(&claim("bob", "two", 1)).await, Ok(Begun::Mine), "keys are a user's own");

    let first = claim("ada", "one", 0);
    store.release(&first).await.unwrap();
    assert_eq!(store.claim(&claim("ada", "two", 2)).await, Ok(Begun::Mine), "given back");
    let taken_over = claim("ada", "two", 33);
    assert_eq!(store.claim(&taken_over).await, Ok(Begun::Mine), "the first was lost");
    let answer = |text: &str| KeptAnswer {
        sealed: text.as_bytes().to_vec(),
        secret_hash: Some(PasswordHash::from_text("hash".to_owned())),
    };
    store.keep(&claim("ada", "two", 2), &answer("late")).await.unwrap();
    assert_eq!(store.claim(&claim("ada", "two", 34)).await, Ok(Begun::UnderWay), "what is late counts no more");
    store.keep(&taken_over, &answer("right")).await.unwrap();
    store.release(&taken_over).await.unwrap();
    assert_eq!(store.claim(&claim("ada", "two", 900)).await, Ok(Begun::Answered(answer("right"))));
    assert_eq!(store.claim(&claim("ada", "one", 900)).await, Ok(Begun::OtherCall));
    assert_eq!(store.claim(&claim("ada", "one", 1_033)).await, Ok(Begun::Mine), "expired");
}
