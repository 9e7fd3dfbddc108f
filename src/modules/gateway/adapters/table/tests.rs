//! Which route wins.

use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};

use super::*;
use crate::modules::gateway::{
    adapters::route::{Destination, HeaderChanges, PathRule, Shaping},
    config::RouteAuth,
    domain::host::HostPattern,
};

fn route(name: &str, pattern: &str) -> Route {
    Route {
        name: name.into(),
        pattern: pattern.into(),
        methods: None,
        hosts: Vec::new(),
        headers: Vec::new(),
        to: Destination::Upstream(0),
        path: PathRule::Keep,
        auth: RouteAuth::None,
        issuers: None,
        roles: Vec::new(),
        scopes: Vec::new(),
        limit: None,
        timeout: None,
        body_limit: 0,
        own_body_limit: false,
        upgrade: Vec::new(),
        cache: None,
        request_headers: HeaderChanges::default(),
        response_headers: HeaderChanges::default(),
        shaping: Shaping::default(),
    }
}

fn found(table: &Table, method: &str, path: &str, host: &str, headers: &HeaderMap) -> String {
    match table.find(&Method::from_bytes(method.as_bytes()).unwrap(), path, host, headers) {
        Found::Route(route, parameters) => format!("{} {parameters:?}", route.name),
        Found::WrongMethod(allowed) => format!("405 {allowed:?}"),
        Found::Nothing => "404".to_owned(),
    }
}

fn get(table: &Table, path: &str) -> String {
    found(table, "GET", path, "", &HeaderMap::new())
}

#[test]
fn the_most_specific_path_wins_even_where_a_tree_cannot_hold_them() {
    let paths =
        [("rest", "/{*rest}"), ("all", "/a/{*rest}"), ("one", "/a/{id}"), ("me", "/a/me"), ("sub", "/a/{id}/x")];
    let table = Table::compile(paths.map(|(name, path)| route(name, path)).into()).unwrap();
    assert_eq!(get(&table, "/a/me"), "me []");
    assert_eq!(get(&table, "/a/7"), "one [\"7\"]");
    assert_eq!(get(&table, "/a/7/x"), "sub [\"7\"]");
    assert_eq!(get(&table, "/a/7/y"), "all [\"7/y\"]");
    assert_eq!(get(&table, "/b/7"), "rest [\"b/7\"]");
    assert_eq!(get(&table, "/"), "404");
}

#[test]
fn hosts_and_headers_win_over_none_and_fall_back() {
    let shop = Route { hosts: vec![HostPattern::parse("shop.example").unwrap()], ..route("shop", "/a/{id}") };
    let any = Route { hosts: vec![HostPattern::parse("*.example").unwrap()], ..route("any", "/a/{name}") };
    let header = (HeaderName::from_static("api-version"), HeaderValue::from_static("2"));
    let second = Route { headers: vec![header.clone()], ..route("v2", "/a/{id}") };
    let table = Table::compile(vec![route("plain", "/{*rest}"), any, second, shop]).unwrap();
    let none = HeaderMap::new();
    assert_eq!(found(&table, "GET", "/a/1", "shop.example", &none), "shop [\"1\"]");
    assert_eq!(found(&table, "GET", "/a/1", "other.example", &none), "any [\"1\"]");
    assert_eq!(found(&table, "GET", "/a/1", "elsewhere", &none), "plain [\"a/1\"]");
    let mut version = HeaderMap::new();
    version.insert(header.0, header.1);
    assert_eq!(found(&table, "GET", "/a/1", "shop.example", &version), "v2 [\"1\"]");
}

#[test]
fn a_wrong_method_is_told_from_a_wrong_path() {
    let read = Route { methods: Some(vec![Method::GET, Method::HEAD]), ..route("read", "/a") };
    let write = Route { methods: Some(vec![Method::POST]), ..route("write", "/a") };
    let table = Table::compile(vec![read, write]).unwrap();
    assert_eq!(found(&table, "POST", "/a", "", &HeaderMap::new()), "write []");
    assert_eq!(found(&table, "PUT", "/a", "", &HeaderMap::new()), "405 [GET, HEAD, POST]");
    assert_eq!(found(&table, "PUT", "/b", "", &HeaderMap::new()), "404");
}
