//! What every store promises, as tests that run on each of them.

mod api_keys;
mod attempts;
pub(super) mod authorizations;
pub(super) mod clients;
mod directory;
mod idempotency;
pub(super) mod outbox;
pub(super) mod passkeys;
mod roles;
mod second_factors;
pub(super) mod user_import;

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::future::join_all;

use crate::{
    kernel::{PageRequest, Random as _, SessionId, SystemClock, UserId, ids::new_uuid},
    modules::auth::{
        application::{
            AuditFilter, AuditLog, EmailProof, PasswordChange, Registered, Rotation, SessionRepository, UserRepository,
        },
        domain::{
            Actor, AuditEntry, Credentials, Device, DisplayName, Email, EmailPurpose, EmailToken, Origin, Outcome,
            PasswordHash, RESEND_INTERVAL, RoleName, Session, User, UserStatus,
        },
    },
    platform::random::SystemRandom,
};

pub(super) use api_keys::{api_keys, api_keys_of_three_ages};
pub(super) use attempts::attempts;
pub(super) use directory::directory;
pub(super) use idempotency::idempotency;
pub(super) use roles::roles;
pub(super) use second_factors::second_factors;

fn at(secs: i64) -> DateTime<Utc> {
    // Microseconds that end in zeros and ones that do not must compare alike.
    DateTime::from_timestamp_micros(1_800_000_000_000_000 + secs * 1_000_000 + secs % 7 * 1_000).unwrap()
}

fn user(email: &str) -> User {
    User {
        id: UserId::new(&SystemClock, &SystemRandom),
        email: Email::parse(email).unwrap(),
        email_verified: false,
        display_name: Some(DisplayName::parse("Ada").unwrap()),
        status: UserStatus::Pending,
        roles: vec![RoleName::user()],
        password_hash: PasswordHash::from_text("hash".to_owned()),
        mfa_enabled: false,
        created_at: at(0),
        updated_at: at(0),
    }
}

fn token(user: &User, created: i64) -> EmailToken {
    let mut bytes = [0; 8];
    SystemRandom.fill(&mut bytes);
    EmailToken {
        id: new_uuid(&SystemClock, &SystemRandom),
        user_id: user.id,
        purpose: EmailPurpose::Verification,
        token_hash: format!("token {bytes:?}"),
        code_hash: format!("code {bytes:?}"),
        created_at: at(created),
        expires_at: at(created + 100),
        registration: None,
    }
}

fn session(user: &User) -> Session {
    Session {
        id: SessionId::new(&SystemClock, &SystemRandom),
        user_id: user.id,
        client_id: "vestibule".to_owned(),
        scope: Some("openid profile".to_owned()),
        audience: None,
        device: Device { user_agent: Some("curl".to_owned()), address: None },
        created_at: at(0),
        authenticated_at: at(0),
        methods: "pwd otp".to_owned(),
        ends_at: at(5_000),
        expires_at: at(1_000),
        generation: 0,
        rotated_at: None,
        sealed_successor: None,
        access_expires_at: at(300),
        revoked_at: None,
    }
}

/// Every promise of [`UserRepository`].
pub(super) async fn users<S: UserRepository + 'static>(store: Arc<S>) {
    registration(&*store).await;
    one_address_is_one_user(store.clone()).await;
    registrations_of_an_address_nobody_has_verified(&*store).await;
    verification(store.clone()).await;
    changes(&*store).await;
}

async fn registration(store: &impl UserRepository) {
    let ada = user("ada@example.com");
    assert_eq!(store.register(&ada, &token(&ada, 0), None, RESEND_INTERVAL).await, Ok(Registered::Created));
    assert_eq!(store.find(ada.id).await.unwrap().as_ref(), Some(&ada));
    assert_eq!(store.find_by_email(&ada.email).await.unwrap().as_ref(), Some(&ada));
    assert_eq!(store.find_by_email(&Email::parse("nobody@example.com").unwrap()).await, Ok(None));

    let eve = User { password_hash: PasswordHash::from_text("other".to_owned()), ..user("ada@example.com") };
    let owner = ada.id;
    let again = |created| store.register(&eve, Box::leak(Box::new(token(&eve, created))), None, RESEND_INTERVAL);
    assert_eq!(again(0).await, Ok(Registered::Taken { owner, notify: true }));
    assert_eq!(again(30).await, Ok(Registered::Taken { owner, notify: false }), "told within the interval");
    assert_eq!(again(90).await, Ok(Registered::Taken { owner, notify: true }));
    assert_eq!(store.find(ada.id).await.unwrap(), Some(ada), "the owner is not changed");
    assert_eq!(store.find(eve.id).await, Ok(None));
}

/// Who registered first does not own the address: only the mail decides whose password counts.
async fn registrations_of_an_address_nobody_has_verified(store: &impl UserRepository) {
    let registration = async |email: &str, password: &str, created: i64| {
        let hash = PasswordHash::from_text(password.to_owned());
        let user = User { password_hash: hash.clone(), ..user(email) };
        let display_name = Some(DisplayName::parse(password).unwrap());
        let said = Credentials { password_hash: hash, display_name };
        let token = EmailToken { registration: Some(said), expires_at: at(10_000), ..token(&user, created) };
        let outcome = store.register(&user, &token, None, RESEND_INTERVAL).await.unwrap();
        (outcome, token.token_hash)
    };
    let password_of =
        async |email: &str| store.find_by_email(&Email::parse(email).unwrap()).await.unwrap().unwrap().password_hash;
    let kept = |text: &str| PasswordHash::from_text(text.to_owned());

    let (first, _) = registration("edith@example.com", "eve", 0).await;
    assert_eq!(first, Registered::Created);
    let (second, link) = registration("edith@example.com", "edith", 1).await;
    assert_eq!(second, Registered::Waiting { notify: true });
    assert!(!password_of("edith@example.com").await.is_usable(), "nobody's, until somebody verifies");
    store.verify_email(&EmailProof::Link(link), at(2)).await.unwrap().unwrap();
    assert_eq!(password_of("edith@example.com").await, kept("edith"));
    let (third, _) = registration("edith@example.com", "eve", 3).await;
    assert!(matches!(third, Registered::Taken { notify: true, .. }), "verified: it is hers");
    assert_eq!(password_of("edith@example.com").await, kept("edith"));

    let mut links = Vec::new();
    for number in 0..7 {
        let (outcome, link) = registration("olga@example.com", &format!("password {number}"), number).await;
        let notify = number < 5;
        assert_eq!(outcome, if number == 0 { Registered::Created } else { Registered::Waiting { notify } }, "{number}");
        links.push(link);
    }
    store.verify_email(&EmailProof::Link(links.swap_remove(0)), at(20)).await.unwrap().unwrap();
    assert!(!password_of("olga@example.com").await.is_usable(), "too many to tell them apart");
}

async fn one_address_is_one_user<S: UserRepository + 'static>(store: Arc<S>) {
    let outcomes = join_all((0..20).map(|_| {
        let store = store.clone();
        tokio::spawn(async move {
            let grace = user("grace@example.com");
            store.register(&grace, &token(&grace, 0), None, RESEND_INTERVAL).await.unwrap()
        })
    }))
    .await;
    let outcomes: Vec<_> = outcomes.into_iter().map(Result::unwrap).collect();
    assert_eq!(outcomes.iter().filter(|outcome| **outcome == Registered::Created).count(), 1);
    let told = outcomes.iter().filter(|outcome| matches!(outcome, Registered::Taken { notify: true, .. })).count();
    assert_eq!(told, 1, "{outcomes:?}");
}

async fn verification<S: UserRepository + 'static>(store: Arc<S>) {
    let mary = user("mary@example.com");
    let first = token(&mary, 0);
    store.register(&mary, &first, None, RESEND_INTERVAL).await.unwrap();
    assert_eq!(store.keep_email_token(&token(&mary, 30), None, RESEND_INTERVAL).await, Ok(false));
    let second = token(&mary, 61);
    assert_eq!(store.keep_email_token(&second, None, RESEND_INTERVAL).await, Ok(true));
    let is_live = |token: &EmailToken, now| {
        let (store, hash) = (store.clone(), token.token_hash.clone());
        async move { store.has_email_token(EmailPurpose::Verification, &hash, at(now)).await.unwrap() }
    };
    assert!(is_live(&first, 99).await && is_live(&second, 99).await);
    assert!(!is_live(&first, 100).await, "expired");
    let link = |token: &EmailToken| EmailProof::Link(token.token_hash.clone());
    assert_eq!(store.verify_email(&link(&first), at(101)).await, Ok(None));
    assert_eq!(store.verify_email(&EmailProof::Link("unknown".to_owned()), at(70)).await, Ok(None));
    let stranger = UserId::new(&SystemClock, &SystemRandom);
    assert_eq!(store.verify_email(&EmailProof::Code(stranger, second.code_hash.clone()), at(70)).await, Ok(None));

    let proofs =
        (0..10).map(|n| if n % 2 == 0 { link(&first) } else { EmailProof::Code(mary.id, second.code_hash.clone()) });
    let outcomes = join_all(proofs.map(|proof| {
        let store = store.clone();
        tokio::spawn(async move { store.verify_email(&proof, at(70)).await.unwrap() })
    }))
    .await;
    let verified: Vec<_> = outcomes.into_iter().filter_map(Result::unwrap).collect();
    assert_eq!(verified, [mary.id], "exactly one spends it");
    let mary = store.find(mary.id).await.unwrap().unwrap();
    assert!(mary.email_verified);
    assert_eq!((mary.status, mary.updated_at), (UserStatus::Active, at(70)));
    assert!(!is_live(&second, 70).await, "all of the user's are gone");
}

async fn changes(store: &impl UserRepository) {
    let joan = user("joan@example.com");
    store.register(&joan, &token(&joan, 0), None, RESEND_INTERVAL).await.unwrap();
    assert_eq!(store.rename(joan.id, Some("Joan"), at(1), Some(at(0))).await, Ok(true));
    assert_eq!(store.rename(joan.id, Some("Jean"), at(2), Some(at(0))).await, Ok(false), "it has changed since");
    assert_eq!(store.rename(joan.id, None, at(3), None).await, Ok(true));
    let stranger = UserId::new(&SystemClock, &SystemRandom);
    assert_eq!(store.rename(stranger, None, at(3), None).await, Ok(false));
    assert_eq!(store.create(&user("joan@example.com")).await, Ok(false));
    let hash = |text: &str| PasswordHash::from_text(text.to_owned());
    store.renew_hash(joan.id, &hash("stale"), &hash("lost")).await.unwrap();
    store.renew_hash(joan.id, &hash("hash"), &hash("new")).await.unwrap();
    let now = store.find(joan.id).await.unwrap().unwrap();
    assert_eq!((now.display_name, now.updated_at, now.password_hash), (None, at(3), hash("new")));
}

/// Every promise of [`SessionRepository`].
pub(super) async fn sessions<S: SessionRepository + UserRepository + 'static>(store: Arc<S>) {
    let owner = user("alan@example.com");
    store.register(&owner, &token(&owner, 0), None, TimeDelta::zero()).await.unwrap();
    passwords(store.clone()).await;
    rotation(store.clone(), &owner).await;
    revocation(&*store, &owner).await;
    reauthentication(&*store, &owner).await;
}

async fn passwords<S: SessionRepository + UserRepository + 'static>(store: Arc<S>) {
    let kept = |text: &str| PasswordHash::from_text(text.to_owned());
    let hedy = user("hedy@example.com");
    store.register(&hedy, &token(&hedy, 0), None, RESEND_INTERVAL).await.unwrap();
    let (one, two, late) = (session(&hedy), session(&hedy), session(&hedy));
    for session in [&one, &two] {
        assert_eq!(store.insert(session, Some(&kept("hash"))).await, Ok(true));
    }
    let change = |old: &str, new: &str| PasswordChange {
        user: hedy.id,
        old: kept(old),
        new: kept(new),
        keep: one.id,
        at: at(10),
        tokens_until: at(310),
    };
    assert_eq!(store.change_password(&change("wrong", "lost")).await, Ok(None));
    assert_eq!(store.change_password(&change("hash", "second")).await, Ok(Some(vec![(two.id, at(310))])));
    assert_eq!(store.insert(&late, Some(&kept("hash"))).await, Ok(false), "it was begun with the old password");
    let alive = async |limit, cursor| {
        let page = store.list_alive(hedy.id, &PageRequest { limit, cursor }, at(20)).await.unwrap();
        (page.items.into_iter().map(|session| session.id).collect::<Vec<_>>(), page.next_cursor)
    };
    assert_eq!(alive(20, None).await, (vec![one.id], None));
    assert_eq!(store.insert(&late, Some(&kept("second"))).await, Ok(true));
    let (first, cursor) = alive(1, None).await;
    let (second, end) = alive(1, cursor).await;
    assert_eq!((first.len(), second.len(), end), (1, 1, None));
    assert_ne!(first, second);

    let reset = EmailToken { purpose: EmailPurpose::PasswordReset, ..token(&hedy, 20) };
    assert_eq!(store.keep_email_token(&reset, None, RESEND_INTERVAL).await, Ok(true));
    assert_eq!(store.verify_email(&EmailProof::Link(reset.token_hash.clone()), at(21)).await, Ok(None));
    let (link, code) = (EmailProof::Link(reset.token_hash.clone()), EmailProof::Code(hedy.id, reset.code_hash.clone()));
    assert_eq!(store.reset_password(&link, &kept("lost"), at(120), at(420)).await, Ok(None), "expired");
    let owner = async |purpose, proof: &EmailProof, now| store.owner_of_email_token(purpose, proof, at(now)).await;
    for proof in [&link, &code] {
        assert_eq!(owner(EmailPurpose::PasswordReset, proof, 119).await, Ok(Some(hedy.id)));
        assert_eq!(owner(EmailPurpose::PasswordReset, proof, 120).await, Ok(None), "expired");
        assert_eq!(owner(EmailPurpose::Verification, proof, 30).await, Ok(None), "for nothing else");
    }
    let stranger = UserId::new(&SystemClock, &SystemRandom);
    let guess = EmailProof::Code(stranger, reset.code_hash.clone());
    assert_eq!(owner(EmailPurpose::PasswordReset, &guess, 30).await, Ok(None), "another's code");
    assert_eq!(store.reset_password(&guess, &kept("lost"), at(30), at(330)).await, Ok(None));
    let outcomes = join_all((0..10).map(|number| {
        let proof = if number % 2 == 0 { link.clone() } else { code.clone() };
        let (store, new) = (store.clone(), kept(&number.to_string()));
        tokio::spawn(async move {
            store.reset_password(&proof, &new, at(30), at(330)).await.unwrap().map(|done| (new, done))
        })
    }))
    .await;
    let mut done: Vec<_> = outcomes.into_iter().filter_map(Result::unwrap).collect();
    assert_eq!(done.len(), 1, "exactly one spends it");
    let (new, (id, ended)) = done.remove(0);
    assert_eq!((id, ended.len()), (hedy.id, 2));
    let hedy = store.find_by_email(&hedy.email).await.unwrap().unwrap();
    assert_eq!((hedy.password_hash, hedy.status, hedy.email_verified), (new, UserStatus::Active, true));
    assert_eq!(alive(20, None).await, (vec![], None));
}

async fn rotation<S: SessionRepository + 'static>(store: Arc<S>, owner: &User) {
    let session = session(owner);
    assert_eq!(store.insert(&session, Some(&owner.password_hash)).await, Ok(true));
    assert_eq!(store.find(session.id).await.unwrap().as_ref(), Some(&session));
    let rotation = |spent, mark, now| Rotation {
        session: session.id,
        spent,
        sealed_successor: vec![mark],
        at: at(now),
        expires_at: at(2_000),
        access_expires_at: at(400),
    };
    let outcomes = join_all((0..30).map(|mark| {
        let (store, rotation) = (store.clone(), rotation(0, mark, 10));
        tokio::spawn(async move { store.rotate(&rotation).await.unwrap().then_some(mark) })
    }))
    .await;
    let winners: Vec<u8> = outcomes.into_iter().filter_map(Result::unwrap).collect();
    assert_eq!(winners.len(), 1, "one chain");
    let kept = store.find(session.id).await.unwrap().unwrap();
    assert_eq!((kept.generation, kept.rotated_at, kept.expires_at), (1, Some(at(10)), at(2_000)));
    assert_eq!(kept.sealed_successor, Some(winners));
    assert_eq!(store.rotate(&rotation(1, 0, 2_000)).await, Ok(false), "expired");
    assert_eq!(store.rotate(&rotation(1, 0, 20)).await, Ok(true));
    assert!(store.revoke(session.id, "test", at(21), at(321)).await.unwrap().is_some());
    assert_eq!(store.rotate(&rotation(2, 0, 22)).await, Ok(false), "revoked");
}

async fn reauthentication(store: &impl SessionRepository, owner: &User) {
    let (one, other) = (session(owner), session(owner));
    for session in [&one, &other] {
        assert_eq!(store.insert(session, Some(&owner.password_hash)).await, Ok(true));
    }
    assert_eq!(store.reauthenticate(one.id, "pwd", at(40)).await, Ok(true));
    let kept = store.find(one.id).await.unwrap();
    let renewed = Session { authenticated_at: at(40), methods: "pwd".to_owned(), ..one.clone() };
    assert_eq!(kept, Some(renewed), "nothing else changes");
    assert_eq!(store.find(other.id).await.unwrap(), Some(other.clone()));
    assert_eq!(store.reauthenticate(one.id, "pwd otp", at(1_000)).await, Ok(false), "expired");
    store.revoke(one.id, "test", at(41), at(341)).await.unwrap();
    assert_eq!(store.reauthenticate(one.id, "pwd otp", at(42)).await, Ok(false), "ended");
}

async fn revocation(store: &impl SessionRepository, owner: &User) {
    let (one, two, three) = (session(owner), session(owner), session(owner));
    for session in [&one, &two, &three] {
        assert_eq!(store.insert(session, Some(&owner.password_hash)).await, Ok(true));
    }
    assert_eq!(
        store.revoke(one.id, "test", at(50), at(250)).await,
        Ok(Some((one.id, at(300)))),
        "its last token counts"
    );
    assert_eq!(store.revoke(one.id, "test", at(51), at(351)).await, Ok(None), "it had ended");
    let mut all = store.revoke_all(owner.id, "test", at(60), at(360)).await.unwrap();
    all.sort_unstable();
    let mut expected = vec![(two.id, at(360)), (three.id, at(360))];
    expected.sort_unstable();
    assert_eq!(all, expected);
    assert_eq!(store.revoke_all(owner.id, "test", at(61), at(361)).await, Ok(vec![]));
    let ids = |since: Option<i64>, now| async move {
        let revoked = store.revoked(since.map(at), at(now)).await.unwrap();
        revoked.into_iter().map(|(id, _)| id).collect::<Vec<_>>()
    };
    assert_eq!(ids(None, 61).await.len(), 7, "with those of the rotation and of the passwords");
    assert_eq!(ids(Some(50), 61).await.first(), Some(&one.id), "from the moment itself, oldest first");
    assert_eq!(ids(Some(51), 61).await.len(), 2);
    assert_eq!(ids(None, 359).await.len(), 3, "what has expired is left out");
    assert_eq!(ids(None, 399).await.len(), 1, "the token of the rotation lives longest");
}

/// A session that lives for long, and one that expires after its thousand seconds.
pub(super) async fn sessions_of_two_ages<S: SessionRepository + UserRepository>(store: &S) -> (SessionId, SessionId) {
    let owner = user("barbara@example.com");
    store.register(&owner, &token(&owner, 0), None, RESEND_INTERVAL).await.unwrap();
    let ended = session(&owner);
    let alive = Session { expires_at: at(0) + TimeDelta::days(7), ..session(&owner) };
    for session in [&alive, &ended] {
        assert_eq!(store.insert(session, Some(&owner.password_hash)).await, Ok(true));
    }
    (alive.id, ended.id)
}

/// Every promise of [`AuditLog`].
pub(super) async fn audit<S: AuditLog>(store: Arc<S>) {
    let (ada, bob) = (UserId::new(&SystemClock, &SystemRandom), UserId::new(&SystemClock, &SystemRandom));
    let line = |number: i64, actor: Actor, action: &str, target: Option<UserId>| AuditEntry {
        id: uuid::Uuid::from_u128(u128::try_from(number).unwrap()),
        at: at(number),
        actor,
        action: action.to_owned(),
        outcome: if number % 2 == 0 { Outcome::Success } else { Outcome::Failure },
        target: target.map(|id| ("user".to_owned(), id.to_string())),
        origin: Origin {
            address: Some("2001:db8::1".parse().unwrap()),
            user_agent: Some("curl".to_owned()),
            request_id: Some("r-1".to_owned()),
        },
        details: serde_json::json!({"number": number}).as_object().unwrap().clone(),
    };
    let lines = [
        line(1, Actor::Anonymous, "login.failed", Some(ada)),
        line(2, Actor::User(ada), "session.created", Some(ada)),
        line(3, Actor::CommandLine, "user.suspended", Some(bob)),
        line(4, Actor::Client("shop".to_owned()), "token.issued", None),
        line(5, Actor::User(ada), "session.revoked", None),
    ];
    for entry in &lines {
        store.append(entry).await.unwrap();
    }
    let all = PageRequest { limit: 100, cursor: None };
    let read = async |filter: AuditFilter| store.read(&filter, &all).await.unwrap().items;
    let mut newest_first = lines.to_vec();
    newest_first.reverse();
    assert_eq!(read(AuditFilter::default()).await, newest_first);
    let numbers = |entries: Vec<AuditEntry>| entries.iter().map(|entry| entry.id.as_u128()).collect::<Vec<_>>();
    let by = |filter| async { numbers(read(filter).await) };
    assert_eq!(by(AuditFilter { actor: Some(ada.to_string()), ..AuditFilter::default() }).await, [5, 2]);
    assert_eq!(by(AuditFilter { target: Some(ada.to_string()), ..AuditFilter::default() }).await, [2, 1]);
    assert_eq!(by(AuditFilter { action: Some("session.".to_owned()), ..AuditFilter::default() }).await, [5, 2]);
    assert_eq!(by(AuditFilter { action: Some("session".to_owned()), ..AuditFilter::default() }).await, [0; 0]);
    let window = AuditFilter { since: Some(at(2)), until: Some(at(4)), ..AuditFilter::default() };
    assert_eq!(by(window).await, [3, 2]);
    let first = store.read(&AuditFilter::default(), &PageRequest { limit: 3, cursor: None }).await.unwrap();
    let rest = PageRequest { limit: 3, cursor: first.next_cursor.clone() };
    let rest = store.read(&AuditFilter::default(), &rest).await.unwrap();
    assert_eq!((numbers(first.items), numbers(rest.items), rest.next_cursor), (vec![5, 4, 3], vec![2, 1], None));
}
