//! Asks Turnstile, hCaptcha or reCAPTCHA: one call, which they share. The address is the configured one, redirects are not
//! followed.

use std::net::IpAddr;

use async_trait::async_trait;
use bytes::Bytes;
use http::{Request, header::CONTENT_TYPE};
use http_body_util::Full;
use serde_json::Value;

use crate::{
    modules::auth::{
        application::{CaptchaVerifier, PortError},
        config::CaptchaConfig,
    },
    platform::{http::client::HttpClient, json},
};

/// An answer has a few members.
const LARGEST_ANSWER: usize = 64 * 1024;

/// The provider.
pub(crate) struct SiteVerify {
    client: HttpClient,
    config: CaptchaConfig,
}

impl SiteVerify {
    pub(crate) fn new(config: &CaptchaConfig) -> Self {
        Self { client: HttpClient::new(config.timeout.get()), config: config.clone() }
    }
}

#[async_trait]
impl CaptchaVerifier for SiteVerify {
    async fn is_solved(&self, token: &str, client: IpAddr) -> Result<bool, PortError> {
        let away = |why: String| PortError::Unavailable(format!("the captcha's provider cannot be asked: {why}"));
        let url = self.config.verify_url.as_deref().unwrap_or(self.config.provider.verify_url());
        let form = form_urlencoded::Serializer::new(String::new())
            .append_pair("secret", &self.config.secret)
            .append_pair("response", token)
            .append_pair("remoteip", &client.to_canonical().to_string())
            .finish();
        let request = Request::post(url)
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(Full::new(Bytes::from(form)))
            .map_err(|error| away(error.to_string()))?;
        let answer = self.client.fetch(request, self.config.timeout.get(), LARGEST_ANSWER).await;
        let answer = answer.map_err(|fault| away(fault.to_string()))?;
        if !answer.status.is_success() {
            return Err(away(format!("it answered {}", answer.status)));
        }
        let answer = json::parse(&answer.body).map_err(|_| away("its answer is not JSON".to_owned()))?;
        let is_solved = answer["success"].as_bool().ok_or_else(|| away("its answer does not say".to_owned()))?;
        if let Some(code) = own_fault(&answer) {
            return Err(away(format!("it refuses us: {code}")));
        }
        let score = answer["score"].as_f64();
        Ok(is_solved && self.config.min_score.is_none_or(|least| score.is_some_and(|score| score >= least)))
    }
}

/// A code that is about our secret or our request, not about the token.
fn own_fault(answer: &Value) -> Option<&str> {
    const OURS: [&str; 6] = [
        "missing-input-secret",
        "invalid-input-secret",
        "bad-request",
        "internal-error",
        "sitekey-secret-mismatch",
        "not-using-dummy-secret",
    ];
    let mut codes = answer["error-codes"].as_array()?.iter().filter_map(Value::as_str);
    codes.find(|code| OURS.contains(code))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::json;
    use wiremock::{Mock, MockServer, ResponseTemplate, matchers::any};

    use super::*;
    use crate::{kernel::units::Span, modules::auth::config::CaptchaProvider};

    const HOME: &str = "192.0.2.7";

    async fn ask(answer: ResponseTemplate, min_score: Option<f64>) -> (Result<bool, PortError>, String) {
        let server = MockServer::start().await;
        Mock::given(any()).respond_with(answer).mount(&server).await;
        let verifier = SiteVerify::new(&CaptchaConfig {
            provider: CaptchaProvider::Turnstile,
            secret: "the secret".to_owned(),
            site_key: "site".to_owned(),
            on: Vec::new(),
            after_failures: 3,
            min_score,
            timeout: Span(Duration::from_millis(500)),
            fail_open: false,
            verify_url: Some(format!("{}/siteverify", server.uri())),
        });
        let outcome = verifier.is_solved("a token&more=1", HOME.parse().unwrap()).await;
        let asked = server.received_requests().await.unwrap().remove(0);
        (outcome, String::from_utf8(asked.body).unwrap())
    }

    fn saying(body: &Value) -> ResponseTemplate {
        ResponseTemplate::new(200).set_body_json(body)
    }

    #[tokio::test]
    async fn the_provider_decides() {
        let (outcome, asked) = ask(saying(&json!({"success": true, "hostname": "x"})), None).await;
        assert_eq!(outcome, Ok(true));
        assert_eq!(asked, "secret=the+secret&response=a+token%26more%3D1&remoteip=192.0.2.7");
        let spent = json!({"success": false, "error-codes": ["timeout-or-duplicate"]});
        assert_eq!(ask(saying(&spent), None).await.0, Ok(false));
        for (score, least, expected) in [
            (json!(0.7), Some(0.5), true),
            (json!(0.3), Some(0.5), false),
            (json!(null), Some(0.5), false),
            (json!(0.1), None, true),
        ] {
            let answer = saying(&json!({"success": true, "score": score}));
            assert_eq!(ask(answer, least).await.0, Ok(expected), "{score} {least:?}");
        }
    }

    #[tokio::test]
    async fn what_is_no_answer_is_told_as_none() {
        for answer in [
            ResponseTemplate::new(500),
            ResponseTemplate::new(302).insert_header("location", "http://127.0.0.1:1/"),
            ResponseTemplate::new(200).set_body_string("<html>"),
            saying(&json!({})),
            saying(&json!({"success": "true"})),
            saying(&json!({"success": false, "error-codes": ["invalid-input-secret"]})),
            saying(&json!({"success": true})).set_delay(Duration::from_secs(2)),
        ] {
            let (outcome, _) = ask(answer, None).await;
            let Err(PortError::Unavailable(why)) = outcome else { panic!("{outcome:?}") };
            assert!(!why.contains("the secret"), "{why}");
        }
    }
}
