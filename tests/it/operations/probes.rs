//! Every operation of the document that needs a token refuses a call without one. A new operation is probed the moment it
//! is documented, and an operation that is not documented fails the comparison with the routes.

use reqwest::Method;
use rstest::rstest;
use serde_json::Value;

use crate::support::{
    Store::Sqlite,
    TestApp,
    Topology::{self, AllInOne, Split},
};

/// Operations open to anybody, by the contract. Everything else needs a token.
const OPEN: &[(&str, &str)] = &[
    ("post", "/auth/register"),
    ("get", "/auth/verify-email"),
    ("post", "/auth/verify-email"),
    ("post", "/auth/verify-email/resend"),
    ("post", "/auth/login"),
    ("get", "/auth/password/forgot"),
    ("post", "/auth/password/forgot"),
    ("get", "/auth/password/reset"),
    ("post", "/auth/password/reset"),
    ("post", "/auth/passkeys/login/start"),
    ("post", "/auth/passkeys/login/finish"),
    ("post", "/auth/refresh"),
    ("post", "/auth/verify"),
    ("get", "/oauth/authorize"),
    ("post", "/oauth/authorize"),
    ("get", "/oauth/login"),
    ("post", "/oauth/login"),
    ("post", "/oauth/login/code"),
    ("post", "/oauth/login/passkey"),
    ("get", "/oauth/passkey.js"),
    ("get", "/oauth/consent"),
    ("post", "/oauth/consent"),
    ("get", "/oauth/device"),
    ("post", "/oauth/device"),
    ("post", "/oauth/device_authorization"),
    ("post", "/oauth/par"),
    ("get", "/oauth/logout"),
    ("post", "/oauth/logout"),
    ("post", "/oauth/logout/confirm"),
    ("get", "/.well-known/jwks.json"),
    ("post", "/oauth/token"),
    ("post", "/oauth/revoke"),
    ("post", "/oauth/introspect"),
    ("get", "/.well-known/openid-configuration"),
    ("get", "/.well-known/oauth-authorization-server"),
    ("get", "/health"),
    ("get", "/health/live"),
    ("get", "/health/ready"),
    ("get", "/metrics"),
    ("get", "/openapi.json"),
    ("get", "/problems/{code}"),
];

const METHODS: &[&str] = &["get", "put", "post", "delete", "options", "head", "patch", "trace"];

/// Every operation of the document, as method and path.
fn operations(document: &Value) -> Vec<(String, String, Value)> {
    let paths = document["paths"].as_object().unwrap();
    let operations = paths.iter().flat_map(|(path, item)| {
        let methods = item.as_object().unwrap().iter().filter(|(method, _)| METHODS.contains(&method.as_str()));
        methods.map(move |(method, operation)| (method.clone(), path.clone(), operation.clone()))
    });
    operations.collect()
}

#[rstest]
#[tokio::test]
async fn every_operation_is_open_by_decision_or_refuses_the_unknown(#[values(AllInOne, Split)] topology: Topology) {
    let app = TestApp::builder(topology, Sqlite).settings("[gateway]\nrate_limit = false").start().await;
    let document = app.get("/openapi.json").send().await.must_be(200).json();
    let operations = operations(&document);
    assert!(operations.len() >= 14, "{operations:?}");
    let mut faults = Vec::new();
    for (method, path, operation) in &operations {
        let open = OPEN.contains(&(method.as_str(), path.as_str()));
        let declares_token = operation["security"].as_array().is_some_and(|needs| !needs.is_empty());
        if open == declares_token {
            faults.push(format!("{method} {path}: the document and the list of open operations disagree"));
        }
        if open {
            continue;
        }
        let concrete = path.replace(['{', '}'], "");
        let call = || app.call(Method::from_bytes(method.to_uppercase().as_bytes()).unwrap(), &concrete);
        for (how, reply) in [("no token", call().send().await), ("a bad token", call().bearer("bad").send().await)] {
            if reply.status != 401 || reply.header("www-authenticate").is_none() {
                faults.push(format!("{method} {path} with {how}: {} {}", reply.status, reply.text()));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[tokio::test]
async fn the_documented_operations_are_the_known_ones() {
    let app = TestApp::simple().start().await;
    let document = app.get("/openapi.json").send().await.must_be(200).json();
    let mut names: Vec<_> =
        operations(&document).into_iter().map(|(method, path, _)| format!("{path} {method}")).collect();
    names.sort();
    insta::assert_snapshot!(names.join("\n"));
}

#[rstest]
#[tokio::test]
async fn every_documented_operation_has_a_route(#[values(AllInOne, Split)] topology: Topology) {
    let app = TestApp::builder(topology, Sqlite).settings("[gateway]\nrate_limit = false").start().await;
    let document = app.get("/openapi.json").send().await.must_be(200).json();
    for (method, path, operation) in operations(&document) {
        let concrete = path.replace("{code}", "no-route").replace(['{', '}'], "");
        let method = Method::from_bytes(method.to_uppercase().as_bytes()).unwrap();
        let reply = app.call(method.clone(), &concrete).send().await;
        assert!(!matches!(reply.status, 404 | 405 | 500..), "{method} {path}: {} {}", reply.status, reply.text());
        let (documented, status) = (operation["responses"].as_object().unwrap(), reply.status.to_string());
        assert!(documented.contains_key(&status), "{method} {path} answered {status}, which is not documented");
    }
}
