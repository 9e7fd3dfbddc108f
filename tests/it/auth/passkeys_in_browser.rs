//! Passkeys as people use them: in a browser, with an authenticator that the browser plays.

use reqwest::Method;
use serde_json::{Value, json};

use super::passkeys::settings;
use crate::support::{Browser, Session, TestApp};

/// Where the browser finds the front door.
const FRONT: &str = "http://localhost:8000";

/// What the page's own script does, with options that the test has.
const CREATE: &str = "const made = await navigator.credentials.create({publicKey: \
                      PublicKeyCredential.parseCreationOptionsFromJSON(arguments[0])}); return made.toJSON();";
const GET: &str = "const made = await navigator.credentials.get({publicKey: \
                   PublicKeyCredential.parseRequestOptionsFromJSON(arguments[0])}); return made.toJSON();";

#[tokio::test]
async fn a_browser_registers_logs_in_and_forgets() {
    let app = TestApp::simple().settings(&settings("")).start().await;
    let session = app.login(&app.register("ada@example.org").await).await;
    let browser = Browser::start_at(&app).await;
    browser.add_authenticator().await;
    browser.open(&format!("{FRONT}/auth/verify-email")).await;

    let asked = app.post("/auth/passkeys/register/start").bearer(&session.access_token).send().await.must_be(200);
    let credential = browser.run(CREATE, asked.json()["options"].clone()).await;
    let body = json!({"name": "browser", "credential": credential});
    let made = app.post("/auth/passkeys/register/finish").bearer(&session.access_token).json(&body).send().await;
    let passkey = made.must_be(201).json();

    // With an address and without one: the browser finds the passkey by itself.
    for body in [json!({}), json!({"email": "ada@example.org"})] {
        let begun = app.post("/auth/passkeys/login/start").json(&body).send().await.must_be(200).json();
        let credential = browser.run(GET, begun["options"].clone()).await;
        let body = json!({"ceremony": begun["ceremony"], "credential": credential});
        let new: Session = app.post("/auth/passkeys/login/finish").json(&body).send().await.must_be(200).parse();
        app.get("/auth/me").bearer(&new.access_token).send().await.must_be(200);
        app.post("/auth/passkeys/login/finish").json(&body).send().await.problem(401, "invalid-passkey");
    }

    // The login page offers it, and still knows passwords.
    browser.open(&format!("{FRONT}/oauth/device")).await;
    browser.shows("Log in").await;
    browser.look("login-with-passkey").await;
    browser.click("Log in with a passkey").await;
    browser.shows("Connect a device").await;
    browser.is_content().await;

    let path = format!("/auth/passkeys/{}", passkey["id"].as_str().unwrap());
    app.call(Method::DELETE, &path).bearer(&session.access_token).send().await.must_be(204);
    browser.forget_cookies().await;
    browser.open(&format!("{FRONT}/oauth/device")).await;
    browser.shows("Log in").await;
    browser.click("Log in with a passkey").await;
    browser.shows("Error: Log in").await;
    assert!(browser.text().await.contains("This passkey was not accepted"), "{}", browser.text().await);
    browser.fill("E-mail address", "ada@example.org").await;
    browser.fill("Password", "correct horse battery staple").await;
    browser.click("Log in").await;
    browser.shows("Connect a device").await;
}

#[tokio::test]
async fn a_browser_without_passkeys_is_told_so() {
    let app = TestApp::simple().settings(&settings("")).start().await;
    let browser = Browser::start_at(&app).await;
    browser.add_authenticator().await;
    browser.open(&format!("{FRONT}/oauth/device")).await;
    browser.click("Log in with a passkey").await;
    let told = crate::support::eventually(std::time::Duration::from_secs(20), async || {
        browser.text().await.contains("That did not work.").then_some(())
    });
    assert!(told.await.is_some(), "{}", browser.text().await);
    let script: Value = browser.evaluate("return document.scripts.length").await;
    assert_eq!(script, 1);
}
