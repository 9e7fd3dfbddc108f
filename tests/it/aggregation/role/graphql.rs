//! GraphQL over sources: what is asked of them, what is made of their answers, and what is refused before anything is asked.

use std::time::{Duration, Instant};

use actix_web::test::TestRequest;
use rstest::rstest;
use serde_json::{Value, json};
use vestibule::modules::aggregation::{AggregationConfig, check};
use wiremock::{
    Mock, MockServer, Request, ResponseTemplate,
    matchers::{body_json, method, path, path_regex},
};

use super::app::{Answer, As, TestRole, config};

const TYPES: &str = r#"
    "Who writes."
    type Query {
      user(id: ID!): User @source(name: "user", with: {id: ".args.id"})
      same(id: ID!): User! @source(name: "user", with: {id: ".args.id"})
      posts(first: Int = 3): [Post] @source(name: "posts", with: {n: ".args.first"}) @listSize(slicingArguments: ["first"])
      search(filter: Filter!): [Post!]! @source(name: "search", body: ".args.filter") @from(path: ".found")
      things: [Thing!]! @source(name: "things")
    }
    type Mutation {
      rename(id: ID!, name: String!): User @source(name: "rename", with: {id: ".args.id"}, body: "{name: .args.name}")
    }
    type User {
      id: ID!
      name: String
      firstName: String @from(path: ".names.first")
      age: Int
      balance: Decimal
      posts: [Post!] @source(name: "postsOf", with: {ids: ".parent.id"}, batch: {size: 50, key: ".author_id"})
      friends: [User!] @source(name: "friends", with: {id: ".parent.id"})
      role: Role
      settings: JSON
    }
    type Post { id: ID! text: String! author: User @source(name: "people", with: {ids: ".parent.author_id"}, batch: {size: 50, key: ".id"}) }
    input Filter { text: String!, tags: [String!] = ["new"], from: Long }
    enum Role { ADMIN READER }
    interface Thing { id: ID! }
    type Book implements Thing { id: ID! pages: Int }
    type Film implements Thing { id: ID! minutes: Int }
    scalar Decimal
    scalar Long
    scalar JSON
"#;

/// The configuration with these settings beside the types.
fn settings(server: &MockServer, more: &Value) -> AggregationConfig {
    let source = |name: &str, rest: &str| json!({"name": name, "url": format!("{}{rest}", server.uri())});
    let with = |name: &str, rest: &str, method: &str| {
        let mut source = source(name, rest);
        source["method"] = method.into();
        source
    };
    let sources = json!([
        source("user", "/users/{id}"),
        source("posts", "/posts?n={n}"),
        with("search", "/search", "POST"),
        source("things", "/things"),
        with("rename", "/users/{id}", "PATCH"),
        source("friends", "/users/{id}/friends"),
        source("people", "/people?ids={ids}"),
        source("postsOf", "/posts?authors={ids}"),
    ]);
    let mut config = config(&sources, &json!([]), &json!([]));
    let mut graphql = json!({"types": TYPES, "auth": "none"});
    graphql.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    config.graphql = Some(serde_json::from_value(graphql).unwrap());
    config
}

fn role(server: &MockServer, more: &Value) -> TestRole {
    TestRole::start(&settings(server, more))
}

async fn ask(role: &TestRole, body: Value) -> Answer {
    let request = TestRequest::post().uri("/graphql").set_json(body);
    role.call(As::Nobody, request).await
}

async fn query(role: &TestRole, query: &str) -> Answer {
    ask(role, json!({"query": query})).await
}

/// A server that knows users, their friends, posts and people.
async fn people() -> MockServer {
    let server = MockServer::start().await;
    let user = |request: &Request| {
        let id = request.url.path().rsplit('/').next().unwrap().to_owned();
        let body = format!(
            r#"{{"id": {id}, "name": "u\u00e9{id}", "names": {{"first": "F"}}, "age": 7.0, "balance": 12345678901234567890.10, "role": "ADMIN", "settings": {{"b": 1.10, "a": [9007199254740993]}}}}"#
        );
        ResponseTemplate::new(200).set_body_raw(body, "application/json")
    };
    Mock::given(path_regex("^/users/[0-9]+$")).and(method("GET")).respond_with(user).mount(&server).await;
    let friends = ResponseTemplate::new(200).set_body_json(json!([{"id": 8}, {"id": 9}]));
    Mock::given(path_regex("^/users/[0-9]+/friends$")).respond_with(friends).mount(&server).await;
    let posts = json!([
        {"id": 1, "text": "a", "author_id": 8},
        {"id": 2, "text": "b", "author_id": null},
        null,
        {"id": 3, "text": "c", "author_id": 9},
        {"id": 4, "text": "d", "author_id": 8},
    ]);
    Mock::given(path("/posts")).respond_with(ResponseTemplate::new(200).set_body_json(posts)).mount(&server).await;
    let people = |request: &Request| {
        let ids = request.url.query_pairs().find(|(name, _)| name == "ids").unwrap().1.into_owned();
        let found = ids.split(',').map(|id| json!({"id": id.parse::<u64>().unwrap(), "name": format!("n{id}")}));
        ResponseTemplate::new(200).set_body_json(found.collect::<Value>())
    };
    Mock::given(path("/people")).respond_with(people).mount(&server).await;
    server
}

async fn asked(server: &MockServer) -> Vec<String> {
    let requests = server.received_requests().await.unwrap();
    let told = requests.iter().map(|request| {
        let query = request.url.query().map(|query| format!("?{query}")).unwrap_or_default();
        format!("{} {}{query}", request.method, request.url.path())
    });
    let mut told: Vec<String> = told.collect();
    told.sort();
    told
}

#[actix_web::test]
async fn fields_come_from_sources_and_stand_in_the_order_of_the_document() {
    let server = people().await;
    let role = role(&server, &json!({}));
    let answer = query(&role, "{ a: user(id: 7) { name id firstName friends { id } role __typename age } }").await;
    assert_eq!(
        answer.text,
        r#"{"data":{"a":{"name":"u\u00e97","id":"7","firstName":"F","friends":[{"id":"8"},{"id":"9"}],"role":"ADMIN","__typename":"User","age":7}}}"#
    );
    assert_eq!((answer.status, answer.complete.as_deref()), (200, Some("true")));
    assert_eq!(answer.header("content-type").as_deref(), Some("application/graphql-response+json"));
    assert_eq!(asked(&server).await, ["GET /users/7", "GET /users/7/friends"]);
}

#[actix_web::test]
async fn scalars_of_the_schemas_own_leave_as_they_came() {
    let server = people().await;
    let answer = query(&role(&server, &json!({})), "{ user(id: 7) { balance settings } }").await;
    assert_eq!(
        answer.text,
        r#"{"data":{"user":{"balance":12345678901234567890.10,"settings":{"b": 1.10, "a": [9007199254740993]}}}}"#
    );
}

#[actix_web::test]
async fn what_is_asked_of_the_elements_of_a_list_is_asked_together() {
    let server = people().await;
    let answer = query(&role(&server, &json!({})), "{ posts { id author { name } } }").await;
    let expected = json!([
        {"id": "1", "author": {"name": "n8"}},
        {"id": "2", "author": null},
        null,
        {"id": "3", "author": {"name": "n9"}},
        {"id": "4", "author": {"name": "n8"}},
    ]);
    assert_eq!(answer.json(), json!({"data": {"posts": expected}}), "nobody's author is nobody, which is no fault");
    assert_eq!(asked(&server).await, ["GET /people?ids=8%2C9", "GET /posts?n=3"]);
}

#[actix_web::test]
async fn the_elements_of_all_lists_of_a_level_are_asked_together_too() {
    let server = people().await;
    let answer =
        query(&role(&server, &json!({})), "{ a: posts { author { name } } b: posts(first: 3) { author { id } } }")
            .await;
    assert_eq!(answer.json()["data"]["b"][0], json!({"author": {"id": "8"}}));
    // Equal calls of a request are made once, whoever asks.
    assert_eq!(asked(&server).await, ["GET /people?ids=8%2C9", "GET /posts?n=3"]);
}

#[actix_web::test]
async fn lists_of_many_objects_share_a_call_too() {
    let server = people().await;
    let answer =
        query(&role(&server, &json!({})), "{ user(id: 7) { friends { id posts { id } } posts { id } } }").await;
    let friends = json!([{"id": "8", "posts": [{"id": "1"}, {"id": "4"}]}, {"id": "9", "posts": [{"id": "3"}]}]);
    assert_eq!(answer.json(), json!({"data": {"user": {"friends": friends, "posts": []}}}), "none is an empty list");
    assert!(asked(&server).await.contains(&"GET /posts?authors=8%2C9".to_owned()), "{:?}", asked(&server).await);
}

#[actix_web::test]
async fn equal_calls_are_made_once() {
    let server = people().await;
    let answer =
        query(&role(&server, &json!({})), "{ a: user(id: 7) { id } b: user(id: \"7\") { name } same(id: 7) { id } }")
            .await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert_eq!(asked(&server).await, ["GET /users/7"]);
}

#[actix_web::test]
async fn a_source_that_fails_is_null_and_told() {
    let server = MockServer::start().await;
    let gone = json!({"title": "gone", "status": 410});
    let gone = ResponseTemplate::new(410).set_body_raw(gone.to_string(), "application/problem+json");
    Mock::given(path("/users/1")).respond_with(gone).mount(&server).await;
    Mock::given(path("/posts")).respond_with(ResponseTemplate::new(200).set_body_json(json!([]))).mount(&server).await;
    let answer = query(&role(&server, &json!({})), "{ user(id: 1) { id } posts { id } }").await;
    let body = answer.json();
    assert_eq!(body["data"], json!({"user": null, "posts": []}));
    let error = &body["errors"][0];
    assert_eq!((&error["path"], &error["locations"]), (&json!(["user"]), &json!([{"line": 1, "column": 3}])));
    let told = &error["extensions"];
    assert_eq!(
        (&told["code"], &told["source"], &told["http_status"]),
        (&json!("SOURCE_FAILED"), &json!("user"), &json!(410))
    );
    assert_eq!(told["problem"]["title"], "gone");
    assert_eq!((answer.status, answer.complete.as_deref()), (200, Some("false")));
    assert_eq!(answer.header("cache-control").as_deref(), Some("no-store"));
}

#[actix_web::test]
async fn null_takes_away_what_must_not_be_null() {
    let server = MockServer::start().await;
    let posts = json!([{"id": 1, "text": "a"}, {"id": 2}, {"id": {}, "text": 7}]);
    Mock::given(path("/posts")).respond_with(ResponseTemplate::new(200).set_body_json(&posts)).mount(&server).await;
    let found = ResponseTemplate::new(200).set_body_json(json!({"found": posts}));
    Mock::given(path("/search")).respond_with(found).mount(&server).await;
    let role = role(&server, &json!({}));
    let body = query(&role, "{ posts { id text } }").await.json();
    assert_eq!(body["data"], json!({"posts": [{"id": "1", "text": "a"}, null, null]}), "an element may be null");
    let paths: Vec<_> = body["errors"].as_array().unwrap().iter().map(|error| error["path"].clone()).collect();
    assert_eq!(paths.len(), 2, "{body}");
    assert!(paths.contains(&json!(["posts", 1, "text"])) && paths.contains(&json!(["posts", 2, "id"])), "{paths:?}");
    let answer = query(&role, "{ search(filter: {text: \"x\"}) { text } user(id: 404) { id } }").await;
    assert_eq!(answer.json()["data"], Value::Null, "up to the root: {}", answer.text);
    assert_eq!((answer.status, answer.complete.as_deref()), (200, Some("false")));
}

#[actix_web::test]
async fn types_are_told_by_their_name() {
    let server = MockServer::start().await;
    let things = json!([{"__typename": "Book", "id": 1, "pages": 7}, {"__typename": "Film", "id": 2, "minutes": 90}]);
    Mock::given(path("/things")).respond_with(ResponseTemplate::new(200).set_body_json(things)).mount(&server).await;
    let role = role(&server, &json!({}));
    let document = "query Q { things { ...T ... on Film { minutes } __typename } } fragment T on Thing { id ... on Book { pages } }";
    let answer = query(&role, document).await;
    assert_eq!(
        answer.text,
        r#"{"data":{"things":[{"id":"1","pages":7,"__typename":"Book"},{"id":"2","minutes":90,"__typename":"Film"}]}}"#
    );
}

#[actix_web::test]
async fn variables_are_coerced_and_their_numbers_survive() {
    let server = people().await;
    let wanted = json!({"text": "tea", "tags": ["new"], "from": 9_007_199_254_740_993_u64});
    let found = ResponseTemplate::new(200).set_body_json(json!({"found": []}));
    Mock::given(path("/search")).and(body_json(wanted)).respond_with(found).mount(&server).await;
    let role = role(&server, &json!({}));
    let document =
        "query Q($f: Filter!, $no: Boolean = true) { search(filter: $f) { id } posts @skip(if: $no) { id } }";
    let body = r#"{"query": "QUERY", "variables": {"f": {"text": "tea", "from": 9007199254740993}}}"#;
    let request = TestRequest::post().uri("/graphql").insert_header(("content-type", "application/json"));
    let answer = role.call(As::Nobody, request.set_payload(body.replace("QUERY", document))).await;
    assert_eq!(answer.text, r#"{"data":{"search":[]}}"#);
    for (variables, word) in [
        (json!({}), "f"),
        (json!({"f": null}), "f"),
        (json!({"f": {"text": 7}}), "text"),
        (json!({"f": {"text": "x", "more": 1}}), "more"),
        (json!({"f": {"text": "x", "tags": [null]}}), "tags"),
        (json!({"f": {"text": "x"}, "no": "yes"}), "`$no`: expected Boolean"),
    ] {
        let answer = ask(&role, json!({"query": document, "variables": variables})).await;
        assert_eq!(answer.status, 400, "{variables}: {}", answer.text);
        let message = answer.json()["errors"][0]["message"].as_str().unwrap().to_owned();
        assert!(message.contains(word), "{variables}: {message}");
    }
    for number in ["2147483648", "1.5", "\"1\""] {
        let answer = query(&role, &format!("{{ posts(first: {number}) {{ id }} }}")).await;
        assert!(answer.json().get("errors").is_some(), "{number}: {}", answer.text);
    }
    assert_eq!(asked(&server).await, ["POST /search"], "what is refused asks for nothing");
}

#[actix_web::test]
async fn mutations_run_one_after_the_other_and_are_never_taken_together() {
    let server = people().await;
    let slow = |request: &Request| {
        let named: Value = serde_json::from_slice(&request.body).unwrap();
        let delay = if named["name"] == "a" { 80 } else { 0 };
        ResponseTemplate::new(200)
            .set_body_json(json!({"id": 7, "name": named["name"]}))
            .set_delay(Duration::from_millis(delay))
    };
    Mock::given(method("PATCH")).respond_with(slow).mount(&server).await;
    let role = role(&server, &json!({}));
    let document = "mutation { a: rename(id: 7, name: \"a\") { name friends { id } } b: rename(id: 7, name: \"b\") { name friends { id } } c: rename(id: 7, name: \"b\") { name } }";
    let answer = query(&role, document).await;
    assert_eq!(answer.json()["data"]["c"], json!({"name": "b"}), "{}", answer.text);
    let requests = server.received_requests().await.unwrap();
    let order: Vec<String> = requests.iter().map(|request| request.method.to_string()).collect();
    assert_eq!(order, ["PATCH", "GET", "PATCH", "GET", "PATCH"], "what was read before a change is read again");
    let first: Value = serde_json::from_slice(&requests[0].body).unwrap();
    assert_eq!(first, json!({"name": "a"}));
    let get = TestRequest::get().uri("/graphql?query=mutation%7Brename(id:7,name:%22x%22)%7Bid%7D%7D");
    let refused = role.call(As::Nobody, get.insert_header(("graphql-require-preflight", "1"))).await;
    assert_eq!((refused.status, refused.header("allow").as_deref()), (405, Some("POST")), "{}", refused.text);
    assert_eq!(server.received_requests().await.unwrap().len(), 5);
}

#[actix_web::test]
async fn a_query_may_come_by_get() {
    let server = people().await;
    let role = role(&server, &json!({}));
    let uri = "/graphql?query=query+Q(%24id:ID!)%7Buser(id:%24id)%7Bname%7D%7D&variables=%7B%22id%22:%227%22%7D&operationName=Q";
    let get = || TestRequest::get().uri(uri);
    let foreign = role.call(As::Nobody, get()).await;
    assert_eq!(
        (foreign.status, foreign.code),
        (400, Some("malformed-request")),
        "a page of another origin can send this"
    );
    let answer = role.call(As::Nobody, get().insert_header(("graphql-require-preflight", "1"))).await;
    assert_eq!(answer.text, r#"{"data":{"user":{"name":"u\u00e97"}}}"#);
    let tag = answer.header("etag").unwrap();
    let again = get().insert_header(("graphql-require-preflight", "1")).insert_header(("if-none-match", tag));
    assert_eq!(role.call(As::Nobody, again).await.status, 304);
    assert_eq!(role.call(As::Nobody, TestRequest::put().uri("/graphql")).await.status, 405);
}

#[rstest]
#[case::no_json("text/plain", r#"{"query":"{posts{id}}"}"#, 415)]
#[case::a_form("application/x-www-form-urlencoded", "query={posts{id}}", 415)]
#[case::cut("application/json", r#"{"query":"#, 400)]
#[case::batch("application/json", r#"[{"query":"{posts{id}}"}]"#, 400)]
#[case::nothing("application/json", "{}", 400)]
#[actix_web::test]
async fn what_is_no_request_is_a_problem(#[case] kind: &str, #[case] body: &'static str, #[case] status: u16) {
    let server = MockServer::start().await;
    let request = TestRequest::post().uri("/graphql").insert_header(("content-type", kind)).set_payload(body);
    let answer = role(&server, &json!({})).call(As::Nobody, request).await;
    assert_eq!(answer.status, status, "{}", answer.text);
    assert!(answer.code.is_some());
}

#[rstest]
#[case::no_document("", "GRAPHQL_PARSE_FAILED")]
#[case::cut("{ posts { id }", "GRAPHQL_PARSE_FAILED")]
#[case::unknown_field("{ posts { nothing } }", "GRAPHQL_VALIDATION_FAILED")]
#[case::no_selection("{ posts }", "GRAPHQL_VALIDATION_FAILED")]
#[case::selection_of_a_scalar("{ posts { id { x } } }", "GRAPHQL_VALIDATION_FAILED")]
#[case::missing_argument("{ user { id } }", "GRAPHQL_VALIDATION_FAILED")]
#[case::unknown_fragment("{ ...F }", "GRAPHQL_VALIDATION_FAILED")]
#[case::circle("{ posts { ...F } } fragment F on Post { ...F }", "GRAPHQL_VALIDATION_FAILED")]
#[case::subscription("subscription { posts { id } }", "GRAPHQL_VALIDATION_FAILED")]
#[case::two_operations("query A { posts { id } } query B { posts { id } }", "OPERATION_RESOLUTION_FAILURE")]
#[actix_web::test]
async fn a_wrong_document_is_refused_in_graphqls_own_words(#[case] document: &str, #[case] code: &str) {
    let server = MockServer::start().await;
    let role = role(&server, &json!({}));
    let answer = query(&role, document).await;
    assert_eq!(
        (answer.status, &answer.json()["errors"][0]["extensions"]["code"]),
        (400, &json!(code)),
        "{}",
        answer.text
    );
    assert!(answer.json().get("data").is_none());
    // In plain JSON the status says nothing of GraphQL.
    let request = TestRequest::post().uri("/graphql").insert_header(("accept", "application/json"));
    let plain = role.call(As::Nobody, request.set_json(json!({"query": document}))).await;
    assert_eq!((plain.status, plain.header("content-type").as_deref()), (200, Some("application/json")));
    assert_eq!(asked(&server).await, [""; 0]);
}

/// A chain of fragments, each using the next twice: a billion fields.
fn bomb(last: &str) -> String {
    let chain = (0..30).map(|n| format!("fragment F{n} on Query {{ ...F{} ...F{} }}", n + 1, n + 1));
    format!("{{ ...F0 }} {} fragment F30 on Query {{ {last} }}", chain.collect::<Vec<_>>().join(" "))
}

#[rstest]
#[case::deep(format!("{{ user(id: 1) {} {} }}", "{ friends ".repeat(12), "}".repeat(12)), "MAX_DEPTH_EXCEEDED")]
#[case::brackets("{".repeat(1_000_000), "MAX_DEPTH_EXCEEDED")]
#[case::brackets_in_values(format!("{{ user(id: {}", "[".repeat(500_000)), "MAX_DEPTH_EXCEEDED")]
#[case::nested_fragments(format!("{{ {}posts{{id}} {}", "... { ".repeat(63), "}".repeat(64)), "MAX_DEPTH_EXCEEDED")]
#[case::costly("{ user(id: 1) { friends { friends { friends { friends { id } } } } } }".to_owned(), "MAX_COMPLEXITY_EXCEEDED")]
#[case::many_asked_for("{ posts(first: 100000) { id } }".to_owned(), "MAX_COMPLEXITY_EXCEEDED")]
#[case::aliases(format!("{{ {} }}", (0..31).map(|n| format!("a{n}: posts {{ id }}")).collect::<Vec<_>>().join(" ")), "MAX_ALIASES_EXCEEDED")]
#[case::fragments(bomb("posts { id }"), "MAX_COMPLEXITY_EXCEEDED")]
#[case::empty_fragments(bomb("...Missing"), "MAX_COMPLEXITY_EXCEEDED")]
#[case::a_million_words(format!("{{ {} }}", "posts ".repeat(170_000)), "MAX_TOKENS_EXCEEDED")]
#[case::introspection("{ __schema { types { fields { type { fields { type { fields { name } } } } } } } }".to_owned(), "MAX_COMPLEXITY_EXCEEDED")]
#[actix_web::test]
async fn a_document_that_costs_too_much_is_refused_quickly(#[case] document: String, #[case] code: &str) {
    let server = MockServer::start().await;
    let role = role(&server, &json!({}));
    let started = Instant::now();
    let answer = query(&role, &document).await;
    let told: Value = serde_json::from_str(&answer.text).unwrap();
    assert_eq!((answer.status, &told["errors"][0]["extensions"]["code"]), (400, &json!(code)), "{}", answer.text);
    assert!(started.elapsed() < Duration::from_secs(5));
    assert_eq!(asked(&server).await, [""; 0]);
}

#[actix_web::test]
async fn calls_and_values_have_a_limit() {
    let server = people().await;
    let limited = role(&server, &json!({"max_calls": 3, "max_aliases": 100}));
    let aliases: Vec<String> = (1..=5).map(|n| format!("a{n}: user(id: {n}) {{ id }}")).collect();
    let body = query(&limited, &format!("{{ {} }}", aliases.join(" "))).await.json();
    assert_eq!(body["errors"].as_array().unwrap().len(), 2, "{body}");
    assert_eq!(asked(&server).await.len(), 3);
    let limited = role(&server, &json!({"max_values": 8}));
    let body = query(&limited, "{ posts { id text } }").await.json();
    assert_eq!(body["errors"][0]["extensions"]["code"], "MAX_VALUES_EXCEEDED", "{body}");
}

#[actix_web::test]
async fn what_takes_too_long_is_null() {
    let server = people().await;
    let slow = ResponseTemplate::new(200).set_body_json(json!([])).set_delay(Duration::from_secs(30));
    Mock::given(path("/things")).respond_with(slow).mount(&server).await;
    let answer = query(&role(&server, &json!({"timeout": "150ms"})), "{ user(id: 7) { id } things { id } }").await;
    let body = answer.json();
    assert_eq!(body["errors"][0]["extensions"]["code"], "SOURCE_TIMEOUT", "{body}");
    assert_eq!((answer.status, &body["data"]), (200, &Value::Null), "things must not be null");
    let answer = query(&role(&server, &json!({})), "{ user(id: 7) { id } }").await;
    assert_eq!(answer.json()["data"]["user"]["id"], "7");
}

#[actix_web::test]
async fn the_schema_can_be_asked_for_and_kept_to_oneself() {
    let server = MockServer::start().await;
    let document = "query I { __schema { queryType { name } types { ...T } } __type(name: \"User\") { name fields { name type { kind ofType { name } } } } }
        fragment T on __Type { kind name description fields(includeDeprecated: true) { name args { name defaultValue type { ...R } } type { ...R } } inputFields { name type { ...R } } enumValues { name } possibleTypes { name } }
        fragment R on __Type { kind name ofType { kind name ofType { kind name ofType { kind name } } } }";
    let open = role(&server, &json!({}));
    let body = query(&open, document).await.json();
    assert!(body.get("errors").is_none(), "{body}");
    assert_eq!(body["data"]["__schema"]["queryType"]["name"], "Query");
    assert_eq!(
        body["data"]["__type"]["fields"][0],
        json!({"name": "id", "type": {"kind": "NON_NULL", "ofType": {"name": "ID"}}})
    );
    let types = body["data"]["__schema"]["types"].as_array().unwrap();
    let query_type = types.iter().find(|one| one["name"] == "Query").unwrap();
    assert_eq!(query_type["description"], "Who writes.");
    let posts = query_type["fields"].as_array().unwrap().iter().find(|one| one["name"] == "posts").unwrap();
    assert_eq!(posts["args"][0]["defaultValue"], "3");
    let closed = role(&server, &json!({"introspection": false}));
    for document in [document, "{ __schema { queryType { name } } }", "{ __type(name: \"User\") { name } }"] {
        let answer = query(&closed, document).await;
        assert_eq!(answer.status, 400, "{}", answer.text);
        assert!(!answer.text.contains("Did you mean"), "{}", answer.text);
    }
    let answer = query(&closed, "{ __typename }").await;
    assert_eq!(answer.text, r#"{"data":{"__typename":"Query"}}"#);
    assert_eq!(query(&closed, "{ userr(id: 1) { id } }").await.status, 400);
    assert!(!query(&closed, "{ userr(id: 1) { id } }").await.text.contains("`user`"));
}

#[actix_web::test]
async fn an_unknown_hash_is_told_as_clients_expect() {
    let server = MockServer::start().await;
    let body = json!({"extensions": {"persistedQuery": {"version": 1, "sha256Hash": "00"}}});
    let answer = ask(&role(&server, &json!({})), body).await;
    assert_eq!(answer.json()["errors"][0]["message"], "PersistedQueryNotSupported");
}

#[rstest]
#[case::unknown_source(
    r#"type Query { a: Int @source(name: "none") }"#,
    "line 1 column 35: there is no source `none`; expected one of: user, posts"
)]
#[case::from_nowhere("type Query { a: Int }", "line 1 column 14: `a` comes from nowhere; expected `@source(name: …)`")]
#[case::unknown_type(
    "type Query {\n  a: Nothing @source(name: \"things\")\n}",
    "line 2 column 6: there is no type `Nothing`"
)]
#[case::unfilled(r#"type Query { a: Int @source(name: "user") }"#, "the source `user` needs `id` in `with`")]
#[case::too_much(
    r#"type Query { a: Int @source(name: "things", with: {id: "1"}) }"#,
    "the source `things` has no argument `id`"
)]
#[case::no_argument(
    r#"type Query { a: Int @source(name: "user", with: {id: ".args.id"}) }"#,
    "the field has no argument `id`"
)]
#[case::no_jq(r#"type Query { a: Int @source(name: "user", with: {id: ".args |"}) }"#, "not a jq program")]
#[case::no_parent(
    r#"type Query { a: Int @source(name: "user", with: {id: ".parent.id"}) }"#,
    "`.parent`: there is none at the root"
)]
#[case::a_change_in_a_query(
    r#"type Query { a(id: ID!): Int @source(name: "rename", with: {id: ".args.id"}) }"#,
    "`rename` is called with PATCH; a query takes GET, HEAD, POST"
)]
#[case::a_query_in_a_mutation(
    r#"type Query { t: Int @source(name: "things") } type Mutation { a: Int @source(name: "things") }"#,
    "`things` is called with GET; a mutation takes POST, PUT, PATCH, DELETE"
)]
#[case::unknown_directive(
    r#"type Query { a: Int @sauce(name: "things") }"#,
    "`@sauce` has no meaning here; expected `@source`, `@from`, `@listSize`, `@deprecated`"
)]
#[case::unused_argument(
    r#"type Query { a: A @source(name: "things") } type A { b(c: Int): Int }"#,
    "`c` is used by nothing: the field has no `@source`"
)]
#[case::wrong_default(r#"type Query { a(n: Int = "x"): Int @source(name: "things") }"#, "expected Int")]
#[case::input_answered(
    r#"type Query { a: I @source(name: "things") } input I { b: Int }"#,
    "`I` is an input; expected a type that can be answered"
)]
#[case::object_given(
    r#"type Query { a(i: A): A @source(name: "things") } type A { b: Int }"#,
    "`A` cannot be given; expected a scalar, enum or input"
)]
#[case::no_query("type A { b: Int }", "there is no object type for query")]
#[case::subscriptions(
    r#"type Query { a: Int @source(name: "things") } type Subscription { a: Int }"#,
    "subscriptions are not served"
)]
#[case::twice(
    r#"type Query { a: Int @source(name: "things") } type Query { b: Int }"#,
    "the type `Query` is defined twice"
)]
#[case::batch_at_the_root(
    r#"type Query { a(id: ID): Int @source(name: "people", with: {ids: ".args.id"}, batch: {size: 5}) }"#,
    "a field of the root is asked for once"
)]
#[case::unreadable("type Query {\n  a Int\n}", "line 2 column 5: expected ")]
#[case::not_implemented(
    r#"type Query { a: A @source(name: "things") } interface N { id: ID! } type A implements N { b: Int }"#,
    "id"
)]
fn every_fault_of_a_schema_is_told(#[case] types: &str, #[case] expected: &str) {
    let server = "http://127.0.0.1:1";
    let source = |name: &str, rest: &str, method: &str| json!({"name": name, "url": format!("{server}{rest}"), "method": method});
    let sources = json!([
        source("user", "/users/{id}", "GET"),
        source("posts", "/posts", "GET"),
        source("things", "/things", "GET"),
        source("rename", "/users/{id}", "PATCH"),
        source("people", "/people?ids={ids}", "GET"),
    ]);
    let mut config = config(&sources, &json!([]), &json!([]));
    config.graphql = Some(serde_json::from_value(json!({"types": types})).unwrap());
    let told: Vec<String> = check(&config).iter().map(ToString::to_string).collect();
    assert!(
        told.iter().any(|fault| fault.starts_with("aggregation.graphql.types: ") && fault.contains(expected)),
        "{told:#?}"
    );
}
