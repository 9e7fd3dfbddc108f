//! Refresh tokens of OAuth clients: one chain however many ask, bound to the client, dead when one is stolen.

use std::time::Duration;

use rstest::rstest;
use serde_json::Value;

use crate::support::{
    RelyingParty, Reply,
    Store::{self, Postgres, Sqlite},
    TestApp,
    Topology::{self, AllInOne, Split},
    claims,
};

const SETTINGS: &str = "[gateway]\nrate_limit = false\n[auth.tokens]\nrefresh_reuse_leeway = \"1s\"";

async fn spend(client: &RelyingParty<'_>, token: &str) -> Reply {
    client.post("/oauth/token", &[("grant_type", "refresh_token"), ("refresh_token", token)]).await
}

fn text(body: &Value, name: &str) -> String {
    body[name].as_str().unwrap_or_default().to_owned()
}

#[rstest]
#[tokio::test]
async fn twenty_spend_one_token_and_one_chain_goes_on(
    #[values(AllInOne, Split)] topology: Topology,
    #[values(Sqlite, Postgres)] store: Store,
) {
    let app = TestApp::builder(topology, store).settings(SETTINGS).start().await;
    let ada = app.register("ada@example.org").await;
    app.verify(&ada).await;
    let (shop, other) = (RelyingParty::shop(&app), RelyingParty::shop(&app));
    let (_, code) = shop.code_of(&ada, &[("scope", "openid offline_access")]).await;
    let first = text(&shop.redeem(&code).await.must_be(200).json(), "refresh_token");
    let foreign = spend(&other, &first).await.must_be(400);
    assert_eq!(foreign.json()["error"], "invalid_grant");
    app.post("/auth/refresh").json(&serde_json::json!({"refresh_token": first})).send().await.must_be(401);

    let answers = futures_util::future::join_all((0..20).map(|_| spend(&shop, &first))).await;
    let mut next: Vec<_> =
        answers.into_iter().map(|answer| text(&answer.must_be(200).json(), "refresh_token")).collect();
    next.sort();
    next.dedup();
    assert_eq!(next.len(), 1, "one successor for all");
    let newest = spend(&shop, &next[0]).await.must_be(200).json();

    tokio::time::sleep(Duration::from_millis(1_200)).await;
    assert_eq!(spend(&shop, &first).await.must_be(400).json()["error"], "invalid_grant");
    assert_eq!(spend(&shop, &text(&newest, "refresh_token")).await.must_be(400).json()["error"], "invalid_grant");
    let asked = shop.post("/oauth/introspect", &[("token", &text(&newest, "access_token"))]).await;
    assert_eq!(asked.must_be(200).json(), serde_json::json!({"active": false}), "the family is dead");
}

#[rstest]
#[tokio::test]
async fn a_refresh_tells_of_the_same_login(#[values(Sqlite, Postgres)] store: Store) {
    let app = TestApp::builder(AllInOne, store).settings(SETTINGS).start().await;
    let ada = app.register("ada@example.org").await;
    app.verify(&ada).await;
    let shop = RelyingParty::shop(&app);
    let (_, code) = shop.code_of(&ada, &[("scope", "openid email offline_access")]).await;
    let first = shop.redeem(&code).await.must_be(200).json();
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    let second = spend(&shop, &text(&first, "refresh_token")).await.must_be(200).json();
    let (before, after) = (claims(&text(&first, "id_token")), claims(&text(&second, "id_token")));
    for same in ["iss", "sub", "aud", "auth_time", "amr", "sid"] {
        assert!(!after[same].is_null(), "{same} in {after}");
        assert_eq!(after[same], before[same], "{same}");
    }
    assert_eq!((&before["nonce"], &after["nonce"]), (&Value::from("n-1"), &Value::Null));
    assert!(after["iat"].as_i64() > before["iat"].as_i64());
    assert_ne!(after["at_hash"], before["at_hash"], "of the new access token");
    let narrow = [
        ("grant_type", "refresh_token"),
        ("refresh_token", &text(&second, "refresh_token")),
        ("scope", "email offline_access"),
    ];
    let third = shop.post("/oauth/token", &narrow).await.must_be(200).json();
    assert!(third["id_token"].is_null(), "openid was not asked for");
}
