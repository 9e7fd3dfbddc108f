//! The API's documentation: served to anybody, complete, and not in need of the internet.

use rstest::rstest;
use serde_json::Value;

use crate::support::{
    Reply,
    Store::Sqlite,
    TestApp,
    Topology::{self, AllInOne, Split},
};

/// What a browser would load from elsewhere: `src`, `href` of style sheets, imports and fonts.
fn foreign_references(page: &Reply) -> Vec<String> {
    let text = page.text();
    let loads = ["src=\"http", "src='http", "src=\"//", "@import url(http", "@import \"http", "url(http", "url('http"];
    let mut found: Vec<_> = loads.iter().filter(|mark| text.contains(**mark)).map(ToString::to_string).collect();
    let links = text.split("<link").skip(1).filter_map(|link| link.split('>').next());
    found.extend(links.filter(|link| link.contains("href=\"http") || link.contains("href=\"//")).map(str::to_owned));
    found
}

#[rstest]
#[tokio::test]
async fn the_pages_stand_on_their_own(#[values(AllInOne, Split)] topology: Topology) {
    let app = TestApp::builder(topology, Sqlite).start().await;
    let docs = app.get("/docs").send().await;
    assert!(matches!(docs.status, 200 | 301..=308), "{docs:?}");
    for path in ["/docs/", "/redoc"] {
        let page = app.get(path).send().await.must_be(200);
        assert!(page.header("content-type").unwrap().starts_with("text/html"), "{path}");
        assert_eq!(foreign_references(&page), Vec::<String>::new(), "{path}");
        let text = page.text();
        // The bundles are scripts too, and speak of `src` with placeholders.
        let sources = text.split("src=\"").skip(1).filter_map(|rest| rest.split('"').next());
        let scripts = sources.filter(|source| !source.contains(['$', '{', '+', '\'', ' ']) && !source.is_empty());
        for script in scripts.map(|script| script.trim_start_matches("./").to_owned()).collect::<Vec<_>>() {
            let script_path = if script.starts_with('/') { script } else { format!("/docs/{script}") };
            app.get(&script_path).send().await.must_be(200);
        }
    }
}

#[rstest]
#[tokio::test]
async fn the_document_names_every_path_of_the_contract(#[values(AllInOne, Split)] topology: Topology) {
    let app = TestApp::builder(topology, Sqlite).start().await;
    let document = app.get("/openapi.json").send().await.must_be(200).json();
    assert!(document["openapi"].as_str().unwrap().starts_with("3."));
    let paths: Vec<_> = document["paths"].as_object().unwrap().keys().map(String::as_str).collect();
    for path in [
        "/auth/register",
        "/auth/verify-email",
        "/auth/verify-email/resend",
        "/auth/login",
        "/auth/refresh",
        "/auth/logout",
        "/auth/logout-all",
        "/auth/verify",
        "/auth/me",
        "/auth/password/change",
        "/auth/password/forgot",
        "/auth/password/reset",
        "/auth/sessions",
        "/auth/sessions/{id}",
        "/users",
        "/users/{id}",
        "/users/{id}/suspend",
        "/users/{id}/activate",
        "/users/{id}/roles",
        "/roles",
        "/roles/{name}",
        "/audit",
        "/.well-known/jwks.json",
        "/api/data/aggregate",
        "/api/data/sources",
        "/api/data/endpoints",
        "/api/data/transform",
    ] {
        assert!(paths.contains(&path), "{path} is not among {paths:?}");
    }
    assert_eq!(dangling(&document), Vec::<String>::new());
}

/// References of the document that lead nowhere.
fn dangling(document: &Value) -> Vec<String> {
    let mut references = Vec::new();
    collect(document, &mut references);
    references.retain(|reference| document.pointer(reference.trim_start_matches('#')).is_none());
    references
}

fn collect(value: &Value, references: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            references.extend(members.get("$ref").and_then(Value::as_str).map(str::to_owned));
            members.values().for_each(|member| collect(member, references));
        }
        Value::Array(items) => items.iter().for_each(|item| collect(item, references)),
        _ => {}
    }
}

#[rstest]
#[tokio::test]
async fn every_problem_has_a_page(#[values(AllInOne, Split)] topology: Topology) {
    let app = TestApp::builder(topology, Sqlite).start().await;
    for (path, code) in [("/nothing", "no-route"), ("/auth/me", "unauthenticated")] {
        let reply = app.get(path).send().await;
        let kind = reply.json()["type"].as_str().unwrap().to_owned();
        assert_eq!(kind, format!("/problems/{code}"));
        let page = app.get(&kind).send().await.must_be(200);
        assert!(page.text().contains(code), "{}", page.text());
    }
    app.get("/problems/no-such-problem").send().await.must_be(404);
}
