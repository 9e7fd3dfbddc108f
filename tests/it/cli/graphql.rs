//! `[aggregation.graphql]` on the command line: faults of a schema have its file, line and column; a document is tried without a
//! server. A binary without the feature says which it would take.

use std::path::Path;

use super::{Ran, run};

const SHOP: &str = r#"
[[aggregation.sources]]
name = "profile"
url = "http://127.0.0.1:1/users/{user_id}"

[aggregation.graphql]
schema = "schemas/shop.graphql"
"#;

fn written(schema: &str) -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("shop.toml"), SHOP).unwrap();
    std::fs::create_dir(directory.path().join("schemas")).unwrap();
    std::fs::write(directory.path().join("schemas/shop.graphql"), schema).unwrap();
    std::fs::write(directory.path().join("answers.json"), r#"{"profile": {"id": 42, "name": "Ada"}}"#).unwrap();
    directory
}

fn query(directory: &Path, arguments: &[&str]) -> Ran {
    let all = ["aggregate", "run", "/api/graphql", "--config", "shop.toml", "--offline", "answers.json"];
    run(directory, &[&all, arguments].concat())
}

#[test]
fn a_schema_is_relative_to_its_configuration_and_its_faults_have_lines() {
    let directory = written("type Query {\n  user(id: ID!): User @source(name: \"profil\")\n}\n");
    for command in [&["config", "check"] as &[_], &["aggregate", "check"], &["serve", "--host=127.0.0.1"]] {
        let ran = run(directory.path(), &[command, &["--config", "shop.toml"]].concat()).must_exit(2);
        if cfg!(feature = "graphql") {
            for word in ["shop.toml:7", "schemas/shop.graphql:2:37: there is no source `profil`", "`User`"] {
                assert!(ran.stderr.contains(word), "{word} not in\n{}", ran.stderr);
            }
        } else {
            assert!(ran.stderr.contains("build it with the feature `graphql`"), "{}", ran.stderr);
        }
    }
}

#[test]
fn a_document_is_tried_without_a_server() {
    if !cfg!(feature = "graphql") {
        return;
    }
    let directory = written(
        "type Query { user(id: ID!): User @source(name: \"profile\", with: {user_id: \".args.id\"}) }\ntype User { name: String }",
    );
    let directory = directory.path();
    run(directory, &["config", "check", "--config", "shop.toml"]).must_exit(0);
    let document = "query Q($id: ID!) { user(id: $id) { name } }";
    let ran = query(directory, &["--query", document, "--variables", "{\"id\": 42}"]).must_exit(0);
    assert_eq!(ran.stdout, "{\"data\":{\"user\":{\"name\":\"Ada\"}}}\n");
    let ran = query(directory, &["--query", document]).must_exit(2);
    assert!(ran.stderr.contains("`$id`"), "{}", ran.stderr);
    let ran = query(directory, &["--query", "{ user }", "--variables", "[]"]).must_exit(2);
    assert!(ran.stderr.contains("--variables"), "{}", ran.stderr);
}
