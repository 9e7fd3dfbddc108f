//! What every outbox promises.

use std::{collections::HashSet, sync::Arc};

use chrono::TimeDelta;
use futures_util::future::join_all;
use uuid::Uuid;

use super::{at, token, user};
use crate::{
    kernel::{SystemClock, ids::new_uuid},
    modules::auth::{
        application::{Hold, Outbox, PortError, Registered, RegistrationMails, UserRepository},
        domain::{Channel, Credentials, EmailPurpose, EmailToken, OutboxEntry, RESEND_INTERVAL, User, UserStatus},
    },
    platform::random::SystemRandom,
};

fn entry(number: u128, key: &str) -> OutboxEntry {
    OutboxEntry {
        id: Uuid::from_u128(number),
        channel: Channel::Mail,
        key: key.to_owned(),
        content: vec![0, 159, 255],
        created_at: at(0),
    }
}

fn hold(now: i64) -> Hold {
    Hold { holder: new_uuid(&SystemClock, &SystemRandom), now: at(now), until: at(now + 10) }
}

/// Every promise of [`Outbox`], and of the stores that write into it, on a store where `most` entries may wait.
pub(crate) async fn outbox<S: Outbox + UserRepository + 'static>(store: Arc<S>, most: u64) {
    in_order_by_key(&*store).await;
    held_by_one(&*store).await;
    each_to_one_of_many(store.clone(), most).await;
    written_with_a_registration(&*store).await;
    written_with_a_token(&*store).await;
    no_more_than_may_wait(&*store, most).await;
}

async fn next(store: &impl Outbox, now: i64) -> Option<Uuid> {
    store.hold(Channel::Mail, &hold(now)).await.unwrap().map(|held| held.entry.id)
}

/// What waits, taken away.
async fn drain(store: &impl Outbox) -> Vec<String> {
    let mut keys = Vec::new();
    while let Some(held) = store.hold(Channel::Mail, &hold(1_000_000)).await.unwrap() {
        store.remove(held.entry.id).await.unwrap();
        keys.push(held.entry.key);
    }
    assert_eq!(store.waiting(Channel::Mail).await, Ok(0));
    keys
}

async fn in_order_by_key(store: &impl Outbox) {
    let [one, two, other] = [entry(1, "ada"), entry(2, "ada"), entry(3, "eve")];
    for entry in [&two, &one, &other] {
        store.put(entry).await.unwrap();
    }
    assert_eq!(store.waiting(Channel::Mail).await, Ok(3));
    assert_eq!(next(store, -1).await, None, "not due yet");
    let first = hold(1);
    let held = store.hold(Channel::Mail, &first).await.unwrap().unwrap();
    assert_eq!((&held.entry, held.attempts), (&one, 1));
    assert_eq!(next(store, 1).await, Some(other.id), "of another key");
    assert_eq!(next(store, 1).await, None, "the second of the key waits for the first");
    store.postpone(one.id, first.holder, at(60)).await.unwrap();
    assert_eq!(next(store, 2).await, None, "and goes on waiting");
    assert_eq!(next(store, 60).await, Some(one.id));
    store.remove(one.id).await.unwrap();
    assert_eq!(next(store, 60).await, Some(two.id));
    drain(store).await;
}

async fn held_by_one(store: &impl Outbox) {
    store.put(&entry(1, "ada")).await.unwrap();
    let id = Uuid::from_u128(1);
    let first = hold(0);
    assert!(store.hold(Channel::Mail, &first).await.unwrap().is_some());
    assert_eq!(next(store, 9).await, None);
    let longer = Hold { now: at(9), until: at(20), ..first };
    assert_eq!(store.keep_hold(id, &longer).await, Ok(true));
    assert_eq!(next(store, 19).await, None, "for longer");
    let second = hold(20);
    let held = store.hold(Channel::Mail, &second).await.unwrap().unwrap();
    assert_eq!(held.attempts, 2, "its holder gave no word");
    assert_eq!(store.keep_hold(id, &longer).await, Ok(false), "somebody else holds it");
    store.postpone(id, first.holder, at(500)).await.unwrap();
    assert_eq!(next(store, 29).await, None);
    assert_eq!(next(store, 30).await, Some(id), "who does not hold it cannot postpone it");
    store.remove(id).await.unwrap();
    store.remove(id).await.unwrap();
    drain(store).await;
}

async fn each_to_one_of_many<S: Outbox + 'static>(store: Arc<S>, most: u64) {
    for number in 0..u128::from(most) {
        store.put(&entry(number, &format!("key {number}"))).await.unwrap();
    }
    let holders = (0..5).map(|_| {
        let store = store.clone();
        tokio::spawn(async move {
            let mut got = Vec::new();
            while let Some(id) = next(&*store, 1).await {
                got.push(id);
            }
            got
        })
    });
    let got: Vec<_> = join_all(holders).await.into_iter().flat_map(Result::unwrap).collect();
    assert_eq!(got.iter().collect::<HashSet<_>>().len(), got.len(), "none twice");
    assert_eq!(drain(&*store).await.len() as u64, most);
    assert_eq!(got.len() as u64, most, "and every one");
}

async fn written_with_a_registration(store: &(impl Outbox + UserRepository)) {
    let mails = |number| RegistrationMails { verification: entry(number, "verify"), taken: entry(number + 1, "taken") };
    let ada = user("outbox@example.com");
    let registration = Credentials { password_hash: ada.password_hash.clone(), display_name: None };
    let token = |user: &User, created| EmailToken {
        registration: Some(registration.clone()),
        expires_at: at(created + 5_000),
        ..token(user, created)
    };
    let register = async |user: &User, created, number| {
        store.register(user, &token(user, created), Some(&mails(number)), RESEND_INTERVAL).await
    };
    assert_eq!(register(&ada, 0, 1).await, Ok(Registered::Created));
    assert_eq!(drain(store).await, ["verify"]);
    assert_eq!(register(&user("outbox@example.com"), 1, 3).await, Ok(Registered::Waiting { notify: true }));
    assert_eq!(drain(store).await, ["verify"]);
    let active = User { status: UserStatus::Active, ..user("active@example.com") };
    assert_eq!(store.create(&active).await, Ok(true));
    let owner = active.id;
    assert_eq!(register(&user("active@example.com"), 2, 5).await, Ok(Registered::Taken { owner, notify: true }));
    assert_eq!(drain(store).await, ["taken"]);
    assert_eq!(register(&user("active@example.com"), 3, 7).await, Ok(Registered::Taken { owner, notify: false }));
    assert_eq!(drain(store).await, Vec::<String>::new(), "told within the interval");
}

async fn written_with_a_token(store: &(impl Outbox + UserRepository)) {
    let grace = user("grace.outbox@example.com");
    assert_eq!(store.create(&grace).await, Ok(true));
    let reset = |created| EmailToken { purpose: EmailPurpose::PasswordReset, ..token(&grace, created) };
    let mail = entry(1, "reset");
    assert_eq!(store.keep_email_token(&reset(0), Some(&mail), RESEND_INTERVAL).await, Ok(true));
    assert_eq!(drain(store).await, ["reset"]);
    assert_eq!(store.keep_email_token(&reset(1), Some(&mail), RESEND_INTERVAL).await, Ok(false));
    assert_eq!(store.keep_email_token(&reset(100), None, RESEND_INTERVAL).await, Ok(true));
    let nobody = token(&user("nobody@example.com"), 0);
    assert_eq!(store.rehearse_email_token(&nobody, &mail, RESEND_INTERVAL).await, Ok(()));
    let is_live = store.has_email_token(nobody.purpose, &nobody.token_hash, at(1)).await;
    assert_eq!((is_live, drain(store).await), (Ok(false), Vec::new()), "nothing came of it");
}

async fn no_more_than_may_wait(store: &(impl Outbox + UserRepository), most: u64) {
    for number in 0..u128::from(most) {
        store.put(&entry(100 + number, "full")).await.unwrap();
    }
    let one_more = entry(1, "more");
    let is_full = |outcome: Result<(), PortError>| matches!(outcome, Err(PortError::Unavailable(_)));
    assert!(is_full(store.put(&one_more).await));
    let new = user("late@example.com");
    let mails = RegistrationMails { verification: one_more.clone(), taken: entry(2, "more") };
    for user in [&new, &user("outbox@example.com")] {
        let registered = store.register(user, &token(user, 0), Some(&mails), RESEND_INTERVAL).await;
        assert!(is_full(registered.map(drop)), "whether or not the address is taken");
    }
    assert_eq!(store.find(new.id).await, Ok(None), "nothing has changed");
    let reset = EmailToken { expires_at: at(0) + TimeDelta::days(9), ..token(&new, 9_000) };
    assert!(is_full(store.keep_email_token(&reset, Some(&one_more), RESEND_INTERVAL).await.map(drop)));
    assert!(is_full(store.rehearse_email_token(&reset, &one_more, RESEND_INTERVAL).await));
    assert_eq!(drain(store).await.len() as u64, most);
}
