//! The device grant: a code on a screen, an answer in a browser.

use std::time::Duration;

use rstest::rstest;

use crate::support::{
    RelyingParty, Reply,
    Store::{self, Postgres, Sqlite},
    TestApp,
    Topology::{self, AllInOne, Split},
    Visitor, claims,
};

const SETTINGS: &str = "[gateway]\nrate_limit = false\n[auth.oauth]\ndevice_interval = \"1s\"\ndevice_ttl = \"20s\"";

fn television(app: &TestApp) -> RelyingParty<'_> {
    let grant = ["--grant", "device_code", "--grant", "refresh_token"];
    let scopes = ["--scope", "openid", "--scope", "email", "--scope", "offline_access"];
    RelyingParty::register(app, &[["--name", "Television", "--public"].as_slice(), &grant, &scopes].concat())
}

async fn poll(television: &RelyingParty<'_>, device_code: &str) -> Reply {
    let grant = "urn:ietf:params:oauth:grant-type:device_code";
    television.post("/oauth/token", &[("grant_type", grant), ("device_code", device_code)]).await
}

fn error(reply: &Reply) -> String {
    assert_eq!(reply.status, 400, "{reply:?}");
    reply.json()["error"].as_str().unwrap().to_owned()
}

#[rstest]
#[tokio::test]
async fn a_device_is_connected_in_a_browser(
    #[values(AllInOne, Split)] topology: Topology,
    #[values(Sqlite, Postgres)] store: Store,
) {
    let app = TestApp::builder(topology, store).settings(SETTINGS).start().await;
    let ada = app.register("ada@example.org").await;
    app.verify(&ada).await;
    let television = television(&app);
    let begin = async || {
        let scope = [("scope", "openid offline_access")];
        television.post("/oauth/device_authorization", &scope).await.must_be(200).json()
    };
    let begun = begin().await;
    let (device, code) = (begun["device_code"].as_str().unwrap(), begun["user_code"].as_str().unwrap());
    assert_eq!((begun["interval"].as_i64(), begun["expires_in"].as_i64()), (Some(1), Some(20)));
    assert_eq!(begun["verification_uri"], format!("{}/oauth/device", app.url));
    assert_eq!(begun["verification_uri_complete"], format!("{}/oauth/device?user_code={code}", app.url));
    assert_eq!(error(&poll(&television, device).await), "authorization_pending");
    assert_eq!(error(&poll(&television, device).await), "slow_down");

    let mut visitor = Visitor::new(&app);
    visitor.open("/oauth/device").await.sees(200, "Log in");
    visitor.submit(&[("email", &ada.email), ("password", &ada.password)]).await.sees(200, "name=\"user_code\"");
    visitor.submit(&[("user_code", "BBBB-BBBB")]).await.sees(422, "Nothing waits");
    let typed = code.to_lowercase().replace('-', " ");
    visitor.submit(&[("user_code", &typed)]).await.sees(200, "Television").sees(200, code);
    visitor.submit(&[("decision", "allow")]).await.sees(200, "connected");
    let tokens = poll(&television, device).await.must_be(200).json();
    assert!(tokens["refresh_token"].is_string() && tokens["id_token"].is_string(), "{tokens}");
    assert_eq!(claims(tokens["id_token"].as_str().unwrap())["aud"], television.id.as_str());
    assert_eq!(error(&poll(&television, device).await), "invalid_grant", "once");
    assert_eq!(error(&poll(&television, "unknown").await), "invalid_grant");

    let begun = begin().await;
    let uri = begun["verification_uri_complete"].as_str().unwrap().strip_prefix(&app.url).unwrap();
    let mut fresh = Visitor::new(&app);
    fresh.open(uri).await.sees(200, "Log in");
    fresh.submit(&[("email", &ada.email), ("password", &ada.password)]).await.sees(200, "Television");
    fresh.submit(&[("decision", "deny")]).await.sees(200, "Not allowed");
    assert_eq!(error(&poll(&television, begun["device_code"].as_str().unwrap()).await), "access_denied");

    let begun = begin().await;
    tokio::time::sleep(Duration::from_secs(21)).await;
    assert_eq!(error(&poll(&television, begun["device_code"].as_str().unwrap()).await), "expired_token");
    visitor.open("/oauth/device").await.submit(&[("user_code", begun["user_code"].as_str().unwrap())]).await;
    visitor.sees(422, "Nothing waits");
}

#[tokio::test]
async fn guessing_codes_ends_soon() {
    let app = TestApp::simple().settings(SETTINGS).start().await;
    let ada = app.register("ada@example.org").await;
    app.verify(&ada).await;
    let mut visitor = Visitor::new(&app);
    visitor.open("/oauth/device").await.submit(&[("email", &ada.email), ("password", &ada.password)]).await;
    for _ in 0..4 {
        visitor.submit(&[("user_code", "BBBB-BBBB")]).await.sees(422, "Nothing waits");
    }
    visitor.submit(&[("user_code", "BBBB-BBBB")]).await.sees(429, "Too many");
    let shop = RelyingParty::shop(&app);
    assert_eq!(error(&shop.post("/oauth/device_authorization", &[]).await), "unauthorized_client");
    let television = television(&app);
    let wrong = television.post("/oauth/device_authorization", &[("scope", "users:read")]).await;
    assert_eq!(error(&wrong), "invalid_scope");
}
