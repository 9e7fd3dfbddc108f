//! Finds what a request says about its client (RFC 6749 §2.3.1, RFC 7521 §4.2). More than one way at once is refused.

use actix_web::{HttpRequest, http::header::AUTHORIZATION};
use base64::{Engine as _, prelude::BASE64_STANDARD};

use super::form::{Form, decode};
use crate::modules::auth::{
    adapters::http::{UseCases, client_of},
    application::oauth::{OAuthError, Presented},
    domain::Client,
};

/// The one kind of assertion there is.
const JWT_BEARER: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// The client that calls this endpoint.
pub(in crate::modules::auth::adapters::http) async fn authenticated(
    request: &HttpRequest,
    form: &Form,
    cases: &UseCases,
) -> Result<Client, OAuthError> {
    let presented = presented(request, form)?;
    cases.authenticate_client.run(&presented, client_of(request), request.path()).await
}

fn presented(request: &HttpRequest, form: &Form) -> Result<Presented, OAuthError> {
    let several = || OAuthError::invalid_request("the client authenticates in more than one way");
    let name = form.get("client_id").map(str::to_owned);
    let in_form = form.get("client_secret");
    let assertion = form.get("client_assertion");
    let kind = form.get("client_assertion_type");
    let mut headers = request.headers().get_all(AUTHORIZATION);
    match (headers.next(), headers.next()) {
        (_, Some(_)) => Err(several()),
        (Some(header), None) => {
            if in_form.is_some() || assertion.is_some() {
                return Err(several());
            }
            let basic = header.to_str().ok().and_then(basic).ok_or_else(OAuthError::invalid_client)?;
            if name.is_some_and(|name| name != basic.0) {
                return Err(OAuthError::invalid_request("client_id is not the client that authenticates"));
            }
            // RFC 6749 §2.3.1: no secret is as good as an empty one.
            let (id, secret) = basic;
            Ok(if secret.is_empty() { Presented::Name(id) } else { Presented::Secret(id, secret.into()) })
        }
        (None, None) => match (name, in_form, assertion, kind) {
            (_, Some(_), Some(_), _) => Err(several()),
            (name, None, Some(assertion), Some(JWT_BEARER)) => Ok(Presented::Assertion(name, assertion.into())),
            (_, _, Some(_), _) => Err(OAuthError::invalid_request("client_assertion_type is missing or unknown")),
            (Some(id), Some(secret), None, _) => Ok(Presented::Secret(id, secret.into())),
            (Some(id), None, None, _) => Ok(Presented::Name(id)),
            (None, _, None, _) => Err(OAuthError::invalid_client()),
        },
    }
}

/// The id and the secret of `Basic …`, each form-encoded before they were joined.
fn basic(header: &str) -> Option<(String, String)> {
    let (scheme, credentials) = header.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let bytes = BASE64_STANDARD.decode(credentials.trim()).ok()?;
    let colon = bytes.iter().position(|byte| *byte == b':')?;
    Some((decode(&bytes[..colon])?, decode(&bytes[colon + 1..])?))
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;
    use secrecy::ExposeSecret as _;

    use super::*;

    fn present(header: Option<&str>, form: &str) -> Result<String, &'static str> {
        let mut request = TestRequest::post();
        if let Some(header) = header {
            request = request.insert_header((AUTHORIZATION, header));
        }
        let form = Form::parse(form.as_bytes()).unwrap();
        match presented(&request.to_http_request(), &form) {
            Ok(Presented::Name(id)) => Ok(format!("name {id}")),
            Ok(Presented::Secret(id, secret)) => Ok(format!("secret {id} {}", secret.expose_secret())),
            Ok(Presented::Assertion(id, text)) => Ok(format!("assertion {id:?} {}", text.expose_secret())),
            Err(error) => Err(error.code.as_str()),
        }
    }

    fn basic(text: &str) -> String {
        format!("bAsIc {}", BASE64_STANDARD.encode(text))
    }

    #[test]
    fn every_way_is_found() {
        assert_eq!(present(Some(&basic("a%3Ab:c+%2Bd:e")), ""), Ok("secret a:b c +d:e".to_owned()));
        assert_eq!(present(Some(&basic("a:b")), "client_id=a"), Ok("secret a b".to_owned()));
        assert_eq!(present(Some(&basic("a:")), ""), Ok("name a".to_owned()));
        assert_eq!(present(None, "client_id=a&client_secret=b"), Ok("secret a b".to_owned()));
        assert_eq!(present(None, "client_id=a&client_secret="), Ok("name a".to_owned()));
        let kind = "client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer";
        assert_eq!(present(None, &format!("client_assertion=x&{kind}")), Ok("assertion None x".to_owned()));
    }

    #[test]
    fn more_than_one_way_and_none_are_refused() {
        let header = basic("a:b");
        assert_eq!(present(Some(&header), "client_secret=b"), Err("invalid_request"));
        assert_eq!(present(Some(&header), "client_assertion=x"), Err("invalid_request"));
        assert_eq!(present(Some(&header), "client_id=other"), Err("invalid_request"));
        assert_eq!(present(None, "client_id=a&client_secret=b&client_assertion=x"), Err("invalid_request"));
        assert_eq!(present(None, "client_assertion=x"), Err("invalid_request"));
        assert_eq!(present(None, "client_assertion=x&client_assertion_type=saml"), Err("invalid_request"));
        assert_eq!(present(None, "client_secret=b"), Err("invalid_client"));
        assert_eq!(present(None, ""), Err("invalid_client"));
        for wrong in ["Bearer x", "Basic", "Basic %", "Basic YQ==", &basic("%ff:b")] {
            assert_eq!(present(Some(wrong), ""), Err("invalid_client"), "{wrong}");
        }
    }
}
