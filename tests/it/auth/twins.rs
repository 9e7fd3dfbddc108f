//! Two instances on one database: what is ended at one is ended at the other within a second, with Redis and without.

use std::time::Duration;

use reqwest::Method;
use rstest::rstest;

use crate::support::{
    Redis,
    Store::{self, Postgres, Sqlite},
    TestApp,
    Topology::AllInOne,
    User, eventually,
};

/// Twins with a user, and their Redis when they are to have one.
async fn twins(store: Store, redis: Option<&Redis>) -> (TestApp, User) {
    let redis = redis.map(|redis| format!("[redis]\nurl = \"{}\"\n", redis.url())).unwrap_or_default();
    let settings = format!("{redis}[gateway]\nrate_limit = false\n");
    let app = TestApp::builder(AllInOne, store).settings(&settings).start_twins().await;
    let ada = app.register("ada@example.org").await;
    app.verify(&ada).await;
    (app, ada)
}

/// Logs in at one instance and out again: within a second the other one refuses the token too, and neither ever fails.
async fn must_end_everywhere(app: &TestApp, ada: &User) {
    let token = app.login(ada).await.access_token;
    let at_twin = async || app.call_role("twin", Method::GET, "/api/data/sources").bearer(&token).send().await.status;
    assert_eq!(at_twin().await, 200);
    app.post("/auth/logout").bearer(&token).send().await.must_be(204);
    app.get("/auth/me").bearer(&token).send().await.must_be(401);
    let refused = async || match at_twin().await {
        401 => Some(()),
        status => {
            assert_eq!(status, 200);
            None
        }
    };
    assert!(eventually(Duration::from_secs(1), refused).await.is_some(), "after a second the twin accepts it still");
}

#[rstest]
#[tokio::test]
async fn logging_out_at_one_instance_stops_the_token_at_its_twin(#[values(Sqlite, Postgres)] store: Store) {
    let (app, ada) = twins(store, None).await;
    for _ in 0..3 {
        must_end_everywhere(&app, &ada).await;
    }
}

#[rstest]
#[tokio::test]
async fn redis_tells_it_at_once_and_its_end_is_no_failure(#[values(Sqlite, Postgres)] store: Store) {
    let redis = Redis::start();
    let (app, ada) = twins(store, Some(&redis)).await;
    let listening = async || (redis.command(&["PUBSUB", "NUMSUB", "vestibule:bell"]).ends_with('2')).then_some(());
    assert!(eventually(Duration::from_secs(5), listening).await.is_some(), "both listen");
    for _ in 0..3 {
        must_end_everywhere(&app, &ada).await;
    }
    let published = redis.command(&["INFO", "commandstats"]);
    assert!(published.contains("cmdstat_publish:"), "{published}");

    let ended = app.login(&ada).await;
    app.post("/auth/logout").bearer(&ended.access_token).send().await.must_be(204);
    redis.command(&["FLUSHALL"]);
    must_end_everywhere(&app, &ada).await;
    drop(redis);
    for _ in 0..3 {
        must_end_everywhere(&app, &ada).await;
    }
    let still = app.call_role("twin", Method::GET, "/api/data/sources").bearer(&ended.access_token).send().await;
    assert_eq!(still.status, 401, "the set is in the database");
    let told = app.logs().lines().filter(|line| line.contains("\"redis_away\"")).count();
    assert!((1..=4).contains(&told), "told once by each that misses it: {told}");
}
