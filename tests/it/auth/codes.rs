//! Authorization codes: once, by their client, with the verifier.

use rstest::rstest;
use serde_json::json;

use crate::support::{
    CALLBACK, RelyingParty,
    Store::{self, Postgres, Sqlite},
    TestApp,
    Topology::{self, AllInOne, Split},
    VERIFIER,
};

const UNLIMITED: &str = "[gateway]\nrate_limit = false";

#[rstest]
#[tokio::test]
async fn a_code_that_comes_twice_ends_what_it_gave(
    #[values(AllInOne, Split)] topology: Topology,
    #[values(Sqlite, Postgres)] store: Store,
) {
    let app = TestApp::builder(topology, store).settings(UNLIMITED).start().await;
    let ada = app.register("ada@example.org").await;
    app.verify(&ada).await;
    let (shop, other) = (RelyingParty::shop(&app), RelyingParty::shop(&app));
    let (_, code) = shop.code_of(&ada, &[("scope", "openid offline_access")]).await;
    let redeem = async |code: &str, changes: &[(&str, &str)]| {
        let mut fields = vec![
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", CALLBACK),
            ("code_verifier", VERIFIER),
        ];
        fields.retain(|(name, _)| changes.iter().all(|(changed, _)| changed != name));
        fields.extend(changes.iter().filter(|(_, value)| !value.is_empty()));
        shop.post("/oauth/token", &fields).await
    };
    for (changes, error) in [
        ([("code_verifier", "")], "invalid_request"),
        ([("code", "")], "invalid_request"),
        ([("code", "unknown")], "invalid_grant"),
        ([("code_verifier", "short")], "invalid_grant"),
        ([("code_verifier", "aBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk")], "invalid_grant"),
        ([("redirect_uri", "https://shop.example/")], "invalid_grant"),
        ([("resource", "https://other.example")], "invalid_target"),
    ] {
        let reply = redeem(&code, &changes).await;
        let body = reply.clone().must_be(400).json();
        assert_eq!(body["error"], error, "{changes:?} {body}");
        assert_eq!(reply.header("cache-control"), Some("no-store"));
    }
    assert_eq!(other.redeem(&code).await.must_be(400).json()["error"], "invalid_grant", "it is another's");
    shop.redeem(&code).await.must_be(200);
    assert_eq!(shop.redeem(&code).await.must_be(400).json()["error"], "invalid_grant");

    let (_, code) = shop.code_of(&ada, &[("scope", "openid email offline_access")]).await;
    let tokens = shop.redeem(&code).await.must_be(200).json();
    let access = tokens["access_token"].as_str().unwrap();
    app.get("/oauth/userinfo").bearer(access).send().await.must_be(200);
    assert_eq!(other.redeem(&code).await.must_be(400).json()["error"], "invalid_grant");
    app.get("/oauth/userinfo").bearer(access).send().await.must_be(200);
    assert_eq!(shop.redeem(&code).await.must_be(400).json()["error"], "invalid_grant");
    app.get("/oauth/userinfo").bearer(access).send().await.must_be(401);
    let refresh = [("grant_type", "refresh_token"), ("refresh_token", tokens["refresh_token"].as_str().unwrap())];
    assert_eq!(shop.post("/oauth/token", &refresh).await.must_be(400).json()["error"], "invalid_grant");
    assert!(app.logs().contains("authorization_code_reused"));
}

#[rstest]
#[tokio::test]
async fn twenty_redeem_one_code_and_one_wins(#[values(Sqlite, Postgres)] store: Store) {
    let app = TestApp::builder(AllInOne, store).settings(UNLIMITED).start().await;
    let ada = app.register("ada@example.org").await;
    app.verify(&ada).await;
    let shop = RelyingParty::shop(&app);
    for _ in 0..10 {
        let (_, code) = shop.code_of(&ada, &[]).await;
        let replies = futures_util::future::join_all((0..20).map(|_| shop.redeem(&code))).await;
        let (won, lost): (Vec<_>, Vec<_>) = replies.iter().partition(|reply| reply.status == 200);
        assert_eq!(won.len(), 1, "{replies:?}");
        assert!(lost.iter().all(|reply| reply.status == 400 && reply.json()["error"] == "invalid_grant"), "{lost:?}");
        let access = won[0].json()["access_token"].as_str().unwrap().to_owned();
        app.get("/oauth/userinfo").bearer(&access).send().await.must_be(401);
        let own = app.login(&ada).await;
        let consent = format!("/auth/consents/{}", shop.id);
        app.call(reqwest::Method::DELETE, &consent).bearer(&own.access_token).send().await.must_be(204);
    }
}

#[tokio::test]
async fn a_code_dies_with_the_login_that_gave_it() {
    let app = TestApp::simple().settings(UNLIMITED).start().await;
    let ada = app.register("ada@example.org").await;
    app.verify(&ada).await;
    let shop = RelyingParty::shop(&app);
    let (_, code) = shop.code_of(&ada, &[]).await;
    let own = app.login(&ada).await;
    let change = json!({"current_password": ada.password, "new_password": "another good password"});
    app.post("/auth/password/change").bearer(&own.access_token).json(&change).send().await.must_be(204);
    assert_eq!(shop.redeem(&code).await.must_be(400).json()["error"], "invalid_grant");
}
