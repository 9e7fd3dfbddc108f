//! What every signer promises, with each algorithm: what it signs, the verifier of other roles accepts, and neither kind of
//! token passes for the other.

use std::{sync::Arc, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};
use rstest::rstest;
use vestibule_migration::auth::Migrator;

use super::{JwtIssuer, KeyRules, SigningKeys};
use crate::{
    kernel::{Clock as _, FIRST_PARTY, ManualClock, SessionId, Subject, UserId},
    modules::auth::{
        adapters::store::Store,
        application::{AccessGrant, OAuthSettings, RefreshGrant, Registration, Settings, TokenSigner},
    },
    platform::{
        database::{Database, migrate_up},
        random::SystemRandom,
        sealing::Sealer,
        tokens::{KeyRing, SigningAlgorithm, TokenRules, TokenVerifier},
    },
};

const SECRET: &str = "0123456789abcdef0123456789abcdef";
const ISSUER: &str = "https://door.example";

fn start() -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_000, 0).unwrap()
}

fn access(clock: &ManualClock) -> AccessGrant {
    AccessGrant {
        subject: Subject::User(UserId::new(clock, &SystemRandom)),
        session: SessionId::new(clock, &SystemRandom),
        client_id: FIRST_PARTY.to_owned(),
        scope: "users:read".to_owned(),
        audience: None,
        roles: vec!["admin".to_owned()],
        email: Some("ada@example.com".to_owned()),
        issued_at: start(),
        expires_at: start() + TimeDelta::minutes(30),
    }
}

/// Every promise of [`TokenSigner`].
async fn suite(signer: &dyn TokenSigner, clock: &Arc<ManualClock>, secret: Option<&str>) {
    let rules = TokenRules {
        issuer: ISSUER.to_owned(),
        audience: "vestibule".to_owned(),
        revocation_max_staleness: Duration::from_secs(30),
    };
    let verifier = TokenVerifier::new(rules, clock.clone());
    let jwks = signer.jwks().await.unwrap();
    assert!(!jwks.contains(SECRET) && !jwks.contains("\"d\"") && !jwks.contains("\"k\""), "no secret is published");
    let keys = KeyRing::from_jwks(&jwks).unwrap();
    verifier.set_keys(match secret {
        Some(secret) => keys.with_shared_secret(secret.as_bytes()),
        None => keys,
    });
    verifier.revocations().complete(clock.monotonic());

    let granted = access(clock);
    let token = signer.access(&granted).unwrap();
    let principal = verifier.verify(&token).unwrap();
    assert_eq!((principal.subject.clone(), principal.session_id), (granted.subject.clone(), granted.session));
    assert_eq!((&principal.roles, principal.client_id.as_str()), (&granted.roles, FIRST_PARTY));
    assert_ne!(signer.access(&granted).unwrap(), token, "each token has an id of its own");
    let elsewhere = AccessGrant { audience: Some("https://other.example".to_owned()), ..granted.clone() };
    assert!(verifier.verify(&signer.access(&elsewhere).unwrap()).is_err(), "it is for somebody else");
    let expired = AccessGrant { expires_at: start() - TimeDelta::minutes(10), ..granted.clone() };
    assert!(verifier.verify(&signer.access(&expired).unwrap()).is_err());

    let grant = RefreshGrant {
        user: UserId::new(&**clock, &SystemRandom),
        session: granted.session,
        generation: 7,
        issued_at: start(),
        expires_at: start() + TimeDelta::days(7),
    };
    let refresh = signer.refresh(&grant).unwrap();
    assert_eq!(signer.read_refresh(&refresh), Some(grant));
    assert!(verifier.verify(&refresh).is_err(), "a refresh token opens no door");
    assert_eq!(signer.read_refresh(&token), None, "an access token is not refreshed");
    let (head, signature) = refresh.rsplit_once('.').unwrap();
    let forged = format!("{head}.{}", signature.chars().rev().collect::<String>());
    for wrong in ["", ".", "..", &forged, head, &format!("{refresh}."), &"x".repeat(100_000)] {
        assert_eq!(signer.read_refresh(wrong), None);
        assert!(verifier.verify(wrong).is_err());
    }

    let sealed = signer.seal("the successor", &refresh).unwrap();
    assert_eq!(signer.open(&sealed, &refresh).as_deref(), Some("the successor"));
    assert_eq!(signer.open(&sealed, &token), None);
    assert_eq!(signer.open(b"short", &refresh), None);
    assert_eq!(signer.digest("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

#[rstest]
#[tokio::test]
async fn every_algorithm(
    #[values(SigningAlgorithm::ES256, SigningAlgorithm::EdDSA, SigningAlgorithm::RS256, SigningAlgorithm::HS256)]
    algorithm: SigningAlgorithm,
) {
    let folder = tempfile::tempdir().unwrap();
    let database = Database::connect(&format!("sqlite://{}/auth.db", folder.path().display()), 4).await.unwrap();
    migrate_up::<Migrator>(&database).await.unwrap();
    let clock = Arc::new(ManualClock::at(start()));
    let secret = (algorithm == SigningAlgorithm::HS256).then_some(SECRET);
    let rules = KeyRules {
        algorithm,
        secret: secret.map(str::to_owned),
        publish_delay: TimeDelta::zero(),
        longest_token: TimeDelta::days(7),
        sealer: Arc::new(Sealer::new(None, &[]).unwrap()),
    };
    let keys = SigningKeys::load(Store::new(database), rules, clock.clone(), &SystemRandom).await.unwrap();
    let settings = Settings {
        issuer: ISSUER.to_owned(),
        audience: "vestibule".to_owned(),
        require_verified_email: false,
        registration: Registration::Open,
        min_password_length: 8,
        access_ttl: TimeDelta::minutes(30),
        refresh_ttl: TimeDelta::days(7),
        session_ttl: TimeDelta::days(30),
        step_up_max_age: TimeDelta::minutes(15),
        refresh_reuse_leeway: TimeDelta::seconds(10),
        keys_max_age: TimeDelta::minutes(1),
        oauth: OAuthSettings {
            resources: Vec::new(),
            signing_algorithm: algorithm.as_str(),
            assertion_max_lifetime: TimeDelta::minutes(5),
            code_ttl: TimeDelta::minutes(1),
            interaction_ttl: TimeDelta::minutes(30),
            pushed_request_ttl: TimeDelta::minutes(1),
            require_pushed_requests: false,
            device_ttl: TimeDelta::minutes(10),
            device_interval: 5,
            browser_idle: TimeDelta::hours(2),
            browser_ttl: TimeDelta::hours(12),
        },
    };
    let issuer = JwtIssuer::new(Arc::new(keys), Arc::new(settings), clock.clone(), Arc::new(SystemRandom));
    suite(&issuer, &clock, secret).await;
}
