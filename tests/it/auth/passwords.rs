//! Passwords that are changed or forgotten, and the sessions that end with them.

use std::time::{Duration, Instant};

use reqwest::Method;
use rstest::rstest;
use serde_json::{Value, json};

use crate::support::{
    Store::{self, Postgres, Sqlite},
    TestApp,
    Topology::{self, AllInOne, Split},
    User, Visitor,
};

const NEW: &str = "a better horse battery staple";

/// A verified user.
async fn ada(app: &TestApp) -> User {
    let ada = app.register("ada@example.org").await;
    app.verify(&ada).await;
    ada
}

#[rstest]
#[tokio::test]
async fn a_changed_password_ends_the_other_sessions(
    #[values(AllInOne, Split)] topology: Topology,
    #[values(Sqlite, Postgres)] store: Store,
) {
    let app = TestApp::builder(topology, store).start().await;
    let ada = ada(&app).await;
    let (one, other) = (app.login(&ada).await, app.login(&ada).await);
    let change = |body: Value| app.post("/auth/password/change").bearer(&one.access_token).json(&body).send();
    let wrong = change(json!({"current_password": "not the password", "new_password": NEW})).await;
    wrong.problem(401, "invalid-credentials");
    assert!(wrong.header("www-authenticate").is_some());
    let faulty = change(json!({"new_password": "short", "more": 1})).await;
    faulty.problem(422, "validation-failed");
    assert_eq!(faulty.pointers(), ["/current_password", "/more", "/new_password"]);
    app.post("/auth/password/change").json(&json!({})).send().await.problem(401, "unauthenticated");

    change(json!({"current_password": ada.password, "new_password": NEW})).await.must_be(204);
    app.get("/auth/me").bearer(&one.access_token).send().await.must_be(200);
    app.get("/auth/me").bearer(&other.access_token).send().await.problem(401, "unauthenticated");
    let refresh = json!({"refresh_token": other.refresh_token});
    app.post("/auth/refresh").json(&refresh).send().await.must_be(401);
    let old = json!({"email": ada.email, "password": ada.password});
    app.post("/auth/login").json(&old).send().await.problem(401, "invalid-credentials");
    app.login(&User { password: NEW.to_owned(), ..ada }).await;
}

#[rstest]
#[tokio::test]
async fn a_forgotten_password_is_reset_by_mail_and_every_session_ends(
    #[values(AllInOne, Split)] topology: Topology,
    #[values(Sqlite, Postgres)] store: Store,
) {
    let app = TestApp::builder(topology, store).start().await;
    let ada = ada(&app).await;
    let session = app.login(&ada).await;
    for email in [ada.email.as_str(), "nobody@example.org"] {
        app.post("/auth/password/forgot").json(&json!({"email": email})).send().await.must_be(202);
    }
    let mail = crate::support::eventually(Duration::from_secs(10), async || {
        app.mailbox.mails_to(&ada.email).into_iter().find(|mail| mail.contains("/auth/password/reset?token="))
    });
    let mail = mail.await.expect("a mail with a link");
    assert!(mail.contains(&app.url), "the link leads to the issuer");
    let token: String = mail.split_once("token=").unwrap().1.chars().take_while(char::is_ascii_alphanumeric).collect();
    assert!(app.mailbox.mails_to("nobody@example.org").is_empty());

    // To look spends nothing, and neither does a password that is not acceptable.
    let page = app.get(&format!("/auth/password/reset?token={token}")).send().await.must_be(200);
    assert!(page.text().contains("type=\"password\"") && page.text().contains("csrf"), "{}", page.text());
    let reset = |token: &str, password: &str| {
        app.post("/auth/password/reset").json(&json!({"token": token, "new_password": password})).send()
    };
    let short = reset(&token, "short").await;
    short.problem(422, "validation-failed");
    assert_eq!(short.pointers(), ["/new_password"]);
    reset("not-a-token", NEW).await.problem(422, "invalid-token");
    // A token of another purpose is none.
    app.post("/auth/verify-email").json(&json!({"token": token})).send().await.problem(422, "invalid-token");

    reset(&token, NEW).await.must_be(204);
    reset(&token, NEW).await.problem(422, "invalid-token");
    app.get(&format!("/auth/password/reset?token={token}")).send().await.must_be(422);
    app.get("/auth/me").bearer(&session.access_token).send().await.problem(401, "unauthenticated");
    app.post("/auth/refresh").json(&json!({"refresh_token": session.refresh_token})).send().await.must_be(401);
    app.login(&User { password: NEW.to_owned(), ..ada }).await;
}

#[tokio::test]
async fn the_page_sets_a_password_and_only_from_its_own_form() {
    let app = TestApp::simple().start().await;
    let ada = ada(&app).await;
    app.post("/auth/password/forgot").json(&json!({"email": ada.email})).send().await.must_be(202);
    let token = crate::support::eventually(Duration::from_secs(10), async || {
        let mails = app.mailbox.mails_to(&ada.email);
        let link = mails.iter().find_map(|mail| mail.split_once("/auth/password/reset?token="))?.1;
        Some(link.chars().take_while(char::is_ascii_alphanumeric).collect::<String>())
    });
    let token = token.await.expect("a mail with a link");
    let page = app.get(&format!("/auth/password/reset?token={token}")).send().await.must_be(200);
    let cookie = page.header("set-cookie").unwrap().split(';').next().unwrap().to_owned();
    let csrf = cookie.split_once('=').unwrap().1.to_owned();
    let post = |cookie: &str, password: &str| {
        let form = format!("csrf_token={csrf}&token={token}&new_password={password}");
        let call = app.post("/auth/password/reset").header("cookie", cookie);
        call.body("application/x-www-form-urlencoded", form).send()
    };
    post("vestibule_csrf=another", "a+better+horse").await.must_be(403);
    let short = post(&cookie, "short").await.must_be(422);
    assert!(short.text().contains("at least 8 characters") && short.text().contains("<form"), "{}", short.text());
    post(&cookie, "a+better+horse").await.must_be(200);
    app.login(&User { password: "a better horse".to_owned(), ..ada }).await;
}

#[tokio::test]
async fn a_typed_code_sets_a_password_on_a_page_too() {
    let app = TestApp::simple().start().await;
    let ada = ada(&app).await;
    let mut visitor = Visitor::new(&app);
    visitor.open("/auth/password/forgot").await.sees(200, "/auth/password/reset\"");
    visitor.submit(&[("email", &ada.email)]).await.sees(200, "Look into your mail");
    let mail = crate::support::eventually(Duration::from_secs(10), async || {
        app.mailbox.mails_to(&ada.email).into_iter().find(|mail| mail.contains("Choose a new password"))
    });
    let mail = mail.await.expect("a mail with a code");
    assert!(mail.lines().any(|line| line == format!("at {}/auth/password/reset", app.url)), "{mail}");
    let code = mail.split_once("type this code: ").unwrap().1.split_whitespace().next().unwrap().to_lowercase();
    visitor.open("/auth/password/reset").await.sees(200, "Type the code");
    let email = ada.email.as_str();
    let filled = |code: &'static str| [("email", email), ("code", code), ("new_password", "a better horse")];
    visitor.submit(&filled("ABCD-EFGH")).await.sees(422, "do not belong together");
    assert!(visitor.page.text().contains(&format!("value=\"{email}\"")), "what was typed is still there");
    visitor.submit(&[("email", email), ("code", &code), ("new_password", "short")]).await.sees(422, "at least 8");
    visitor.submit(&[("email", email), ("code", &code), ("new_password", "a better horse")]).await;
    visitor.sees(200, "Password set");
    visitor
        .open("/auth/password/reset")
        .await
        .submit(&[("email", email), ("code", &code), ("new_password", "again!!!!")])
        .await;
    visitor.sees(422, "do not belong together");
    app.login(&User { password: "a better horse".to_owned(), ..ada }).await;
}

#[tokio::test]
async fn asking_for_a_mail_takes_as_long_for_an_address_that_is_not_there() {
    let app = TestApp::simple().start().await;
    let ada = ada(&app).await;
    for path in ["/auth/password/forgot", "/auth/verify-email/resend"] {
        for email in [ada.email.as_str(), "nobody@example.org"] {
            let start = Instant::now();
            let reply = app.post(path).json(&json!({"email": email})).send().await.must_be(202);
            assert!(reply.body.is_empty());
            assert!(start.elapsed() >= Duration::from_millis(100), "{path} for {email}: {:?}", start.elapsed());
        }
    }
}

#[rstest]
#[tokio::test]
async fn a_user_sees_the_sessions_and_ends_one(
    #[values(AllInOne, Split)] topology: Topology,
    #[values(Sqlite, Postgres)] store: Store,
) {
    let app = TestApp::builder(topology, store).start().await;
    let ada = ada(&app).await;
    let credentials = json!({"email": ada.email, "password": ada.password});
    let login = app.post("/auth/login").header("user-agent", "an old phone").json(&credentials).send().await;
    let phone: crate::support::Session = login.must_be(200).parse();
    let desk = app.login(&ada).await;
    let stranger = app.session_of("eve@example.org").await;

    let list = async |token: &str, query: &str| {
        app.get(&format!("/auth/sessions{query}")).bearer(token).send().await.must_be(200).json()
    };
    let sessions = list(&desk.access_token, "").await;
    let items = sessions["items"].as_array().unwrap();
    assert_eq!((items.len(), &sessions["next_cursor"]), (2, &Value::Null), "{sessions}");
    assert_eq!((&items[0]["user_agent"], &items[0]["current"]), (&json!("an old phone"), &json!(false)));
    assert_eq!((&items[1]["current"], items[1]["ip_address"].is_string()), (&json!(true), true));
    let first = list(&desk.access_token, "?limit=1").await;
    let rest = list(&desk.access_token, &format!("?limit=1&cursor={}", first["next_cursor"].as_str().unwrap())).await;
    assert_eq!((&first["items"][0], &rest["items"][0]), (&items[0], &items[1]));
    for query in ["?limit=0", "?limit=101", "?limit=x", "?cursor=x"] {
        let reply = app.get(&format!("/auth/sessions{query}")).bearer(&desk.access_token).send().await;
        reply.problem(400, "malformed-request");
    }

    let path = format!("/auth/sessions/{}", items[0]["id"].as_str().unwrap());
    let end = |token: &str, path: &str| app.call(Method::DELETE, path).bearer(token).send();
    end(&stranger.access_token, &path).await.problem(404, "not-found");
    end(&desk.access_token, "/auth/sessions/nonsense").await.problem(404, "not-found");
    end(&desk.access_token, &path).await.must_be(204);
    end(&desk.access_token, &path).await.problem(404, "not-found");
    app.get("/auth/me").bearer(&phone.access_token).send().await.problem(401, "unauthenticated");
    app.get("/auth/me").bearer(&desk.access_token).send().await.must_be(200);
    assert_eq!(list(&desk.access_token, "").await["items"].as_array().unwrap().len(), 1);
}
