//! From registration to logout.

use std::time::Duration;

use rstest::rstest;
use serde_json::json;

use crate::support::{
    Store::{self, Postgres, Sqlite},
    TestApp,
    Topology::{self, AllInOne, Split},
    User, eventually,
};

#[rstest]
#[tokio::test]
async fn the_whole_life_of_a_session(
    #[values(AllInOne, Split)] topology: Topology,
    #[values(Sqlite, Postgres)] store: Store,
) {
    let app = TestApp::builder(topology, store).start().await;
    let user = app.register("ada@example.org").await;

    let credentials = json!({"email": user.email, "password": user.password});
    app.post("/auth/login").json(&credentials).send().await.problem(403, "email-not-verified");
    app.verify(&user).await;
    let session = app.login(&user).await;
    assert_eq!((session.token_type.as_str(), session.expires_in), ("Bearer", 1800));
    assert_eq!(session.refresh_expires_in, 604_800);

    let me = app.get("/auth/me").bearer(&session.access_token).send().await.must_be(200).json();
    assert_eq!(me["email"], "ada@example.org");
    assert_eq!(me["email_verified"], true);
    assert_eq!(me["status"], "active");
    assert_eq!(me["roles"], json!(["user"]));
    assert_eq!(me["mfa_enabled"], false);
    assert!(me["created_at"].as_str().unwrap().ends_with('Z'), "{me}");
    app.get("/api/data/sources").bearer(&session.access_token).send().await.must_be(200);

    let refresh = json!({"refresh_token": session.refresh_token});
    let renewed: crate::support::Session = app.post("/auth/refresh").json(&refresh).send().await.must_be(200).parse();
    assert_ne!(renewed.refresh_token, session.refresh_token);
    app.get("/auth/me").bearer(&renewed.access_token).send().await.must_be(200);

    app.post("/auth/logout").bearer(&renewed.access_token).send().await.must_be(204);
    for token in [&session.access_token, &renewed.access_token] {
        app.get("/auth/me").bearer(token).send().await.problem(401, "unauthenticated");
    }
    let dead = eventually(Duration::from_secs(2), async || {
        let reply = app.get("/api/data/sources").bearer(&renewed.access_token).send().await;
        (reply.status == 401).then_some(())
    });
    assert!(dead.await.is_some(), "the token still works at another role");
    let refresh = json!({"refresh_token": renewed.refresh_token});
    let refused = app.post("/auth/refresh").json(&refresh).send().await;
    assert_eq!(refused.status, 401, "{}", refused.text());
}

#[rstest]
#[tokio::test]
async fn a_user_is_created_once(
    #[values(AllInOne, Split)] topology: Topology,
    #[values(Sqlite, Postgres)] store: Store,
) {
    let app = TestApp::builder(topology, store).settings("[auth]\nrequire_verified_email = false").start().await;
    let body = json!({"email": "Ada@Example.org", "password": "correct horse battery", "display_name": "Ada"});
    let created = app.post("/auth/register").json(&body).send().await.must_be(201);
    assert!(created.header("location").is_some());
    let user = created.json();
    assert_eq!(user["display_name"], "Ada");
    assert!(!created.text().contains("correct horse"), "{user}");
    let keys: Vec<_> = user.as_object().unwrap().keys().map(String::as_str).collect();
    for key in
        ["id", "email", "email_verified", "display_name", "status", "roles", "mfa_enabled", "created_at", "updated_at"]
    {
        assert!(keys.contains(&key), "{key} in {keys:?}");
    }
    let again = json!({"email": "ada@example.org", "password": "another good password"});
    app.post("/auth/register").json(&again).send().await.problem(409, "email-taken");
}

#[tokio::test]
async fn an_address_taken_looks_like_a_new_one() {
    let app = TestApp::simple().start().await;
    app.register("ada@example.org").await;
    let register = async |email: &str| {
        let body = json!({"email": email, "password": "correct horse battery"});
        app.post("/auth/register").json(&body).send().await.must_be(201)
    };
    let (taken, fresh) = (register("ada@example.org").await, register("bob@example.org").await);
    let shape = |reply: &crate::support::Reply| {
        let headers: Vec<_> = reply.headers.keys().map(ToString::to_string).collect();
        let members: Vec<_> = reply.json().as_object().unwrap().keys().cloned().collect();
        (headers, members)
    };
    assert_eq!(shape(&taken), shape(&fresh));
    let told = eventually(Duration::from_secs(10), async || {
        (app.mailbox.mails_to("ada@example.org").len() == 2).then_some(())
    });
    assert!(told.await.is_some(), "the owner of the address gets a mail");
}

#[tokio::test]
async fn an_unknown_address_and_a_wrong_password_look_alike() {
    let app = TestApp::simple().start().await;
    let ada = app.register("ada@example.org").await;
    app.verify(&ada).await;
    let attempt = async |email: &str| {
        let body = json!({"email": email, "password": "not the password"});
        let reply = app.post("/auth/login").json(&body).send().await;
        let mut body = reply.problem(401, "invalid-credentials");
        assert_eq!(reply.header("www-authenticate").map(|value| &value[..6]), Some("Bearer"));
        body.as_object_mut().unwrap().remove("request_id");
        body
    };
    assert_eq!(attempt("ada@example.org").await, attempt("nobody@example.org").await);
}

#[tokio::test]
async fn a_closed_registration_is_closed() {
    let app = TestApp::simple().settings("[auth]\nregistration = \"closed\"").start().await;
    let body = json!({"email": "ada@example.org", "password": "correct horse battery"});
    let reply = app.post("/auth/register").json(&body).send().await;
    assert_eq!(reply.status, 403, "{}", reply.text());
}

#[rstest]
#[tokio::test]
async fn a_user_changes_the_display_name(
    #[values(AllInOne, Split)] topology: Topology,
    #[values(Sqlite, Postgres)] store: Store,
) {
    let app = TestApp::builder(topology, store).start().await;
    let session = app.session_of("ada@example.org").await;
    let patch = |body| app.call(reqwest::Method::PATCH, "/auth/me").bearer(&session.access_token).json(&body);
    let changed = patch(json!({"display_name": "Ada Lovelace"})).send().await.must_be(200).json();
    assert_eq!(changed["display_name"], "Ada Lovelace");
    let me = app.get("/auth/me").bearer(&session.access_token).send().await.must_be(200).json();
    assert_eq!(me["display_name"], "Ada Lovelace");
    let refused = patch(json!({"roles": ["admin"]})).send().await;
    refused.problem(422, "validation-failed");
    assert_eq!(refused.pointers(), ["/roles"]);
}

#[tokio::test]
async fn resending_says_nothing_about_who_exists() {
    let app = TestApp::simple().start().await;
    let ada = app.register("ada@example.org").await;
    for email in [&ada.email, "nobody@example.org"] {
        app.post("/auth/verify-email/resend").json(&json!({"email": email})).send().await.must_be(202);
    }
    assert_eq!(app.mailbox.mails_to("nobody@example.org").len(), 0);
    app.verify(&ada).await;
    app.login(&ada).await;
}

#[tokio::test]
async fn the_link_in_the_mail_shows_a_page_and_spends_nothing() {
    let app = TestApp::simple().start().await;
    let ada = app.register("ada@example.org").await;
    let token = app.mailbox.token_for(&ada.email).await;
    assert!(app.mailbox.newest_to(&ada.email).await.contains(&app.url), "the link leads to the issuer");
    for _ in 0..2 {
        let page = app.get(&format!("/auth/verify-email?token={token}")).send().await.must_be(200);
        assert!(page.header("content-type").unwrap().starts_with("text/html"));
        assert!(page.text().contains("<form"), "{}", page.text());
    }
    app.verify(&ada).await;
    app.login(&ada).await;
    let wrong = app.post("/auth/verify-email").json(&json!({"token": "not-a-token"})).send().await;
    assert!((400..500).contains(&wrong.status), "{}", wrong.text());
}

#[tokio::test]
async fn long_passwords_count_to_their_last_byte_with_bcrypt() {
    let settings = "[auth]\nrequire_verified_email = false\n[auth.password]\nalgorithm = \"bcrypt\"\nbcrypt_cost = 5";
    let app = TestApp::simple().settings(settings).start().await;
    let password = format!("{}-last", "x".repeat(100));
    let body = json!({"email": "ada@example.org", "password": password});
    app.post("/auth/register").json(&body).send().await.must_be(201);
    let ada = User { email: "ada@example.org".to_owned(), password: password.clone() };
    app.login(&ada).await;
    let cut = json!({"email": "ada@example.org", "password": "x".repeat(100)});
    app.post("/auth/login").json(&cut).send().await.problem(401, "invalid-credentials");
}

#[rstest]
#[tokio::test]
async fn many_registrations_of_one_address_make_one_user(#[values(Sqlite, Postgres)] store: Store) {
    let settings = "[gateway]\nrate_limit = false\n[auth]\nrequire_verified_email = false";
    let app = TestApp::builder(AllInOne, store).settings(settings).start().await;
    let body = json!({"email": "ada@example.org", "password": "correct horse battery"});
    let calls = (0..20).map(|_| app.post("/auth/register").json(&body).send());
    let replies = futures_util::future::join_all(calls).await;
    let count = |status| replies.iter().filter(|reply| reply.status == status).count();
    assert_eq!((count(201), count(409)), (1, 19), "{replies:?}");
}

#[rstest]
#[tokio::test]
async fn whoever_registers_an_address_first_does_not_keep_its_password(
    #[values(AllInOne, Split)] topology: Topology,
    #[values(Sqlite, Postgres)] store: Store,
) {
    let app = TestApp::builder(topology, store).start().await;
    let register = async |password: &str, mails: usize| {
        let body = json!({"email": "ada@example.org", "password": password});
        app.post("/auth/register").json(&body).send().await.must_be(201);
        let sent = eventually(Duration::from_secs(10), async || {
            (app.mailbox.mails_to("ada@example.org").len() == mails).then_some(())
        });
        assert!(sent.await.is_some(), "each registration has a mail of its own");
    };
    register("the password of a stranger", 1).await;
    register("the password of the owner", 2).await;
    let log_in = |password: &str| {
        let body = json!({"email": "ada@example.org", "password": password});
        app.post("/auth/login").json(&body).send()
    };
    let owner = User { email: "ada@example.org".to_owned(), password: "the password of the owner".to_owned() };
    app.verify(&owner).await;
    log_in("the password of a stranger").await.problem(401, "invalid-credentials");
    log_in("the password of the owner").await.must_be(200);
    register("the password of a stranger", 3).await;
    log_in("the password of a stranger").await.problem(401, "invalid-credentials");
    log_in("the password of the owner").await.must_be(200);
}
