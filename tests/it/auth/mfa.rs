//! A second factor: TOTP, recovery codes, step-up.

use reqwest::Method;
use rstest::rstest;
use serde_json::{Value, json};
use totp_rs::{Builder, Secret, Totp};

use crate::support::{
    Reply, Session,
    Store::{self, Postgres, Sqlite},
    TestApp,
    Topology::{self, AllInOne, Split},
    User,
};

/// Someone with an authenticator.
pub(crate) struct Enrolled {
    pub(crate) user: User,
    pub(crate) session: Session,
    authenticator: Totp,
    pub(crate) recovery_codes: Vec<String>,
}

impl Enrolled {
    /// Registers, logs in and puts a second factor on the account.
    pub(crate) async fn new(app: &TestApp, email: &str) -> Self {
        let user = app.register(email).await;
        let session = app.login(&user).await;
        let begun = app.post("/auth/mfa/totp").bearer(&session.access_token).send().await.must_be(200).json();
        let secret = Secret::try_from_base32(begun["secret"].as_str().unwrap()).unwrap();
        let authenticator = Builder::new().with_secret(secret).build().unwrap();
        let confirm = json!({"code": authenticator.generate_current().to_string()});
        let confirmed = app.post("/auth/mfa/totp/confirm").bearer(&session.access_token).json(&confirm).send().await;
        let codes = confirmed.must_be(200).json()["recovery_codes"].clone();
        let recovery_codes: Vec<String> = serde_json::from_value(codes).unwrap();
        assert_eq!(recovery_codes.len(), 10);
        Self { user, session, authenticator, recovery_codes }
    }

    /// The code after the one that confirmed: good until the clock is two steps on.
    pub(crate) fn next_code(&self) -> String {
        let now = self.authenticator.next_step_current();
        self.authenticator.generate(now).to_string()
    }

    pub(crate) async fn log_in(&self, app: &TestApp, code: Option<&str>) -> Reply {
        let mut body = json!({"email": self.user.email, "password": self.user.password});
        if let Some(code) = code {
            body["code"] = json!(code);
        }
        app.post("/auth/login").json(&body).send().await
    }
}

const SETTINGS: &str = "[gateway]\nrate_limit = false\n[auth]\nrequire_verified_email = false\n\
                        [auth.password]\nargon2 = { memory = \"1MiB\", iterations = 1, parallelism = 1 }";

#[rstest]
#[tokio::test]
async fn a_login_asks_for_a_code_until_the_factor_is_taken_off(
    #[values(AllInOne, Split)] topology: Topology,
    #[values(Sqlite, Postgres)] store: Store,
) {
    let app = TestApp::builder(topology, store).settings(SETTINGS).start().await;
    let ada = Enrolled::new(&app, "ada@example.org").await;
    let me = app.get("/auth/me").bearer(&ada.session.access_token).send().await.must_be(200).json();
    assert_eq!(me["mfa_enabled"], true);

    let without = ada.log_in(&app, None).await;
    without.problem(401, "mfa-required");
    assert_eq!(without.header("www-authenticate"), Some("Bearer"));
    ada.log_in(&app, Some("000000")).await.problem(401, "invalid-code");
    let code = ada.next_code();
    let session: Session = ada.log_in(&app, Some(&code)).await.must_be(200).parse();
    ada.log_in(&app, Some(&code)).await.problem(401, "invalid-code");
    app.get("/auth/me").bearer(&session.access_token).send().await.must_be(200);
    let refresh = json!({"refresh_token": session.refresh_token});
    app.post("/auth/refresh").json(&refresh).send().await.must_be(200);

    ada.log_in(&app, Some(&ada.recovery_codes[0])).await.must_be(200);
    ada.log_in(&app, Some(&ada.recovery_codes[0])).await.problem(401, "invalid-code");
    let status = app.get("/auth/mfa").bearer(&session.access_token).send().await.must_be(200).json();
    assert_eq!(status, json!({"enabled": true, "recovery_codes_left": 9}));

    let remove = async |password: &str, code: &str| {
        let call = app.call(Method::DELETE, "/auth/mfa/totp").bearer(&session.access_token);
        call.json(&json!({"password": password, "code": code})).send().await
    };
    remove("wrong", &ada.recovery_codes[1]).await.problem(401, "invalid-credentials");
    remove(&ada.user.password, "000000").await.problem(401, "invalid-code");
    remove(&ada.user.password, &ada.recovery_codes[1]).await.must_be(204);
    remove(&ada.user.password, &ada.recovery_codes[2]).await.problem(404, "not-found");
    ada.log_in(&app, None).await.must_be(200);
    let logs = app.logs();
    for secret in ada.recovery_codes.iter().chain([&code, &ada.authenticator.secret().to_base32()]) {
        assert!(!logs.contains(secret.as_str()), "no secret is logged");
    }
}

#[rstest]
#[tokio::test]
async fn of_many_logins_with_one_code_one_wins_on_both_instances(#[values(Sqlite, Postgres)] store: Store) {
    let settings = format!("{SETTINGS}\n[auth.mfa]\nfailures = 100");
    let app = TestApp::builder(AllInOne, store).settings(&settings).start_twins().await;
    let ada = Enrolled::new(&app, "ada@example.org").await;
    for code in [ada.next_code(), ada.recovery_codes[0].clone()] {
        let body = json!({"email": ada.user.email, "password": ada.user.password, "code": code});
        let calls = (0..20).map(|number| {
            let twin = ["all", "twin"][number % 2];
            app.call_role(twin, Method::POST, "/auth/login").json(&body).send()
        });
        let replies = futures_util::future::join_all(calls).await;
        let statuses: Vec<_> = replies.iter().map(|reply| reply.status).collect();
        assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 1, "{statuses:?}");
        assert_eq!(statuses.iter().filter(|status| **status == 401).count(), 19, "{statuses:?}");
    }
}

#[rstest]
#[tokio::test]
async fn a_used_code_stays_used_when_everything_is_killed(#[values(Sqlite, Postgres)] store: Store) {
    let mut app = TestApp::builder(AllInOne, store).settings(SETTINGS).start().await;
    let ada = Enrolled::new(&app, "ada@example.org").await;
    let code = ada.next_code();
    ada.log_in(&app, Some(&code)).await.must_be(200);
    ada.log_in(&app, Some(&ada.recovery_codes[0])).await.must_be(200);
    app.kill_dash_nine();
    app.start().await;
    ada.log_in(&app, Some(&code)).await.problem(401, "invalid-code");
    ada.log_in(&app, Some(&ada.recovery_codes[0])).await.problem(401, "invalid-code");
    ada.log_in(&app, Some(&ada.recovery_codes[1])).await.must_be(200);
}

#[rstest]
#[tokio::test]
async fn what_is_dangerous_wants_a_step_up(#[values(AllInOne, Split)] topology: Topology) {
    let settings = format!("{SETTINGS}\n[auth.step_up]\nmax_age = \"2s\"");
    let app = TestApp::builder(topology, Sqlite).settings(&settings).start().await;
    let ada = Enrolled::new(&app, "ada@example.org").await;
    let token = &ada.session.access_token;
    let renew = async || app.post("/auth/mfa/recovery-codes").bearer(token).send().await;
    tokio::time::sleep(std::time::Duration::from_millis(2100)).await;
    let refused = renew().await;
    assert_eq!(refused.problem(401, "step-up-required")["max_age"], 2);
    let challenge = refused.header("www-authenticate").unwrap();
    assert!(challenge.contains("insufficient_user_authentication") && challenge.contains("max_age=\"2\""));
    let step_up = async |body: Value| app.post("/auth/step-up").bearer(token).json(&body).send().await;
    step_up(json!({"password": ada.user.password})).await.problem(401, "mfa-required");
    step_up(json!({"password": ada.user.password, "code": ada.recovery_codes[0]})).await.must_be(204);
    let renewed = renew().await.must_be(200).json();
    ada.log_in(&app, Some(&ada.recovery_codes[1])).await.problem(401, "invalid-code");
    ada.log_in(&app, renewed["recovery_codes"][0].as_str()).await.must_be(200);
}
