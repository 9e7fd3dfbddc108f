//! What every counter of failed attempts promises.

use std::sync::Arc;

use chrono::TimeDelta;
use futures_util::future::join_all;

use super::at;
use crate::modules::auth::{
    application::AttemptCounters,
    domain::{Failures, LockoutRule},
};

const RULE: LockoutRule =
    LockoutRule { failures: 3, window: TimeDelta::seconds(60), cooldown: TimeDelta::seconds(100) };

/// Every promise of [`AttemptCounters`].
pub(crate) async fn attempts<S: AttemptCounters + 'static>(store: Arc<S>) {
    failures_are_counted_and_forgiven(&*store).await;
    none_of_many_is_lost(store).await;
}

async fn failures_are_counted_and_forgiven(store: &impl AttemptCounters) {
    let ids = |names: &[&str]| names.iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(store.failures(&ids(&["a", "b"])).await, Ok(vec![Failures::default(); 2]));
    let wider = RULE.wider(10);
    let both = [("a".to_owned(), RULE), ("b".to_owned(), wider)];
    let counted = store.fail(&both, at(0)).await.unwrap();
    assert_eq!(counted, vec![Failures { at: vec![at(0)], locked_until: None }; 2]);
    assert_eq!(store.failures(&ids(&["b", "none", "a"])).await.unwrap()[1], Failures::default());
    store.forgive("a", at(1)).await.unwrap();
    let after = store.failures(&ids(&["a", "b"])).await.unwrap();
    assert_eq!((after[0].at.len(), after[1].at.len()), (0, 1), "one forgiven, the other not");

    for second in 2..5 {
        store.fail(&both, at(second)).await.unwrap();
    }
    let locked = Failures { at: Vec::new(), locked_until: Some(at(4) + RULE.cooldown) };
    assert_eq!(store.failures(&ids(&["a"])).await, Ok(vec![locked.clone()]));
    assert_eq!(store.fail(&both[..1], at(5)).await, Ok(vec![locked.clone()]), "nothing is counted in the cooldown");
    store.forgive("a", at(6)).await.unwrap();
    assert_eq!(store.failures(&ids(&["a"])).await, Ok(vec![locked]), "a lock is not forgiven");
    store.forgive("a", at(4) + RULE.cooldown).await.unwrap();
    assert_eq!(store.failures(&ids(&["a"])).await, Ok(vec![Failures::default()]));
}

async fn none_of_many_is_lost<S: AttemptCounters + 'static>(store: Arc<S>) {
    let many = RULE.wider(100);
    let fail = |number: usize| {
        let (store, own) = (store.clone(), format!("own {}", number % 4));
        let ids = [(own, many), ("shared".to_owned(), many)];
        tokio::spawn(async move { store.fail(&ids, at(0)).await.unwrap() })
    };
    join_all((0..20).map(fail)).await.into_iter().for_each(|done| drop(done.unwrap()));
    let ids = ["shared", "own 0", "own 3"].map(str::to_owned);
    let counts: Vec<_> = store.failures(&ids).await.unwrap().iter().map(|failures| failures.at.len()).collect();
    assert_eq!(counts, [20, 5, 5]);
}
