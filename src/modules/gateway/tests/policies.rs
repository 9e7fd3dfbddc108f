//! Limits, authentication, CORS, and what the configuration may not say.

use super::support::*;
use crate::modules::gateway::check;

#[actix_web::test]
async fn the_limit_tells_where_one_stands_and_refuses_the_next() {
    let front = front(&config("rate_limit = { limit = '3/minute' }")).await;
    for left in [2, 1, 0] {
        let answer = get(&front, "/auth/me", "").await;
        assert_eq!((answer.status, answer.header("ratelimit-policy")), (200, Some("\"default\";q=3;w=60")));
        assert!(answer.header("ratelimit").unwrap().starts_with(&format!("\"default\";r={left};t=")));
    }
    let answer = get(&front, "/api/data/x", "").await;
    assert_eq!((answer.status, answer.code()), (429, "rate-limited"));
    assert!((55..=60).contains(&answer.header("retry-after").unwrap().parse::<u32>().unwrap()));
    assert_eq!(get(&front, "/health", "").await.header("ratelimit"), None);
    // Bad tokens are counted by address, good ones by user: the address has nothing left for strangers.
    assert_eq!(get(&front, "/auth/me", "authorization: Bearer bad\r\n").await.status, 429);
}

#[actix_web::test]
async fn users_have_counts_of_their_own() {
    let front = front(&config("rate_limit = { limit = '2/minute' }")).await;
    let ann = format!("authorization: Bearer {}\r\n", token(1, &[], ""));
    let bob = format!("authorization: Bearer {}\r\n", token(2, &[], ""));
    for who in [&ann, &bob] {
        for status in [200, 200, 429] {
            assert_eq!(get(&front, "/auth/me", who).await.status, status);
        }
    }
    assert_eq!(get(&front, "/auth/me", "").await.status, 200);
}

#[actix_web::test]
async fn routes_ask_for_tokens_roles_and_scopes() {
    let upstream = Upstream::ok("x");
    let route = "auth = 'required'\nroles = ['admin', 'editor']\nscopes = ['a', 'b']";
    let front_one = front(&config(&one_upstream(upstream.address, "", route))).await;
    let with = |roles: &[&str], scope: &str| format!("authorization: Bearer {}\r\n", token(1, roles, scope));
    let none = get(&front_one, "/u/x", "").await;
    assert_eq!((none.status, none.header("www-authenticate")), (401, Some("Bearer")));
    assert_eq!(get(&front_one, "/u/x", "authorization: Bearer x.y.z\r\n").await.status, 401);
    assert_eq!(get(&front_one, "/u/x", &with(&["user"], "a b")).await.status, 403);
    let lacking = get(&front_one, "/u/x", &with(&["editor"], "a")).await;
    assert_eq!((lacking.status, lacking.code()), (403, "forbidden"));
    assert_eq!(get(&front_one, "/u/x", &with(&["editor"], "a b")).await.status, 200);

    let front_two = front(&config(&one_upstream(upstream.address, "", "auth = 'optional'"))).await;
    assert_eq!(get(&front_two, "/u/x", "").await.status, 200);
    assert_eq!(get(&front_two, "/u/x", "authorization: Bearer x.y.z\r\n").await.status, 401);
}

#[actix_web::test]
async fn a_wrong_method_names_the_right_ones() {
    let upstream = Upstream::ok("x");
    let front = front(&config(&one_upstream(upstream.address, "", "methods = ['GET', 'HEAD']"))).await;
    let answer = raw(&front, "DELETE /u/x HTTP/1.1\r\nhost: a\r\n\r\n").await;
    assert_eq!((answer.status, answer.code(), answer.header("allow")), (405, "method-not-allowed", Some("GET, HEAD")));
}

#[actix_web::test]
async fn cors_is_the_gateways_word() {
    let upstream = Upstream::new(|_, stream| {
        use std::io::Write as _;
        let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\naccess-control-allow-origin: *\r\n\r\n";
        stream.write_all(answer).is_ok()
    });
    let lines = format!(
        "cors = {{ origins = ['https://app.example'], credentials = true }}\n{}",
        one_upstream(upstream.address, "", "methods = ['GET']")
    );
    let front = front(&config(&lines)).await;
    let answer = get(&front, "/u/x", "origin: https://app.example\r\n").await;
    assert_eq!(answer.header("access-control-allow-origin"), Some("https://app.example"));
    assert_eq!(answer.header("access-control-allow-credentials"), Some("true"));
    assert_eq!(
        get(&front, "/u/x", "origin: https://evil.example\r\n").await.header("access-control-allow-origin"),
        None
    );
    let problem = get(&front, "/nope", "origin: https://app.example\r\n").await;
    assert_eq!((problem.status, problem.header("access-control-allow-origin")), (404, Some("https://app.example")));
    let preflight = "OPTIONS /u/x HTTP/1.1\r\nhost: a\r\norigin: https://app.example\r\n\
                     access-control-request-method: GET\r\naccess-control-request-headers: x-one\r\n\r\n";
    let answer = raw(&front, preflight).await;
    assert_eq!((answer.status, answer.header("access-control-allow-methods")), (204, Some("GET")));
    assert_eq!(answer.header("access-control-allow-headers"), Some("x-one"));
}

#[test]
fn every_fault_of_the_configuration_is_told() {
    let wrong = config(
        "rate_limit = { limit = '1/second', per = 'moon' }\ncors = { origins = ['*'], credentials = true }\n\
         [[upstreams]]\nname = 'auth'\ntargets = [{ url = 'ftp://x' }, { url = 'http://x', weight = 0 }]\nbalance = 'consistent_hash'\n\
         [[upstreams]]\nname = 'good'\ntargets = [{ url = 'http://x' }]\nretry = { on = ['200'] }\n\
         [[routes]]\nname = 'a b'\npath = '/auth/x'\nupstream = 'nope'\nroles = ['x']\nhosts = ['*']\n\
         [[routes]]\nname = 'r'\npath = '/a//{x'\nupstream = 'aggregation'\nstrip_prefix = '/b'\nmethods = ['get']\n\
         request_headers = { set = { 'x-a' = \"a\\r\\nb\", 'x-b' = '{nope}' } }\n",
    );
    let faults = check(&wrong);
    let keys: Vec<&str> = faults.iter().map(|fault| fault.key.as_str()).collect();
    assert_eq!(
        keys,
        [
            "gateway.cors.origins[0]",
            "gateway.upstreams[0].name",
            "gateway.upstreams[0].targets[0].url",
            "gateway.upstreams[0].targets[1].weight",
            "gateway.upstreams[0].hash_on",
            "gateway.upstreams[1].retry.on[0]",
            "gateway.rate_limit.per",
            "gateway.routes[0].name",
            "gateway.routes[0].path",
            "gateway.routes[0].upstream",
            "gateway.routes[0].auth",
            "gateway.routes[0].hosts[0]",
            "gateway.routes[1].path",
            "gateway.routes[1].methods[0]",
            "gateway.routes[1].strip_prefix",
            "gateway.routes[1].request_headers.set.x-a",
            "gateway.routes[1].request_headers.set.x-b",
        ]
    );
    assert_eq!(check(&config("")), []);
}
