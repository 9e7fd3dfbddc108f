//! Parameters as the OAuth endpoints read them (RFC 6749 §3.1, §3.2): strictly form-encoded UTF-8, none twice, an empty
//! one as if it were absent.

use std::{collections::BTreeMap, future::Future, pin::Pin};

use actix_web::{FromRequest, HttpMessage as _, HttpRequest, dev::Payload};

use super::OAuthProblem;
use crate::{modules::auth::application::oauth::OAuthError, platform::http::body::read_at_most};

/// The longest body, and the most parameters.
const MAX_BYTES: usize = 64 * 1024;
const MAX_PARAMETERS: usize = 100;

/// The parameters of a request. Their values can be secrets: they are never printed.
#[derive(Clone, Default)]
pub(in crate::modules::auth::adapters::http) struct Form(BTreeMap<String, String>);

impl Form {
    /// Reads `application/x-www-form-urlencoded` text: a body or a query.
    pub(in crate::modules::auth::adapters::http) fn parse(text: &[u8]) -> Result<Self, OAuthError> {
        let mut parameters = BTreeMap::new();
        for pair in text.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty()) {
            let split = pair.iter().position(|byte| *byte == b'=');
            let (name, value) = split.map_or((pair, &[][..]), |at| (&pair[..at], &pair[at + 1..]));
            let (Some(name), Some(value)) = (decode(name), decode(value)) else {
                return Err(OAuthError::invalid_request("a parameter is not form-encoded UTF-8 text"));
            };
            if parameters.insert(name, value).is_some() {
                return Err(OAuthError::invalid_request("a parameter is there more than once"));
            }
            if parameters.len() > MAX_PARAMETERS {
                return Err(OAuthError::invalid_request("there are too many parameters"));
            }
        }
        parameters.retain(|_, value| !value.is_empty());
        Ok(Self(parameters))
    }

    /// A parameter that has a value.
    pub(in crate::modules::auth::adapters::http) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// A parameter that must be there.
    pub(in crate::modules::auth::adapters::http) fn required(&self, name: &'static str) -> Result<&str, OAuthError> {
        self.get(name).ok_or_else(|| OAuthError::invalid_request(format!("{name} is missing")))
    }

    /// Every parameter, in the order of their names.
    pub(in crate::modules::auth::adapters::http) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

impl FromRequest for Form {
    type Error = OAuthProblem;
    type Future = Pin<Box<dyn Future<Output = Result<Self, OAuthProblem>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let request = request.clone();
        let payload = payload.take();
        Box::pin(async move {
            if !request.content_type().eq_ignore_ascii_case("application/x-www-form-urlencoded") {
                let error = OAuthError::invalid_request("expected application/x-www-form-urlencoded");
                return Err(error.with_status(415).into());
            }
            Ok(Self::parse(&read_at_most(&request, payload, MAX_BYTES).await?)?)
        })
    }
}

/// One name or value, decoded; `None` when it is not form-encoded UTF-8, or has a NUL in it.
pub(in crate::modules::auth::adapters::http) fn decode(text: &[u8]) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.iter();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => hex(*rest.next()?)? << 4 | hex(*rest.next()?)?,
            other => *other,
        });
    }
    String::from_utf8(bytes).ok().filter(|text| !text.contains('\0'))
}

fn hex(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_decoded_and_empty_ones_are_absent() {
        let form = Form::parse(b"a=1+2%2b%C3%A4&&b=&c&d=x=y").unwrap();
        assert_eq!(form.iter().collect::<Vec<_>>(), [("a", "1 2+\u{e4}"), ("d", "x=y")]);
        assert_eq!(form.required("b").unwrap_err().description, "b is missing");
    }

    #[test]
    fn what_is_ambiguous_or_broken_is_refused() {
        for wrong in ["a=1&a=2", "a=&a=1", "a&a", "a=%", "a=%4", "a=%zz", "a=%00", "a=%ff", "%ff=a", "a=1&%61=2"] {
            let error = Form::parse(wrong.as_bytes()).map(|_| wrong).unwrap_err();
            assert_eq!(error.code.as_str(), "invalid_request", "{wrong}");
        }
        let many: Vec<_> = (0..101).map(|number| format!("p{number}=1")).collect();
        assert!(Form::parse(many.join("&").as_bytes()).is_err());
    }
}
