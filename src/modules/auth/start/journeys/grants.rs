//! What users let clients do, and clients that sign.

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, EncodingKey, Header};

use super::{
    clients::{BY_ITSELF, basic, texts},
    *,
};
use crate::{
    kernel::{SessionId, SystemClock},
    modules::auth::{
        api::CreateClient,
        application::oauth::{BeginGrant, Grant, OAuthTokens},
        domain::{Device, Email, GrantType, Origin},
    },
};

impl TestAuth {
    /// A client with a secret that users can let in.
    async fn shop(&self) -> (String, String) {
        let uris = texts(&["https://shop.example/cb"]);
        self.client(CreateClient { redirect_uris: uris, ..CreateClient::default() }).await
    }

    /// What a client gets when a user has let it in.
    async fn let_in(&self, client: &str, email: &str, scope: &str, resource: Option<&str>) -> OAuthTokens {
        let cases = &self.auth.use_cases;
        let begin = BeginGrant {
            sessions: cases.refresh.sessions.clone(),
            tokens: cases.refresh.tokens.clone(),
            audit: cases.audit.clone(),
            clock: self.clock.clone(),
        };
        let client = cases.clients.show(client).await.unwrap();
        let email = Email::parse(email).unwrap();
        let user = cases.refresh.users.find_by_email(&email).await.unwrap().unwrap();
        let grant = Grant {
            session: SessionId::new(&SystemClock, &SystemRandom),
            kind: GrantType::AuthorizationCode,
            user: &user,
            client: &client,
            scopes: &client.scopes_for(Some(scope)).unwrap(),
            resource,
            authenticated_at: self.clock.now(),
            methods: "pwd",
            device: Device::default(),
            origin: &Origin::default(),
        };
        begin.run(grant).await.unwrap()
    }
}

fn open() -> config::AuthConfig {
    config::AuthConfig { require_verified_email: false, ..configuration() }
}

#[actix_web::test]
async fn a_refresh_token_is_its_clients_alone() {
    let app = TestAuth::start(&open()).await;
    app.register("ada@example.com").await;
    let (shop, other) = (app.shop().await, app.shop().await);
    let tokens = app.let_in(&shop.0, "ada@example.com", "openid email offline_access", None).await;
    assert_eq!(tokens.scope, "email offline_access openid");
    let principal = app.verifier.verify(&tokens.access).unwrap();
    assert_eq!((principal.client_id.as_str(), principal.email.as_deref()), (shop.0.as_str(), Some("ada@example.com")));
    let refresh = tokens.refresh.unwrap();
    assert_eq!(app.post("/auth/refresh", json!({"refresh_token": refresh})).await.code(), "invalid-refresh-token");
    let own = app.log_in("ada@example.com").await.text("refresh_token");
    let spend = async |client: &(String, String), token: &str, more: &[(&str, &str)]| {
        let form = [&[("grant_type", "refresh_token"), ("refresh_token", token)], more].concat();
        app.form("/oauth/token", Some(&basic(&client.0, &client.1)), &form).await
    };
    for (client, token) in [(&other, &refresh), (&shop, &own), (&shop, &tokens.access)] {
        let answer = spend(client, token, &[]).await;
        assert_eq!((answer.status.as_u16(), answer.body["error"].as_str()), (400, Some("invalid_grant")));
    }
    assert_eq!(app.post("/auth/refresh", json!({"refresh_token": own})).await.status, 200, "nothing was spent");

    for (more, error) in
        [(("scope", "openid profile"), "invalid_scope"), (("resource", "https://api.example"), "invalid_target")]
    {
        assert_eq!(spend(&shop, &refresh, &[more]).await.body["error"], error);
    }
    let narrow = spend(&shop, &refresh, &[("scope", "openid"), ("resource", "vestibule")]).await;
    assert_eq!((narrow.status.as_u16(), narrow.text("scope").as_str()), (200, "openid"), "{}", narrow.body);
    assert_eq!(app.verifier.verify(&narrow.text("access_token")).unwrap().scopes, ["openid"]);
    let wide = spend(&shop, &narrow.text("refresh_token"), &[]).await;
    assert_eq!(wide.text("scope"), "email offline_access openid", "only that token was narrow");

    let (header, newest) = (basic(&shop.0, &shop.1), wide.text("refresh_token"));
    let state = app.form("/oauth/introspect", Some(&header), &[("token", &newest)]).await.body;
    assert_eq!((&state["active"], &state["token_type"]), (&json!(true), &json!("refresh_token")));
    assert!(!app.is_active(&other, &wide.text("refresh_token")).await, "nobody else's business");
    assert!(!app.is_active(&shop, &refresh).await, "spent long ago");
    assert!(app.is_active(&other, &wide.text("access_token")).await);

    app.clock.advance(Duration::from_secs(11));
    let reused = spend(&shop, &refresh, &[]).await;
    assert_eq!(reused.body["error"], "invalid_grant");
    assert!(!app.is_active(&other, &wide.text("access_token")).await, "the family is dead");
    assert_eq!(spend(&shop, &wide.text("refresh_token"), &[]).await.body["error"], "invalid_grant");
}

#[actix_web::test]
async fn twenty_refreshes_at_once_are_one_chain() {
    let app = TestAuth::start(&open()).await;
    app.register("ada@example.com").await;
    let shop = app.shop().await;
    let header = basic(&shop.0, &shop.1);
    let refresh = app.let_in(&shop.0, "ada@example.com", "offline_access", None).await.refresh.unwrap();
    let form = [("grant_type", "refresh_token"), ("refresh_token", &*refresh)];
    let answers = futures_util::future::join_all((0..20).map(|_| app.form("/oauth/token", Some(&header), &form))).await;
    assert!(answers.iter().all(|answer| answer.status == 200));
    let mut next: Vec<_> = answers.iter().map(|answer| answer.text("refresh_token")).collect();
    next.sort();
    next.dedup();
    assert_eq!(next.len(), 1);
}

#[actix_web::test]
async fn a_user_or_the_client_ends_what_was_granted() {
    let app = TestAuth::start(&open()).await;
    app.register("ada@example.com").await;
    let shop = app.shop().await;
    let header = basic(&shop.0, &shop.1);
    let short = app.let_in(&shop.0, "ada@example.com", "openid", None).await;
    assert!(short.refresh.is_none(), "without offline_access");
    for by_refresh in [true, false] {
        let tokens = app.let_in(&shop.0, "ada@example.com", "openid offline_access", None).await;
        let refresh = tokens.refresh.unwrap();
        let given_back = if by_refresh { &refresh } else { &tokens.access };
        assert_eq!(app.form("/oauth/revoke", Some(&header), &[("token", given_back)]).await.status, 200);
        assert!(app.verifier.verify(&tokens.access).is_err());
        let form = [("grant_type", "refresh_token"), ("refresh_token", &*refresh)];
        assert_eq!(app.form("/oauth/token", Some(&header), &form).await.body["error"], "invalid_grant");
    }
    let foreign = app.log_in("ada@example.com").await;
    for token in [foreign.text("access_token"), foreign.text("refresh_token")] {
        let refused = app.form("/oauth/revoke", Some(&header), &[("token", &token)]).await;
        assert_eq!(refused.body["error"], "unauthorized_client");
    }
    let me = foreign.text("access_token");
    assert!(app.is_active(&shop, &short.access).await && app.is_active(&shop, &me).await);
    assert_eq!(app.call(Method::POST, "/auth/logout-all", Some(&me), None).await.status, 204);
    assert!(!app.is_active(&shop, &short.access).await);
}

#[actix_web::test]
async fn a_token_for_another_resource_is_not_for_us() {
    let mut config = open();
    config.oauth.resources = texts(&["https://api.example/v1"]);
    let app = TestAuth::start(&config).await;
    app.register("ada@example.com").await;
    let robot = app.robot(&[]).await;
    let header = basic(&robot.0, &robot.1);
    let form = [BY_ITSELF, ("resource", "https://api.example/v1")];
    let token = app.form("/oauth/token", Some(&header), &form).await.text("access_token");
    assert!(app.verifier.verify(&token).is_err());
    let state = app.form("/oauth/introspect", Some(&header), &[("token", &token)]).await.body;
    assert_eq!((&state["active"], &state["aud"]), (&json!(true), &json!("https://api.example/v1")));

    let shop = app.shop().await;
    let header = basic(&shop.0, &shop.1);
    let resource = Some("https://api.example/v1");
    let refresh = app.let_in(&shop.0, "ada@example.com", "offline_access", resource).await.refresh.unwrap();
    let form = [("grant_type", "refresh_token"), ("refresh_token", &*refresh)];
    let next = app.form("/oauth/token", Some(&header), &form).await;
    let state = app.form("/oauth/introspect", Some(&header), &[("token", &next.text("access_token"))]).await.body;
    assert_eq!(state["aud"], "https://api.example/v1", "it stays what was granted");
}

#[actix_web::test]
async fn only_those_who_may_ask_what_a_token_is() {
    let app = TestAuth::start(&open()).await;
    let admin = app.staff("root@example.com", "admin").await;
    let user = app.staff("ada@example.com", "user").await;
    let uris = texts(&["com.example.phone:/cb"]);
    let (phone, _) = app.client(CreateClient { public: true, redirect_uris: uris, ..CreateClient::default() }).await;
    let ask = async |header: Option<&str>, more: &[(&str, &str)]| {
        app.form("/oauth/introspect", header, &[&[("token", &*user)], more].concat()).await
    };
    let known = ask(Some(&format!("Bearer {admin}")), &[]).await;
    assert_eq!((&known.body["active"], &known.body["username"]), (&json!(true), &json!("ada@example.com")));
    for (header, more, status, error) in [
        (Some(format!("Bearer {user}")), &[][..], 403, "insufficient_scope"),
        (Some("Bearer nonsense".to_owned()), &[], 401, "invalid_token"),
        (None, &[], 401, "invalid_client"),
        (None, &[("client_id", &*phone)], 401, "invalid_client"),
    ] {
        let refused = ask(header.as_deref(), more).await;
        assert_eq!((refused.status.as_u16(), refused.body["error"].as_str()), (status, Some(error)));
        assert!(!refused.header("www-authenticate").is_empty());
    }
}

/// A key pair on P-256: what signs, and the public half as a JWK.
fn key_pair() -> (EncodingKey, Value) {
    use aws_lc_rs::{
        rand::SystemRandom,
        signature::{ECDSA_P256_SHA256_FIXED_SIGNING as ES256, EcdsaKeyPair, KeyPair as _},
    };
    let document = EcdsaKeyPair::generate_pkcs8(&ES256, &SystemRandom::new()).unwrap();
    let pair = EcdsaKeyPair::from_pkcs8(&ES256, document.as_ref()).unwrap();
    let point = pair.public_key().as_ref();
    let half = |bytes| BASE64_URL_SAFE_NO_PAD.encode(bytes);
    let jwk = json!({"kty": "EC", "crv": "P-256", "x": half(&point[1..33]), "y": half(&point[33..]), "kid": "one"});
    (EncodingKey::from_ec_der(document.as_ref()), jwk)
}

#[actix_web::test]
async fn a_client_that_signs_proves_itself_once_an_assertion() {
    let app = TestAuth::start(&open()).await;
    let (key, jwk) = key_pair();
    let jwks = Some(json!({"keys": [jwk]}).to_string());
    let (id, secret) = app.client(CreateClient { jwks, ..CreateClient::default() }).await;
    assert_eq!(secret, "");
    let issuer = "http://127.0.0.1:8000";
    let sign = |jti: &str, changes: Value| {
        let now = app.clock.now().timestamp();
        let mut claims =
            json!({"iss": id, "sub": id, "aud": format!("{issuer}/oauth/token"), "exp": now + 60, "jti": jti});
        claims.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        jsonwebtoken::encode(&Header::new(Algorithm::ES256), &claims, &key).unwrap()
    };
    let kind = ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer");
    let ask = async |assertion: &str, more: &[(&str, &str)]| {
        let form = [&[BY_ITSELF, kind, ("client_assertion", assertion)], more].concat();
        app.form("/oauth/token", None, &form).await
    };
    let first = sign("1", json!({}));
    assert_eq!(ask(&first, &[("client_id", &id)]).await.status, 200);
    let replayed = ask(&first, &[]).await;
    assert_eq!((replayed.status.as_u16(), replayed.body["error"].as_str()), (401, Some("invalid_client")));
    assert_eq!(ask(&sign("2", json!({"aud": [issuer]})), &[]).await.status, 200);
    let other = ask(&sign("3", json!({})), &[("client_id", "another")]).await;
    assert_eq!(other.body["error"], "invalid_client");
    let both = ask(&sign("4", json!({})), &[("client_secret", "x")]).await;
    assert_eq!(both.body["error"], "invalid_request");
    let far = app.clock.now().timestamp() + 6_000;
    for (jti, changes) in
        [("5", json!({"aud": "https://elsewhere"})), ("6", json!({"exp": far})), ("7", json!({"iss": "another"}))]
    {
        assert_eq!(ask(&sign(jti, changes), &[]).await.body["error"], "invalid_client", "{jti}");
        app.clock.advance(Duration::from_secs(901));
    }
    let concurrent = sign("8", json!({}));
    let answers = futures_util::future::join_all((0..4).map(|_| ask(&concurrent, &[]))).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 1);
    app.clock.advance(Duration::from_secs(901));
    let spent = sign("9", json!({"exp": app.clock.now().timestamp() + 3_000}));
    assert_eq!(ask(&spent, &[]).await.status, 200);
    app.auth.stop().await;
    let now = app.clock.now();
    let again = TestAuth::start_in(&open(), app.folder).await;
    again.clock.advance((now - again.clock.now()).to_std().unwrap());
    let form = [BY_ITSELF, kind, ("client_assertion", &*spent)];
    assert_eq!(again.form("/oauth/token", None, &form).await.status, 401, "after a restart too");
    assert_eq!(again.form("/oauth/token", Some(&basic(&id, "")), &[BY_ITSELF]).await.status, 401);
}
