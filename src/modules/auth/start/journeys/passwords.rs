//! Passwords that are refused, resets by code, captchas, imports, and the end of sessions.

use wiremock::{Mock, MockServer, Request, ResponseTemplate, matchers::any};

use super::*;
use crate::modules::auth::api::{ImportMode, ImportedUser};

fn codes(answer: &Answer) -> Vec<(String, String)> {
    assert_eq!((answer.status.as_u16(), answer.code()), (422, "validation-failed"), "{}", answer.body);
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let faults = answer.body["errors"].as_array().unwrap().iter();
    faults.map(|fault| (text(&fault["pointer"]), text(&fault["code"]))).collect()
}

fn at(pointer: &str, code: &str) -> (String, String) {
    (pointer.to_owned(), code.to_owned())
}

fn without_verification() -> config::AuthConfig {
    config::AuthConfig { require_verified_email: false, ..configuration() }
}

#[actix_web::test]
async fn passwords_that_everybody_tries_are_refused_wherever_they_are_set() {
    let folder = tempfile::tempdir().unwrap();
    let list = folder.path().join("stolen.txt");
    // SHA-1 of "a stolen passphrase".
    let stolen = "05A4BB84F3887B40A8AD7CD4D08F3E4D3765260B";
    std::fs::write(&list, format!("{stolen}:3\n")).unwrap();
    let mut config = without_verification();
    config.password.breach_list = Some(config::BreachListConfig {
        url: None,
        file: Some(list.display().to_string()),
        timeout: Span::secs(1),
        fail_open: false,
    });
    let app = TestAuth::start(&config).await;
    let register = |password: &'static str| {
        let body = json!({"email": "ada.lovelace@example.com", "password": password, "display_name": "Countess Ada"});
        app.post("/auth/register", body)
    };
    assert_eq!(codes(&register("Password1").await), [at("/password", "common-password")]);
    assert_eq!(codes(&register("lovelace1815").await), [at("/password", "contains-address")]);
    assert_eq!(codes(&register("my countess").await), [at("/password", "contains-name")]);
    assert_eq!(codes(&register("a stolen passphrase").await), [at("/password", "breached-password")]);
    assert_eq!(register("correct horse").await.status, 201);

    let access = app.log_in("ada.lovelace@example.com").await.text("access_token");
    let change = |new: &'static str| {
        let body = json!({"current_password": "correct horse", "new_password": new});
        app.call(Method::POST, "/auth/password/change", Some(&access), Some(body))
    };
    assert_eq!(codes(&change("12345678").await), [at("/new_password", "common-password")]);
    assert_eq!(codes(&change("ada.lovelace").await)[0], at("/new_password", "contains-address"));
    // A list that cannot be read is no answer.
    std::fs::remove_file(&list).unwrap();
    assert_eq!(change("a quiet tundra").await.status, 503);
    std::fs::write(&list, format!("{stolen}:3\n")).unwrap();
    assert_eq!(change("a quiet tundra").await.status, 204);
}

#[actix_web::test]
async fn the_same_characters_log_in_whichever_keyboard_they_come_from() {
    let app = TestAuth::start(&without_verification()).await;
    let body = |password: &str| json!({"email": "ada@example.com", "password": password});
    assert_eq!(app.post("/auth/register", body("cre\u{300}me bru\u{302}le\u{301}e")).await.status, 201);
    for spelling in
        ["cr\u{e8}me br\u{fb}l\u{e9}e", "cre\u{300}me bru\u{302}le\u{301}e", "\u{ff43}r\u{e8}me br\u{fb}l\u{e9}e"]
    {
        assert_eq!(app.post("/auth/login", body(spelling)).await.status, 200, "{spelling}");
    }
    assert_eq!(app.post("/auth/login", body("creme brulee")).await.status, 401);
}

#[actix_web::test]
async fn a_mailed_code_resets_once_and_cannot_be_guessed() {
    let app = TestAuth::start(&without_verification()).await;
    app.register("ada@example.com").await;
    assert_eq!(app.post("/auth/password/forgot", json!({"email": "ada@example.com"})).await.status, 202);
    let mail = app.mails(1).await.remove(0);
    let code = after(&mail, "type this code: ").to_owned();
    let reset = |email: &'static str, code: String, new: &'static str| {
        app.post("/auth/password/reset", json!({"email": email, "code": code, "new_password": new}))
    };
    let missing = app.post("/auth/password/reset", json!({"email": "ada@example.com"})).await;
    assert_eq!(codes(&missing), [at("/code", "missing"), at("/new_password", "missing")]);
    assert_eq!(codes(&app.post("/auth/password/reset", json!({})).await)[0], at("/token", "missing"));
    assert_eq!(
        codes(&reset("ada@example.com", code.clone(), "password").await),
        [at("/new_password", "common-password")]
    );
    assert_eq!(reset("nobody@example.com", code.clone(), "a quiet tundra").await.code(), "invalid-token");
    assert_eq!(reset("ada@example.com", code.to_lowercase(), "a quiet tundra").await.status, 204);
    assert_eq!(reset("ada@example.com", code.clone(), "another tundra").await.code(), "invalid-token", "spent");
    let body = json!({"email": "ada@example.com", "password": "a quiet tundra"});
    assert_eq!(app.post("/auth/login", body).await.status, 200);

    for email in ["ada@example.com", "stranger@example.com"] {
        let mut answers = Vec::new();
        for _ in 0..6 {
            answers.push(reset(email, "0000-0000".to_owned(), "a quiet tundra").await.status.as_u16());
        }
        assert_eq!(answers.last(), Some(&429), "{email}: {answers:?}");
    }
}

/// The provider's fake: what is solved says so.
async fn provider() -> MockServer {
    let server = MockServer::start().await;
    let answer = |request: &Request| {
        let is_solved = String::from_utf8_lossy(&request.body).contains("response=solved");
        ResponseTemplate::new(200).set_body_json(json!({"success": is_solved}))
    };
    Mock::given(any()).respond_with(answer).mount(&server).await;
    server
}

#[actix_web::test]
async fn a_captcha_is_asked_for_where_programs_come_in_numbers() {
    let provider = provider().await;
    let captcha = config::CaptchaConfig {
        provider: config::CaptchaProvider::Turnstile,
        secret: "secret".to_owned(),
        site_key: "site-key".to_owned(),
        on: vec![config::CaptchaPlace::Register, config::CaptchaPlace::Login, config::CaptchaPlace::Forgot],
        after_failures: 2,
        min_score: None,
        timeout: Span::secs(2),
        fail_open: false,
        verify_url: Some(provider.uri()),
    };
    let app = TestAuth::start(&config::AuthConfig { captcha: Some(captcha), ..without_verification() }).await;
    let send = |path: &'static str, captcha: Value, password: &'static str| {
        let mut body = json!({"email": "ada@example.com", "captcha": captcha});
        if !path.ends_with("forgot") {
            body["password"] = json!(password);
        }
        app.post(path, body)
    };
    let refused = send("/auth/register", Value::Null, "correct horse").await;
    assert_eq!((refused.status.as_u16(), refused.code()), (403, "captcha-required"));
    assert_eq!(refused.body["captcha"], json!({"provider": "turnstile", "site_key": "site-key"}));
    assert_eq!(send("/auth/register", json!("wrong"), "correct horse").await.code(), "captcha-required");
    assert_eq!(send("/auth/register", json!("solved"), "correct horse").await.status, 201);
    assert_eq!(send("/auth/password/forgot", Value::Null, "").await.code(), "captcha-required");
    assert_eq!(send("/auth/password/forgot", json!("solved"), "").await.status, 202);

    let login = |captcha: Value, password: &'static str| send("/auth/login", captcha, password);
    assert_eq!(login(Value::Null, "correct horse").await.status, 200, "nobody has failed yet");
    for _ in 0..2 {
        assert_eq!(login(Value::Null, "wrong password").await.code(), "invalid-credentials");
    }
    for password in ["correct horse", "wrong password"] {
        assert_eq!(login(Value::Null, password).await.code(), "captcha-required", "right or wrong");
    }
    assert_eq!(login(json!("solved"), "wrong password").await.code(), "invalid-credentials");
    assert_eq!(login(json!("solved"), "correct horse").await.status, 200);
    provider.reset().await;
    Mock::given(any()).respond_with(ResponseTemplate::new(500)).mount(&provider).await;
    let away = login(json!("solved"), "correct horse").await;
    assert_eq!(away.status, 503, "closed while the provider is away");
}

#[actix_web::test]
async fn imported_users_log_in_with_the_passwords_they_have() {
    let app = TestAuth::start(&configuration()).await;
    let hash = |text: &str| Some(text.to_owned().into());
    let one = |line: u64, email: &str, password_hash| ImportedUser {
        line,
        email: email.to_owned(),
        password_hash,
        email_verified: true,
        display_name: None,
        roles: Vec::new(),
        created_at: None,
        status: None,
    };
    let batch = vec![
        one(1, "django@example.com", hash("pbkdf2_sha256$1000$seasalt$mQnueSakb748zqBAC1tmWVZsZbi2zPGZarEzTGdfmso=")),
        one(
            2,
            "scrypt@example.com",
            hash("$scrypt$ln=10,r=8,p=2$TmFDbC0xNi1ieXRlcy1vaw$zcsJlQtT2E2d6wlpFTuaPtP+czleKJu5YHkYUP2M0AU"),
        ),
        one(3, "bcrypt@example.com", hash("$2y$04$abcdefghijklmnopqrstuujydOTSfIH/d5oUHpsygqV5X9xJLQc6e")),
        one(4, "none@example.com", None),
        one(5, "md5@example.com", hash("5f4dcc3b5aa765d61d8327deb882cf99")),
    ];
    let import = app.auth.administration().import;
    let report = import.import_users(batch, ImportMode::default()).await.unwrap();
    assert_eq!((report.imported, report.refused.len(), report.refused[0].1.code), (4, 1, "unknown-hash"));
    // The second time the hash is one of ours.
    for _ in 0..2 {
        for email in ["django@example.com", "scrypt@example.com", "bcrypt@example.com"] {
            assert_eq!(app.log_in(email).await.status, 200, "{email}");
        }
    }
    assert_eq!(app.log_in("none@example.com").await.code(), "invalid-credentials");
    let file = std::fs::read(app.folder.path().join("auth.db-wal")).unwrap_or_default();
    assert!(String::from_utf8_lossy(&file).matches("$argon2id$").count() >= 3, "renewed at login");
    assert_eq!(app.post("/auth/password/forgot", json!({"email": "none@example.com"})).await.status, 202);
    assert!(app.mails(1).await[0].contains("none@example.com"), "who has no password can get one");
}

#[actix_web::test]
async fn no_refresh_outlives_the_session() {
    let mut config = without_verification();
    config.tokens.session_ttl = Span::secs(3_000);
    config.tokens.refresh_ttl = Span::secs(2_000);
    let app = TestAuth::start(&config).await;
    app.register("ada@example.com").await;
    let first = app.log_in("ada@example.com").await;
    assert_eq!((&first.body["expires_in"], &first.body["refresh_expires_in"]), (&json!(1_800), &json!(2_000)));
    let sessions = app.call(Method::GET, "/auth/sessions", Some(&first.text("access_token")), None).await;
    let ends_at = sessions.body["items"][0]["ends_at"].as_str().unwrap().to_owned();
    assert_eq!(DateTime::parse_from_rfc3339(&ends_at).unwrap().timestamp(), 1_800_003_000);

    app.clock.advance(Duration::from_mins(25));
    let second = app.post("/auth/refresh", json!({"refresh_token": first.text("refresh_token")})).await;
    assert_eq!((&second.body["expires_in"], &second.body["refresh_expires_in"]), (&json!(1_500), &json!(1_500)));
    app.clock.advance(Duration::from_secs(1_000));
    let third = app.post("/auth/refresh", json!({"refresh_token": second.text("refresh_token")})).await;
    assert_eq!((&third.body["expires_in"], &third.body["refresh_expires_in"]), (&json!(500), &json!(500)));
    assert_eq!(app.me(&third.text("access_token")).await.status, 200);
    // Access tokens have no leeway that would let them outlive it for long.
    app.clock.advance(Duration::from_mins(10));
    assert_eq!(app.me(&third.text("access_token")).await.status, 401);
    let late = app.post("/auth/refresh", json!({"refresh_token": third.text("refresh_token")})).await;
    assert_eq!((late.status.as_u16(), late.code()), (401, "invalid-refresh-token"));
}
