//! The rules of the house, read off the sources: who may import whom, where `cfg(feature)` may stand, how files begin, and
//! the committed graph of the modules. Every breach is told at once, with file, line and the reason for the rule.
#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

#[path = "architecture/evidence.rs"]
mod evidence;
#[path = "architecture/graph.rs"]
mod graph;
#[path = "architecture/rules.rs"]
mod rules;
#[path = "architecture/source.rs"]
mod source;

use std::path::PathBuf;

use source::Source;

/// The package's root; cargo names it to the tests it runs.
fn root() -> PathBuf {
    std::env::var_os("CARGO_MANIFEST_DIR").map_or_else(|| env!("CARGO_MANIFEST_DIR").into(), PathBuf::from)
}

/// Every source of the product.
fn product() -> Vec<Source> {
    let root = root();
    let files = walkdir::WalkDir::new(root.join("src")).sort_by_file_name().into_iter();
    let files =
        files.map(|entry| entry.unwrap().into_path()).filter(|path| path.extension().is_some_and(|e| e == "rs"));
    files
        .map(|path| {
            let text = std::fs::read_to_string(&path).unwrap();
            let name = path.strip_prefix(&root).unwrap().to_str().unwrap().to_owned();
            Source::parse(&name, &text)
        })
        .collect()
}

fn must_be_clean(faults: &[String]) {
    assert!(faults.is_empty(), "{} breaches of the architecture:\n{}", faults.len(), faults.join("\n"));
}

#[test]
fn imports_follow_the_layers() {
    must_be_clean(&product().iter().flat_map(rules::imports).collect::<Vec<_>>());
}

#[test]
fn features_are_decided_in_faces_and_in_the_composition_root() {
    must_be_clean(&product().iter().flat_map(rules::features).collect::<Vec<_>>());
}

#[test]
fn every_file_says_what_it_is_for() {
    must_be_clean(&product().iter().flat_map(rules::header).collect::<Vec<_>>());
}

#[test]
fn lints_are_expected_with_a_reason_and_never_allowed() {
    must_be_clean(&product().iter().flat_map(rules::lints).collect::<Vec<_>>());
}

#[test]
fn the_committed_graph_is_the_true_one() {
    let drawn = graph::draw(&product());
    let path = root().join("docs/module-graph.md");
    if std::env::var_os("UPDATE_GRAPH").is_some() {
        std::fs::write(&path, &drawn).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(committed, drawn, "docs/module-graph.md is not true any more; UPDATE_GRAPH=1 rewrites it");
}

/// The test of the test: sources that break each rule are refused, at the right line.
#[test]
fn breaches_are_found() {
    let domain = "src/modules/auth/domain/user.rs";
    let application = "src/modules/auth/application/login.rs";
    for (file, text, line, word) in [
        (domain, "//! X.\nuse actix_web::HttpRequest;", 2, "actix_web"),
        (domain, "//! X.\nfn f() -> sea_orm::DbErr { todo!() }", 2, "sea_orm"),
        (domain, "//! X.\n\nuse std::{fmt, time::Duration};\nuse {chrono::Utc, redis::Client};", 4, "redis"),
        (domain, "//! X.\nfn f() { ::metrics::counter!(\"a\"); }", 2, "metrics"),
        (domain, "//! X.\nuse redis;\nfn f() { redis::cmd() }", 2, "redis"),
        (domain, "//! X.\nfn f() { tracing::info!(\"a\"); }", 2, "tracing"),
        (domain, "//! X.\nuse crate::platform::random::SystemRandom;", 2, "platform"),
        (domain, "//! X.\nuse crate::{kernel::Clock, modules::auth::application::Login};", 2, "application"),
        (domain, "//! X.\nuse super::super::adapters::Store;", 2, "adapters"),
        (domain, "//! X.\nmod tests {\n    use super::super::super::adapters::Store;\n}", 3, "adapters"),
        (application, "//! X.\nuse crate::modules::auth::adapters::Store;", 2, "adapters"),
        (application, "//! X.\nuse crate::modules::gateway::domain::Route;", 2, "gateway"),
        (application, "//! X.\nuse reqwest as r;", 2, "reqwest"),
        ("src/modules/auth/api.rs", "//! X.\nuse super::domain::User;", 2, "domain"),
        ("src/modules/gateway/adapters/http.rs", "//! X.\nuse crate::modules::auth::AuthConfig;", 2, "auth"),
        ("src/modules/gateway/adapters/http.rs", "//! X.\nfn f() { crate::bootstrap::run() }", 2, "bootstrap"),
        ("src/platform/mail.rs", "//! X.\nuse crate::modules::auth::api::AuthApi;", 2, "modules"),
        ("src/kernel/clock.rs", "//! X.\nuse actix_web::web;", 2, "actix_web"),
        ("src/kernel/clock.rs", "//! X.\nuse crate::platform::random;", 2, "platform"),
        ("src/cli/user.rs", "//! X.\nuse crate::modules::auth::adapters::Store;", 2, "adapters"),
    ] {
        let faults = rules::imports(&Source::parse(file, text));
        let found = faults.iter().any(|fault| fault.starts_with(&format!("{file}:{line}: ")) && fault.contains(word));
        assert!(found, "{file} {text:?} gave {faults:?}");
    }
    for (file, text) in [
        (domain, "//! X.\npub(crate) mod inner {\n    pub(super) fn f() {}\n}"),
        (domain, "//! X.\nuse std::fmt;\nuse crate::kernel::{Clock, ids::UserId};\nuse super::email::Email;"),
        (domain, "//! X.\n#[cfg(test)]\nmod tests {\n    use super::*;\n    use proptest::prelude::*;\n}"),
        (application, "//! X.\nuse crate::modules::auth::{api::AuthApi, domain::User};\nuse super::ports::Users;"),
        (application, "//! X.\nuse crate::modules::aggregation::api::AggregationApi;\nuse tokio::sync::Semaphore;"),
        ("src/modules/auth/adapters/http.rs", "//! X.\nuse actix_web::web;\nuse crate::platform::http::Problem;"),
        ("src/bootstrap/auth.rs", "//! X.\nuse crate::modules::auth::Auth;"),
    ] {
        assert_eq!(rules::imports(&Source::parse(file, text)), Vec::<String>::new(), "{file} {text:?}");
    }

    let gated = "//! X.\n#[cfg(feature = \"auth\")]\nfn f() {}\nfn g() { if cfg!(feature = \"auth\") {} }";
    assert_eq!(rules::features(&Source::parse(domain, gated)).len(), 2);
    assert_eq!(rules::features(&Source::parse("src/modules/auth.rs", gated)).len(), 0);
    assert_eq!(rules::features(&Source::parse("src/bootstrap/auth.rs", gated)).len(), 0);
    assert_eq!(rules::header(&Source::parse(domain, "use std::fmt;")).len(), 1);
    assert_eq!(rules::header(&Source::parse("src/modules/auth/mod.rs", "//! X.")).len(), 1);
    let allowed = "//! X.\n#[allow(dead_code)]\nfn f() {}\n#[expect(dead_code)]\nfn g() {}";
    assert_eq!(rules::lints(&Source::parse(domain, allowed)).len(), 2);
}
