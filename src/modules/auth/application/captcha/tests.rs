//! When a riddle is asked for.

use std::sync::Mutex;

use async_trait::async_trait;

use super::*;
use crate::{
    kernel::units::Span,
    modules::auth::{application::PortError, config::CaptchaProvider},
};

const HOME: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

/// Solved is what says so; one account is held.
#[derive(Default)]
struct Fake {
    settled: Mutex<Vec<(String, bool)>>,
}

#[async_trait]
impl CaptchaVerifier for Fake {
    async fn is_solved(&self, token: &str, _: IpAddr) -> Result<bool, PortError> {
        if token == "away" { Err(PortError::Unavailable("away".to_owned())) } else { Ok(token == "solved") }
    }
}

#[async_trait]
impl AttemptLimiter for Fake {
    async fn check(&self, account: &str, _: IpAddr) -> Result<(), Held> {
        let is_held = account.starts_with("guessed");
        if is_held { Err(Held::For(std::time::Duration::from_secs(1))) } else { Ok(()) }
    }

    async fn settle(&self, account: &str, _: IpAddr, right: bool) -> Result<(), Held> {
        self.settled.lock().unwrap().push((account.to_owned(), right));
        Ok(())
    }
}

fn captcha(change: impl FnOnce(&mut CaptchaConfig)) -> (Captcha, Arc<Fake>) {
    let mut config = CaptchaConfig {
        provider: CaptchaProvider::Hcaptcha,
        secret: "secret".to_owned(),
        site_key: "site".to_owned(),
        on: vec![CaptchaPlace::Register, CaptchaPlace::Login],
        after_failures: 3,
        min_score: None,
        timeout: Span::secs(1),
        fail_open: false,
        verify_url: None,
    };
    change(&mut config);
    let fake = Arc::new(Fake::default());
    (Captcha::new(&config, fake.clone(), fake.clone()), fake)
}

async fn demand(captcha: &Captcha, place: CaptchaPlace, email: &str, token: Option<&str>) -> Result<(), Failure> {
    captcha.demand(place, (&Email::parse(email).unwrap(), HOME), token).await
}

fn required() -> Result<(), Failure> {
    Err(Failure::CaptchaRequired { provider: "hcaptcha", site_key: "site".to_owned() })
}

#[tokio::test]
async fn a_riddle_is_asked_for_where_it_is_configured() {
    use CaptchaPlace::{Forgot, Login, Register};
    let (captcha, _) = captcha(|_| ());
    for token in [None, Some(""), Some("wrong"), Some(&*"x".repeat(10_000))] {
        assert_eq!(demand(&captcha, Register, "ada@example.com", token).await, required());
        assert_eq!(demand(&captcha, Login, "guessed@example.com", token).await, required());
        assert_eq!(demand(&captcha, Login, "ada@example.com", token).await, Ok(()), "nobody has failed there");
        assert_eq!(demand(&captcha, Forgot, "ada@example.com", token).await, Ok(()), "not guarded");
        assert_eq!(demand(&Captcha::default(), Register, "ada@example.com", token).await, Ok(()));
    }
    for place in [Register, Login] {
        assert_eq!(demand(&captcha, place, "guessed@example.com", Some("solved")).await, Ok(()));
    }
}

#[tokio::test]
async fn every_login_can_be_guarded_and_a_provider_that_is_away_opens_or_closes() {
    use CaptchaPlace::Login;
    let (always, _) = captcha(|config| config.after_failures = 0);
    assert_eq!(demand(&always, Login, "ada@example.com", None).await, required());
    assert_eq!(
        demand(&always, Login, "ada@example.com", Some("away")).await,
        Err(Failure::Unavailable("away".to_owned()))
    );
    let (open, _) = captcha(|config| (config.after_failures, config.fail_open) = (0, true));
    assert_eq!(demand(&open, Login, "ada@example.com", Some("away")).await, Ok(()));
    assert_eq!(demand(&open, Login, "ada@example.com", None).await, required(), "open is not without");
}

#[tokio::test]
async fn guesses_are_counted_and_nothing_else() {
    let (captcha, fake) = captcha(|_| ());
    let ada = Email::parse("ada@example.com").unwrap();
    let outcomes = [
        Ok(()),
        Err(Failure::InvalidCredentials),
        Err(Failure::MfaRequired),
        Err(Failure::EmailNotVerified),
        Err(Failure::Unavailable(String::new())),
        Err(Failure::TooManyAttempts(std::time::Duration::ZERO)),
    ];
    for outcome in outcomes {
        captcha.note_login((&ada, HOME), &outcome).await;
    }
    let account = || "ada@example.com".to_owned();
    assert_eq!(*fake.settled.lock().unwrap(), [(account(), true), (account(), false), (account(), false)]);
}
