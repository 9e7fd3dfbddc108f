//! What is asked, what is remembered, and what is not accepted.

use std::sync::{
    Mutex,
    atomic::{AtomicUsize, Ordering},
};

use actix_web::http::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use chrono::DateTime;

use super::{
    super::authentication::{Credentials, credentials},
    *,
};
use crate::{
    kernel::{API_KEY_CLIENT, ManualClock, SessionId, Subject, UserId},
    platform::tokens::TokenRules,
};

#[derive(Default)]
struct Source {
    asked: AtomicUsize,
    /// What is answered, after a moment.
    answer: Mutex<Option<Principal>>,
    away: Mutex<bool>,
}

#[async_trait]
impl ApiKeySource for Source {
    async fn find(&self, _: &str) -> Result<Option<Principal>, String> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        tokio::time::sleep(Duration::from_millis(20)).await;
        if *self.away.lock().unwrap() { Err("away".to_owned()) } else { Ok(self.answer.lock().unwrap().clone()) }
    }
}

struct Setting {
    source: Arc<Source>,
    tokens: Arc<TokenVerifier>,
    keys: ApiKeys,
    clock: Arc<ManualClock>,
}

fn setting() -> Setting {
    let clock = Arc::new(ManualClock::at(DateTime::from_timestamp(1_800_000_000, 0).unwrap()));
    let rules = TokenRules {
        issuer: "http://issuer".to_owned(),
        audience: "vestibule".to_owned(),
        revocation_max_staleness: Duration::from_secs(30),
    };
    let tokens = Arc::new(TokenVerifier::new(rules, clock.clone()));
    let keys = ApiKeys::new(tokens.clone(), clock.clone());
    let source = Arc::new(Source::default());
    *source.answer.lock().unwrap() = Some(principal());
    keys.ask(source.clone());
    Setting { source, tokens, keys, clock }
}

fn principal() -> Principal {
    Principal {
        subject: Subject::User(UserId(uuid::Uuid::from_u128(1))),
        session_id: SessionId(uuid::Uuid::from_u128(2)),
        client_id: API_KEY_CLIENT.to_owned(),
        email: None,
        roles: Vec::new(),
        scopes: vec!["users:read".to_owned()],
        expires_at: DateTime::from_timestamp(1_800_000_060, 0).unwrap(),
    }
}

fn key(digit: char) -> String {
    let body = format!("vk_{}", digit.to_string().repeat(64));
    format!("{body}{}", &sha256(&body)[..8])
}

#[tokio::test]
async fn many_who_ask_at_once_are_one_question() {
    let Setting { source, keys, .. } = setting();
    let key = key('a');
    assert!(!keys.remembers(&key).await);
    let verified = futures_util::future::join_all((0..20).map(|_| keys.verify(&key))).await;
    assert!(verified.iter().all(|verified| **verified.as_ref().unwrap() == principal()));
    assert_eq!(source.asked.load(Ordering::Relaxed), 1);
    assert!(keys.remembers(&key).await);
}

#[tokio::test]
async fn a_text_that_is_no_key_is_refused_unasked() {
    let Setting { source, keys, .. } = setting();
    let wrong_sum = format!("{}0", &key('a')[..key('a').len() - 1]);
    for wrong in ["", "vk_", "vk_zz", &key('a')[3..], &key('a').to_uppercase(), &format!("{}a", key('a')), &wrong_sum] {
        assert!(keys.remembers(wrong).await, "{wrong}: judged without asking");
        assert_eq!(keys.verify(wrong).await, Err(TokenFault::Invalid("the API key is malformed")), "{wrong}");
    }
    assert_eq!(source.asked.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn what_the_feed_names_is_asked_again() {
    let Setting { source, tokens, keys, clock } = setting();
    let key = key('b');
    keys.verify(&key).await.unwrap();
    *source.answer.lock().unwrap() = None;
    assert!(keys.verify(&key).await.is_ok(), "remembered");
    tokens.revocations().add([(principal().session_id, clock.now())]);
    assert!(matches!(keys.verify(&key).await, Err(TokenFault::Invalid(_))));
    assert!(matches!(keys.verify(&key).await, Err(TokenFault::Invalid(_))));
    assert_eq!(source.asked.load(Ordering::Relaxed), 2, "that it is unknown is remembered too");
}

#[tokio::test]
async fn without_an_answer_nothing_is_accepted() {
    let Setting { source, keys, clock, tokens } = setting();
    *source.away.lock().unwrap() = true;
    assert_eq!(keys.verify(&key('c')).await, Err(TokenFault::ApiKeyUnchecked));
    *source.away.lock().unwrap() = false;
    assert!(keys.verify(&key('c')).await.is_ok(), "a failure is not remembered");
    clock.advance(Duration::from_mins(1));
    assert_eq!(keys.verify(&key('c')).await, Err(TokenFault::Invalid("the API key has expired")));
    let nobody = ApiKeys::new(tokens, clock);
    assert_eq!(nobody.verify(&key('c')).await, Err(TokenFault::ApiKeyUnchecked));
}

#[tokio::test]
async fn two_kinds_of_credentials_are_none() {
    let Setting { tokens, keys, .. } = setting();
    let mut headers = HeaderMap::new();
    headers.insert(X_API_KEY, HeaderValue::from_str(&key('d')).unwrap());
    assert!(matches!(authenticate(&headers, &tokens, &keys).await, Identity::Known(_)));
    headers.insert(AUTHORIZATION, HeaderValue::from_static("Basic dXNlcjpwdw=="));
    assert!(matches!(authenticate(&headers, &tokens, &keys).await, Identity::Known(_)), "not ours to judge");
    headers.insert(AUTHORIZATION, HeaderValue::from_static("Bearer a.b.c"));
    assert!(matches!(authenticate(&headers, &tokens, &keys).await, Identity::Refused(TokenFault::Invalid(_))));
    headers.insert(X_API_KEY, HeaderValue::from_static("somebody else's"));
    assert!(matches!(credentials(&headers), Credentials::Token("a.b.c")));
    headers.remove(AUTHORIZATION);
    headers.append(X_API_KEY, HeaderValue::from_static("vk_2"));
    assert!(matches!(authenticate(&headers, &tokens, &keys).await, Identity::Refused(TokenFault::Invalid(_))));
}
