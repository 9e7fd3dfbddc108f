//! `vestibule aggregate` and `vestibule transform`.

use std::path::Path;

use serde_json::{Value, json};

use super::{Ran, run, run_with};
use crate::support::Backend;

const SHOP: &str = r#"
[[aggregation.sources]]
name = "profile"
url = "http://127.0.0.1:1/users/{user_id}"
select = "{id, name}"
[[aggregation.sources]]
name = "product"
url = "http://127.0.0.1:1/products/{id}?lang={lang}"
[[aggregation.endpoints]]
path = "/dashboard/{user_id}"
steps = [
  { source = "profile", as = "user", required = true, with = { user_id = ".path.user_id" } },
  { source = "product", as = "products", after = ["user"], for_each = "7, 8", with = { id = ".item", lang = ".query.lang // .headers.\"accept-language\"" } },
]
response = "{user: .results.user.name, products: .results.products}"
"#;

fn shop() -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("shop.toml"), SHOP).unwrap();
    let answers = json!({
        "profile": {"id": 42, "name": "Ada", "secret": "x"},
        "product": {"$paths": {"/products/7": {"n": "tea"}, "/products/8?lang=de": {"n": "Kaffee"}}},
    });
    std::fs::write(directory.path().join("answers.json"), answers.to_string()).unwrap();
    directory
}

fn aggregate(directory: &Path, arguments: &[&str]) -> Ran {
    run(directory, &[&["aggregate", "run", "--config", "shop.toml"], arguments].concat())
}

#[test]
fn endpoints_run_without_a_server() {
    let directory = shop();
    let directory = directory.path();
    let offline = ["--offline", "answers.json"];
    for arguments in [
        &["/dashboard/42?lang=de"] as &[&str],
        &["/api/data/dashboard/42", "--with", "lang=de"],
        &["/dashboard/{user_id}", "--path", "user_id=42", "--header", "Accept-Language: de"],
        &["/dashboard/{user_id}", "--with", "user_id=42", "--with", "lang=de"],
    ] {
        let ran = aggregate(directory, &[arguments, &offline].concat()).must_exit(0);
        assert_eq!(ran.stdout, "{\"user\":\"Ada\",\"products\":[{\"n\":\"tea\"},{\"n\":\"Kaffee\"}]}\n");
        assert_eq!(ran.stderr, "");
    }
    let ran = aggregate(directory, &[&["/dashboard/42?lang=en", "--explain"], &offline as &[_]].concat()).must_exit(0);
    assert_eq!(ran.stdout, "{\"user\":\"Ada\",\"products\":[{\"n\":\"tea\"},null]}\n");
    for word in ["STEP", "user", "profile", "products", "no canned answer for /products/8?lang=en"] {
        assert!(ran.stderr.contains(word), "{word} not in\n{}", ran.stderr);
    }
    std::fs::create_dir(directory.join("folder")).unwrap();
    std::fs::write(directory.join("folder/profile.json"), r#"{"$status": 404}"#).unwrap();
    let ran = aggregate(directory, &["/dashboard/42", "--offline", "folder"]).must_exit(1);
    assert_eq!(ran.stdout, "");
    assert!(ran.stderr.contains("the required step `user` failed") && ran.stderr.contains("404"), "{}", ran.stderr);
}

#[tokio::test]
async fn sources_run_alone_and_are_called() {
    let directory = shop();
    let directory = directory.path();
    let ran = aggregate(directory, &["profile", "--with", "user_id=42", "--offline", "answers.json"]).must_exit(0);
    assert_eq!(ran.stdout, "{\"id\":42,\"name\":\"Ada\"}\n");
    let ran = aggregate(directory, &["profile", "--with", "user_id=42"]).must_exit(1);
    assert!(ran.stderr.contains("cannot connect"), "{}", ran.stderr);

    let backend = Backend::answering(&json!({"n": "1.10"})).await;
    let config = format!("[[aggregation.sources]]\nname = \"s\"\nurl = \"{}/{{id}}\"\n", backend.url());
    std::fs::write(directory.join("live.toml"), config).unwrap();
    let path = directory.to_owned();
    let ran = tokio::task::spawn_blocking(move || {
        run(&path, &["aggregate", "run", "s", "--with", "id=a/b", "--config", "live.toml", "--explain"])
    });
    let ran = ran.await.unwrap().must_exit(0);
    assert_eq!(ran.stdout, "{\"n\":\"1.10\"}\n");
    assert_eq!(backend.requests().await[0].url.path(), "/a%2Fb");
}

#[test]
fn a_question_is_put_to_the_configured_database() {
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path();
    let config = "[database]\nurl = \"sqlite://own.db\"\n\
        [[aggregation.sources]]\nname = \"people\"\n\
        sql = \"select email, status from users where email like :like order by email\"\n\
        [[aggregation.sources]]\nname = \"sneaky\"\nsql = \"with gone as (select 1) select email from users where email = :email\"\n\
        [[aggregation.endpoints]]\npath = \"/people/{like}\"\n\
        steps = [{ source = \"people\", with = { like = \".path.like\" } }]\n\
        response = \"[.results.people[].email]\"\n";
    std::fs::write(directory.join("db.toml"), config).unwrap();
    let vestibule = |arguments: &[&str]| run(directory, &[arguments, &["--config", "db.toml"]].concat());
    vestibule(&["migrate", "up"]).must_exit(0);
    for name in ["bob", "ada"] {
        let email = format!("{name}@example.org");
        vestibule(&["user", "create", &email, "--password", "correct horse battery staple"]).must_exit(0);
    }
    let ran = vestibule(&["aggregate", "run", "people", "--with", "like=a%"]).must_exit(0);
    let rows: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!((&rows[0]["email"], rows.as_array().unwrap().len()), (&json!("ada@example.org"), 1), "{rows}");
    let ran = vestibule(&["aggregate", "run", "/people/%25", "--explain"]).must_exit(0);
    assert_eq!(ran.stdout, "[\"ada@example.org\",\"bob@example.org\"]\n", "{}", ran.stderr);
    let ran = vestibule(&["aggregate", "run", "sneaky", "--with", "email=x'; delete from users; --"]).must_exit(0);
    assert_eq!(ran.stdout, "[]\n");
    let ran = vestibule(&["aggregate", "run", "/people/%25"]).must_exit(0);
    assert_eq!(ran.stdout, "[\"ada@example.org\",\"bob@example.org\"]\n", "all are still there");
    // Canned answers ask nobody.
    std::fs::write(directory.join("answers.json"), r#"{"people": [{"email": "x"}]}"#).unwrap();
    let ran = vestibule(&["aggregate", "run", "/people/a", "--offline", "answers.json"]).must_exit(0);
    assert_eq!(ran.stdout, "[\"x\"]\n");
    std::fs::remove_file(directory.join("own.db")).unwrap();
    let ran = vestibule(&["aggregate", "run", "people", "--with", "like=a%"]).must_exit(1);
    assert!(ran.stderr.contains("the database cannot be reached"), "{}", ran.stderr);
    assert!(!directory.join("own.db").exists());
}

#[test]
fn wrong_runs_are_told() {
    let directory = shop();
    for (arguments, word) in [
        (&["nothing"] as &[&str], "expected profile, product, /dashboard/{user_id}"),
        (&["/dashboard/{user_id}"], "--path user_id=VALUE"),
        (&["/dashboard/42", "--path", "x=1"], "no path parameter `x`"),
        (&["profile", "--with", "x=1"], "no argument `x`; expected user_id"),
        (&["profile"], "needs `user_id`"),
        (&["profile", "--with", "user_id=.."], "segment"),
        (&["profile", "--with", "user_id"], "name=value"),
        (&["profile", "--offline", "absent.json"], "absent.json"),
        (&["profile", "--offline", "shop.toml"], "shop.toml"),
    ] {
        let ran = aggregate(directory.path(), arguments).must_exit(2);
        assert!(ran.stderr.contains(word), "{word} not in\n{}", ran.stderr);
    }
}

#[test]
fn check_tells_every_fault_with_its_place() {
    let directory = shop();
    let good = run(directory.path(), &["aggregate", "check", "--config", "shop.toml"]).must_exit(0);
    assert_eq!(good.stdout, "2 sources, 1 endpoint and 0 rulesets: good\n");
    let wrong =
        SHOP.replace("{user_id}\"\nselect", "{user}\"\nselect").replace(".results.user.name", ".results.nobody");
    std::fs::write(directory.path().join("shop.toml"), wrong).unwrap();
    let ran = run(directory.path(), &["aggregate", "check", "--config", "shop.toml"]).must_exit(2);
    for word in [
        "shop.toml:12:55",
        "aggregation.endpoints[0].steps[0].with: the source `profile` needs `user`",
        "aggregation.endpoints[0].steps[0].with.user_id: the source `profile` has no such argument",
        "shop.toml:15",
        "no step makes the result `nobody`",
        "3 faults",
    ] {
        assert!(ran.stderr.contains(word), "{word} not in\n{}", ran.stderr);
    }
}

#[test]
fn data_is_transformed_from_input_to_output() {
    let directory = tempfile::tempdir().unwrap();
    let rules = |rules: &Value| std::fs::write(directory.path().join("rules.json"), rules.to_string()).unwrap();
    let transform = |arguments: &[&str], input: &str| {
        run_with(directory.path(), &[&["transform", "rules.json"], arguments].concat(), &[], input)
    };
    rules(&json!([{"op": "filter", "where": ".p > 3"}, {"op": "select", "fields": ["id", "p"]}]));
    let (first, second) = (r#"{"id":1,"p":5.10,"x":0}"#, r#"{"id":2,"p":1}"#);
    assert_eq!(transform(&[], &format!("[{first},{second}]")).must_exit(0).stdout, "[{\"id\":1,\"p\":5.10}]\n");
    assert_eq!(transform(&[], first).must_exit(0).stdout, "{\"id\":1,\"p\":5.10}\n");
    assert_eq!(
        transform(&["--ndjson"], &format!("{first}\n{second}\n")).must_exit(0).stdout,
        "{\"id\":1,\"p\":5.10}\n"
    );
    let ran = transform(&["--ndjson"], &format!("{first}\n\n{{\n{first}\n")).must_exit(1);
    assert_eq!(ran.stdout, "{\"id\":1,\"p\":5.10}\n");
    assert!(ran.stderr.contains("line 3: not JSON"), "{}", ran.stderr);
    assert!(transform(&[], "{").must_exit(1).stderr.contains("not JSON"));

    rules(&json!([{"op": "limit", "count": 2, "offset": 1}]));
    assert_eq!(transform(&["--ndjson"], &"1\n2\n3\n4\n".repeat(50_000)).must_exit(0).stdout, "2\n3\n");
    rules(&json!([{"op": "sort", "by": "."}, {"op": "filter", "where": ".["}, {"op": "dance"}]));
    assert!(transform(&["--ndjson"], "1").must_exit(2).stderr.contains("rules.json: /2/op"));
    rules(&json!([{"op": "sort", "by": "."}, {"op": "filter", "where": ".["}]));
    assert!(transform(&[], "1").must_exit(2).stderr.contains("rules.json: /1/where"));
    rules(&json!([{"op": "sort", "by": "."}]));
    assert_eq!(transform(&[], "[2,1]").must_exit(0).stdout, "[1,2]\n");
    assert!(transform(&["--ndjson"], "1").must_exit(2).stderr.contains("/0: this rule needs all lines at once"));
    let ran = run(directory.path(), &["transform", "absent.json"]).must_exit(2);
    assert!(ran.stderr.contains("absent.json"), "{}", ran.stderr);
}

#[test]
fn what_is_taken_over_from_krakend_is_good() {
    let directory = tempfile::tempdir().unwrap();
    for name in ["parallel", "sequential"] {
        let file = format!("{}/tests/krakend/{name}.json", env!("CARGO_MANIFEST_DIR"));
        let printed = run(directory.path(), &["aggregate", "import-krakend", &file]).must_exit(0);
        let ran = run(directory.path(), &["aggregate", "import-krakend", &file, "-o", "ours.toml"]).must_exit(0);
        assert_eq!((ran.stdout.as_str(), &ran.stderr), ("", &printed.stderr));
        assert!(ran.stderr.contains(&format!("{name}.json: endpoints[")), "{}", ran.stderr);
        assert_eq!(std::fs::read_to_string(directory.path().join("ours.toml")).unwrap(), printed.stdout);
        run(directory.path(), &["config", "check", "--config", "ours.toml"]).must_exit(0);
    }
    let answers = json!({
        "orders": {"$paths": {"/orders/7": {"id": 7, "customer": {"id": 3}, "shipping": "post", "x": 1}}},
        "customers": {"$paths": {"/customers/3": {"name": "Ada", "tracking": "t9"}}},
        "carriers_tracking": {"$paths": {"/carriers/post/tracking/t9": {"tracking": {"state": "there"}}}},
    });
    std::fs::write(directory.path().join("answers.json"), answers.to_string()).unwrap();
    let arguments = ["aggregate", "run", "/orders/7/detail", "--config", "ours.toml", "--offline", "answers.json"];
    let answer: Value = serde_json::from_str(&run(directory.path(), &arguments).must_exit(0).stdout).unwrap();
    let order = json!({"id": 7, "customer": {"id": 3}, "shipping": "post"});
    let customer = json!({"name": "Ada", "tracking": "t9"});
    assert_eq!(answer, json!({"state": "there", "order": order, "customer": customer}));
    run(directory.path(), &["aggregate", "import-krakend", "ours.toml"]).must_exit(2);
}
