//! Refresh tokens: rotated, single use, and the end of the family when one is stolen.

use std::time::Duration;

use rstest::rstest;
use serde_json::json;

use crate::support::{
    Call, Session,
    Store::{self, Postgres, Sqlite},
    TestApp,
    Topology::{self, AllInOne, Split},
};

fn refresh(app: &TestApp, token: &str) -> Call {
    app.post("/auth/refresh").json(&json!({"refresh_token": token}))
}

#[rstest]
#[tokio::test]
async fn a_spent_token_gives_the_same_again_and_then_ends_the_session(
    #[values(AllInOne, Split)] topology: Topology,
    #[values(Sqlite, Postgres)] store: Store,
) {
    let app = TestApp::builder(topology, store).settings("[auth.tokens]\nrefresh_reuse_leeway = \"1s\"").start().await;
    let first = app.session_of("ada@example.org").await;
    let second: Session = refresh(&app, &first.refresh_token).send().await.must_be(200).parse();
    let again: Session = refresh(&app, &first.refresh_token).send().await.must_be(200).parse();
    assert_eq!(again.refresh_token, second.refresh_token);

    tokio::time::sleep(Duration::from_millis(1200)).await;
    refresh(&app, &first.refresh_token).send().await.problem(401, "refresh-token-reused");
    refresh(&app, &second.refresh_token).send().await.must_be(401);
    app.get("/auth/me").bearer(&second.access_token).send().await.must_be(401);
}

#[rstest]
#[tokio::test]
async fn many_tabs_refresh_at_once_and_stay_one_chain(#[values(Sqlite, Postgres)] store: Store) {
    let app = TestApp::builder(AllInOne, store).start().await;
    let first = app.session_of("ada@example.org").await;
    let calls = (0..20).map(|_| refresh(&app, &first.refresh_token).send());
    let sessions = futures_util::future::join_all(calls).await;
    let mut tokens: Vec<_> = sessions.into_iter().map(|reply| reply.must_be(200).parse::<Session>()).collect();
    tokens.dedup_by(|one, other| one.refresh_token == other.refresh_token);
    assert_eq!(tokens.len(), 1, "one successor for all");
    let next: Session = refresh(&app, &tokens[0].refresh_token).send().await.must_be(200).parse();
    app.get("/auth/me").bearer(&next.access_token).send().await.must_be(200);
}

#[rstest]
#[tokio::test]
async fn logging_out_everywhere_ends_every_session(
    #[values(AllInOne, Split)] topology: Topology,
    #[values(Sqlite, Postgres)] store: Store,
) {
    let app = TestApp::builder(topology, store).start().await;
    let ada = app.register("ada@example.org").await;
    app.verify(&ada).await;
    let (one, other) = (app.login(&ada).await, app.login(&ada).await);
    app.post("/auth/logout").bearer(&one.access_token).send().await.must_be(204);
    app.get("/auth/me").bearer(&other.access_token).send().await.must_be(200);

    let third = app.login(&ada).await;
    app.post("/auth/logout-all").bearer(&third.access_token).send().await.must_be(204);
    for session in [&other, &third] {
        app.get("/auth/me").bearer(&session.access_token).send().await.problem(401, "unauthenticated");
        refresh(&app, &session.refresh_token).send().await.must_be(401);
    }
    app.login(&ada).await;
}
