//! kill -9 during a refresh: afterwards the old token works, or the family is dead; never do two chains live.

use std::{sync::Arc, time::Duration};

use rstest::rstest;
use serde_json::json;
use tokio::sync::Barrier;

use crate::support::{
    Session,
    Store::{self, Postgres, Sqlite},
    TestApp,
    Topology::AllInOne,
};

/// Moments after the calls set out at which the process dies.
const MOMENTS: [Duration; 6] = [
    Duration::ZERO,
    Duration::from_millis(1),
    Duration::from_millis(3),
    Duration::from_millis(6),
    Duration::from_millis(12),
    Duration::from_millis(25),
];
/// Calls with one token at once.
const CALLS: usize = 8;

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kill_dash_nine_during_a_refresh_leaves_one_chain_or_none(#[values(Sqlite, Postgres)] store: Store) {
    let settings = "[gateway]\nrate_limit = false\n[auth]\nrequire_verified_email = false\n\
                    [auth.tokens]\nrefresh_reuse_leeway = \"30s\"\n\
                    [auth.password]\nargon2 = { memory = \"1MiB\", iterations = 1, parallelism = 1 }";
    let mut app = TestApp::builder(AllInOne, store).settings(settings).start().await;
    let ada = app.register("ada@example.org").await;
    for moment in MOMENTS {
        let first = app.login(&ada).await;
        let barrier = Arc::new(Barrier::new(CALLS + 1));
        let calls: Vec<_> = (0..CALLS)
            .map(|_| {
                let (url, token, barrier) = (app.url.clone(), first.refresh_token.clone(), Arc::clone(&barrier));
                tokio::spawn(async move {
                    let client = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(5)).build().unwrap();
                    barrier.wait().await;
                    let body = json!({"refresh_token": token});
                    let answer = client.post(format!("{url}/auth/refresh")).json(&body).send().await.ok()?;
                    let is_done = answer.status() == 200;
                    answer.json::<Session>().await.ok().filter(|_| is_done)
                })
            })
            .collect();
        barrier.wait().await;
        tokio::time::sleep(moment).await;
        app.kill_dash_nine();
        let mut answered = Vec::new();
        for call in calls {
            answered.extend(call.await.unwrap().map(|session| session.refresh_token));
        }
        answered.sort();
        answered.dedup();
        assert!(answered.len() <= 1, "{moment:?}: two successors were given");
        app.start().await;

        // Who got no answer tries the old token again, within the leeway: it gives the only successor there is.
        let refresh = |token: String| app.post("/auth/refresh").json(&json!({"refresh_token": token})).send();
        let again = refresh(first.refresh_token.clone()).await;
        if again.status != 200 {
            again.problem(401, "invalid-refresh-token");
            assert!(answered.is_empty(), "{moment:?}: a successor was given and its family is dead");
            continue;
        }
        let next: Session = again.parse();
        assert!(answered.is_empty() || answered == [next.refresh_token.clone()], "{moment:?}: a second chain");
        refresh(next.refresh_token).await.must_be(200);
        // Two generations back is nobody's lost answer.
        refresh(first.refresh_token).await.problem(401, "refresh-token-reused");
    }
}
