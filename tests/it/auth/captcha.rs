//! Riddles on the hosted pages: asked for as the calls ask for them, and shown by the provider's script alone.

use serde_json::json;
use wiremock::ResponseTemplate;

use crate::support::{Backend, RelyingParty, TestApp, Visitor};

const SOURCE: &str = "https://challenges.cloudflare.com";

fn settings(provider: &Backend, more: &str) -> String {
    format!(
        "[gateway]\nrate_limit = false\n[auth.captcha]\nprovider = \"turnstile\"\nsecret = \"secret\"\n\
         site_key = \"site-key\"\nverify_url = \"{}\"\n{more}",
        provider.url()
    )
}

fn policy(visitor: &Visitor<'_>) -> String {
    visitor.page.header("content-security-policy").unwrap_or_default().to_owned()
}

fn shows_riddle(visitor: &Visitor<'_>) -> bool {
    let html = visitor.page.text();
    let is_there = html.contains("data-sitekey=\"site-key\"");
    assert_eq!(is_there, html.contains("<script src=\"https://challenges.cloudflare.com/turnstile/v0/api.js\""));
    assert_eq!(is_there, policy(visitor).contains(&format!("script-src {SOURCE};")), "{}", policy(visitor));
    is_there
}

#[tokio::test]
async fn a_login_on_the_page_needs_a_riddle_after_failures() {
    let provider = Backend::start().await;
    provider.answer(ResponseTemplate::new(200).set_body_json(json!({"success": true}))).await;
    let settings = settings(&provider, "on = [\"login\", \"forgot\"]\nafter_failures = 2");
    let app = TestApp::simple().settings(&settings).start().await;
    let ada = app.register("ada@example.org").await;
    app.verify(&ada).await;
    let shop = RelyingParty::shop(&app);
    let mut visitor = Visitor::new(&app);
    visitor.open(&shop.request(&[])).await.sees(200, "Log in");
    assert!(!shows_riddle(&visitor), "nobody has failed yet");
    visitor.submit(&[("email", &ada.email), ("password", "wrong one")]).await.sees(401, "wrong");
    assert!(!shows_riddle(&visitor));
    visitor.submit(&[("email", &ada.email), ("password", "wrong two")]).await.sees(401, "wrong");
    assert!(shows_riddle(&visitor), "the next one needs it");
    visitor.submit(&[("email", &ada.email), ("password", &ada.password)]).await.sees(403, "show below");
    assert!(shows_riddle(&visitor), "right, and refused for want of a solution");
    assert!(policy(&visitor).contains("form-action 'self' https://shop.example"), "{}", policy(&visitor));
    // The call asks for it too: both count the same failures.
    let call = json!({"email": ada.email, "password": ada.password});
    app.post("/auth/login").json(&call).send().await.problem(403, "captcha-required");
    let solved = [("email", ada.email.as_str()), ("password", &ada.password), ("cf-turnstile-response", "token")];
    visitor.submit(&solved).await.sees(200, "Allow");
    assert!(!shows_riddle(&visitor));
}

#[tokio::test]
async fn a_riddle_that_is_always_asked_for_is_on_the_first_page() {
    let provider = Backend::start().await;
    provider.answer(ResponseTemplate::new(200).set_body_json(json!({"success": true}))).await;
    let app = TestApp::simple().settings(&settings(&provider, "on = [\"login\", \"forgot\"]\nafter_failures = 0"));
    let app = app.start().await;
    let ada = app.register("ada@example.org").await;
    let shop = RelyingParty::shop(&app);
    let mut visitor = Visitor::new(&app);
    visitor.open(&shop.request(&[])).await.sees(200, "Log in");
    assert!(shows_riddle(&visitor));
    visitor.open("/oauth/device").await.sees(200, "Log in");
    assert!(shows_riddle(&visitor));
    visitor.open("/auth/password/forgot").await.sees(200, "Forgot");
    assert!(shows_riddle(&visitor));
    visitor.submit(&[("email", &ada.email)]).await.sees(403, "show below");
    visitor.submit(&[("email", &ada.email), ("cf-turnstile-response", "token")]).await.sees(200, "Look into your mail");
    assert!(!shows_riddle(&visitor));
}
