//! The module's journeys over its own routes, on a real database and with mails as files.

mod api_keys;
mod clients;
mod grants;
mod lockout;
mod passwords;
mod second_factor;
mod users;
mod verifiers;

use std::{path::Path, sync::Arc, time::Duration};

use actix_web::{
    App,
    body::to_bytes,
    dev::ServiceResponse,
    http::{Method, StatusCode, header},
    test::{TestRequest, init_service, try_call_service},
};
use chrono::DateTime;
use serde_json::{Value, json};

use super::{super::config, Auth, AuthParts};
use crate::{
    config::{DatabaseConfig, MailConfig},
    kernel::{
        Clock, ManualClock,
        units::{ByteSize, Span},
    },
    platform::{
        bell::LocalBell,
        http::Problem,
        random::SystemRandom,
        tokens::{KeyRing, SigningAlgorithm, TokenRules, TokenVerifier},
    },
};

struct TestAuth {
    auth: Auth,
    verifier: Arc<TokenVerifier>,
    clock: Arc<ManualClock>,
    folder: tempfile::TempDir,
}

/// An answer: status, headers and JSON body, whether it came as a response or as a problem.
struct Answer {
    status: StatusCode,
    headers: header::HeaderMap,
    body: Value,
}

impl Answer {
    fn code(&self) -> &str {
        self.body["code"].as_str().unwrap_or_default()
    }

    fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    fn text(&self, member: &str) -> String {
        self.body[member].as_str().unwrap_or_default().to_owned()
    }
}

fn configuration() -> config::AuthConfig {
    config::AuthConfig {
        issuer: "http://127.0.0.1:8000".to_owned(),
        require_verified_email: true,
        registration: config::Registration::Open,
        tokens: config::TokensConfig {
            algorithm: SigningAlgorithm::ES256,
            secret: None,
            audience: "vestibule".to_owned(),
            access_ttl: Span::secs(1_800),
            refresh_ttl: Span::secs(604_800),
            session_ttl: Span::secs(2_592_000),
            refresh_reuse_leeway: Span::secs(10),
            key_publish_delay: Span::secs(60),
            revocation_max_staleness: Span::secs(30),
        },
        pages: config::PagesConfig {
            product_name: "Vestibule".to_owned(),
            logo_url: None,
            accent: "#0b5c70".to_owned(),
            accent_dark: "#7cc7d9".to_owned(),
            templates: None,
        },
        password: config::PasswordConfig {
            algorithm: config::PasswordAlgorithm::Argon2id,
            min_length: 8,
            argon2: config::Argon2Config { memory: ByteSize(64 * 1024), iterations: 1, parallelism: 1 },
            bcrypt_cost: 4,
            breach_list: None,
            hashing_threads: 2,
            hashing_queue: 100,
            hashing_timeout: Span::secs(5),
            hashing_yield_after: 0,
        },
        api_keys: config::ApiKeysConfig { per_user: 3, kept_for: Span::secs(86_400) },
        idempotency: config::IdempotencyConfig { kept_for: Span::secs(86_400) },
        lockout: config::LockoutConfig {
            failures: 5,
            window: Span::secs(900),
            cooldown: Span::secs(900),
            client_factor: 10,
        },
        mfa: config::MfaConfig {
            name: "Vestibule".to_owned(),
            failures: 5,
            window: Span::secs(900),
            cooldown: Span::secs(900),
        },
        passkeys: config::PasskeysConfig { enabled: false, per_user: 20, ceremony_ttl: Span::secs(300) },
        step_up: config::StepUpConfig { max_age: Span::secs(900) },
        master_key: None,
        previous_master_keys: Vec::new(),
        oauth: config::OAuthConfig {
            resources: Vec::new(),
            assertion_max_lifetime: Span::secs(3_600),
            code_ttl: Span::secs(60),
            interaction_ttl: Span::secs(1_800),
            pushed_request_ttl: Span::secs(60),
            require_pushed_requests: false,
            device_ttl: Span::secs(600),
            device_interval: Span::secs(5),
            browser_idle: Span::secs(7_200),
            browser_ttl: Span::secs(43_200),
        },
        captcha: None,
        database: None,
    }
}

impl TestAuth {
    async fn start(config: &config::AuthConfig) -> Self {
        Self::start_in(config, tempfile::tempdir().unwrap()).await
    }

    async fn start_in(config: &config::AuthConfig, folder: tempfile::TempDir) -> Self {
        let clock = Arc::new(ManualClock::at(DateTime::from_timestamp(1_800_000_000, 0).unwrap()));
        let rules = TokenRules {
            issuer: config.issuer.clone(),
            audience: config.tokens.audience.clone(),
            revocation_max_staleness: config.tokens.revocation_max_staleness.get(),
        };
        let verifier = Arc::new(TokenVerifier::new(rules, clock.clone()));
        let path = folder.path().display();
        let database = DatabaseConfig { url: format!("sqlite://{path}/auth.db"), max_connections: 8 };
        let mail = MailConfig {
            transport: format!("file:{path}/mails"),
            from: "no-reply@localhost".to_owned(),
            max_waiting: 1_000,
            senders: 2,
            send_timeout: Span::secs(10),
            attempts: 5,
            retry_after: Span::secs(1),
            retry_after_max: Span::secs(60),
        };
        let parts = AuthParts {
            config,
            database: &database,
            mail: &mail,
            clock: clock.clone(),
            random: Arc::new(SystemRandom),
            verifier: verifier.clone(),
            bell: Arc::new(LocalBell::default()),
        };
        let auth = Auth::start(parts).await.unwrap();
        let mut keys = KeyRing::from_jwks(&auth.api().verification_keys().await.unwrap()).unwrap();
        if let Some(secret) = &config.tokens.secret {
            keys = keys.with_shared_secret(secret.as_bytes());
        }
        verifier.set_keys(keys);
        verifier.revocations().complete(clock.monotonic());
        Self { auth, verifier, clock, folder }
    }

    async fn call(&self, method: Method, path: &str, token: Option<&str>, body: Option<Value>) -> Answer {
        let mut request = TestRequest::with_uri(path).method(method).peer_addr("127.0.0.1:9".parse().unwrap());
        if let Some(token) = token {
            request = request.insert_header((header::AUTHORIZATION, format!("Bearer {token}")));
        }
        if let Some(body) = body {
            request = request.set_json(body);
        }
        self.send(request).await
    }

    async fn send(&self, request: TestRequest) -> Answer {
        self.verifier.revocations().complete(self.clock.monotonic());
        let app = App::new().app_data(self.verifier.clone()).configure(self.auth.routes());
        let app = init_service(app).await;
        match try_call_service(&app, request.to_request()).await {
            Ok(response) => answer(response).await,
            Err(error) => answer_of(error.error_response()).await,
        }
    }

    async fn post(&self, path: &str, body: Value) -> Answer {
        self.call(Method::POST, path, None, Some(body)).await
    }

    async fn register(&self, email: &str) -> Answer {
        self.post("/auth/register", json!({"email": email, "password": "correct horse"})).await
    }

    async fn log_in(&self, email: &str) -> Answer {
        self.post("/auth/login", json!({"email": email, "password": "correct horse"})).await
    }

    async fn me(&self, token: &str) -> Answer {
        self.call(Method::GET, "/auth/me", Some(token), None).await
    }

    /// Waits for so many mails, and gives them in the order of their ids, which is that of their making.
    async fn mails(&self, count: usize) -> Vec<String> {
        let folder = self.folder.path().join("mails");
        for _ in 0..200 {
            let mails = read_mails(&folder);
            if mails.len() >= count {
                return mails;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("{count} mails were expected, found {}", read_mails(&folder).len());
    }
}

async fn answer(response: ServiceResponse) -> Answer {
    answer_of(response.map_into_boxed_body().into_parts().1).await
}

async fn answer_of(response: actix_web::HttpResponse) -> Answer {
    let (status, headers) = (response.status(), response.headers().clone());
    let problem = response.extensions().get::<Problem>().map(|problem| problem.body("/", "test"));
    let bytes = match problem {
        Some(body) => body,
        None => to_bytes(response.into_body()).await.ok().unwrap_or_default().to_vec(),
    };
    let text = || Value::String(String::from_utf8_lossy(&bytes).into_owned());
    let body = serde_json::from_slice(&bytes).unwrap_or_else(|_| text());
    Answer { status, headers, body }
}

fn read_mails(folder: &Path) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "eml"));
    paths.sort();
    paths.iter().map(|path| std::fs::read_to_string(path).unwrap()).collect()
}

fn after<'a>(mail: &'a str, mark: &str) -> &'a str {
    let rest = mail.split_once(mark).expect(mail).1;
    rest.split(|c: char| c.is_whitespace()).next().unwrap()
}

#[actix_web::test]
async fn from_registration_to_logout() {
    let app = TestAuth::start(&configuration()).await;
    let registered = app.register("Ada@Example.com").await;
    assert_eq!(registered.status, 201, "{}", registered.body);
    assert_eq!(registered.header("location"), format!("/users/{}", registered.text("id")));
    assert_eq!(registered.body["email"], "ada@example.com");
    assert_eq!(registered.body["status"], "pending");
    assert_eq!(app.log_in("ada@example.com").await.code(), "email-not-verified");

    let mail = app.mails(1).await.remove(0);
    assert!(mail.contains("\r\nTo: ada@example.com\r\n") && mail.contains("7bit"), "{mail}");
    let token = after(&mail, "/auth/verify-email?token=").to_owned();
    let link = format!("/auth/verify-email?token={token}");
    for _ in 0..2 {
        let page = app.call(Method::GET, &link, None, None).await;
        assert_eq!(page.status, 200, "looking changes nothing");
        assert!(page.body.as_str().unwrap().contains("<form method=\"post\""));
    }
    assert_eq!(app.post("/auth/verify-email", json!({"token": token})).await.status, 204);
    let again = app.post("/auth/verify-email", json!({"token": token})).await;
    assert_eq!((again.status.as_u16(), again.code()), (422, "invalid-token"));

    let tokens = app.log_in("ADA@example.com").await;
    assert_eq!(tokens.status, 200, "{}", tokens.body);
    assert_eq!(tokens.body["expires_in"], 1_800);
    assert_eq!(tokens.body["refresh_expires_in"], 604_800);
    assert_eq!(tokens.header("cache-control"), "no-store");
    let access = tokens.text("access_token");
    let me = app.me(&access).await;
    assert_eq!(
        (me.status.as_u16(), &me.body["status"], &me.body["email_verified"]),
        (200, &json!("active"), &json!(true))
    );
    assert_eq!(app.me(&tokens.text("refresh_token")).await.status, 401, "neither passes for the other");
    assert_eq!(app.post("/auth/refresh", json!({"refresh_token": access})).await.code(), "invalid-refresh-token");

    let state = app.post("/auth/verify", json!({"token": access})).await;
    assert_eq!((&state.body["active"], &state.body["roles"]), (&json!(true), &json!(["user"])));
    let other = app.log_in("ada@example.com").await.text("access_token");
    assert_eq!(app.call(Method::POST, "/auth/logout", Some(&access), None).await.status, 204);
    assert_eq!(app.me(&access).await.status, 401);
    assert_eq!(app.post("/auth/verify", json!({"token": access})).await.body, json!({"active": false}));
    let refused = app.post("/auth/refresh", json!({"refresh_token": tokens.text("refresh_token")})).await;
    assert_eq!((refused.status.as_u16(), refused.code()), (401, "invalid-refresh-token"));
    assert_eq!(refused.header("www-authenticate"), "Bearer");
    assert_eq!(app.me(&other).await.status, 200, "another session is not touched");
    assert_eq!(app.call(Method::POST, "/auth/logout-all", Some(&other), None).await.status, 204);
    assert_eq!(app.me(&other).await.status, 401);
    let feed = app.auth.api().revocations(None, Duration::ZERO).await.unwrap();
    assert_eq!(feed.sessions.len(), 2);
    assert_eq!(
        app.auth.api().revocations(Some(feed.cursor), Duration::ZERO).await.unwrap().sessions.len(),
        2,
        "stretches overlap"
    );
    app.auth.stop().await;
}

#[actix_web::test]
async fn thirty_tabs_refresh_and_one_chain_goes_on() {
    let app = TestAuth::start(&config::AuthConfig { require_verified_email: false, ..configuration() }).await;
    app.register("ada@example.com").await;
    let first = app.log_in("ada@example.com").await.text("refresh_token");
    let refresh = |token: String| {
        let app = &app;
        async move { app.post("/auth/refresh", json!({"refresh_token": token})).await }
    };
    let answers = futures_util::future::join_all((0..30).map(|_| refresh(first.clone()))).await;
    let mut next: Vec<_> = answers.iter().map(|answer| answer.text("refresh_token")).collect();
    assert!(answers.iter().all(|answer| answer.status == 200));
    next.sort();
    next.dedup();
    assert_eq!(next.len(), 1, "all get the same token");
    let second = next.remove(0);
    assert_ne!(second, first);
    let third = refresh(second.clone()).await;
    assert_eq!(third.status, 200);
    app.clock.advance(Duration::from_secs(11));
    let stolen = refresh(second).await;
    assert_eq!((stolen.status.as_u16(), stolen.code()), (401, "refresh-token-reused"));
    assert_eq!(app.me(&third.text("access_token")).await.status, 401, "the whole session has ended");
    assert_eq!(refresh(third.text("refresh_token")).await.code(), "invalid-refresh-token");
}

#[actix_web::test]
async fn an_address_that_is_taken_looks_like_a_new_one() {
    let app = TestAuth::start(&configuration()).await;
    let new = app.register("ada@example.com").await;
    let mail = app.mails(1).await.remove(0);
    let token = after(&mail, "/auth/verify-email?token=").to_owned();
    assert_eq!(app.post("/auth/verify-email", json!({"token": token})).await.status, 204);
    let taken = app.register("ada@example.com").await;
    let shape = |answer: &Answer| {
        let keys: Vec<_> = answer.body.as_object().unwrap().keys().cloned().collect();
        let mut headers: Vec<_> = answer.headers.keys().map(ToString::to_string).collect();
        headers.sort();
        (answer.status, keys, headers)
    };
    assert_eq!(shape(&new), shape(&taken));
    assert_ne!(new.body["id"], taken.body["id"]);
    let mails = app.mails(2).await;
    assert!(mails.iter().any(|mail| mail.contains("You already have an account")));

    let open = config::AuthConfig { require_verified_email: false, ..configuration() };
    let app = TestAuth::start(&open).await;
    assert_eq!(app.register("ada@example.com").await.status, 201);
    let taken = app.register("ada@example.com").await;
    assert_eq!((taken.status.as_u16(), taken.code()), (409, "email-taken"));
    let closed = config::AuthConfig { registration: config::Registration::Closed, ..configuration() };
    let app = TestAuth::start(&closed).await;
    assert_eq!(app.register("ada@example.com").await.code(), "registration-closed");
}

#[actix_web::test]
async fn guessing_is_refused_for_known_and_unknown_alike() {
    let app = TestAuth::start(&config::AuthConfig { require_verified_email: false, ..configuration() }).await;
    app.register("ada@example.com").await;
    for email in ["ada@example.com", "nobody@example.com"] {
        let guess = || app.post("/auth/login", json!({"email": email, "password": "wrong"}));
        for _ in 0..4 {
            let wrong = guess().await;
            assert_eq!((wrong.status.as_u16(), wrong.code()), (401, "invalid-credentials"), "{email}");
            assert_eq!(wrong.header("www-authenticate"), "Bearer");
        }
        let fifth = guess().await;
        assert_eq!((fifth.status.as_u16(), fifth.code()), (429, "too-many-attempts"), "{email}");
        assert_eq!(fifth.header("retry-after"), "900");
        assert_eq!(app.log_in(email).await.status, 429, "right or wrong");
    }
    app.clock.advance(Duration::from_secs(901));
    assert_eq!(app.log_in("ada@example.com").await.status, 200);
}

#[actix_web::test]
async fn faults_of_a_body_are_told_at_once() {
    let app = TestAuth::start(&configuration()).await;
    let answer = app.post("/auth/register", json!({"email": "x", "password": "short", "more": 1})).await;
    assert_eq!(answer.status, 422);
    let pointers: Vec<_> = answer.body["errors"].as_array().unwrap().iter().map(|e| e["pointer"].clone()).collect();
    assert_eq!(pointers, ["/email", "/password", "/more"]);
    assert_eq!(app.post("/auth/login", json!({})).await.body["errors"][0]["pointer"], "/email");
    let wrong = app.call(Method::DELETE, "/auth/login", None, None).await;
    assert_eq!((wrong.status.as_u16(), wrong.code()), (405, "method-not-allowed"));
    assert_eq!(wrong.header("allow"), "POST");
    assert_eq!(app.call(Method::GET, "/auth/me", None, None).await.status, 401);
    assert_eq!(app.post("/auth/verify-email", json!({})).await.body["errors"][0]["pointer"], "/token");
}

#[actix_web::test]
async fn a_code_a_resend_and_the_page() {
    let app = TestAuth::start(&configuration()).await;
    app.register("ada@example.com").await;
    app.register("grace@example.com").await;
    let mails = app.mails(2).await;
    let mail_to = |to: &str| mails.iter().find(|mail| mail.contains(to)).unwrap().clone();
    let resend = |email: &'static str| app.post("/auth/verify-email/resend", json!({"email": email}));
    for email in ["ada@example.com", "nobody@example.com"] {
        assert_eq!(resend(email).await.status, 202);
    }
    app.clock.advance(Duration::from_secs(61));
    assert_eq!(resend("ada@example.com").await.status, 202);
    assert_eq!(app.mails(3).await.len(), 3, "one a minute, and none to strangers");
    let code = after(&mail_to("ada@example.com"), "type this code: ").to_lowercase();
    let by_code =
        |email: &'static str, code: String| app.post("/auth/verify-email", json!({"email": email, "code": code}));
    assert_eq!(by_code("grace@example.com", code.clone()).await.code(), "invalid-token", "another's code");
    assert_eq!(by_code("ada@example.com", code).await.status, 204);

    let token = after(&mail_to("grace@example.com"), "/auth/verify-email?token=").to_owned();
    let page = app.call(Method::GET, &format!("/auth/verify-email?token={token}"), None, None).await;
    let csrf = page.header("set-cookie").split(['=', ';']).nth(1).unwrap().to_owned();
    let post = |cookie: String| {
        let form = [("csrf_token", csrf.clone()), ("token", token.clone())];
        let request = TestRequest::post().uri("/auth/verify-email").set_form(form);
        app.send(request.insert_header((header::COOKIE, format!("a=b; vestibule_csrf={cookie}"))))
    };
    assert_eq!(post("another".to_owned()).await.status, 403, "a form that is not ours");
    let done = post(csrf.clone()).await;
    assert_eq!(done.status, 200);
    assert!(done.body.as_str().unwrap().contains("Address verified"));
    assert_eq!(post(csrf.clone()).await.status, 422);
    assert_eq!(app.log_in("grace@example.com").await.status, 200);
}

#[actix_web::test]
async fn a_profile_is_changed_by_version() {
    let app = TestAuth::start(&config::AuthConfig { require_verified_email: false, ..configuration() }).await;
    app.register("ada@example.com").await;
    let access = app.log_in("ada@example.com").await.text("access_token");
    let etag = app.me(&access).await.header("etag").to_owned();
    app.clock.advance(Duration::from_secs(1));
    let change = |name: Value, version: Option<String>| {
        let mut request = TestRequest::patch().uri("/auth/me").set_json(json!({"display_name": name}));
        request = request.insert_header((header::AUTHORIZATION, format!("Bearer {access}")));
        if let Some(version) = version {
            request = request.insert_header((header::IF_MATCH, version));
        }
        app.send(request)
    };
    assert_eq!(change(json!("Ada"), Some(etag.clone())).await.body["display_name"], "Ada");
    assert_eq!(change(json!("Eve"), Some(etag)).await.status, 412);
    assert_eq!(change(json!(7), None).await.body["errors"][0]["pointer"], "/display_name");
    assert_eq!(change(Value::Null, None).await.body["display_name"], Value::Null);
}

#[actix_web::test]
async fn every_algorithm_signs_and_keys_survive_a_restart() {
    for algorithm in
        [SigningAlgorithm::ES256, SigningAlgorithm::EdDSA, SigningAlgorithm::RS256, SigningAlgorithm::HS256]
    {
        let mut config = config::AuthConfig { require_verified_email: false, ..configuration() };
        config.tokens.algorithm = algorithm;
        config.tokens.secret = Some("0123456789abcdef0123456789abcdef".to_owned());
        let app = TestAuth::start(&config).await;
        app.register("ada@example.com").await;
        let access = app.log_in("ada@example.com").await.text("access_token");
        assert_eq!(app.me(&access).await.status, 200, "{algorithm}");
        let jwks = app.call(Method::GET, "/.well-known/jwks.json", None, None).await;
        for key in jwks.body["keys"].as_array().unwrap() {
            assert_eq!((&key["alg"], &key["use"]), (&json!(algorithm.as_str()), &json!("sig")));
            assert!(key["kid"].is_string() && key.get("d").is_none() && key.get("k").is_none());
        }
        let expected = usize::from(algorithm != SigningAlgorithm::HS256);
        assert_eq!(jwks.body["keys"].as_array().unwrap().len(), expected, "a secret is never published");
        app.auth.stop().await;
        let again = TestAuth::start_in(&config, app.folder).await;
        assert_eq!(again.me(&access).await.status, 200, "{algorithm} after a restart");
    }
}

#[actix_web::test]
async fn an_old_hash_is_renewed_at_login() {
    let mut config = config::AuthConfig { require_verified_email: false, ..configuration() };
    let app = TestAuth::start(&config).await;
    app.register("ada@example.com").await;
    app.auth.stop().await;
    config.password.algorithm = config::PasswordAlgorithm::Bcrypt;
    let app = TestAuth::start_in(&config, app.folder).await;
    assert_eq!(app.log_in("ada@example.com").await.status, 200);
    app.auth.stop().await;
    let file = std::fs::read(app.folder.path().join("auth.db")).unwrap();
    let text = String::from_utf8_lossy(&file);
    assert!(text.contains("hmac-sha256$2b$04$") && !text.contains("correct horse"));
    let app = TestAuth::start_in(&config, app.folder).await;
    assert_eq!(app.log_in("ada@example.com").await.status, 200);
}

#[actix_web::test]
async fn settings_are_checked_all_at_once() {
    let mut config = configuration();
    config.issuer = "localhost/".to_owned();
    config.tokens.algorithm = SigningAlgorithm::HS256;
    config.password.bcrypt_cost = 99;
    let keys: Vec<_> = config::check(&config).into_iter().map(|fault| fault.key).collect();
    assert_eq!(keys, ["auth.issuer", "auth.tokens.secret", "auth.password.bcrypt_cost"]);
    assert!(config::check(&configuration()).is_empty());
}
