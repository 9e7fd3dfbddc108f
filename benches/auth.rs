//! What identity costs: signing and verifying tokens by algorithm, a remembered token, a refresh with its rotation, and
//! asking about a token. `cargo bench --bench auth`; `docs/PERFORMANCE.md` has the figures.

use std::{collections::BTreeMap, hint::black_box, path::Path, sync::Arc, time::Duration};

use actix_web::{
    App,
    body::MessageBody,
    dev::{Service, ServiceResponse},
    test::{TestRequest, init_service, read_body_json},
};
use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use serde_json::{Value, json};
use tokio::{runtime::Runtime, task::LocalSet};
use vestibule::{
    config::{Config, Sources},
    kernel::{Clock as _, SystemClock},
    modules::auth::{Auth, AuthParts, api::CreateUser},
    platform::{
        bell::LocalBell,
        random::SystemRandom,
        tokens::{KeyRing, TokenRules, TokenVerifier},
    },
};

const SECRET: &str = "a secret that is long enough for HS256";
const ALGORITHMS: [&str; 4] = ["ES256", "RS256", "EdDSA", "HS256"];

/// The module on an SQLite database of its own, with an account.
struct Bench {
    auth: Auth,
    verifier: Arc<TokenVerifier>,
    rules: TokenRules,
    jwks: String,
    secret: Option<String>,
}

fn configuration(algorithm: &str, folder: &Path) -> Config {
    let path = folder.display();
    let mut environment = BTreeMap::new();
    let mut set = |name: &str, value: String| environment.insert(format!("VESTIBULE__{name}"), value);
    set("DATABASE__URL", format!("sqlite://{path}/bench.db"));
    set("MAIL__TRANSPORT", format!("file:{path}/mails"));
    set("AUTH__TOKENS__ALGORITHM", algorithm.to_owned());
    set("AUTH__TOKENS__REVOCATION_MAX_STALENESS", "12h".to_owned());
    if algorithm == "HS256" {
        set("AUTH__TOKENS__SECRET", SECRET.to_owned());
    }
    let sources = Sources { environment, ..Sources::default() };
    vestibule::config::load(&sources).expect("the settings are good").config
}

impl Bench {
    async fn start(algorithm: &str, folder: &Path) -> Self {
        let config = configuration(algorithm, folder);
        let rules = TokenRules {
            issuer: config.auth.issuer.clone(),
            audience: config.auth.tokens.audience.clone(),
            revocation_max_staleness: config.auth.tokens.revocation_max_staleness.get(),
        };
        let verifier = Arc::new(TokenVerifier::new(rules.clone(), Arc::new(SystemClock)));
        let parts = AuthParts {
            config: &config.auth,
            database: &config.database,
            mail: &config.mail,
            clock: Arc::new(SystemClock),
            random: Arc::new(SystemRandom),
            bell: Arc::new(LocalBell::default()),
            verifier: verifier.clone(),
        };
        let auth = Auth::start(parts).await.expect("the module starts");
        let jwks = auth.api().verification_keys().await.expect("there are keys");
        let secret = config.auth.tokens.secret.clone();
        let bench = Self { auth, verifier, rules, jwks, secret };
        bench.supply(&bench.verifier);
        let user = CreateUser {
            email: "ada@example.com".to_owned(),
            password: "a horse battery staple".to_owned().into(),
            display_name: None,
            roles: Vec::new(),
            verified: true,
        };
        bench.auth.administration().users.create_user(user).await.expect("an account can be made");
        bench
    }

    /// Keys and knowledge of revocations, as the feed brings them.
    fn supply(&self, verifier: &TokenVerifier) {
        let mut keys = KeyRing::from_jwks(&self.jwks).expect("the keys can be read");
        if let Some(secret) = &self.secret {
            keys = keys.with_shared_secret(secret.as_bytes());
        }
        verifier.set_keys(keys);
        verifier.revocations().complete(SystemClock.monotonic());
    }

    fn cold_verifier(&self) -> TokenVerifier {
        let verifier = TokenVerifier::new(self.rules.clone(), Arc::new(SystemClock));
        self.supply(&verifier);
        verifier
    }
}

async fn post<S, B>(app: &S, path: &str, body: Value) -> Value
where
    S: Service<actix_http::Request, Response = ServiceResponse<B>, Error = actix_web::Error>,
    B: MessageBody,
{
    let address = "127.0.0.1:9".parse().expect("an address");
    let request = TestRequest::post().uri(path).peer_addr(address).set_json(body).to_request();
    let response = app.call(request).await.expect("an answer");
    assert!(response.status().is_success(), "{path}: {}", response.status());
    read_body_json(response).await
}

fn tokens(criterion: &mut Criterion) {
    let runtime = Runtime::new().expect("a runtime");
    for algorithm in ALGORITHMS {
        let folder = tempfile::tempdir().expect("a folder");
        let local = LocalSet::new();
        let bench = local.block_on(&runtime, Bench::start(algorithm, folder.path()));
        let app = || App::new().app_data(bench.verifier.clone()).configure(bench.auth.routes());
        let app = local.block_on(&runtime, async { init_service(app()).await });
        let login = json!({"email": "ada@example.com", "password": "a horse battery staple"});
        let pair = local.block_on(&runtime, post(&app, "/auth/login", login));
        let access = pair["access_token"].as_str().expect("a token").to_owned();

        criterion.bench_function(&format!("verify/{algorithm}"), |b| {
            b.iter_batched_ref(
                || bench.cold_verifier(),
                |verifier| black_box(verifier.verify(&access).expect("a good token")),
                BatchSize::SmallInput,
            );
        });
        if algorithm == "ES256" {
            criterion.bench_function("verify/remembered", |b| {
                b.iter(|| black_box(bench.verifier.verify(black_box(&access)).expect("a good token")));
            });
            criterion.bench_function("introspection/auth-verify", |b| {
                b.iter(|| local.block_on(&runtime, post(&app, "/auth/verify", json!({"token": access}))));
            });
        }
        // Two signatures, one transaction.
        let mut refresh = pair["refresh_token"].clone();
        criterion.bench_function(&format!("rotation/{algorithm}"), |b| {
            b.iter(|| {
                let next = local.block_on(&runtime, post(&app, "/auth/refresh", json!({"refresh_token": refresh})));
                refresh = next["refresh_token"].clone();
            });
        });
        local.block_on(&runtime, bench.auth.stop());
    }
}

mod signing {
    //! The primitive, as the issuer uses it: header and claims to a token.

    use aws_lc_rs::{
        encoding::AsDer as _,
        rand::SystemRandom,
        rsa::KeySize,
        signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, RsaKeyPair},
    };
    use base64::{Engine as _, prelude::BASE64_STANDARD};
    use jsonwebtoken::{Algorithm, EncodingKey, Header};
    use vestibule::platform::tokens::AccessClaims;

    use super::{Criterion, SECRET, black_box};

    fn keys() -> [(Algorithm, EncodingKey); 4] {
        let random = SystemRandom::new();
        let ec = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).expect("a key");
        let ed = Ed25519KeyPair::generate_pkcs8(&random).expect("a key");
        let rsa = RsaKeyPair::generate(KeySize::Rsa2048).expect("a key").as_der().expect("its form");
        let kind = "PRIVATE KEY";
        let pem = format!("-----BEGIN {kind}-----\n{}\n-----END {kind}-----\n", BASE64_STANDARD.encode(rsa.as_ref()));
        [
            (Algorithm::ES256, EncodingKey::from_ec_der(ec.as_ref())),
            (Algorithm::RS256, EncodingKey::from_rsa_pem(pem.as_bytes()).expect("a key")),
            (Algorithm::EdDSA, EncodingKey::from_ed_der(ed.as_ref())),
            (Algorithm::HS256, EncodingKey::from_secret(SECRET.as_bytes())),
        ]
    }

    pub(super) fn sign(criterion: &mut Criterion) {
        let id = "0195f0c0-0000-7000-8000-000000000001".to_owned();
        let claims = AccessClaims {
            iss: "https://issuer.example".to_owned(),
            sub: id.clone(),
            aud: "vestibule".to_owned(),
            exp: 4_102_444_800,
            iat: 1_700_000_000,
            jti: id.clone(),
            sid: id,
            client_id: "vestibule".to_owned(),
            scope: "users:read users:write".to_owned(),
            roles: vec!["admin".to_owned()],
            email: Some("ada@example.com".to_owned()),
            kind: "access".to_owned(),
        };
        for (algorithm, key) in keys() {
            let mut header = Header::new(algorithm);
            header.typ = Some("at+jwt".to_owned());
            header.kid = Some("a-key".to_owned());
            criterion.bench_function(&format!("sign/{algorithm:?}"), |b| {
                b.iter(|| black_box(jsonwebtoken::encode(&header, black_box(&claims), &key).expect("a token")));
            });
        }
    }
}

fn config() -> Criterion {
    Criterion::default()
        .warm_up_time(Duration::from_secs(1))
        .measurement_time(Duration::from_secs(3))
        .sample_size(50)
        .without_plots()
}

criterion_group! { name = auth; config = config(); targets = signing::sign, tokens }
criterion_main!(auth);
