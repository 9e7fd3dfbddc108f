//! What a client asks of a user in the browser (RFC 6749 §4.1.1, RFC 7636, OpenID Connect Core 1.0 §3.1.2.1), and what has
//! to happen before it is answered.

use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::OFFLINE_ACCESS;
use crate::kernel::{UserId, error::ValueFault};

/// What a client wants the user to be asked, whether or not that is needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Prompt {
    /// Nothing: an answer without any page, or none.
    None,
    /// Who the user is, again.
    Login,
    /// Whether the client may, again.
    Consent,
    /// Which account it is to be.
    SelectAccount,
}

impl Prompt {
    /// Reads the value of `prompt`: words, each once; `none` alone. Faults: `unknown-prompt`, `contradiction`.
    pub(crate) fn parse_all(text: &str) -> Result<Vec<Self>, ValueFault> {
        let mut prompts = Vec::new();
        for word in text.split(' ').filter(|word| !word.is_empty()) {
            let prompt = match word {
                "none" => Self::None,
                "login" => Self::Login,
                "consent" => Self::Consent,
                "select_account" => Self::SelectAccount,
                _ => return Err(ValueFault::new("unknown-prompt", "prompt: none, login, consent and select_account")),
            };
            if !prompts.contains(&prompt) {
                prompts.push(prompt);
            }
        }
        if prompts.contains(&Self::None) && prompts.len() > 1 {
            return Err(ValueFault::new("contradiction", "prompt: none stands alone"));
        }
        Ok(prompts)
    }
}

/// What proves that who redeems a code is who asked for it: the SHA-256 of a verifier, in base64url (RFC 7636 §4.2).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct CodeChallenge(String);

impl CodeChallenge {
    /// Reads a challenge of the method S256. Fault: `invalid-challenge`.
    pub(crate) fn parse(text: &str) -> Result<Self, ValueFault> {
        let is_digest = text.len() == 43 && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b));
        let fault =
            || ValueFault::new("invalid-challenge", "code_challenge: expected the SHA-256 of a verifier in base64url");
        is_digest.then(|| Self(text.to_owned())).ok_or_else(fault)
    }

    /// What is kept.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether a text can be a verifier at all: 43 to 128 unreserved characters (RFC 7636 §4.1).
    pub(crate) fn is_verifier(text: &str) -> bool {
        (43..=128).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~".contains(&b))
    }
}

/// A request that was read and found good; what remains is up to the user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct AuthorizationRequest {
    pub(crate) client_id: String,
    /// Where the answer goes: as it was asked for, and registered.
    pub(crate) redirect_uri: String,
    pub(crate) state: Option<String>,
    /// What is asked for, each once.
    pub(crate) scopes: Vec<String>,
    pub(crate) challenge: CodeChallenge,
    pub(crate) nonce: Option<String>,
    /// For how many seconds a login counts.
    pub(crate) max_age: Option<u32>,
    pub(crate) prompts: Vec<Prompt>,
    pub(crate) login_hint: Option<String>,
    /// Whose answer the client wants, when it sent an earlier id_token along.
    pub(crate) hinted_user: Option<UserId>,
    /// Who the access tokens are to be for, when it is not the configured audience (RFC 8707).
    pub(crate) resource: Option<String>,
    /// When it was asked.
    pub(crate) asked_at: DateTime<Utc>,
}

/// What the browser's login is worth for a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LoginState {
    /// It will do.
    Good,
    /// There is none, or it is too old, or the client wants another one.
    Needed,
    /// The user logged in for this very request, and is not the one whom the client expects.
    WrongUser,
}

impl AuthorizationRequest {
    /// Whether an answer without any page is wanted.
    pub(crate) fn is_silent(&self) -> bool {
        self.prompts.contains(&Prompt::None)
    }

    /// Looks at the browser's login: whose it is, and since when. A login that happened for this request always counts as
    /// fresh, so that no request asks twice.
    pub(crate) fn look_at_login(&self, login: Option<(UserId, DateTime<Utc>)>, now: DateTime<Utc>) -> LoginState {
        let Some((user, authenticated_at)) = login else { return LoginState::Needed };
        let is_for_this = authenticated_at >= self.asked_at;
        if self.hinted_user.is_some_and(|hinted| hinted != user) {
            return if is_for_this { LoginState::WrongUser } else { LoginState::Needed };
        }
        let wants_another = self.prompts.iter().any(|one| matches!(one, Prompt::Login | Prompt::SelectAccount));
        let is_too_old = self.max_age.is_some_and(|most| now - authenticated_at > TimeDelta::seconds(most.into()));
        if !is_for_this && (wants_another || is_too_old) { LoginState::Needed } else { LoginState::Good }
    }

    /// Whether the user has to be asked, who said yes to `remembered` before. Access while the user is away is asked for
    /// each time, and so is everything by a client of whom nobody knows who it is: an application's own URL scheme can be
    /// taken by any other application on the device (RFC 8252 §8.6).
    pub(crate) fn needs_consent(&self, remembered: &BTreeSet<String>, is_public_client: bool) -> bool {
        let could_be_anybody = is_public_client && !self.redirect_uri.starts_with("http");
        could_be_anybody
            || self.prompts.contains(&Prompt::Consent)
            || self.scopes.iter().any(|scope| scope == OFFLINE_ACCESS || !remembered.contains(scope))
    }

    /// The redirect URI with these parameters added to its query; what was registered stays as it is.
    pub(crate) fn answer(redirect_uri: &str, parameters: &[(&str, &str)]) -> String {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(parameters);
        let query = query.finish();
        let separator = match redirect_uri.split_once('?') {
            None => "?",
            Some((_, "")) => "",
            Some((_, kept)) if kept.ends_with('&') => "",
            Some(_) => "&",
        };
        format!("{redirect_uri}{separator}{query}")
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn at(secs: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(secs, 0).unwrap()
    }

    fn user(number: u128) -> UserId {
        UserId(uuid::Uuid::from_u128(number))
    }

    fn request() -> AuthorizationRequest {
        AuthorizationRequest {
            client_id: "shop".to_owned(),
            redirect_uri: "https://app.example/cb".to_owned(),
            state: None,
            scopes: vec!["openid".to_owned(), "email".to_owned()],
            challenge: CodeChallenge("c".repeat(43)),
            nonce: None,
            max_age: None,
            prompts: vec![],
            login_hint: None,
            hinted_user: None,
            resource: None,
            asked_at: at(100),
        }
    }

    #[test]
    fn prompts_are_words_and_none_stands_alone() {
        assert_eq!(Prompt::parse_all("login consent login").unwrap(), [Prompt::Login, Prompt::Consent]);
        assert_eq!(Prompt::parse_all("").unwrap(), []);
        assert_eq!(Prompt::parse_all("none").unwrap(), [Prompt::None]);
        assert_eq!(Prompt::parse_all("none login").unwrap_err().code, "contradiction");
        assert_eq!(Prompt::parse_all("create").unwrap_err().code, "unknown-prompt");
    }

    #[test]
    fn a_challenge_has_the_length_of_a_digest() {
        CodeChallenge::parse(&"a".repeat(43)).unwrap();
        for wrong in ["", &"a".repeat(42), &"a".repeat(44), &format!("{}=", "a".repeat(42)), &"+".repeat(43)] {
            assert_eq!(CodeChallenge::parse(wrong).unwrap_err().code, "invalid-challenge", "{wrong}");
        }
        assert!(CodeChallenge::is_verifier(&"-._~aZ09".repeat(6)));
        assert!(!CodeChallenge::is_verifier(&"a".repeat(42)) && !CodeChallenge::is_verifier(&"a".repeat(129)));
        assert!(!CodeChallenge::is_verifier(&"é".repeat(30)));
    }

    #[rstest]
    #[case::nobody("", None, None, LoginState::Needed)]
    #[case::an_old_login("", None, Some(10), LoginState::Good)]
    #[case::wanted_anew("login", None, Some(99), LoginState::Needed)]
    #[case::done_anew("login", None, Some(100), LoginState::Good)]
    #[case::another_account("select_account", None, Some(99), LoginState::Needed)]
    #[case::young_enough("", Some(100), Some(50), LoginState::Good)]
    #[case::too_old("", Some(100), Some(49), LoginState::Needed)]
    #[case::no_login_is_young_enough("", Some(0), Some(99), LoginState::Needed)]
    #[case::a_login_for_this_request_is("", Some(0), Some(101), LoginState::Good)]
    fn a_login_is_looked_at(
        #[case] prompt: &str,
        #[case] max_age: Option<u32>,
        #[case] authenticated: Option<i64>,
        #[case] expected: LoginState,
    ) {
        let request = AuthorizationRequest { prompts: Prompt::parse_all(prompt).unwrap(), max_age, ..request() };
        let login = authenticated.map(|secs| (user(1), at(secs)));
        assert_eq!(request.look_at_login(login, at(150)), expected);
    }

    #[test]
    fn a_hinted_user_is_the_only_one_who_will_do() {
        let request = AuthorizationRequest { hinted_user: Some(user(1)), ..request() };
        assert_eq!(request.look_at_login(Some((user(1), at(10))), at(150)), LoginState::Good);
        assert_eq!(request.look_at_login(Some((user(2), at(10))), at(150)), LoginState::Needed);
        assert_eq!(request.look_at_login(Some((user(2), at(110))), at(150)), LoginState::WrongUser);
    }

    #[test]
    fn consent_is_asked_for_when_more_is_wanted_than_before() {
        let given = |scopes: &[&str]| scopes.iter().map(|&scope| scope.to_owned()).collect::<BTreeSet<_>>();
        let all = given(&["openid", "email", "offline_access"]);
        assert!(request().needs_consent(&given(&["openid"]), false));
        assert!(!request().needs_consent(&all, false));
        assert!(!request().needs_consent(&all, true));
        let again = AuthorizationRequest { prompts: vec![Prompt::Consent], ..request() };
        assert!(again.needs_consent(&all, false));
        let offline = AuthorizationRequest { scopes: vec!["offline_access".to_owned()], ..request() };
        assert!(offline.needs_consent(&all, false));
        let anybody = AuthorizationRequest { redirect_uri: "com.example.app:/cb".to_owned(), ..request() };
        assert!(anybody.needs_consent(&all, true) && !anybody.needs_consent(&all, false));
    }

    #[rstest]
    #[case("https://app.example/cb", "https://app.example/cb?code=1&state=a+b%26")]
    #[case("https://app.example/cb?x=%41", "https://app.example/cb?x=%41&code=1&state=a+b%26")]
    #[case("https://app.example/cb?", "https://app.example/cb?code=1&state=a+b%26")]
    #[case("com.example.app:/cb", "com.example.app:/cb?code=1&state=a+b%26")]
    fn an_answer_adds_to_the_query(#[case] uri: &str, #[case] expected: &str) {
        assert_eq!(AuthorizationRequest::answer(uri, &[("code", "1"), ("state", "a b&")]), expected);
    }
}
