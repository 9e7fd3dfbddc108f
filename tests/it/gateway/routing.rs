//! Which route a request meets, and what becomes of its path and headers.

use serde_json::{Value, json};

use crate::support::{Backend, TestApp, command};

/// Upstreams that say their names, and the lines that configure them.
async fn named(names: &[&str]) -> (Vec<Backend>, String) {
    let mut backends = Vec::new();
    let mut lines = "[gateway]\nrate_limit = false\n".to_owned();
    for name in names {
        let backend = Backend::answering(&json!({ "from": name })).await;
        let upstream =
            format!("[[gateway.upstreams]]\nname = \"{name}\"\ntargets = [{{ url = \"{}\" }}]\n", backend.url());
        lines.push_str(&upstream);
        backends.push(backend);
    }
    (backends, lines)
}

fn route(name: &str, rest: &str) -> String {
    format!("[[gateway.routes]]\nname = \"{name}\"\nupstream = \"{name}\"\n{rest}\n")
}

async fn from(app: &TestApp, path: &str, headers: &[(&str, &str)]) -> Value {
    let mut call = app.get(path);
    for (name, value) in headers {
        call = call.header(name, value);
    }
    call.send().await.must_be(200).json()["from"].clone()
}

#[tokio::test]
async fn the_most_specific_path_wins_then_headers_and_hosts() {
    let (_backends, mut lines) = named(&["rest", "one", "fixed", "v2", "shop", "any-shop"]).await;
    lines += &route("rest", "path = \"/c/{*rest}\"");
    lines += &route("one", "path = \"/c/{id}\"");
    lines += &route("fixed", "path = \"/c/new\"");
    lines += &route("v2", "path = \"/c/{id}\"\nheaders = { \"api-version\" = \"2\" }");
    lines += &route("shop", "path = \"/c/{id}\"\nhosts = [\"shop.example\"]");
    lines += &route("any-shop", "path = \"/c/{id}\"\nhosts = [\"*.shop.example\"]");
    let app = TestApp::simple().settings(&lines).start().await;

    assert_eq!(from(&app, "/c/a/b", &[]).await, "rest");
    assert_eq!(from(&app, "/c/7", &[]).await, "one");
    assert_eq!(from(&app, "/c/new", &[]).await, "fixed");
    assert_eq!(from(&app, "/c/7", &[("api-version", "2")]).await, "v2");
    assert_eq!(from(&app, "/c/7", &[("api-version", "3")]).await, "one");
    assert_eq!(from(&app, "/c/7", &[("host", "SHOP.example:8000")]).await, "shop");
    assert_eq!(from(&app, "/c/7", &[("host", "eu.shop.example")]).await, "any-shop");
    assert_eq!(from(&app, "/c/7", &[("host", "shop.example.org")]).await, "one");
    app.get("/d").send().await.problem(404, "no-route");

    // `route explain` says the same without a server.
    let explained = |arguments: &[&str]| {
        let mut explain = command(app.directory());
        explain.args(["route", "explain", "--config", "harness.toml", "--config", "test.toml"]).args(arguments);
        let output = explain.output().unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    assert!(explained(&["GET", "/c/7", "-H", "api-version: 2"]).contains("v2"));
    assert!(explained(&["GET", "http://eu.shop.example/c/7"]).contains("any-shop"));
}

#[tokio::test]
async fn methods_are_exact_and_the_others_are_named() {
    let (_backends, mut lines) = named(&["read", "write"]).await;
    lines += &route("read", "path = \"/c\"\nmethods = [\"GET\"]");
    lines += &route("write", "path = \"/c\"\nmethods = [\"PUT\", \"PATCH\"]");
    let app = TestApp::simple().settings(&lines).start().await;
    assert_eq!(from(&app, "/c", &[]).await, "read");
    let call = |method: reqwest::Method| app.call(method, "/c");
    assert_eq!(call(reqwest::Method::PUT).send().await.must_be(200).json()["from"], "write");
    let refused = call(reqwest::Method::DELETE).send().await;
    refused.problem(405, "method-not-allowed");
    assert_eq!(refused.header("allow"), Some("GET, PATCH, PUT"));
    // `methods = ["GET"]` does not mean HEAD.
    assert_eq!(call(reqwest::Method::HEAD).send().await.status, 405);
}

#[tokio::test]
async fn paths_are_stripped_or_rewritten_and_headers_changed_on_the_way() {
    let (backends, mut lines) = named(&["strip", "rewrite"]).await;
    lines += &route("strip", "path = \"/s/{*rest}\"\nstrip_prefix = \"/s\"");
    lines += &route(
        "rewrite",
        "path = \"/r/{id}/{*rest}\"\nrewrite = \"/v2/{rest}/of/{id}\"\n\
         request_headers = { set = { \"x-from\" = \"gateway\", \"x-id\" = \"{id}\" }, remove = [\"x-debug\"] }\n\
         response_headers = { set = { \"x-answered-for\" = \"{id}\" }, remove = [\"content-type\"] }",
    );
    let app = TestApp::simple().settings(&lines).start().await;
    app.get("/s/a%20b//c/../d?q=%2F&q=1").send().await.must_be(200);
    let got = &backends[0].requests().await[0];
    assert_eq!((got.url.path(), got.url.query()), ("/a%20b/d", Some("q=%2F&q=1")));
    assert_eq!(got.headers["x-forwarded-prefix"], "/s");

    let reply = app.get("/r/7/x/y").header("x-debug", "1").header("x-id", "of the client").send().await.must_be(200);
    assert_eq!((reply.header("x-answered-for"), reply.header("content-type")), (Some("7"), None));
    let got = &backends[1].requests().await[0];
    assert_eq!(got.url.path(), "/v2/x/y/of/7");
    assert_eq!((&got.headers["x-from"], &got.headers["x-id"]), (&"gateway".parse().unwrap(), &"7".parse().unwrap()));
    assert!(!got.headers.contains_key("x-debug"));

    // Nothing of a path can end a header and begin another.
    let raw = app.get("/r/7%0d%0ax-evil:%201/x").send().await;
    assert!(raw.status == 200 || raw.status == 400, "{raw:?}");
    assert_eq!(raw.header("x-evil"), None);
    for request in &backends[1].requests().await {
        assert!(!request.headers.contains_key("x-evil"));
    }
}
