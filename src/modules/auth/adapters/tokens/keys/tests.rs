//! The life of keys, as two processes on one database see it.

use vestibule_migration::auth::Migrator;

use super::*;
use crate::{
    kernel::ManualClock,
    platform::{
        database::{Database, migrate_up},
        random::SystemRandom,
    },
};

const MASTER: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
const NEXT: &str = "ff0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

struct Shared {
    store: Store,
    clock: Arc<ManualClock>,
    _folder: tempfile::TempDir,
}

impl Shared {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}/auth.db", folder.path().display());
        let database = Database::connect(&url, 4).await.unwrap();
        migrate_up::<Migrator>(&database).await.unwrap();
        let clock = Arc::new(ManualClock::at(DateTime::from_timestamp(1_800_000_000, 0).unwrap()));
        Self { store: Store::new(database), clock, _folder: folder }
    }

    async fn process_with(&self, algorithm: SigningAlgorithm, sealer: Sealer) -> Result<KeyKeeper, PortError> {
        let rules = KeyRules {
            algorithm,
            secret: Some("0123456789abcdef0123456789abcdef".to_owned()),
            publish_delay: TimeDelta::seconds(60),
            longest_token: TimeDelta::days(7),
            sealer: Arc::new(sealer),
        };
        let keys = SigningKeys::load(self.store.clone(), rules, self.clock.clone(), &SystemRandom).await?;
        Ok(KeyKeeper { keys: Arc::new(keys), random: Arc::new(SystemRandom) })
    }

    async fn process(&self, algorithm: SigningAlgorithm) -> KeyKeeper {
        self.process_with(algorithm, Sealer::default()).await.unwrap()
    }

    fn pass(&self, secs: u64) {
        self.clock.advance(Duration::from_secs(secs));
    }
}

impl KeyKeeper {
    fn signs_with(&self) -> String {
        self.keys.signer().unwrap().kid.clone()
    }

    async fn published(&self) -> Vec<String> {
        let jwks: Value = serde_json::from_str(&self.keys.fresh().await.unwrap().jwks).unwrap();
        jwks["keys"].as_array().unwrap().iter().map(|key| key["kid"].as_str().unwrap().to_owned()).collect()
    }

    async fn states(&self) -> Vec<&'static str> {
        self.list().await.unwrap().into_iter().map(|standing| standing.state.as_str()).collect()
    }
}

fn master(newest: &str, previous: &[&str]) -> Sealer {
    let previous: Vec<_> = previous.iter().map(|text| (*text).to_owned()).collect();
    Sealer::new(Some(newest), &previous).unwrap()
}

#[tokio::test]
async fn a_rotation_is_known_everywhere_before_it_counts() {
    let shared = Shared::new().await;
    let (one, two) = tokio::join!(shared.process(SigningAlgorithm::ES256), shared.process(SigningAlgorithm::ES256));
    let old = one.signs_with();
    assert_eq!(two.signs_with(), old, "of two that start together one makes the key");
    assert_eq!((one.tend().await.unwrap(), two.tend().await.unwrap()), (vec![], vec![]));

    shared.pass(5);
    let outcomes = tokio::join!(one.rotate(), two.rotate());
    let outcomes = [outcomes.0.unwrap(), outcomes.1.unwrap()];
    let (mut published, mut waiting) = (Vec::new(), Vec::new());
    for outcome in outcomes {
        match outcome {
            KeyRotation::Published(key) => published.push(key.kid),
            KeyRotation::Waiting(key) => waiting.push(key.kid),
            KeyRotation::SharedSecret => panic!("ES256 has keys"),
        }
    }
    assert_eq!((published.len(), &waiting), (1, &published), "one rotation at a time");
    let new = published.remove(0);
    shared.pass(2);
    for process in [&one, &two] {
        let mut known = process.published().await;
        known.sort();
        let mut both = [old.clone(), new.clone()];
        both.sort();
        assert_eq!((known, process.signs_with()), (both.to_vec(), old.clone()), "published, and not signing yet");
    }
    assert_eq!(one.states().await, ["signing", "published"]);

    shared.pass(57);
    assert_eq!(one.signs_with(), old);
    shared.pass(1);
    assert_eq!((one.signs_with(), two.signs_with()), (new.clone(), new.clone()));
    assert!(one.keys.known().find(&old).is_some(), "what it signed is verified");
    assert_eq!(one.states().await, ["verifying", "signing"]);

    for _ in 0..7 {
        assert_eq!(one.tend().await.unwrap(), Vec::<String>::new());
        shared.pass(86_400);
    }
    shared.pass(700);
    assert_eq!(one.tend().await.unwrap(), std::slice::from_ref(&old), "its last token has expired");
    assert_eq!(two.tend().await.unwrap(), Vec::<String>::new(), "one tells it");
    assert_eq!(one.states().await, ["retired", "signing"]);
    shared.pass(2);
    assert_eq!(two.published().await, [new]);
    let row = shared.store.keys().await.unwrap().remove(0);
    assert!(row.private_key.is_empty(), "nothing is left to sign with");
}

#[tokio::test]
async fn the_key_that_signs_is_retired_and_another_one_signs_at_once() {
    let shared = Shared::new().await;
    let (one, two) = (shared.process(SigningAlgorithm::EdDSA).await, shared.process(SigningAlgorithm::EdDSA).await);
    let lost = one.signs_with();
    assert!(one.retire(&lost).await.unwrap());
    assert!(!two.retire(&lost).await.unwrap(), "it was");
    assert!(!one.retire("unknown").await.unwrap());
    shared.pass(1);
    let successor = two.published().await;
    assert_eq!((successor.len(), two.signs_with()), (1, successor[0].clone()));
    assert_ne!(successor[0], lost);
    assert!(two.keys.known().find(&lost).is_none());

    // One that was published already does not wait any longer.
    let KeyRotation::Published(next) = one.rotate().await.unwrap() else { panic!("it is the only one") };
    assert!(one.retire(&successor[0]).await.unwrap());
    shared.pass(1);
    assert_eq!((two.published().await, two.signs_with()), (vec![next.kid.clone()], next.kid));
}

#[tokio::test]
async fn another_algorithm_takes_over_when_its_key_is_known() {
    let shared = Shared::new().await;
    let old = shared.process(SigningAlgorithm::ES256).await;
    let new = shared.process(SigningAlgorithm::EdDSA).await;
    assert_eq!(new.signs_with(), old.signs_with(), "its own key is not known everywhere yet");
    shared.pass(60);
    assert_eq!(old.published().await.len(), 2);
    assert_ne!(new.signs_with(), old.signs_with());
    assert!(new.keys.known().find(&old.signs_with()).is_some(), "old tokens go on");

    let secret = shared.process(SigningAlgorithm::HS256).await;
    assert_eq!(secret.signs_with(), SHARED_SECRET_KID);
    assert_eq!(secret.rotate().await.unwrap(), KeyRotation::SharedSecret);
    assert_eq!(secret.states().await, ["verifying", "verifying"]);
    assert_eq!(secret.published().await.len(), 2);
}

#[tokio::test]
async fn private_keys_are_sealed_under_the_master_key() {
    let shared = Shared::new().await;
    let kid = shared.process(SigningAlgorithm::ES256).await.signs_with();
    let kept = async || shared.store.keys().await.unwrap().remove(0).private_key;
    let clear = kept().await;
    let with = async |sealer| shared.process_with(SigningAlgorithm::ES256, sealer).await.map(|keys| keys.signs_with());

    assert_eq!(with(master(MASTER, &[])).await.unwrap(), kid, "what was kept in the clear is read");
    let sealed = kept().await;
    assert!(sealed.windows(32).all(|bytes| !clear.windows(32).any(|other| other == bytes)), "and sealed");
    let wrong = with(master(NEXT, &[])).await.unwrap_err().to_string();
    assert!(wrong.contains(&kid) && wrong.contains("auth.master_key"), "{wrong}");
    assert!(with(Sealer::default()).await.is_err());
    assert_eq!(kept().await, sealed);

    assert_eq!(with(master(NEXT, &[MASTER])).await.unwrap(), kid);
    assert_eq!(with(master(NEXT, &[])).await.unwrap(), kid, "the previous one is needed no longer");
}
