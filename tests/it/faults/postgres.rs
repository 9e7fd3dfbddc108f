//! A PostgreSQL that does not answer, or has no connection left, is an answer and passes without a restart.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::{PrivatePostgres, Session, TestApp, User, eventually};

/// A call to the database may take 4 s.
const DEADLINE: Duration = Duration::from_secs(4);
/// And so much later at most its failure is an answer; as soon it is over once the database is back.
const SOON: Duration = Duration::from_secs(5);

async fn start(server: &PrivatePostgres) -> (TestApp, User, Session) {
    let settings = format!(
        "[database]\nurl = \"{}\"\nmax_connections = 5\n[gateway]\nrate_limit = false\n\
         [auth.password]\nargon2 = {{ memory = \"1MiB\", iterations = 1, parallelism = 1 }}\n",
        server.url()
    );
    let app = TestApp::simple().settings(&settings).start().await;
    let ada = app.register("ada@example.org").await;
    app.verify(&ada).await;
    let session = app.login(&ada).await;
    (app, ada, session)
}

/// Calls that need the database are refused in time, all at once; the process says that it lives and is not ready.
async fn refuses(app: &TestApp, ada: &User, session: &Session) {
    let credentials = json!({"email": ada.email, "password": ada.password});
    let began = Instant::now();
    let calls = (0..10).map(|number| match number % 3 {
        0 => app.post("/auth/login").json(&credentials).send(),
        1 => app.post("/auth/password/forgot").json(&json!({"email": ada.email})).send(),
        _ => app.post("/auth/refresh").json(&json!({"refresh_token": session.refresh_token})).send(),
    });
    let live = async {
        for _ in 0..5 {
            let began = Instant::now();
            app.get("/health/live").send().await.must_be(200);
            assert!(began.elapsed() < Duration::from_millis(500), "alive, after {:?}", began.elapsed());
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    };
    let (answers, ()) = tokio::join!(futures_util::future::join_all(calls), live);
    assert!(began.elapsed() < DEADLINE + SOON, "{:?}", began.elapsed());
    for answer in answers {
        answer.problem(503, "unavailable");
        assert!(answer.header("retry-after").is_some_and(|wait| wait.parse::<u32>().is_ok()), "{answer:?}");
    }
    app.get("/health/ready").send().await.must_be(503);
    app.get("/health/live").send().await.must_be(200);
}

async fn recovers(app: &TestApp, ada: &User) {
    let began = Instant::now();
    let credentials = json!({"email": ada.email, "password": ada.password});
    let back = eventually(SOON, async || {
        let is_ready = app.get("/health/ready").send().await.status == 200;
        (is_ready && app.post("/auth/login").json(&credentials).send().await.status == 200).then_some(())
    });
    assert!(back.await.is_some(), "not back after {:?}", began.elapsed());
    assert!(began.elapsed() < SOON, "{:?}", began.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_postgres_that_is_paused_is_an_answer_and_passes() {
    let server = PrivatePostgres::start();
    let (app, ada, session) = start(&server).await;
    server.pause();
    refuses(&app, &ada, &session).await;
    refuses(&app, &ada, &session).await;
    server.resume();
    recovers(&app, &ada).await;
    // What was asked for meanwhile was not promised to anybody; what is asked for now is.
    app.register("grace@example.org").await;
    app.mailbox.newest_to("grace@example.org").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_postgres_without_a_connection_left_is_an_answer_and_passes() {
    let server = PrivatePostgres::start();
    let (app, ada, session) = start(&server).await;
    server.fill_up();
    refuses(&app, &ada, &session).await;
    server.make_room();
    recovers(&app, &ada).await;
}
