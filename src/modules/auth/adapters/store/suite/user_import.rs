//! What every store promises of imports.

use std::sync::Arc;

use futures_util::future::join_all;

use super::user;
use crate::modules::auth::{
    application::{UserImportStore, UserRepository},
    domain::Email,
};

/// Every promise of [`UserImportStore`].
pub(in super::super) async fn user_import<S: UserImportStore + UserRepository + 'static>(store: Arc<S>) {
    assert_eq!(store.insert_all(&[]).await, Ok(vec![]));
    let (ada, grace, again) = (user("ada@example.com"), user("grace@example.com"), user("ada@example.com"));
    let batch = [ada.clone(), grace.clone(), again.clone()];
    assert_eq!(store.insert_all(&batch).await, Ok(vec![true, true, false]), "the first wins");
    assert_eq!(store.find(ada.id).await, Ok(Some(ada.clone())));
    assert_eq!(store.find(again.id).await, Ok(None));
    let late = user("late@example.com");
    assert_eq!(store.insert_all(&[again, late.clone()]).await, Ok(vec![false, true]));
    assert_eq!(store.find_by_email(&ada.email).await, Ok(Some(ada.clone())), "who was there is not changed");
    let free = Email::parse("free@example.com").unwrap();
    let mut taken = store.taken(&[free, late.email.clone(), ada.email.clone()]).await.unwrap();
    taken.sort();
    assert_eq!(taken, [ada.email, late.email]);
    assert_eq!(store.taken(&[]).await, Ok(vec![]));

    let imports = join_all((0..4).map(|_| {
        let store = store.clone();
        let batch: Vec<_> = (0..20).map(|number| user(&format!("user-{number}@example.com"))).collect();
        tokio::spawn(async move { store.insert_all(&batch).await.unwrap() })
    }));
    let inserted: usize =
        imports.await.into_iter().map(|outcome| outcome.unwrap().into_iter().filter(|one| *one).count()).sum();
    assert_eq!(inserted, 20, "however many import them");
}
