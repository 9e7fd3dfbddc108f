//! Logout that a client begins.

use rstest::rstest;

use crate::support::{
    CALLBACK, RelyingParty,
    Store::{self, Postgres, Sqlite},
    TestApp,
    Topology::{self, AllInOne, Split},
    Visitor,
};

#[rstest]
#[tokio::test]
async fn a_client_ends_the_login(
    #[values(AllInOne, Split)] topology: Topology,
    #[values(Sqlite, Postgres)] store: Store,
) {
    let app = TestApp::builder(topology, store).settings("[gateway]\nrate_limit = false").start().await;
    let ada = app.register("ada@example.org").await;
    app.verify(&ada).await;
    let shop = RelyingParty::shop(&app);
    let (mut visitor, code) = shop.code_of(&ada, &[]).await;
    let tokens = shop.redeem(&code).await.must_be(200).json();
    let (access, id_token) = (tokens["access_token"].as_str().unwrap(), tokens["id_token"].as_str().unwrap());
    let logged_in = async |visitor: &mut Visitor<'_>| {
        visitor.open(&shop.request(&[("prompt", "none")])).await;
        visitor.sent_to(CALLBACK).contains_key("code")
    };

    let home = "post_logout_redirect_uri=https%3A%2F%2Fshop.example%2F";
    for wrong in [
        format!("id_token_hint={id_token}&post_logout_redirect_uri=https%3A%2F%2Fevil.example%2F"),
        format!("id_token_hint={id_token}&client_id=another"),
        home.to_owned(),
    ] {
        visitor.open(&format!("/oauth/logout?{wrong}")).await.sees(400, "<h1");
        assert_eq!(visitor.page.header("location"), None, "{wrong}");
    }
    assert!(logged_in(&mut visitor).await);

    // Nobody is logged out by a link alone.
    let asked = format!("/oauth/logout?client_id={}&state=s&{home}", shop.id);
    visitor.open(&asked).await.sees(200, "Shop").submit(&[("decision", "deny")]).await.sees(200, "Still logged in");
    assert!(logged_in(&mut visitor).await);
    visitor.open("/oauth/logout?id_token_hint=e30.e30.x").await.sees(200, "<form");
    assert!(logged_in(&mut visitor).await);

    visitor.open(&format!("/oauth/logout?id_token_hint={id_token}&state=s&{home}")).await;
    assert_eq!(visitor.page.header("location"), Some("https://shop.example/?state=s"));
    assert!(!visitor.cookies.contains_key("vestibule_session"));
    app.get("/oauth/userinfo").bearer(access).send().await.must_be(401);
    assert!(!logged_in(&mut visitor).await);
    visitor.open("/oauth/logout").await.sees(200, "logged out");

    // Asked, and allowed: by a form of the client's, which comes back to us by GET.
    visitor.open(&shop.request(&[])).await.submit(&[("email", &ada.email), ("password", &ada.password)]).await;
    let code = visitor.sent_to(CALLBACK)["code"].clone();
    let tokens = shop.redeem(&code).await.must_be(200).json();
    visitor.post("/oauth/logout", &[("client_id", &shop.id)]).await.sees(200, "<form");
    visitor.submit(&[("decision", "allow")]).await.sees(200, "logged out");
    assert!(!logged_in(&mut visitor).await);
    let access = tokens["access_token"].as_str().unwrap();
    app.get("/oauth/userinfo").bearer(access).send().await.must_be(401);
}
