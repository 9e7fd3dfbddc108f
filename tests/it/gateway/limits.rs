//! The rate limit.

use rstest::rstest;

use crate::support::{
    Backend,
    Store::{self, Postgres, Sqlite},
    TestApp,
    Topology::{self, AllInOne, Split},
};

#[rstest]
#[tokio::test]
async fn the_sixty_first_anonymous_request_in_a_minute_is_refused(
    #[values(AllInOne, Split)] topology: Topology,
    #[values(Sqlite, Postgres)] store: Store,
) {
    let app = TestApp::builder(topology, store).start().await;
    for count in 1..=60 {
        let reply = app.get("/.well-known/jwks.json").send().await;
        assert_eq!(reply.status, 200, "request {count}: {}", reply.text());
        let state = reply.header("ratelimit").unwrap();
        assert!(state.contains(&format!("r={}", 60 - count)), "request {count}: {state}");
    }
    let refused = app.get("/.well-known/jwks.json").send().await;
    refused.problem(429, "rate-limited");
    let wait: u64 = refused.header("retry-after").unwrap().parse().unwrap();
    // The window moves in fifteenths.
    assert!((1..=64).contains(&wait), "{wait}");
    let policy = refused.header("ratelimit-policy").unwrap();
    assert!(policy.contains("q=60") && policy.contains("w=60"), "{policy}");
    assert!(refused.header("ratelimit").unwrap().contains("r=0"));
    app.get("/auth/me").send().await.problem(429, "rate-limited");

    // Health, metrics and documentation never count and are never refused.
    for path in ["/health", "/health/live", "/health/ready", "/metrics", "/openapi.json", "/docs/", "/redoc"] {
        let reply = app.get(path).send().await.must_be(200);
        assert_eq!(reply.header("ratelimit"), None, "{path}");
    }
}

#[rstest]
#[tokio::test]
async fn a_user_has_a_limit_of_their_own(#[values(AllInOne, Split)] topology: Topology) {
    let settings = "[gateway]\nrate_limit = { limit = \"10/minute\", per = \"client\" }";
    let app = TestApp::builder(topology, Sqlite).settings(settings).start().await;
    let session = app.session_of("ada@example.org").await;
    // The verifier knows the token before the address has used its share up.
    app.get("/auth/me").bearer(&session.access_token).send().await.must_be(200);
    for _ in 0..7 {
        app.get("/.well-known/jwks.json").send().await.must_be(200);
    }
    app.get("/.well-known/jwks.json").send().await.problem(429, "rate-limited");
    for _ in 0..9 {
        app.get("/auth/me").bearer(&session.access_token).send().await.must_be(200);
    }
    app.get("/auth/me").bearer(&session.access_token).send().await.problem(429, "rate-limited");
}

#[tokio::test]
async fn a_route_has_a_limit_of_its_own_or_none() {
    let backend = Backend::answering(&serde_json::json!({"ok": true})).await;
    let settings = format!(
        "[[gateway.upstreams]]\nname = \"u\"\ntargets = [{{ url = \"{}\" }}]\n\
         [[gateway.routes]]\nname = \"tight\"\npath = \"/tight\"\nupstream = \"u\"\n\
         rate_limit = {{ limit = \"3/minute\", per = \"route\" }}\n\
         [[gateway.routes]]\nname = \"free\"\npath = \"/free\"\nupstream = \"u\"\nrate_limit = false\n",
        backend.url()
    );
    let app = TestApp::simple().settings(&settings).start().await;
    for _ in 0..3 {
        app.get("/tight").send().await.must_be(200);
    }
    app.get("/tight").send().await.problem(429, "rate-limited");
    for _ in 0..70 {
        assert_eq!(app.get("/free").send().await.must_be(200).header("ratelimit"), None);
    }
    // What a refused or unlimited request costs, the gateway's own limit does not pay.
    app.get("/.well-known/jwks.json").send().await.must_be(200);
    assert_eq!(backend.requests().await.len(), 73);
}

#[tokio::test]
async fn clients_behind_a_trusted_proxy_are_told_apart() {
    let settings = "[gateway]\nrate_limit = { limit = \"3/minute\", per = \"ip\" }";
    let app = TestApp::simple().settings(settings).start().await;
    for client in ["203.0.113.1", "203.0.113.2"] {
        for _ in 0..3 {
            app.get("/.well-known/jwks.json").header("x-forwarded-for", client).send().await.must_be(200);
        }
        let refused = app.get("/.well-known/jwks.json").header("x-forwarded-for", client).send().await;
        refused.problem(429, "rate-limited");
    }
    let untrusting = TestApp::simple().settings(&format!("[server]\ntrusted_proxies = []\n{settings}")).start().await;
    for client in ["203.0.113.1", "203.0.113.2", "203.0.113.3"] {
        untrusting.get("/.well-known/jwks.json").header("x-forwarded-for", client).send().await.must_be(200);
    }
    let refused = untrusting.get("/.well-known/jwks.json").header("x-forwarded-for", "203.0.113.4").send().await;
    refused.problem(429, "rate-limited");
}

#[tokio::test]
async fn the_limit_can_be_set_by_a_plain_variable() {
    let app = TestApp::simple().environment("RATE_LIMIT_PER_MINUTE", "2").start().await;
    for _ in 0..2 {
        app.get("/.well-known/jwks.json").send().await.must_be(200);
    }
    app.get("/.well-known/jwks.json").send().await.problem(429, "rate-limited");
}

/// An upstream with a limited route, and what an administrator says of the limit.
async fn limited(rule: &str) -> (Backend, TestApp) {
    let backend = Backend::answering(&serde_json::json!({"ok": true})).await;
    let settings = super::upstream(&backend.url(), "", &format!("rate_limit = {rule}"));
    let app = TestApp::simple().settings(&settings).start().await;
    (backend, app)
}

#[tokio::test]
async fn an_ipv6_client_is_its_network() {
    let (_backend, app) = limited("{ limit = \"2/minute\", per = \"ip\" }").await;
    let from = |address: &str| app.get("/u/a").header("x-forwarded-for", address).send();
    from("2001:db8:0:1::1").await.must_be(200);
    from("2001:db8:0:1:ffff::2").await.must_be(200);
    from("2001:db8:0:1:abcd::3").await.problem(429, "rate-limited");
    from("2001:db8:0:2::1").await.must_be(200);
}

#[tokio::test]
async fn a_limit_may_go_by_a_header() {
    let (_backend, app) = limited("{ limit = \"2/minute\", per = \"header:x-tenant\" }").await;
    let of = |tenant: &str| app.get("/u/a").header("x-tenant", tenant).send();
    for tenant in ["one", "two"] {
        of(tenant).await.must_be(200);
        of(tenant).await.must_be(200);
        of(tenant).await.problem(429, "rate-limited");
    }
    // Whoever leaves it out is counted by the address.
    app.get("/u/a").send().await.must_be(200);
    app.get("/u/a").send().await.must_be(200);
    app.get("/u/a").send().await.problem(429, "rate-limited");
}

#[tokio::test]
async fn every_api_key_may_have_a_count_of_its_own() {
    let backend = Backend::answering(&serde_json::json!({"ok": true})).await;
    let route = "auth = \"required\"\nrate_limit = { limit = \"3/minute\", per = \"api_key\" }";
    let app = TestApp::simple().settings(&super::upstream(&backend.url(), "", route)).start().await;
    let session = app.session_of("ada@example.org").await;
    for name in ["one", "two"] {
        let body = serde_json::json!({"name": name, "scopes": []});
        let made = app.post("/auth/api-keys").bearer(&session.access_token).json(&body).send().await.must_be(201);
        let key = made.json()["key"].as_str().unwrap().to_owned();
        let call = || app.get("/u/a").header("x-api-key", &key).send();
        for _ in 0..3 {
            call().await.must_be(200);
        }
        call().await.problem(429, "rate-limited");
    }
}

#[tokio::test]
async fn a_pace_smooths_what_a_limit_lets_through() {
    let (backend, app) = limited("{ limit = \"1000/hour\", per = \"route\", pace = \"2/second\" }").await;
    let begun = std::time::Instant::now();
    let mut passed = 0;
    while begun.elapsed() < std::time::Duration::from_secs(3) {
        let reply = app.get("/u/a").send().await;
        if reply.status == 200 {
            passed += 1;
        } else {
            reply.problem(429, "rate-limited");
            assert_eq!(reply.header("retry-after"), Some("1"));
        }
    }
    // Two a second, and what may come at once in the beginning.
    assert!((5..=9).contains(&passed), "{passed} passed in {:?}", begun.elapsed());
    assert_eq!(backend.requests().await.len(), passed);
}
