//! Lockout, word by word.

use std::{
    net::IpAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
};

use actix_web::{http::Method, test::TestRequest};
use async_trait::async_trait;
use serde_json::json;

use super::{Answer, Duration, TestAuth, config, configuration};
use crate::modules::auth::{
    application::{Failure, LoginAttempt, PasswordHasher, PortError, Verdict},
    domain::{Email, PasswordHash, PlainPassword},
};

const LIMIT: usize = 5;

fn relaxed() -> config::AuthConfig {
    config::AuthConfig { require_verified_email: false, ..configuration() }
}

impl TestAuth {
    /// A login from an address of the caller's choice.
    async fn log_in_from(&self, address: &str, email: &str, password: &str) -> Answer {
        let request = TestRequest::post().uri("/auth/login").set_json(json!({"email": email, "password": password}));
        self.send(request.peer_addr(format!("{address}:9").parse().unwrap())).await
    }
}

/// All that could tell one answer from another.
fn shape(answer: &Answer) -> (u16, String, Vec<(String, String)>, Vec<String>) {
    let headers = answer.headers.iter().map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()));
    let mut headers: Vec<_> = headers.collect();
    headers.sort();
    let keys = answer.body.as_object().unwrap().keys().cloned().collect();
    (answer.status.as_u16(), answer.code().to_owned(), headers, keys)
}

#[actix_web::test]
async fn in_the_cooldown_every_attempt_is_refused_and_none_extends_it() {
    let app = TestAuth::start(&relaxed()).await;
    app.register("ada@example.com").await;
    let session = app.log_in("ada@example.com").await;
    for email in ["ada@example.com", "nobody@example.com"] {
        for attempt in 1..LIMIT {
            assert_eq!(app.log_in_from("192.0.2.1", email, "wrong").await.status, 401, "{attempt}");
        }
        let reaching = app.log_in_from("192.0.2.1", email, "wrong").await;
        assert_eq!((reaching.code(), reaching.header("retry-after")), ("too-many-attempts", "900"), "{email}");
    }
    for passed in 1..=3u64 {
        app.clock.advance(Duration::from_secs(200));
        let mut shapes = Vec::new();
        for (email, password) in
            [("ada@example.com", "correct horse"), ("ada@example.com", "wrong"), ("nobody@example.com", "wrong")]
        {
            let held = app.log_in_from("192.0.2.2", email, password).await;
            assert_eq!(held.header("retry-after"), (900 - 200 * passed).to_string(), "{email}, from elsewhere too");
            shapes.push(shape(&held));
        }
        shapes.dedup();
        assert_eq!(shapes.len(), 1, "right or wrong, known or not");
    }
    let access = session.text("access_token");
    assert_eq!(app.me(&access).await.status, 200, "a live session goes on");
    let refreshed = app.post("/auth/refresh", json!({"refresh_token": session.text("refresh_token")})).await;
    assert_eq!(refreshed.status, 200, "and is refreshed");
    app.clock.advance(Duration::from_mins(5));
    assert_eq!(app.log_in("ada@example.com").await.status, 200);
    assert_eq!(app.log_in_from("192.0.2.1", "nobody@example.com", "wrong").await.status, 401);
}

#[actix_web::test]
async fn unknown_addresses_look_like_known_ones() {
    let app = TestAuth::start(&relaxed()).await;
    app.register("ada@example.com").await;
    for attempt in 0..LIMIT + 2 {
        let known = app.log_in_from("192.0.2.1", "ada@example.com", "wrong").await;
        let unknown = app.log_in_from("192.0.2.1", "nobody@example.com", "wrong").await;
        assert_eq!(shape(&known), shape(&unknown), "{attempt}");
    }
}

#[actix_web::test]
async fn an_address_may_fail_ten_times_as_often_and_success_clears_one_account_alone() {
    let app = TestAuth::start(&relaxed()).await;
    for email in ["ada@example.com", "eve@example.com"] {
        app.register(email).await;
    }
    let attempt = |email: String, password: &'static str| {
        let app = &app;
        async move { app.log_in_from("192.0.2.1", &email, password).await.status.as_u16() }
    };
    for _ in 1..LIMIT {
        assert_eq!(attempt("ada@example.com".to_owned(), "wrong").await, 401);
    }
    assert_eq!(attempt("eve@example.com".to_owned(), "correct horse").await, 200);
    for number in LIMIT..LIMIT * 10 {
        assert_eq!(attempt(format!("user{number}@example.com"), "wrong").await, 401, "{number}");
    }
    assert_eq!(attempt("ada@example.com".to_owned(), "wrong").await, 429, "eve's success cleared nothing of ada's");
    assert_eq!(attempt("eve@example.com".to_owned(), "correct horse").await, 429, "the address has reached its limit");
    assert_eq!(app.log_in_from("192.0.2.2", "eve@example.com", "correct horse").await.status, 200);
}

#[actix_web::test]
async fn a_success_clears_its_own_account() {
    let app = TestAuth::start(&relaxed()).await;
    app.register("ada@example.com").await;
    for _ in 0..3 {
        for _ in 1..LIMIT {
            assert_eq!(app.log_in_from("192.0.2.1", "ada@example.com", "wrong").await.status, 401);
        }
        assert_eq!(app.log_in("ada@example.com").await.status, 200);
    }
}

#[actix_web::test]
async fn a_restart_forgives_nothing() {
    let app = TestAuth::start(&relaxed()).await;
    for _ in 0..LIMIT {
        app.log_in_from("192.0.2.1", "nobody@example.com", "wrong").await;
    }
    app.auth.stop().await;
    let app = TestAuth::start_in(&relaxed(), app.folder).await;
    assert_eq!(app.log_in_from("192.0.2.1", "nobody@example.com", "wrong").await.status, 429);
    let other = app.call(Method::POST, "/auth/login", None, Some(json!({"email": "x@example.com", "password": "y"})));
    assert_eq!(other.await.status, 401);
}

/// Counts what it is asked, and knows one password.
#[derive(Default)]
struct CountingHasher {
    comparisons: AtomicUsize,
    /// Those that an unknown address was answered with.
    dummies: Mutex<usize>,
}

#[async_trait]
impl PasswordHasher for CountingHasher {
    async fn hash(&self, _: &PlainPassword) -> Result<PasswordHash, PortError> {
        Ok(PasswordHash::from_text("right".to_owned()))
    }

    async fn verify(&self, password: &PlainPassword, hash: Option<&PasswordHash>) -> Result<Verdict, PortError> {
        self.comparisons.fetch_add(1, Relaxed);
        if hash.is_none() {
            *self.dummies.lock().unwrap() += 1;
        }
        let is_right = hash.is_some_and(|hash| hash.as_text().as_bytes() == password.expose());
        Ok(if is_right { Verdict::Right } else { Verdict::Wrong })
    }

    fn recognise(&self, text: &str) -> Result<PasswordHash, crate::kernel::error::ValueFault> {
        Ok(PasswordHash::from_text(text.to_owned()))
    }
}

/// Equal work is what makes equal time: one comparison for each attempt that is looked at, none in the cooldown.
#[actix_web::test]
async fn a_known_and_an_unknown_address_cost_the_same() {
    let app = TestAuth::start(&relaxed()).await;
    app.register("ada@example.com").await;
    let hasher = Arc::new(CountingHasher::default());
    let mut authenticate = app.auth.use_cases.log_in.authenticate.clone();
    authenticate.passwords = hasher.clone();
    for email in ["ada@example.com", "nobody@example.com"] {
        let attempt = LoginAttempt {
            email: Email::parse(email).unwrap(),
            password: PlainPassword::given("wrong").unwrap(),
            code: None,
            client: IpAddr::from([192, 0, 2, 1]),
            user_agent: None,
            request_id: None,
        };
        for number in 1..=LIMIT + 3 {
            let before = hasher.comparisons.load(Relaxed);
            let outcome = authenticate.run(&attempt).await.unwrap_err();
            let compared = hasher.comparisons.load(Relaxed) - before;
            if number < LIMIT {
                assert_eq!((outcome, compared), (Failure::InvalidCredentials, 1), "{email}");
            } else {
                let is_held = matches!(outcome, Failure::TooManyAttempts(_));
                assert_eq!((is_held, compared), (true, usize::from(number == LIMIT)), "{email}");
            }
        }
    }
    assert_eq!(*hasher.dummies.lock().unwrap(), LIMIT);
}

#[actix_web::test]
async fn mailed_codes_cannot_be_guessed() {
    let app = TestAuth::start(&configuration()).await;
    app.register("ada@example.com").await;
    for email in ["ada@example.com", "nobody@example.com"] {
        let guess = async || app.post("/auth/verify-email", json!({"email": email, "code": "0000-0000"})).await;
        for attempt in 1..LIMIT {
            assert_eq!(guess().await.code(), "invalid-token", "{email} {attempt}");
        }
        assert_eq!(guess().await.code(), "too-many-attempts", "{email}");
    }
}
