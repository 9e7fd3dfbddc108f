//! The pages on the way to a client, in a browser: login, second factor, consent, devices, logout.

use std::collections::BTreeMap;

use wiremock::{Mock, MockServer, ResponseTemplate, matchers::any};

use super::mfa::Enrolled;
use crate::support::{Browser, RelyingParty, TestApp, User, VERIFIER};

const TAB: &str = "\u{e004}";
const ENTER: &str = "\u{e007}";

/// A client's own server, which its users come back to: another origin than ours.
struct Shop<'a> {
    server: MockServer,
    party: RelyingParty<'a>,
}

impl<'a> Shop<'a> {
    async fn open(app: &'a TestApp) -> Self {
        let server = MockServer::start().await;
        let page = ResponseTemplate::new(200).set_body_raw("<title>Shop</title>Welcome", "text/html");
        Mock::given(any()).respond_with(page).mount(&server).await;
        let uri = format!("{}/callback", server.uri());
        let scopes = ["openid", "profile", "email", "offline_access"].map(|scope| ["--scope", scope]).concat();
        let uris = ["--name", "Shop", "--redirect-uri", &uri, "--post-logout-redirect-uri", &uri];
        let party = RelyingParty::register(app, &[scopes.as_slice(), &uris].concat());
        Self { server, party }
    }

    fn callback(&self) -> String {
        format!("{}/callback", self.server.uri())
    }

    /// The address that the shop sends browsers to.
    fn request(&self, app: &TestApp, changes: &[(&str, &str)]) -> String {
        let callback = self.callback();
        let changes = [&[("redirect_uri", callback.as_str())], changes].concat();
        format!("{}{}", app.url, self.party.request(&changes))
    }

    /// What the browser brought back.
    async fn answer(&self, browser: &Browser) -> BTreeMap<String, String> {
        browser.shows("Shop").await;
        browser.is_content().await;
        let url = browser.url().await;
        let (path, query) = url.split_once('?').unwrap();
        assert_eq!(path, self.callback());
        form_urlencoded::parse(query.as_bytes()).into_owned().collect()
    }
}

async fn ada(app: &TestApp) -> User {
    let ada = app.register("ada@example.org").await;
    app.verify(&ada).await;
    ada
}

async fn log_in(browser: &Browser, user: &User) {
    browser.shows("Log in").await;
    browser.fill("E-mail address", &user.email).await;
    browser.fill("Password", &user.password).await;
    browser.click("Log in").await;
}

#[tokio::test]
async fn a_client_is_allowed_by_keyboard_alone() {
    let app = TestApp::simple().start().await;
    let ada = ada(&app).await;
    let shop = Shop::open(&app).await;
    let browser = Browser::start().await;
    browser.open(&shop.request(&app, &[("scope", "openid profile email offline_access")])).await;
    browser.shows("Log in").await;
    browser.look("login").await;
    browser.press(&format!("{}{TAB}not the password{ENTER}", ada.email)).await;
    browser.shows("Error: Log in").await;
    browser.look("login-wrong").await;
    assert_eq!(browser.focused().await, "password", "the address is still there");
    browser.press(&format!("{}{ENTER}", ada.password)).await;

    browser.shows("Allow Shop?").await;
    browser.look("consent").await;
    let text = browser.text().await;
    for words in
        ["ada@example.org", "Know who you are", "See your name", "See your e-mail address", "while you are away"]
    {
        assert!(text.contains(words), "{words} in {text}");
    }
    browser.press(TAB).await;
    assert_eq!(browser.focused().await, "Allow");
    browser.press(TAB).await;
    assert_eq!(browser.focused().await, "Deny");
    browser.press(ENTER).await;
    assert_eq!(shop.answer(&browser).await["error"], "access_denied");

    browser.open(&shop.request(&app, &[])).await;
    browser.shows("Allow Shop?").await;
    browser.press(&format!("{TAB}{ENTER}")).await;
    let answer = shop.answer(&browser).await;
    assert_eq!((answer["state"].as_str(), answer["iss"].as_str()), ("a b&c", app.url.as_str()));
    let redeem = [
        ("grant_type", "authorization_code"),
        ("code", &answer["code"]),
        ("redirect_uri", &shop.callback()),
        ("code_verifier", VERIFIER),
    ];
    shop.party.post("/oauth/token", &redeem).await.must_be(200);
    let again = shop.party.post("/oauth/token", &redeem).await.must_be(400);
    assert_eq!(
        (again.header("content-type"), &again.json()["error"]),
        (Some("application/json"), &"invalid_grant".into())
    );

    browser.open(&shop.request(&app, &[("redirect_uri", "https://elsewhere.example/")])).await;
    browser.shows("This request cannot be answered").await;
    browser.look("unanswerable").await;
}

#[tokio::test]
async fn a_second_factor_is_asked_for_on_a_page_of_its_own() {
    let app = TestApp::simple().settings("[auth]\nrequire_verified_email = false").start().await;
    let ada = Enrolled::new(&app, "ada@example.org").await;
    let shop = Shop::open(&app).await;
    let browser = Browser::start().await;
    browser.open(&shop.request(&app, &[])).await;
    log_in(&browser, &ada.user).await;
    browser.shows("Enter your code").await;
    browser.look("code").await;
    browser.press(&format!("000000{ENTER}")).await;
    browser.shows("Error: Enter your code").await;
    browser.look("code-wrong").await;
    let page = browser.evaluate("return document.documentElement.outerHTML").await.to_string();
    assert!(!page.contains(&ada.user.password), "the password is on no page");
    browser.fill("Code", &ada.recovery_codes[0]).await;
    browser.click("Continue").await;
    browser.shows("Allow Shop?").await;
    browser.click("Allow").await;
    assert!(shop.answer(&browser).await.contains_key("code"));
}

#[tokio::test]
async fn a_device_is_connected() {
    let app = TestApp::simple().start().await;
    let ada = ada(&app).await;
    let scopes = ["--scope", "openid", "--scope", "email"];
    let television = ["--name", "Living-room television", "--public", "--grant", "device_code"];
    let television = RelyingParty::register(&app, &[television.as_slice(), &scopes].concat());
    let begun = television.post("/oauth/device_authorization", &[("scope", "openid email")]).await.must_be(200).json();
    let browser = Browser::start().await;
    browser.open(begun["verification_uri"].as_str().unwrap()).await;
    log_in(&browser, &ada).await;
    browser.shows("Connect a device").await;
    browser.look("device").await;
    browser.press(&format!("bbbb bbbb{ENTER}")).await;
    browser.shows("Error: Connect a device").await;
    browser.look("device-wrong").await;
    browser.fill("Code", &begun["user_code"].as_str().unwrap().to_lowercase()).await;
    browser.click("Continue").await;
    browser.shows("Allow Living-room television?").await;
    assert!(browser.text().await.contains(begun["user_code"].as_str().unwrap()));
    browser.look("device-confirm").await;
    browser.click("Allow").await;
    browser.shows("Your device is connected").await;
    browser.look("device-done").await;
}

#[tokio::test]
async fn a_user_logs_out() {
    let app = TestApp::simple().start().await;
    let ada = ada(&app).await;
    let shop = Shop::open(&app).await;
    let browser = Browser::start().await;
    browser.open(&shop.request(&app, &[])).await;
    log_in(&browser, &ada).await;
    browser.shows("Allow Shop?").await;
    browser.click("Allow").await;
    shop.answer(&browser).await;

    browser.open(&format!("{}/oauth/logout", app.url)).await;
    browser.shows("Log out?").await;
    browser.look("log-out").await;
    browser.click("Stay logged in").await;
    browser.shows("Still logged in").await;
    browser.open(&format!("{}/oauth/logout", app.url)).await;
    browser.click("Log out").await;
    browser.shows("You are logged out").await;
    browser.look("logged-out").await;
    browser.open(&shop.request(&app, &[])).await;
    browser.shows("Log in").await;

    // On to the client, which lies elsewhere.
    log_in(&browser, &ada).await;
    shop.answer(&browser).await;
    let (callback, id) = (shop.callback(), shop.party.id.as_str());
    let query = [("client_id", id), ("post_logout_redirect_uri", &callback), ("state", "bye")];
    let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(query).finish();
    browser.open(&format!("{}/oauth/logout?{query}", app.url)).await;
    browser.shows("Log out?").await;
    browser.click("Log out").await;
    assert_eq!(shop.answer(&browser).await["state"], "bye");
}
