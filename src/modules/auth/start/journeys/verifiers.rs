//! What other processes are told of sessions that were ended.

use std::time::Duration;

use actix_web::http::Method;

use super::{TestAuth, config, configuration};

#[actix_web::test]
async fn no_ended_session_is_missed_when_the_clock_is_set_back() {
    let app = TestAuth::start(&config::AuthConfig { require_verified_email: false, ..configuration() }).await;
    app.register("ada@example.com").await;
    let access = app.log_in("ada@example.com").await.text("access_token");
    let cursor = app.auth.api().revocations(None, Duration::ZERO).await.unwrap().cursor;

    app.clock.jump(chrono::TimeDelta::hours(-2));
    assert_eq!(app.call(Method::POST, "/auth/logout", Some(&access), None).await.status, 204);
    let feed = app.auth.api().revocations(Some(cursor), Duration::ZERO).await.unwrap();
    assert_eq!(feed.sessions.len(), 1, "it was ended after the last question, though before it by the clock");
    let again = app.auth.api().revocations(Some(feed.cursor), Duration::ZERO).await.unwrap();
    assert_eq!(again.sessions.len(), 1, "stretches overlap");
    app.auth.stop().await;
}
