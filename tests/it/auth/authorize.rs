//! The authorization endpoint and its pages: who is asked what, and what goes wrong how.

use std::time::Duration;

use rstest::rstest;
use serde_json::json;

use crate::support::{
    CALLBACK, RelyingParty,
    Store::{self, Postgres, Sqlite},
    TestApp,
    Topology::{self, AllInOne, Split},
    User, Visitor, claims,
};

const UNLIMITED: &str = "[gateway]\nrate_limit = false";

async fn ada(app: &TestApp) -> User {
    let ada = app.register("ada@example.org").await;
    app.verify(&ada).await;
    ada
}

#[rstest]
#[tokio::test]
async fn a_user_logs_in_with_us_and_the_client_learns_who_it_is(
    #[values(AllInOne, Split)] topology: Topology,
    #[values(Sqlite, Postgres)] store: Store,
) {
    let app = TestApp::builder(topology, store).settings(UNLIMITED).start().await;
    let (ada, shop) = (ada(&app).await, RelyingParty::shop(&app));
    let mut visitor = Visitor::new(&app);
    visitor.open(&shop.request(&[("login_hint", "ada@example.org")])).await.sees(200, "Shop");
    assert!(visitor.page.text().contains("value=\"ada@example.org\""), "the hint is typed already");
    visitor.submit(&[("email", &ada.email), ("password", "wrong")]).await.sees(401, "wrong");
    assert!(!visitor.cookies.contains_key("vestibule_session"));
    visitor.submit(&[("email", &ada.email), ("password", &ada.password)]).await.sees(200, "Allow");
    visitor.sees(200, "See your e-mail address").sees(200, "ada@example.org");
    let cookie = visitor.cookies["vestibule_session"].clone();
    visitor.submit(&[("decision", "allow")]).await;
    let answer = visitor.sent_to(CALLBACK);
    assert_eq!((answer["state"].as_str(), &answer["iss"]), ("a b&c", &app.url));

    let reply = shop.redeem(&answer["code"]).await.must_be(200);
    assert_eq!((reply.header("cache-control"), reply.header("pragma")), (Some("no-store"), Some("no-cache")));
    let tokens = reply.json();
    assert!(tokens.get("refresh_token").is_none(), "nobody asked for it: {tokens}");
    assert_eq!((&tokens["scope"], &tokens["token_type"]), (&json!("email openid"), &json!("Bearer")));
    let id = claims(tokens["id_token"].as_str().unwrap());
    assert_eq!((&id["iss"], &id["aud"], &id["nonce"]), (&json!(app.url), &json!(shop.id), &json!("n-1")));
    assert!(id["auth_time"].is_i64() && id["at_hash"].is_string() && id["amr"] == json!(["pwd"]), "{id}");
    assert!(id.get("email").is_none(), "that is told at the userinfo endpoint");
    let access = tokens["access_token"].as_str().unwrap();
    assert_eq!(claims(access)["sid"], id["sid"]);
    for reply in [
        app.get("/oauth/userinfo").bearer(access).send().await,
        app.post("/oauth/userinfo").bearer(access).send().await,
    ] {
        let user = reply.must_be(200).json();
        assert_eq!(user, json!({"sub": id["sub"], "email": "ada@example.org", "email_verified": true}));
    }
    app.get("/auth/sessions").bearer(access).send().await.problem(403, "forbidden");

    // The user is known now, and has agreed.
    visitor.open(&shop.request(&[("prompt", "none")])).await;
    assert!(visitor.sent_to(CALLBACK).contains_key("code"));
    assert_eq!(visitor.cookies["vestibule_session"], cookie);
    // More than before is asked for, and so is what lasts while the user is away.
    visitor.open(&shop.request(&[("scope", "openid profile")])).await.sees(200, "See your name");
    for _ in 0..2 {
        visitor.open(&shop.request(&[("scope", "openid offline_access")])).await.sees(200, "while you are away");
        visitor.submit(&[("decision", "allow")]).await;
        let code = visitor.sent_to(CALLBACK)["code"].clone();
        assert!(shop.redeem(&code).await.must_be(200).json()["refresh_token"].is_string());
    }
    visitor.open(&shop.request(&[("prompt", "consent")])).await.submit(&[("decision", "deny")]).await;
    assert_eq!(visitor.sent_to(CALLBACK)["error"], "access_denied");

    // Taken back: the client's tokens are dead, and it has to ask again.
    let own = app.login(&ada).await;
    let kept = app.get("/auth/consents").bearer(&own.access_token).send().await.must_be(200).json();
    assert_eq!(kept["items"][0]["client_name"], "Shop", "{kept}");
    assert_eq!(kept["items"][0]["scopes"], json!(["email", "offline_access", "openid"]), "{kept}");
    let one = format!("/auth/consents/{}", shop.id);
    app.call(reqwest::Method::DELETE, &one).bearer(&own.access_token).send().await.must_be(204);
    app.call(reqwest::Method::DELETE, &one).bearer(&own.access_token).send().await.problem(404, "not-found");
    app.get("/oauth/userinfo").bearer(access).send().await.must_be(401);
    visitor.open(&shop.request(&[("prompt", "none")])).await;
    assert_eq!(visitor.sent_to(CALLBACK)["error"], "consent_required");
    visitor.open(&shop.request(&[])).await.sees(200, "Allow");

    // The page's own session is listed with the others, and ends with them.
    let sessions = app.get("/auth/sessions").bearer(&own.access_token).send().await.must_be(200).json();
    assert_eq!(sessions["items"].as_array().unwrap().len(), 2, "{sessions}");
    app.post("/auth/logout-all").bearer(&own.access_token).send().await.must_be(204);
    visitor.open(&shop.request(&[("prompt", "none")])).await;
    assert_eq!(visitor.sent_to(CALLBACK)["error"], "login_required");
    visitor.open(&shop.request(&[])).await.sees(200, "Log in");
}

#[tokio::test]
async fn who_asks_wrongly_is_told_so() {
    let app = TestApp::simple().settings(UNLIMITED).start().await;
    let shop = RelyingParty::shop(&app);
    let mut visitor = Visitor::new(&app);
    let query = shop.query(&[]);
    for wrong in [
        shop.request(&[("client_id", "")]),
        shop.request(&[("client_id", "nobody")]),
        shop.request(&[("redirect_uri", "")]),
        shop.request(&[("redirect_uri", "https://evil.example/callback")]),
        shop.request(&[("redirect_uri", "https://shop.example/callback/")]),
        shop.request(&[("redirect_uri", "https://shop.example/callback?x=1")]),
        format!("/oauth/authorize?{query}&client_id={}", shop.id),
        format!("/oauth/authorize?{query}&redirect_uri=https%3A%2F%2Fevil.example%2F"),
        format!("/oauth/authorize?{query}&x=%ff"),
        "/oauth/login?pending=nothing".to_owned(),
        "/oauth/consent?pending=nothing".to_owned(),
        "/oauth/consent".to_owned(),
        shop.request(&[("request_uri", "urn:ietf:params:oauth:request_uri:unknown")]),
    ] {
        visitor.open(&wrong).await.sees(400, "<h1");
        assert_eq!(visitor.page.header("location"), None, "{wrong}");
    }
    for (error, changes) in [
        ("invalid_request", [("response_type", "")].as_slice()),
        ("unsupported_response_type", &[("response_type", "token")]),
        ("invalid_request", &[("response_mode", "fragment")]),
        ("invalid_request", &[("code_challenge", "")]),
        ("invalid_request", &[("code_challenge", "short")]),
        ("invalid_request", &[("code_challenge_method", "plain")]),
        ("invalid_request", &[("code_challenge_method", "")]),
        ("invalid_scope", &[("scope", "openid nonsense")]),
        ("invalid_scope", &[("scope", "users:write")]),
        ("invalid_target", &[("resource", "https://other.example")]),
        ("invalid_request", &[("max_age", "-1")]),
        ("invalid_request", &[("prompt", "none login")]),
        ("invalid_request", &[("prompt", "dance")]),
        ("request_not_supported", &[("request", "e30.e30.")]),
        ("request_uri_not_supported", &[("request_uri", "https://shop.example/request")]),
        ("invalid_request", &[("id_token_hint", "e30.e30.x")]),
        ("login_required", &[("prompt", "none")]),
    ] {
        visitor.open(&shop.request(changes)).await;
        let answer = visitor.sent_to(CALLBACK);
        assert_eq!((answer["error"].as_str(), answer["state"].as_str()), (error, "a b&c"), "{changes:?} {answer:?}");
        assert_eq!(answer["iss"], app.url);
    }
    visitor.open(&format!("/oauth/authorize?{query}&nonce=n-2")).await;
    assert_eq!(visitor.sent_to(CALLBACK)["error"], "invalid_request", "a parameter twice");
    let robot = ["--name", "Robot", "--redirect-uri", CALLBACK, "--grant", "client_credentials", "--scope", "openid"];
    let robot = RelyingParty::register(&app, &robot);
    visitor.open(&robot.request(&[("scope", "openid")])).await;
    assert_eq!(visitor.sent_to(CALLBACK)["error"], "unauthorized_client");
    // By a form, as OpenID Connect has it: the same page.
    let fields: Vec<(String, String)> = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
    let fields: Vec<_> = fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    visitor.post("/oauth/authorize", &fields).await.sees(200, "Log in");
}

#[tokio::test]
async fn a_client_decides_how_fresh_a_login_has_to_be() {
    let app = TestApp::simple().settings(UNLIMITED).start().await;
    let (ada, shop) = (ada(&app).await, RelyingParty::shop(&app));
    let (mut visitor, code) = shop.code_of(&ada, &[]).await;
    let first = shop.redeem(&code).await.must_be(200).json();
    let id_token = first["id_token"].as_str().unwrap().to_owned();
    tokio::time::sleep(Duration::from_millis(2_100)).await;
    let cookie = visitor.cookies["vestibule_session"].clone();

    visitor.open(&shop.request(&[("max_age", "1"), ("prompt", "none")])).await;
    assert_eq!(visitor.sent_to(CALLBACK)["error"], "login_required");
    visitor.open(&shop.request(&[("max_age", "3600")])).await;
    assert!(visitor.sent_to(CALLBACK).contains_key("code"));
    for changes in [[("max_age", "1")], [("prompt", "login")], [("prompt", "select_account")]] {
        visitor.open(&shop.request(&changes)).await.sees(200, "Log in");
    }
    visitor.submit(&[("email", &ada.email), ("password", &ada.password)]).await;
    let code = visitor.sent_to(CALLBACK)["code"].clone();
    assert_ne!(visitor.cookies["vestibule_session"], cookie, "another cookie at each login");
    let again = claims(shop.redeem(&code).await.must_be(200).json()["id_token"].as_str().unwrap());
    assert!(again["auth_time"].as_i64() > claims(&id_token)["auth_time"].as_i64(), "{again}");

    // The cookie of before is worth nothing.
    let mut thief = Visitor::new(&app);
    thief.cookies.insert("vestibule_session".to_owned(), cookie);
    thief.open(&shop.request(&[("prompt", "none")])).await;
    assert_eq!(thief.sent_to(CALLBACK)["error"], "login_required");

    visitor.open(&shop.request(&[("id_token_hint", &id_token), ("prompt", "none")])).await;
    assert!(visitor.sent_to(CALLBACK).contains_key("code"));
    let bob = app.register("bob@example.org").await;
    app.verify(&bob).await;
    let mut other = Visitor::new(&app);
    other.open(&shop.request(&[("id_token_hint", &id_token)])).await.sees(200, "Log in");
    other.submit(&[("email", &bob.email), ("password", &bob.password)]).await;
    assert_eq!(other.sent_to(CALLBACK)["error"], "login_required", "somebody else logged in");
}

#[tokio::test]
async fn forms_that_are_not_ours_do_nothing() {
    let app = TestApp::simple().settings(UNLIMITED).start().await;
    let (ada, shop) = (ada(&app).await, RelyingParty::shop(&app));
    let mut visitor = Visitor::new(&app);
    visitor.open(&shop.request(&[])).await.sees(200, "Log in");
    let login = [("email", ada.email.as_str()), ("password", ada.password.as_str())];
    for path in ["/oauth/login", "/oauth/login/code", "/oauth/consent", "/oauth/device", "/oauth/logout/confirm"] {
        visitor.post(path, &login).await.sees(403, "form");
        visitor.post(path, &[login.as_slice(), &[("csrf_token", "0123456789abcdef0123456789abcdef")]].concat()).await;
        assert_eq!(visitor.page.status, 403, "{path}");
    }
    visitor.open(&shop.request(&[])).await.submit(&login).await.sees(200, "Allow");
    let page = visitor.page.clone();
    // A second tab, another user: the page of the first is not agreed to by the second.
    let bob = app.register("bob@example.org").await;
    app.verify(&bob).await;
    visitor.open(&shop.request(&[("prompt", "login")])).await;
    visitor.submit(&[("email", &bob.email), ("password", &bob.password)]).await.sees(200, "bob@example.org");
    visitor.page = page;
    visitor.submit(&[("decision", "allow")]).await.sees(200, "bob@example.org");
    visitor.submit(&[("decision", "allow")]).await;
    assert!(visitor.sent_to(CALLBACK).contains_key("code"));
    // What was answered waits no longer.
    let answered = visitor.page.clone();
    assert!(answered.header("referrer-policy").is_some_and(|policy| policy == "no-referrer"));
}

#[tokio::test]
async fn accounts_that_may_not_log_in_are_told_after_the_right_password() {
    let app = TestApp::simple().settings(UNLIMITED).start().await;
    let (eve, shop) = (app.register("eve@example.org").await, RelyingParty::shop(&app));
    let mut visitor = Visitor::new(&app);
    visitor.open(&shop.request(&[])).await.submit(&[("email", &eve.email), ("password", &eve.password)]).await;
    visitor.sees(403, "verified first");
    visitor.submit(&[("email", "no address"), ("password", "x")]).await.sees(401, "wrong");
    for _ in 0..5 {
        visitor.open(&shop.request(&[])).await.submit(&[("email", "nobody@example.org"), ("password", "x")]).await;
    }
    visitor.sees(429, "Too many");
    assert!(visitor.page.header("retry-after").is_some());
}

#[rstest]
#[tokio::test]
async fn a_request_is_sent_ahead(#[values(Sqlite, Postgres)] store: Store) {
    let settings = format!("{UNLIMITED}\n[auth.oauth]\nrequire_pushed_requests = true");
    let app = TestApp::builder(AllInOne, store).settings(&settings).start().await;
    let (ada, shop) = (ada(&app).await, RelyingParty::shop(&app));
    let pairs: Vec<(String, String)> =
        form_urlencoded::parse(shop.query(&[("client_id", "")]).as_bytes()).into_owned().collect();
    let fields: Vec<_> = pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let pushed = shop.post("/oauth/par", &fields).await.must_be(201).json();
    assert_eq!(pushed["expires_in"], 60);
    let uri = pushed["request_uri"].as_str().unwrap();
    assert!(uri.starts_with("urn:ietf:params:oauth:request_uri:"), "{uri}");
    let request = format!("/oauth/authorize?client_id={}&request_uri={uri}", shop.id);
    let mut visitor = Visitor::new(&app);
    visitor.open(&request).await.sees(200, "Log in");
    visitor.submit(&[("email", &ada.email), ("password", &ada.password)]).await.submit(&[("decision", "allow")]).await;
    let answer = visitor.sent_to(CALLBACK);
    assert_eq!(answer["state"], "a b&c");
    shop.redeem(&answer["code"]).await.must_be(200);
    visitor.open(&request).await.sees(400, "used already");
    visitor.open(&shop.request(&[])).await;
    assert_eq!(visitor.sent_to(CALLBACK)["error"], "invalid_request", "it has to be pushed");
    let without = |name: &str| fields.iter().copied().filter(|(known, _)| *known != name).collect::<Vec<_>>();
    for (name, error) in [("redirect_uri", "invalid_request"), ("code_challenge", "invalid_request")] {
        assert_eq!(shop.post("/oauth/par", &without(name)).await.must_be(400).json()["error"], error);
    }
}

#[rstest]
#[tokio::test]
async fn one_client_has_to_push_and_another_has_not(#[values(Sqlite, Postgres)] store: Store) {
    let app = TestApp::builder(AllInOne, store).settings(UNLIMITED).start().await;
    let rest = ["--name", "Bank", "--redirect-uri", CALLBACK, "--scope", "openid,email"];
    let bank = RelyingParty::register(&app, &[&rest[..], &["--require-pushed-requests"]].concat());
    let mut visitor = Visitor::new(&app);
    visitor.open(&RelyingParty::shop(&app).request(&[])).await.sees(200, "Log in");
    visitor.open(&bank.request(&[])).await;
    assert_eq!(visitor.sent_to(CALLBACK)["error"], "invalid_request");
    let pairs: Vec<(String, String)> =
        form_urlencoded::parse(bank.query(&[("client_id", "")]).as_bytes()).into_owned().collect();
    let fields: Vec<_> = pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let pushed = bank.post("/oauth/par", &fields).await.must_be(201).json();
    let uri = pushed["request_uri"].as_str().unwrap();
    visitor.open(&format!("/oauth/authorize?client_id={}&request_uri={uri}", bank.id)).await.sees(200, "Log in");
}

#[tokio::test]
async fn a_client_acts_in_a_role_only_with_all_that_the_role_may() {
    let app = TestApp::simple().settings(UNLIMITED).start().await;
    let (ada, shop) = (ada(&app).await, RelyingParty::shop(&app));
    let mut set = crate::support::command(app.directory());
    set.args(["user", "set-roles", &ada.email, "user", "admin", "--config", "harness.toml"]);
    assert!(set.output().unwrap().status.success());
    let (_, code) = shop.code_of(&ada, &[]).await;
    let narrow = shop.redeem(&code).await.must_be(200).json();
    let roles = |tokens: &serde_json::Value| claims(tokens["access_token"].as_str().unwrap())["roles"].clone();
    assert_eq!(roles(&narrow), serde_json::json!(["user"]), "an administrator's name is no administrator");
    let own = app.login(&ada).await;
    assert_eq!(claims(&own.access_token)["roles"], serde_json::json!(["admin", "user"]));

    let permissions = claims(&own.access_token)["scope"].as_str().unwrap().to_owned();
    let scopes = format!("openid {permissions}");
    let list = scopes.replace(' ', ",");
    let console = RelyingParty::register(&app, &["--name", "Console", "--redirect-uri", CALLBACK, "--scope", &list]);
    let (_, code) = console.code_of(&ada, &[("scope", &scopes)]).await;
    let wide = console.redeem(&code).await.must_be(200).json();
    assert_eq!(roles(&wide), serde_json::json!(["admin", "user"]));
}
