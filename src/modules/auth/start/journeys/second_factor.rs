//! Second factors and step-up, minute by minute.

use actix_web::http::Method;
use serde_json::{Value, json};
use totp_rs::{Builder, Secret};

use super::{Answer, Duration, TestAuth, config, configuration};
use crate::{
    kernel::{Clock as _, units::Span},
    modules::auth::api::CreateUser,
};

const EMAIL: &str = "ada@example.com";
const PASSWORD: &str = "correct horse";

/// A user whose second factor is on, with the first session's token.
struct Enrolled {
    app: TestAuth,
    access: String,
    secret: String,
    recovery_codes: Vec<String>,
}

fn relaxed() -> config::AuthConfig {
    config::AuthConfig { require_verified_email: false, ..configuration() }
}

async fn enrolled() -> Enrolled {
    let app = TestAuth::start(&relaxed()).await;
    app.register(EMAIL).await;
    enrolled_in(app).await
}

async fn enrolled_in(app: TestAuth) -> Enrolled {
    let access = app.log_in(EMAIL).await.text("access_token");
    let begun = app.call(Method::POST, "/auth/mfa/totp", Some(&access), None).await;
    assert_eq!(begun.status, 200, "{}", begun.body);
    let secret = begun.text("secret");
    let code = json!({"code": code_of(&secret, &app, 0)});
    let confirmed = app.call(Method::POST, "/auth/mfa/totp/confirm", Some(&access), Some(code)).await;
    assert_eq!(confirmed.status, 200, "{}", confirmed.body);
    let codes = confirmed.body["recovery_codes"].as_array().unwrap().iter();
    let recovery_codes = codes.map(|code| code.as_str().unwrap().to_owned()).collect();
    Enrolled { app, access, secret, recovery_codes }
}

/// What an authenticator shows, so many steps from now.
fn code_of(secret: &str, app: &TestAuth, steps: i64) -> String {
    let totp = Builder::new().with_secret(Secret::try_from_base32(secret).unwrap()).build().unwrap();
    let seconds = app.clock.now().timestamp() + steps * 30;
    totp.generate(u64::try_from(seconds).unwrap()).to_string()
}

impl Enrolled {
    fn code(&self, steps: i64) -> String {
        code_of(&self.secret, &self.app, steps)
    }

    /// A code that is none of those that would pass.
    fn wrong_code(&self) -> String {
        let right = [-1, 0, 1].map(|steps| self.code(steps));
        (0..10).map(|n| format!("{n:06}")).find(|code| !right.contains(code)).unwrap()
    }

    async fn log_in(&self, code: &str) -> Answer {
        self.app.post("/auth/login", json!({"email": EMAIL, "password": PASSWORD, "code": code})).await
    }

    async fn call(&self, method: Method, path: &str, body: Option<Value>) -> Answer {
        self.app.call(method, path, Some(&self.access), body).await
    }

    fn advance(&self, seconds: u64) {
        self.app.clock.advance(Duration::from_secs(seconds));
    }
}

fn outcome(answer: &Answer) -> (u16, &str) {
    (answer.status.as_u16(), answer.code())
}

#[actix_web::test]
async fn from_enrolment_to_removal() {
    let ada = enrolled().await;
    assert_eq!(ada.recovery_codes.len(), 10);
    assert_eq!(ada.app.me(&ada.access).await.body["mfa_enabled"], true);
    let status = ada.call(Method::GET, "/auth/mfa", None).await;
    assert_eq!(status.body, json!({"enabled": true, "recovery_codes_left": 10}));

    let without = ada.app.log_in(EMAIL).await;
    assert_eq!(outcome(&without), (401, "mfa-required"));
    assert_eq!(without.header("www-authenticate"), "Bearer");
    assert_eq!(outcome(&ada.log_in(&ada.code(0)).await), (401, "invalid-code"), "the confirmation spent it");
    assert_eq!(outcome(&ada.log_in(" ").await), (401, "mfa-required"), "nothing was typed");
    ada.advance(30);
    let code = ada.code(0);
    assert_eq!(ada.log_in(&format!("{} {}", &code[..3], &code[3..])).await.status, 200);
    assert_eq!(outcome(&ada.log_in(&code).await), (401, "invalid-code"), "a code works once");
    assert_eq!(ada.log_in(&ada.code(1)).await.status, 200, "a clock that is ahead");

    let remove = |password: &str, code: &str| {
        ada.call(Method::DELETE, "/auth/mfa/totp", Some(json!({"password": password, "code": code})))
    };
    ada.advance(60);
    assert_eq!(outcome(&remove("wrong", &ada.code(0)).await), (401, "invalid-credentials"));
    assert_eq!(outcome(&remove(PASSWORD, &ada.wrong_code()).await), (401, "invalid-code"));
    let missing = ada.call(Method::DELETE, "/auth/mfa/totp", Some(json!({}))).await;
    assert_eq!((missing.status.as_u16(), &missing.body["errors"][1]["pointer"]), (422, &json!("/code")));
    assert_eq!(remove(PASSWORD, &ada.recovery_codes[0]).await.status, 204, "a recovery code stands in");
    assert_eq!(outcome(&remove(PASSWORD, "123456").await), (404, "not-found"));
    assert_eq!(ada.app.log_in(EMAIL).await.status, 200);
    assert_eq!(ada.app.me(&ada.access).await.body["mfa_enabled"], false);
}

#[actix_web::test]
async fn a_secret_waits_for_its_first_code() {
    let app = TestAuth::start(&relaxed()).await;
    app.register(EMAIL).await;
    let access = app.log_in(EMAIL).await.text("access_token");
    let begin = || app.call(Method::POST, "/auth/mfa/totp", Some(&access), None);
    let confirm =
        |code: String| app.call(Method::POST, "/auth/mfa/totp/confirm", Some(&access), Some(json!({"code": code})));
    assert_eq!(outcome(&confirm("123456".to_owned()).await), (404, "not-found"));
    let first = begin().await;
    assert_eq!(first.header("cache-control"), "no-store");
    assert!(first.text("otpauth_uri").starts_with("otpauth://totp/Vestibule:ada%40example.com?secret="));
    assert!(first.text("qr_svg").contains("<svg"));
    assert_eq!(app.log_in(EMAIL).await.status, 200, "nothing is asked for yet");
    let second = begin().await.text("secret");
    assert_ne!(second, first.text("secret"));
    let old = confirm(code_of(&first.text("secret"), &app, 0)).await;
    assert_eq!((old.status.as_u16(), &old.body["errors"][0]["pointer"]), (422, &json!("/code")), "it was replaced");
    assert_eq!(confirm(code_of(&second, &app, 0)).await.status, 200);
    assert_eq!(outcome(&begin().await), (409, "mfa-enabled"));
    assert_eq!(outcome(&confirm(code_of(&second, &app, 1)).await), (409, "mfa-enabled"));
}

#[actix_web::test]
async fn one_of_many_logins_with_one_code_wins() {
    let ada = enrolled().await;
    ada.advance(30);
    let code = ada.code(0);
    let config = config::AuthConfig { mfa: config::MfaConfig { failures: 100, ..relaxed().mfa }, ..relaxed() };
    let answers = futures_util::future::join_all((0..4).map(|_| ada.log_in(&code))).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 1);

    // After a restart, with nothing in memory, it stays spent.
    let (secret, folder) = (ada.secret, ada.app.folder);
    ada.app.auth.stop().await;
    let app = TestAuth::start_in(&config, folder).await;
    app.clock.advance(Duration::from_secs(30));
    assert_eq!(code_of(&secret, &app, 0), code);
    let again = app.post("/auth/login", json!({"email": EMAIL, "password": PASSWORD, "code": code})).await;
    assert_eq!(outcome(&again), (401, "invalid-code"));
}

#[actix_web::test]
async fn a_recovery_code_works_once_and_new_ones_replace_the_old() {
    let ada = enrolled().await;
    let typed = ada.recovery_codes[3].to_lowercase().replace('-', " ");
    assert_eq!(ada.log_in(&typed).await.status, 200);
    assert_eq!(outcome(&ada.log_in(&typed).await), (401, "invalid-code"));
    assert_eq!(ada.call(Method::GET, "/auth/mfa", None).await.body["recovery_codes_left"], 9);
    let renewed = ada.call(Method::POST, "/auth/mfa/recovery-codes", None).await;
    assert_eq!((renewed.status.as_u16(), renewed.header("cache-control")), (200, "no-store"));
    assert_eq!(outcome(&ada.log_in(&ada.recovery_codes[4]).await), (401, "invalid-code"));
    assert_eq!(ada.log_in(renewed.body["recovery_codes"][4].as_str().unwrap()).await.status, 200);
}

#[actix_web::test]
async fn guesses_at_the_code_are_limited_apart_from_those_at_the_password() {
    let ada = enrolled().await;
    ada.advance(30);
    for attempt in 1..5 {
        assert_eq!(outcome(&ada.log_in(&ada.wrong_code()).await), (401, "invalid-code"), "{attempt}");
        assert_eq!(outcome(&ada.app.log_in(EMAIL).await), (401, "mfa-required"), "a right password clears none of it");
    }
    let fifth = ada.log_in(&ada.wrong_code()).await;
    assert_eq!((outcome(&fifth), fifth.header("retry-after")), ((429, "too-many-attempts"), "900"));
    ada.advance(60);
    let right = ada.log_in(&ada.code(0)).await;
    assert_eq!((right.status.as_u16(), right.header("retry-after")), (429, "840"), "right, and no less refused");
    assert_eq!(ada.log_in(&ada.recovery_codes[0]).await.status, 429);
    assert_eq!(outcome(&ada.app.log_in(EMAIL).await), (401, "mfa-required"), "the password is not locked");
    assert_eq!(ada.app.me(&ada.access).await.status, 200, "a live session goes on");
    ada.advance(840);
    assert_eq!(ada.log_in(&ada.recovery_codes[0]).await.status, 200, "what was refused was not spent");
}

#[actix_web::test]
async fn what_is_dangerous_wants_a_recent_login_with_every_factor() {
    let ada = enrolled().await;
    let renew = || ada.call(Method::POST, "/auth/mfa/recovery-codes", None);
    assert_eq!(renew().await.status, 200, "the confirmation showed the second factor");
    ada.advance(901);
    let old = renew().await;
    assert_eq!((outcome(&old), &old.body["max_age"]), ((401, "step-up-required"), &json!(900)));
    let challenge = old.header("www-authenticate");
    assert!(challenge.starts_with("Bearer error=\"insufficient_user_authentication\""), "{challenge}");
    assert!(challenge.ends_with("max_age=\"900\""), "{challenge}");

    let step_up = |body: Value| ada.call(Method::POST, "/auth/step-up", Some(body));
    assert_eq!(outcome(&step_up(json!({"password": "wrong"})).await), (401, "invalid-credentials"));
    assert_eq!(outcome(&step_up(json!({"password": PASSWORD})).await), (401, "mfa-required"));
    assert_eq!(outcome(&step_up(json!({"password": PASSWORD, "code": "1"})).await), (401, "invalid-code"));
    assert_eq!(renew().await.status, 401);
    assert_eq!(step_up(json!({"password": PASSWORD, "code": ada.code(0)})).await.status, 204);
    assert_eq!(renew().await.status, 200, "with the same token");
}

#[actix_web::test]
async fn a_session_from_before_the_second_factor_steps_up_with_it() {
    let app = TestAuth::start(&relaxed()).await;
    app.register(EMAIL).await;
    let old = app.log_in(EMAIL).await.text("access_token");
    let first = app.log_in(EMAIL).await.text("access_token");
    let secret = app.call(Method::POST, "/auth/mfa/totp", Some(&first), None).await.text("secret");
    let code = json!({"code": code_of(&secret, &app, 0)});
    assert_eq!(app.call(Method::POST, "/auth/mfa/totp/confirm", Some(&first), Some(code)).await.status, 200);
    let renew = |token: String| async {
        let token = token;
        app.call(Method::POST, "/auth/mfa/recovery-codes", Some(&token), None).await
    };
    assert_eq!(outcome(&renew(old.clone()).await), (401, "step-up-required"));
    let body = json!({"password": PASSWORD, "code": code_of(&secret, &app, 1)});
    assert_eq!(app.call(Method::POST, "/auth/step-up", Some(&old), Some(body)).await.status, 204);
    assert_eq!(renew(old).await.status, 200);
}

#[actix_web::test]
async fn an_old_session_cannot_put_a_second_factor_on_the_account() {
    let app = TestAuth::start(&relaxed()).await;
    app.register(EMAIL).await;
    let access = app.log_in(EMAIL).await.text("access_token");
    app.clock.advance(Duration::from_secs(901));
    let begin = || app.call(Method::POST, "/auth/mfa/totp", Some(&access), None);
    assert_eq!(outcome(&begin().await), (401, "step-up-required"));
    let step_up = app.call(Method::POST, "/auth/step-up", Some(&access), Some(json!({"password": PASSWORD}))).await;
    assert_eq!(step_up.status, 204);
    assert_eq!(begin().await.status, 200);
}

#[actix_web::test]
async fn guesses_by_step_up_are_counted_like_logins() {
    let app = TestAuth::start(&relaxed()).await;
    app.register(EMAIL).await;
    let access = app.log_in(EMAIL).await.text("access_token");
    for attempt in 1..=5 {
        let wrong = app.call(Method::POST, "/auth/step-up", Some(&access), Some(json!({"password": "wrong"}))).await;
        assert_eq!(wrong.status, if attempt < 5 { 401 } else { 429 });
    }
    assert_eq!(outcome(&app.log_in(EMAIL).await), (429, "too-many-attempts"));
    assert_eq!(app.me(&access).await.status, 200);
}

#[actix_web::test]
async fn administrators_with_a_second_factor_step_up_and_those_without_need_not() {
    let app = TestAuth::start(&relaxed()).await;
    let admin = CreateUser {
        email: EMAIL.to_owned(),
        password: PASSWORD.into(),
        display_name: None,
        roles: vec!["admin".to_owned()],
        verified: true,
    };
    app.auth.administration().users.create_user(admin).await.unwrap();
    let eve = app.register("eve@example.com").await.text("id");
    let without = app.log_in(EMAIL).await.text("access_token");
    app.clock.advance(Duration::from_secs(901));
    let suspend = format!("/users/{eve}/suspend");
    assert_eq!(app.call(Method::POST, &suspend, Some(&without), None).await.status, 200);

    let admin = enrolled_in(app).await;
    admin.advance(901);
    let calls = [
        (Method::POST, format!("/users/{eve}/activate"), None),
        (Method::PUT, format!("/users/{eve}/roles"), Some(json!({"roles": ["user"]}))),
        (Method::DELETE, format!("/users/{eve}"), None),
        (Method::POST, "/users".to_owned(), Some(json!({"email": "x@example.com", "password": PASSWORD}))),
        (Method::PUT, "/roles/helper".to_owned(), Some(json!({"permissions": []}))),
        (Method::DELETE, "/roles/helper".to_owned(), None),
    ];
    for (method, path, body) in &calls {
        let refused = admin.call(method.clone(), path, body.clone()).await;
        assert_eq!(outcome(&refused), (401, "step-up-required"), "{method} {path}");
    }
    let read = admin.call(Method::GET, &format!("/users/{eve}"), None).await;
    assert_eq!((read.status.as_u16(), &read.body["status"]), (200, &json!("suspended")), "reading is not dangerous");
    let step_up = json!({"password": PASSWORD, "code": admin.code(0)});
    assert_eq!(admin.call(Method::POST, "/auth/step-up", Some(step_up)).await.status, 204);
    let (method, path, _) = &calls[0];
    assert_eq!(admin.call(method.clone(), path, None).await.status, 200);
}

#[actix_web::test]
async fn the_owner_is_told_what_happens_to_the_second_factor() {
    let ada = enrolled().await;
    ada.advance(30);
    assert_eq!(ada.log_in(&ada.recovery_codes[0]).await.status, 200);
    for _ in 0..5 {
        ada.log_in(&ada.wrong_code()).await;
    }
    ada.advance(900);
    let removed = json!({"password": PASSWORD, "code": ada.recovery_codes[1]});
    assert_eq!(ada.call(Method::DELETE, "/auth/mfa/totp", Some(removed)).await.status, 204);
    let mails = ada.app.mails(5).await;
    for subject in
        ["A second factor is on", "A recovery code was used", "Wrong codes at your account", "The second factor is off"]
    {
        let count = mails.iter().filter(|mail| mail.contains(&format!("Subject: {subject}\r\n"))).count();
        assert_eq!(count, if subject.contains("recovery") { 2 } else { 1 }, "{subject}");
    }
    assert!(!mails.concat().contains(&ada.secret));
}

#[actix_web::test]
async fn secrets_are_sealed_when_there_is_a_master_key() {
    let ada = enrolled().await;
    let kept = |folder: &std::path::Path| std::fs::read(folder.join("auth.db")).unwrap();
    let secret = Secret::try_from_base32(&ada.secret).unwrap();
    let holds = |file: &[u8]| file.windows(20).any(|bytes| bytes == secret.as_bytes());
    ada.app.auth.stop().await;
    assert!(holds(&kept(ada.app.folder.path())), "there is no master key yet");
    let sealed = config::AuthConfig { master_key: Some("ab".repeat(32)), ..relaxed() };
    let app = TestAuth::start_in(&sealed, ada.app.folder).await;
    app.clock.advance(Duration::from_secs(30));
    let body = json!({"email": EMAIL, "password": PASSWORD, "code": code_of(&ada.secret, &app, 0)});
    assert_eq!(app.post("/auth/login", body).await.status, 200);
    app.auth.stop().await;
    let other = config::AuthConfig {
        master_key: Some("cd".repeat(32)),
        previous_master_keys: vec!["ab".repeat(32)],
        ..relaxed()
    };
    let app = TestAuth::start_in(&other, app.folder).await;
    app.auth.stop().await;
    let newest = config::AuthConfig { previous_master_keys: Vec::new(), ..other };
    let app = TestAuth::start_in(&newest, app.folder).await;
    app.clock.advance(Duration::from_mins(1));
    let body = json!({"email": EMAIL, "password": PASSWORD, "code": code_of(&ada.secret, &app, 0)});
    assert_eq!(app.post("/auth/login", body).await.status, 200, "what the first key sealed was sealed anew");
}

#[test]
fn settings_of_the_second_factor_are_checked() {
    let mut config = configuration();
    config.mfa = config::MfaConfig { name: "a:b".to_owned(), failures: 0, ..config.mfa };
    config.step_up.max_age = Span::millis(1);
    let keys: Vec<_> = config::check(&config).into_iter().map(|fault| fault.key).collect();
    assert_eq!(keys, ["auth.mfa.name", "auth.mfa.failures", "auth.step_up.max_age"]);
}
