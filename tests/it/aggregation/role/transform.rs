//! `/data/transform`

use serde_json::json;

use super::app::{As, TestRole, config};

#[actix_web::test]
async fn rules_are_applied_and_numbers_survive() {
    let rulesets = json!([{"name": "cheap", "rules": [{"op": "filter", "where": ".p < 6"}]}]);
    let role = TestRole::start(&config(&json!([]), &json!([]), &rulesets));
    let data = r#"[{"z":12345678901234567890123,"p":5.10},{"z":2,"p":7}]"#;

    let plain = role.transform(format!(r#"{{"data":{data},"rules":[{{"op":"select","fields":["z"]}}]}}"#)).await;
    assert!(
        plain.text.starts_with(r#"{"data":[{"z":12345678901234567890123},{"z":2}],"meta":{"rules":1,"duration_ms":"#),
        "{}",
        plain.text
    );
    let worked = role.transform(format!(r#"{{"rules":[{{"op":"filter","where":".p < 6"}}],"data":{data}}}"#)).await;
    assert!(worked.text.starts_with(r#"{"data":[{"z":12345678901234567890123,"p":5.10}],"meta""#), "{}", worked.text);
    let named = role.transform(format!(r#"{{"data":{data},"ruleset":"cheap"}}"#)).await;
    assert!(named.text.starts_with(r#"{"data":[{"z":12345678901234567890123,"p":5.10}],"meta""#), "{}", named.text);
}

#[actix_web::test]
async fn what_is_wrong_is_pointed_at() {
    let role = TestRole::start(&config(&json!([]), &json!([]), &json!([])));
    for (body, status, pointers) in [
        (
            r#"{"data":[{}],"rules":[{"op":"limit","count":1},{"op":"filter","where":".["}]}"#,
            422,
            vec!["/rules/1/where"],
        ),
        (
            r#"{"data":[{}],"rules":[{"op":"nosuch"},{"op":"set","field":1}]}"#,
            422,
            vec!["/rules/0/op", "/rules/1/field", "/rules/1/value"],
        ),
        (r#"{"data":[1],"rules":[{"op":"select","fields":["a"]}]}"#, 422, vec!["/rules/0"]),
        (r#"{"data":[1],"rules":[],"ruleset":"x"}"#, 422, vec!["/ruleset"]),
        (r#"{"data":[1],"ruleset":"x"}"#, 422, vec!["/ruleset"]),
        (r#"{"rules":{},"x":1}"#, 422, vec!["/x", "/data", "/rules"]),
        ("[]", 422, vec![""]),
        (r#"{"data":1,"data":2,"rules":[]}"#, 400, vec![]),
        (r#"{"data":[{"a":1,"a":2}],"rules":[]}"#, 400, vec![]),
        (r#"{"data":1"#, 400, vec![]),
    ] {
        let answer = role.transform(body).await;
        let errors = answer.json()["errors"].clone();
        let found: Vec<&str> =
            errors.as_array().into_iter().flatten().map(|e| e["pointer"].as_str().unwrap()).collect();
        assert_eq!((answer.status, found), (status, pointers), "{body}: {}", answer.text);
    }
    let deep = format!(r#"{{"data":{}{},"rules":[]}}"#, "[".repeat(100_000), "]".repeat(100_000));
    assert_eq!(role.transform(deep).await.status, 400);
    let post = || actix_web::test::TestRequest::post().uri("/data/transform");
    assert_eq!(role.call(As::Nobody, post()).await.status, 401);
    assert_eq!(role.call(As::User, post()).await.status, 415);
    assert_eq!(role.get(As::User, "/data/transform").await.status, 405);
}
