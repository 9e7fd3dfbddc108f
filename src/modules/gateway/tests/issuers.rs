//! Tokens of other issuers at the door, and issuers that rotate, go away, or answer nonsense.

use std::{
    io::Write as _,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use aws_lc_rs::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _},
};
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use super::support::{Answer, Front, Upstream, config, front, get, one_upstream, token};
use crate::modules::gateway::check;

/// A key of an issuer.
struct Key {
    pair: EcdsaKeyPair,
    kid: &'static str,
}

impl Key {
    fn new(kid: &'static str) -> Self {
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new()).unwrap();
        Self { pair: EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8.as_ref()).unwrap(), kid }
    }

    fn jwks(&self) -> String {
        let point = self.pair.public_key().as_ref();
        let (x, y) = (encode(&point[1..33]), encode(&point[33..]));
        json!({"keys": [{"kty": "EC", "crv": "P-256", "kid": self.kid, "use": "sig", "alg": "ES256", "x": x, "y": y}]})
            .to_string()
    }

    fn sign(&self, claims: &Value) -> String {
        let header = json!({"alg": "ES256", "kid": self.kid, "typ": "JWT"}).to_string();
        let message = format!("{}.{}", encode(header.as_bytes()), encode(claims.to_string().as_bytes()));
        let signature = self.pair.sign(&SystemRandom::new(), message.as_bytes()).unwrap();
        format!("{message}.{}", encode(signature.as_ref()))
    }

    fn token(&self) -> String {
        self.sign(&claims())
    }
}

fn encode(bytes: &[u8]) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}

fn claims() -> Value {
    json!({
        "iss": "https://login.corp.example", "aud": "shop", "sub": "00u1", "exp": 4_000_000_000i64,
        "scope": "catalog:read", "roles": ["buyer"], "email": "ann@corp.example",
    })
}

/// What a server of keys answers.
type Says = Arc<Mutex<String>>;

fn answer(status: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n\r\n{body}", body.len())
}

/// A server of keys; an empty answer is none at all.
fn server(first: String) -> (Upstream, Says) {
    let says = Arc::new(Mutex::new(first));
    let told = says.clone();
    let server = Upstream::new(move |_, stream| {
        let text = told.lock().unwrap().clone();
        if text.is_empty() {
            std::thread::sleep(Duration::from_secs(3));
            return false;
        }
        stream.write_all(text.as_bytes()).is_ok()
    });
    (server, says)
}

fn issuer(at: &Upstream, more: &str) -> String {
    format!(
        "[[issuers]]\nname = 'corp'\nissuer = 'https://login.corp.example'\naudience = 'shop'\n\
         jwks_url = 'http://{}/keys'\ntimeout = '300ms'\n{more}\n",
        at.address
    )
}

/// A gateway whose route takes tokens of `corp` alone.
async fn door(keys: &Upstream, upstream: &Upstream, more: &str) -> Front {
    let route = "auth = 'required'\nissuers = ['corp']";
    front(&config(&(issuer(keys, more) + &one_upstream(upstream.address, "", route)))).await
}

async fn ask(front: &Front, token: &str) -> Answer {
    get(front, "/u/x", &format!("authorization: Bearer {token}\r\n")).await
}

/// Asks until the answer has this status.
async fn becomes(front: &Front, token: &str, status: u16) -> Answer {
    let since = Instant::now();
    loop {
        let answer = ask(front, token).await;
        if answer.status == status {
            return answer;
        }
        assert!(since.elapsed() < Duration::from_secs(5), "{answer:?}");
        actix_web::rt::time::sleep(Duration::from_millis(20)).await;
    }
}

#[actix_web::test]
async fn a_route_takes_the_tokens_of_the_issuers_it_names() {
    let (key, up) = (Key::new("one"), Upstream::ok("in"));
    let (keys, _) = server(answer("200 OK", &key.jwks()));
    let route = |name: &str, more: &str| {
        format!("[[routes]]\nname = '{name}'\npath = '/{name}'\nupstream = 'u'\nauth = 'required'\n{more}\n")
    };
    let toml = issuer(&keys, "")
        + &one_upstream(up.address, "", "auth = 'required'\nissuers = ['corp']")
        + &route("both", "issuers = ['self', 'corp']")
        + &route("ours", "")
        + &route("buyers", "issuers = ['corp']\nroles = ['buyer']\nscopes = ['catalog:read']")
        + &route("sellers", "issuers = ['corp']\nroles = ['seller']");
    let front = front(&config(&toml)).await;
    let (theirs, ours) = (key.token(), token(1, &[], ""));
    becomes(&front, &theirs, 200).await;
    let head = up.last_head().to_ascii_lowercase();
    for line in
        ["x-user-id: corp|00u1", "x-user-email: ann@corp.example", "x-user-roles: buyer", "x-user-scopes: catalog:read"]
    {
        assert!(head.contains(line), "{line} in {head}");
    }
    for (path, bearer, status) in [
        ("/u/x", &ours, 401),
        ("/both", &theirs, 200),
        ("/both", &ours, 200),
        ("/ours", &theirs, 401),
        ("/ours", &ours, 200),
        ("/buyers", &theirs, 200),
        ("/sellers", &theirs, 403),
        ("/admin/upstreams", &theirs, 401),
    ] {
        let answer = get(&front, path, &format!("authorization: Bearer {bearer}\r\n")).await;
        assert_eq!(answer.status, status, "{path} {answer:?}");
    }
    assert_eq!(get(&front, "/u/x", "").await.status, 401);
    let other = Key::new("one").token();
    assert_eq!(ask(&front, &other).await.status, 401);
}

#[actix_web::test]
async fn a_new_key_is_learnt_when_it_is_met() {
    let (one, two, up) = (Key::new("one"), Key::new("two"), Upstream::ok("in"));
    let (keys, says) = server(answer("200 OK", &one.jwks()));
    let front = door(&keys, &up, "cooldown = '200ms'").await;
    becomes(&front, &one.token(), 200).await;
    *says.lock().unwrap() = answer("200 OK", &two.jwks());
    actix_web::rt::time::sleep(Duration::from_millis(250)).await;
    assert_eq!(ask(&front, &two.token()).await.status, 200);
    assert_eq!(ask(&front, &one.token()).await.status, 401);
}

#[actix_web::test]
async fn many_unknown_keys_cause_few_fetches() {
    let (one, two, up) = (Key::new("one"), Key::new("two"), Upstream::ok("in"));
    let (keys, _) = server(answer("200 OK", &one.jwks()));
    let front = door(&keys, &up, "cooldown = '10s'").await;
    becomes(&front, &one.token(), 200).await;
    let (since, before) = (Instant::now(), keys.requests());
    for _ in 0..20 {
        assert_eq!(ask(&front, &two.token()).await.status, 401);
    }
    assert!(since.elapsed() < Duration::from_secs(3));
    assert_eq!(keys.requests(), before);
}

#[actix_web::test]
async fn an_issuer_that_is_away_is_waited_for_and_old_keys_end() {
    let (key, up) = (Key::new("one"), Upstream::ok("in"));
    let (keys, says) = server(answer("503 Service Unavailable", ""));
    let front = door(&keys, &up, "cooldown = '100ms'\nrefresh = '100ms'\nmax_age = '700ms'").await;
    let token = key.token();
    let refused = ask(&front, &token).await;
    assert_eq!((refused.status, refused.code()), (503, "unavailable"));
    assert!(refused.header("retry-after").is_some());
    *says.lock().unwrap() = answer("200 OK", &key.jwks());
    becomes(&front, &token, 200).await;
    *says.lock().unwrap() = answer("500 Internal Server Error", "");
    actix_web::rt::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(ask(&front, &token).await.status, 200);
    becomes(&front, &token, 503).await;
    *says.lock().unwrap() = answer("200 OK", &key.jwks());
    becomes(&front, &token, 200).await;
}

#[actix_web::test]
async fn nonsense_of_an_issuer_is_no_key() {
    let (key, up) = (Key::new("one"), Upstream::ok("in"));
    let (elsewhere, _) = server(answer("200 OK", &key.jwks()));
    let moved =
        format!("HTTP/1.1 302 Found\r\nlocation: http://{}/keys\r\ncontent-length: 0\r\n\r\n", elsewhere.address);
    let large = format!("{{\"keys\": [], \"padding\": \"{}\"}}", "x".repeat(300 << 10));
    let encryption = key.jwks().replace("\"sig\"", "\"enc\"");
    let algorithm = key.jwks().replace("\"ES256\"", "\"ES512\"");
    let nonsense = [
        "HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nnope".to_owned(),
        "not http at all\r\n\r\n".to_owned(),
        String::new(),
        moved,
        answer("200 OK", &large),
        answer("200 OK", "{\"keys\": []}"),
        answer("200 OK", &encryption),
        answer("200 OK", &algorithm),
    ];
    for text in nonsense {
        let (keys, _) = server(text.clone());
        let front = door(&keys, &up, "").await;
        actix_web::rt::time::sleep(Duration::from_millis(400)).await;
        assert!(keys.requests() > 0);
        assert_eq!(ask(&front, &key.token()).await.status, 503, "{}", text.chars().take(80).collect::<String>());
    }
    assert_eq!((elsewhere.requests(), up.requests()), (0, 0));
}

#[actix_web::test]
async fn keys_are_found_by_discovery() {
    let (key, up) = (Key::new("one"), Upstream::ok("in"));
    for (said, status) in [(true, 200), (false, 503)] {
        let jwks = key.jwks();
        let at = Arc::new(Mutex::new(String::new()));
        let here = at.clone();
        let server = Upstream::new(move |head, stream| {
            let own = here.lock().unwrap().clone();
            let issuer = if said { own.clone() } else { "https://evil.example".to_owned() };
            let body = if head.starts_with("GET /.well-known/openid-configuration ") {
                json!({"issuer": issuer, "jwks_uri": format!("{own}/k")}).to_string()
            } else {
                jwks.clone()
            };
            stream.write_all(answer("200 OK", &body).as_bytes()).is_ok()
        });
        let own = format!("http://{}", server.address);
        at.lock().unwrap().clone_from(&own);
        let toml = format!("[[issuers]]\nname = 'corp'\nissuer = '{own}'\naudience = 'shop'\ncooldown = '50ms'\n")
            + &one_upstream(up.address, "", "auth = 'required'\nissuers = ['corp']");
        let front = front(&config(&toml)).await;
        let mut claims = claims();
        claims["iss"] = own.into();
        becomes(&front, &key.sign(&claims), status).await;
    }
}

#[actix_web::test]
async fn an_issuer_that_did_not_change_keeps_its_keys_over_a_reload() {
    let (key, up) = (Key::new("one"), Upstream::ok("in"));
    let (keys, says) = server(answer("200 OK", &key.jwks()));
    let front = door(&keys, &up, "").await;
    becomes(&front, &key.token(), 200).await;
    *says.lock().unwrap() = answer("500 Internal Server Error", "");
    let route = "auth = 'required'\nissuers = ['corp']\ntimeout = '5s'";
    let next = issuer(&keys, "") + &one_upstream(up.address, "", route);
    front.gateway.reload(&config(&next)).await.unwrap();
    assert_eq!(ask(&front, &key.token()).await.status, 200);
    let other = next.replace("audience = 'shop'", "audience = 'store'");
    front.gateway.reload(&config(&other)).await.unwrap();
    assert_eq!(ask(&front, &key.token()).await.status, 503);
}

#[test]
fn wrong_issuers_are_told() {
    let toml = "
[[issuers]]
name = 'self'
issuer = 'http://login.example'
audience = ''
algorithms = ['HS256']
max_age = '1s'
[[issuers]]
name = 'b'
issuer = 'x'
audience = 'a'
jwks_url = 'https://169.254.169.254/keys'
[[upstreams]]
name = 'u'
targets = [{ url = 'http://127.0.0.1:1' }]
[[routes]]
name = 'r'
path = '/r'
upstream = 'u'
issuers = ['b', 'c']
[[routes]]
name = 'role'
path = '/role'
upstream = 'auth'
auth = 'required'
issuers = ['b']
";
    let mut keys: Vec<_> = check(&config(toml)).into_iter().map(|fault| fault.key).collect();
    keys.sort();
    assert_eq!(
        keys,
        [
            "gateway.issuers[0].algorithms",
            "gateway.issuers[0].audience",
            "gateway.issuers[0].issuer",
            "gateway.issuers[0].max_age",
            "gateway.issuers[0].name",
            "gateway.issuers[1].jwks_url",
            "gateway.routes[0].issuers",
            "gateway.routes[0].issuers[1]",
            "gateway.routes[1].issuers",
        ]
    );
}
