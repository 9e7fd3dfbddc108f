//! Administration over the module's own routes: users, roles, the audit log, calls that come again.

use actix_web::{
    http::{Method, header},
    test::TestRequest,
};
use serde_json::{Value, json};

use super::{Answer, TestAuth, configuration};
use crate::modules::auth::api::CreateUser;

impl TestAuth {
    /// The access token of a user whom the command line made.
    async fn made(&self, email: &str, roles: &[&str]) -> String {
        let command = CreateUser {
            email: email.to_owned(),
            password: "correct horse".into(),
            display_name: None,
            roles: roles.iter().map(ToString::to_string).collect(),
            verified: true,
        };
        self.auth.administration().users.create_user(command).await.unwrap();
        self.token_of(email).await
    }

    async fn token_of(&self, email: &str) -> String {
        let tokens = self.log_in(email).await;
        assert_eq!(tokens.status, 200, "{}", tokens.body);
        tokens.text("access_token")
    }

    async fn get(&self, token: &str, path: &str) -> Answer {
        self.call(Method::GET, path, Some(token), None).await
    }

    async fn put(&self, token: &str, path: &str, body: Value) -> Answer {
        self.call(Method::PUT, path, Some(token), Some(body)).await
    }

    async fn act(&self, token: &str, path: &str) -> Answer {
        self.call(Method::POST, path, Some(token), None).await
    }

    async fn create(&self, token: &str, email: &str, more: Value) -> Answer {
        let mut body = json!({"email": email, "password": "correct horse"});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        self.call(Method::POST, "/users", Some(token), Some(body)).await
    }

    async fn with(&self, method: Method, path: &str, token: &str, more: (&str, &str), body: Value) -> Answer {
        let request = TestRequest::with_uri(path).method(method).set_json(body).insert_header(more);
        let request = request.peer_addr("127.0.0.1:9".parse().unwrap());
        self.send(request.insert_header((header::AUTHORIZATION, format!("Bearer {token}")))).await
    }

    async fn lines(&self, root: &str, query: &str) -> Vec<Value> {
        let page = self.get(root, &format!("/audit?limit=100&{query}")).await;
        assert_eq!(page.status, 200, "{}", page.body);
        page.body["items"].as_array().unwrap().clone()
    }
}

fn is(answer: &Answer, status: u16, code: &str) -> bool {
    assert_eq!((answer.status.as_u16(), answer.code()), (status, code), "{}", answer.body);
    true
}

fn emails(page: &Answer) -> Vec<&str> {
    page.body["items"].as_array().unwrap().iter().map(|user| user["email"].as_str().unwrap()).collect()
}

#[actix_web::test]
async fn a_user_is_made_changed_stopped_and_deleted() {
    let app = TestAuth::start(&configuration()).await;
    let root = app.made("root@example.com", &["admin"]).await;
    let made = app.create(&root, "Ada@example.com", json!({"display_name": "Ada"})).await;
    assert_eq!(made.status, 201, "{}", made.body);
    assert_eq!((&made.body["email_verified"], &made.body["roles"]), (&json!(true), &json!(["user"])));
    let path = format!("/users/{}", made.text("id"));
    assert_eq!(made.header("location"), path);
    assert!(!made.body.to_string().contains("correct horse"));
    is(&app.create(&root, "ada@example.com", json!({})).await, 409, "email-taken");
    let faults = app.create(&root, "ada", json!({"roles": ["none", 7, "X"], "more": 1})).await;
    let pointers: Vec<_> =
        faults.body["errors"].as_array().unwrap().iter().map(|e| e["pointer"].as_str().unwrap()).collect();
    assert_eq!(pointers, ["/email", "/roles/1", "/more"]);
    let unknown = app.create(&root, "x@example.com", json!({"roles": ["none"]})).await;
    assert_eq!((unknown.status.as_u16(), unknown.body["errors"][0]["code"].as_str()), (422, Some("unknown-role")));

    let shown = app.get(&root, &path).await;
    let etag = shown.header("etag").to_owned();
    assert_eq!((shown.status.as_u16(), etag.as_str()), (200, made.header("etag")));
    let body = json!({"email": "ada@example.org", "display_name": "Ada L."});
    let changed = app.with(Method::PUT, &path, &root, ("if-match", &etag), body.clone()).await;
    assert_eq!((changed.status.as_u16(), changed.text("display_name")), (200, "Ada L.".to_owned()));
    is(&app.with(Method::PUT, &path, &root, ("if-match", &etag), body.clone()).await, 412, "precondition-failed");
    assert_eq!(app.with(Method::PUT, &path, &root, ("if-match", "*"), body).await.status, 200);
    is(&app.put(&root, &path, json!({"email": "root@example.com"})).await, 409, "email-taken");
    assert_eq!(app.put(&root, &path, json!({})).await.body["errors"][0]["pointer"], "/email");

    let ada = app.token_of("ada@example.org").await;
    assert_eq!(app.act(&root, &format!("{path}/suspend")).await.body["status"], "suspended");
    assert_eq!(app.me(&ada).await.status, 401, "its tokens stop at once");
    assert_eq!(app.log_in("ada@example.org").await.code(), "account-suspended");
    assert_eq!(app.act(&root, &format!("{path}/activate")).await.body["status"], "active");
    let ada = app.token_of("ada@example.org").await;
    assert_eq!(app.call(Method::DELETE, &path, Some(&root), None).await.status, 204);
    assert_eq!(app.me(&ada).await.status, 401);
    assert_eq!(app.log_in("ada@example.org").await.code(), "invalid-credentials");
    for call in [app.get(&root, &path).await, app.call(Method::DELETE, &path, Some(&root), None).await] {
        is(&call, 404, "not-found");
    }
    assert_eq!(app.create(&root, "ada@example.org", json!({})).await.status, 201, "the address is free");
    let gone = app.get(&root, "/users?status=deleted").await;
    assert_eq!(gone.body["items"][0]["id"], made.body["id"]);
    assert!(!gone.body.to_string().contains("ada"), "nothing of the person stays: {}", gone.body);
}

#[actix_web::test]
async fn a_pending_user_is_activated_by_an_administrator() {
    let app = TestAuth::start(&configuration()).await;
    let root = app.made("root@example.com", &["admin"]).await;
    let id = app.register("ada@example.com").await.text("id");
    let activated = app.act(&root, &format!("/users/{id}/activate")).await;
    assert_eq!(
        (&activated.body["status"], &activated.body["email_verified"]),
        (&json!("active"), &json!(true)),
        "{}",
        activated.body
    );
    assert_eq!(app.log_in("ada@example.com").await.status, 200);
}

#[actix_web::test]
async fn users_are_searched_and_paged() {
    let app = TestAuth::start(&configuration()).await;
    let root = app.made("root@example.com", &["admin"]).await;
    for (email, name) in [("ada@example.com", "Ada Lovelace"), ("bob@example.org", "Bob"), ("eve@example.com", "Eve")] {
        app.clock.advance(std::time::Duration::from_millis(1));
        assert_eq!(app.create(&root, email, json!({"display_name": name})).await.status, 201);
    }
    assert_eq!(emails(&app.get(&root, "/users?q=LOVE").await), ["ada@example.com"]);
    assert_eq!(emails(&app.get(&root, "/users?q=example.com&role=user").await), ["ada@example.com", "eve@example.com"]);
    assert_eq!(emails(&app.get(&root, "/users?role=admin&status=active").await), ["root@example.com"]);
    assert_eq!(emails(&app.get(&root, "/users?status=suspended").await), [""; 0]);
    let first = app.get(&root, "/users?limit=3").await;
    let cursor = first.text("next_cursor");
    let rest = app.get(&root, &format!("/users?limit=3&cursor={cursor}")).await;
    assert_eq!([emails(&first), emails(&rest)].concat().len(), 4);
    assert_eq!(rest.body["next_cursor"], Value::Null);
    for query in ["limit=0", "limit=101", "limit=x", "cursor=x", "status=none", "role=None!", "q=a%00b"] {
        is(&app.get(&root, &format!("/users?{query}")).await, 400, "malformed-request");
    }
}

#[actix_web::test]
async fn who_may_not_learns_nothing() {
    let app = TestAuth::start(&configuration()).await;
    app.made("root@example.com", &["admin"]).await;
    let ada = app.made("ada@example.com", &[]).await;
    let own = app.me(&ada).await.text("id");
    let nobody = "019a9d40-0000-7000-8000-000000000000";
    for id in [own.as_str(), nobody, "not-an-id"] {
        let path = format!("/users/{id}");
        for (method, path) in [
            (Method::GET, path.clone()),
            (Method::PUT, path.clone()),
            (Method::DELETE, path.clone()),
            (Method::POST, format!("{path}/suspend")),
            (Method::POST, format!("{path}/activate")),
            (Method::PUT, format!("{path}/roles")),
        ] {
            let refused = app.call(method.clone(), &path, Some(&ada), None).await;
            assert!(is(&refused, 403, "forbidden") && !refused.body["detail"].to_string().contains(id), "{path}");
            assert_eq!(app.call(method, &path, None, None).await.status, 401);
        }
    }
    for (method, path) in [
        (Method::GET, "/users"),
        (Method::POST, "/users"),
        (Method::GET, "/roles"),
        (Method::GET, "/roles/admin"),
        (Method::PUT, "/roles/x"),
        (Method::DELETE, "/roles/x"),
        (Method::GET, "/audit"),
    ] {
        is(&app.call(method, path, Some(&ada), None).await, 403, "forbidden");
    }
}

#[actix_web::test]
async fn roles_are_made_given_and_shown_in_the_next_token() {
    let app = TestAuth::start(&configuration()).await;
    let root = app.made("root@example.com", &["admin"]).await;
    let editor = json!({"permissions": ["texts:read", "texts:write"], "inherits": ["user"]});
    let made = app.put(&root, "/roles/editor", editor.clone()).await;
    assert_eq!((made.status.as_u16(), made.header("location")), (201, "/roles/editor"), "{}", made.body);
    assert_eq!(made.body["built_in"], false);
    let etag = made.header("etag").to_owned();
    assert_eq!(app.put(&root, "/roles/editor", editor).await.status, 200);
    let chief = app.put(&root, "/roles/chief", json!({"permissions": ["texts:print"], "inherits": ["editor"]})).await;
    assert_eq!(chief.status, 201);
    let listed = app.get(&root, "/roles").await;
    let names: Vec<_> = listed.body["items"].as_array().unwrap().iter().map(|role| role["name"].clone()).collect();
    assert_eq!(
        (names, &listed.body["next_cursor"]),
        (vec!["admin".into(), "chief".into(), "editor".into(), Value::from("user")], &Value::Null)
    );
    let second = app.get(&root, "/roles?limit=2").await;
    assert_eq!(second.body["next_cursor"], "chief");
    assert_eq!(app.get(&root, "/roles?limit=2&cursor=chief").await.body["items"][0]["name"], "editor");

    let faults = |answer: &Answer| {
        let errors = answer.body["errors"].as_array().cloned().unwrap_or_default();
        errors
            .iter()
            .map(|e| format!("{} {}", e["pointer"].as_str().unwrap(), e["code"].as_str().unwrap()))
            .collect::<Vec<_>>()
    };
    let circle =
        app.put(&root, "/roles/editor", json!({"permissions": [], "inherits": ["user", "chief", "none"]})).await;
    assert_eq!(
        (circle.status.as_u16(), faults(&circle)),
        (422, vec!["/inherits/1 circular".to_owned(), "/inherits/2 unknown-role".to_owned()])
    );
    let wrong = app.put(&root, "/roles/Nope", json!({"permissions": ["texts", 7], "more": 1})).await;
    assert_eq!(faults(&wrong), [" invalid-role", "/permissions/1 wrong-type", "/more unknown"]);
    let wrong = app.put(&root, "/roles/nope", json!({"permissions": ["texts:read", "texts"], "inherits": ["X"]})).await;
    assert_eq!(faults(&wrong), ["/permissions/1 invalid-permission", "/inherits/0 invalid-role"]);
    assert_eq!(faults(&app.put(&root, "/roles/nope", json!({})).await), ["/permissions missing"]);
    let less = app.put(&root, "/roles/admin", json!({"permissions": ["users:read"]})).await;
    assert!(faults(&less).iter().all(|fault| fault == "/permissions needed"), "{}", less.body);

    let ada = app.made("ada@example.com", &[]).await;
    let id = app.me(&ada).await.text("id");
    let roles = format!("/users/{id}/roles");
    let given = app.put(&root, &roles, json!({"roles": ["chief", "chief"]})).await;
    assert_eq!((given.status.as_u16(), &given.body["roles"]), (200, &json!(["chief"])));
    let permissions =
        async |token: &str| app.post("/auth/verify", json!({"token": token})).await.body["permissions"].clone();
    assert_eq!(permissions(&ada).await, json!([]), "the token that is out says what it said");
    let ada = app.token_of("ada@example.com").await;
    assert_eq!(permissions(&ada).await, json!(["texts:print", "texts:read", "texts:write"]));
    let body = json!({"permissions": ["texts:read"], "inherits": []});
    assert_eq!(app.with(Method::PUT, "/roles/editor", &root, ("if-match", &etag), body.clone()).await.status, 200);
    is(&app.with(Method::PUT, "/roles/editor", &root, ("if-match", &etag), body).await, 412, "precondition-failed");
    let ada = app.token_of("ada@example.com").await;
    assert_eq!(permissions(&ada).await, json!(["texts:print", "texts:read"]));
    let unknown = app.put(&root, &roles, json!({"roles": ["user", "none"]})).await;
    assert_eq!(faults(&unknown), ["/roles/1 unknown-role"]);

    let delete = async |name: &str| app.call(Method::DELETE, &format!("/roles/{name}"), Some(&root), None).await;
    is(&delete("editor").await, 409, "role-in-use");
    is(&delete("chief").await, 409, "role-in-use");
    is(&delete("admin").await, 409, "built-in-role");
    is(&delete("none").await, 404, "not-found");
    is(&delete("NONE").await, 404, "not-found");
    assert_eq!(app.put(&root, &roles, json!({"roles": []})).await.body["roles"], json!(["user"]));
    assert_eq!(delete("chief").await.status, 204);
    assert_eq!(delete("editor").await.status, 204);
    is(&app.get(&root, "/roles/editor").await, 404, "not-found");
}

#[actix_web::test]
async fn nobody_rises_above_the_own_permissions() {
    let app = TestAuth::start(&configuration()).await;
    let root = app.made("root@example.com", &["admin"]).await;
    let helper = json!({"permissions": ["users:read", "users:write", "roles:read", "roles:write"]});
    assert_eq!(app.put(&root, "/roles/helper", helper).await.status, 201);
    let help = app.made("help@example.com", &["helper"]).await;
    let (root_id, own_id) = (app.me(&root).await.text("id"), app.me(&help).await.text("id"));
    let mallory = app.create(&help, "mallory@example.com", json!({})).await;
    assert_eq!(mallory.status, 201, "what is within reach works: {}", mallory.body);
    is(&app.create(&help, "x@example.com", json!({"roles": ["admin"]})).await, 403, "forbidden");
    is(&app.put(&help, &format!("/users/{own_id}/roles"), json!({"roles": ["admin"]})).await, 403, "forbidden");
    is(
        &app.put(&help, &format!("/users/{}/roles", mallory.text("id")), json!({"roles": ["admin"]})).await,
        403,
        "forbidden",
    );
    is(&app.put(&help, "/roles/helper", json!({"permissions": ["audit:read"]})).await, 403, "forbidden");
    is(&app.put(&help, "/roles/mine", json!({"permissions": [], "inherits": ["admin"]})).await, 403, "forbidden");
    is(&app.put(&help, "/roles/admin", json!({"permissions": []})).await, 403, "forbidden");
    // A new address and a mailed link would make the helper the administrator.
    let root_path = format!("/users/{root_id}");
    is(&app.put(&help, &root_path, json!({"email": "help+1@example.com"})).await, 403, "forbidden");
    is(&app.act(&help, &format!("{root_path}/suspend")).await, 403, "forbidden");
    is(&app.call(Method::DELETE, &root_path, Some(&help), None).await, 403, "forbidden");
    assert_eq!(app.me(&root).await.status, 200);
}

#[actix_web::test]
async fn somebody_can_always_administer() {
    let app = TestAuth::start(&configuration()).await;
    let root = app.made("root@example.com", &["admin"]).await;
    let own = format!("/users/{}", app.me(&root).await.text("id"));
    is(&app.act(&root, &format!("{own}/suspend")).await, 409, "own-account");
    is(&app.call(Method::DELETE, &own, Some(&root), None).await, 409, "own-account");
    let plain = json!({"roles": ["user"]});
    is(&app.put(&root, &format!("{own}/roles"), plain.clone()).await, 409, "last-administrator");
    app.made("second@example.com", &["admin"]).await;
    assert_eq!(app.put(&root, &format!("{own}/roles"), plain).await.status, 200);
}

#[actix_web::test]
async fn a_call_with_a_key_happens_once() {
    let app = TestAuth::start(&configuration()).await;
    let root = app.made("root@example.com", &["admin"]).await;
    let body = json!({"email": "ada@example.com", "password": "correct horse", "roles": ["user"]});
    let send =
        async |key: &str, body: Value| app.with(Method::POST, "/users", &root, ("idempotency-key", key), body).await;
    let answers = futures_util::future::join_all((0..5).map(|_| send("k-1", body.clone()))).await;
    for answer in &answers {
        assert_eq!((answer.status.as_u16(), &answer.body), (201, &answers[0].body));
        assert_eq!(answer.header("location"), answers[0].header("location"));
        assert_eq!(answer.header("etag"), answers[0].header("etag"));
    }
    let reordered = json!({"password": "correct horse", "roles": ["user"], "email": "ada@example.com"});
    assert_eq!(send("k-1", reordered).await.body, answers[0].body);
    for other in [
        json!({"email": "bob@example.com", "password": "correct horse", "roles": ["user"]}),
        json!({"email": "ada@example.com", "password": "another horse", "roles": ["user"]}),
        json!({"email": "ada@example.com", "password": "correct horse"}),
    ] {
        is(&send("k-1", other).await, 422, "idempotency-key-reused");
    }
    is(&send("k-2", body.clone()).await, 409, "email-taken");
    is(&send("k-2", json!({"email": "x", "password": "correct horse"})).await, 422, "validation-failed");
    let bob = json!({"email": "bob@example.com", "password": "correct horse"});
    assert_eq!(send("k-2", bob).await.status, 201, "what failed may be tried again under its key");
    is(&send(&"k".repeat(256), body.clone()).await, 400, "malformed-request");

    let second = app.made("second@example.com", &["admin"]).await;
    let theirs = app.with(Method::POST, "/users", &second, ("idempotency-key", "k-1"), body.clone()).await;
    is(&theirs, 409, "email-taken");
    app.clock.advance(std::time::Duration::from_secs(86_401));
    let root = app.token_of("root@example.com").await;
    let late = app.with(Method::POST, "/users", &root, ("idempotency-key", "k-1"), body).await;
    is(&late, 409, "email-taken");
    app.auth.stop().await;
    let file = std::fs::read(app.folder.path().join("auth.db")).unwrap();
    let text = String::from_utf8_lossy(&file);
    assert!(!text.contains("k-1") && !text.contains("correct horse"), "neither key nor password is kept");
}

#[actix_web::test]
async fn administration_is_in_the_audit_log() {
    let app = TestAuth::start(&configuration()).await;
    let root = app.made("root@example.com", &["admin"]).await;
    let root_id = app.me(&root).await.text("id");
    let ada = app.create(&root, "ada@example.com", json!({})).await.text("id");
    app.clock.advance(std::time::Duration::from_millis(1));
    app.act(&root, &format!("/users/{ada}/suspend")).await;
    app.clock.advance(std::time::Duration::from_millis(1));
    app.act(&root, &format!("/users/{ada}/activate")).await;
    app.clock.advance(std::time::Duration::from_millis(1));
    app.put(&root, "/roles/editor", json!({"permissions": ["texts:read"]})).await;
    app.clock.advance(std::time::Duration::from_millis(1));
    app.put(&root, &format!("/users/{ada}/roles"), json!({"roles": ["editor"]})).await;
    let actions =
        |lines: &[Value]| lines.iter().map(|line| line["action"].as_str().unwrap().to_owned()).collect::<Vec<_>>();
    let about = app.lines(&root, &format!("target={ada}")).await;
    assert_eq!(actions(&about), ["user.roles_changed", "user.activated", "user.suspended", "user.created"]);
    assert_eq!(about[0]["details"]["roles"], json!(["editor"]));
    assert_eq!(about[0]["actor"], json!({"type": "user", "id": root_id}));
    assert_eq!((&about[0]["target"], &about[0]["outcome"]), (&json!({"type": "user", "id": ada}), &json!("success")));
    assert_eq!(about[0]["address"], "127.0.0.1");
    let by_root = app.lines(&root, &format!("actor={root_id}&action=role.")).await;
    assert_eq!(actions(&by_root), ["role.saved"]);
    let of_root = app.lines(&root, &format!("target={root_id}&action=user.created")).await;
    assert_eq!(of_root[0]["actor"], json!({"type": "command-line", "id": null}));
    let none = app.lines(&root, "since=2027-01-15T08:00:01Z").await;
    assert!(none.is_empty(), "{none:?}");
    assert!(!app.lines(&root, "until=2027-01-15T09:00:01%2B01:00").await.is_empty());
    for query in ["since=yesterday", "limit=0", "cursor=1", "actor="] {
        is(&app.get(&root, &format!("/audit?{query}")).await, 400, "malformed-request");
    }
}

#[actix_web::test]
async fn what_happens_to_an_account_is_in_the_audit_log() {
    let app = TestAuth::start(&configuration()).await;
    let root = app.made("root@example.com", &["admin"]).await;
    let tick = || app.clock.advance(std::time::Duration::from_millis(1));
    let id = app.made("ada@example.com", &[]).await;
    let id = app.me(&id).await.text("id");
    tick();
    let session = app.log_in("ada@example.com").await;
    let (access, refresh) = (session.text("access_token"), session.text("refresh_token"));
    tick();
    let change = json!({"current_password": "wrong", "new_password": "a better horse"});
    app.call(Method::POST, "/auth/password/change", Some(&access), Some(change)).await;
    tick();
    let change = json!({"current_password": "correct horse", "new_password": "a better horse"});
    let changed = app.call(Method::POST, "/auth/password/change", Some(&access), Some(change)).await;
    assert_eq!(changed.status, 204, "{}", changed.body);
    tick();
    app.post("/auth/password/forgot", json!({"email": "ada@example.com"})).await;
    tick();
    app.post("/auth/refresh", json!({"refresh_token": refresh})).await;
    app.clock.advance(std::time::Duration::from_secs(11));
    app.post("/auth/refresh", json!({"refresh_token": refresh})).await;
    for _ in 0..7 {
        tick();
        app.log_in("ada@example.com").await;
    }
    let lines = app.lines(&root, &format!("target={id}&since=2027-01-15T08:00:00.002Z")).await;
    let told: Vec<_> =
        lines.iter().map(|line| format!("{} {}", line["action"], line["outcome"]).replace('"', "")).collect();
    assert_eq!(
        told,
        [
            "account.locked failure",
            "login.failed failure",
            "login.failed failure",
            "login.failed failure",
            "login.failed failure",
            "session.refresh_reused failure",
            "password.reset_requested success",
            "password.changed success",
            "password.changed failure",
        ],
        "what is refused in the cooldown is not written: {lines:?}"
    );
    for _ in 0..7 {
        app.log_in("nobody@example.com").await;
    }
    let unknown = app.lines(&root, "action=login.failed").await;
    assert!(unknown.iter().any(|line| line["target"].is_null()));
    assert!(!json!(unknown).to_string().contains("nobody"), "not even the address");
}

#[actix_web::test]
async fn a_secret_is_shown_again_to_whoever_has_the_key_and_to_nobody_else() {
    let app = TestAuth::start(&configuration()).await;
    let root = app.made("root@example.com", &["admin"]).await;
    let body = json!({"client_name": "shop", "grant_types": ["client_credentials"]});
    let key = ("idempotency-key", "a key that nobody else has");
    let first = app.with(Method::POST, "/clients", &root, key, body.clone()).await;
    assert_eq!(first.status, 201, "{}", first.body);
    let again = app.with(Method::POST, "/clients", &root, key, body).await;
    assert_eq!((again.status, &again.body), (first.status, &first.body));
    assert_eq!(again.header("location"), first.header("location"));
    let secret = first.text("client_secret");
    assert!(!secret.is_empty());
    app.auth.stop().await;
    let file = std::fs::read(app.folder.path().join("auth.db")).unwrap();
    let text = String::from_utf8_lossy(&file);
    assert!(!text.contains(&secret) && !text.contains(key.1), "sealed, under a key that is not kept");
}
