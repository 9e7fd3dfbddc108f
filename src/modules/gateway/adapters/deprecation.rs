//! Notices of deprecation: `Deprecation` (RFC 9745), `Sunset` (RFC 8594), and the link that tells more.

use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue, LINK};
use chrono::{DateTime, NaiveDate, Utc};

use crate::{kernel::error::ValueFault, modules::gateway::config::DeprecatedConfig};

const DEPRECATION: HeaderName = HeaderName::from_static("deprecation");
const SUNSET: HeaderName = HeaderName::from_static("sunset");

/// What a route's answers say of its end, ready to be sent.
#[derive(Debug)]
pub(super) struct Notices(Vec<(HeaderName, HeaderValue)>);

impl Notices {
    /// Compiles `deprecated`. The error says which member is wrong.
    pub(super) fn compile(config: &DeprecatedConfig) -> Result<Self, (&'static str, ValueFault)> {
        let since = moment(&config.since).map_err(|fault| ("since", fault))?;
        let mut notices = vec![(DEPRECATION, value(&format!("@{}", since.timestamp())))];
        if let Some(sunset) = &config.sunset {
            let sunset = moment(sunset).map_err(|fault| ("sunset", fault))?;
            if sunset < since {
                return Err(("sunset", ValueFault::new("invalid-date", "is before `since`")));
            }
            notices.push((SUNSET, value(&sunset.format("%a, %d %b %Y %H:%M:%S GMT").to_string())));
        }
        if let Some(link) = &config.link {
            let is_url = url::Url::parse(link).is_ok_and(|url| matches!(url.scheme(), "http" | "https"));
            if !is_url || !link.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'<' | b'>' | b'"')) {
                return Err((
                    "link",
                    ValueFault::new("invalid-url", "expected a URL such as \"https://docs.example/v2\""),
                ));
            }
            notices.push((LINK, value(&format!("<{link}>; rel=\"deprecation\"; type=\"text/html\""))));
            if config.sunset.is_some() {
                notices.push((LINK, value(&format!("<{link}>; rel=\"sunset\"; type=\"text/html\""))));
            }
        }
        Ok(Self(notices))
    }

    /// Adds them to an answer. Links of the upstream stay.
    pub(super) fn add(&self, headers: &mut HeaderMap) {
        for (name, value) in &self.0 {
            if *name == LINK {
                headers.append(LINK, value.clone());
            } else {
                headers.insert(name.clone(), value.clone());
            }
        }
    }
}

fn value(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).unwrap_or_else(|_| HeaderValue::from_static(""))
}

fn moment(text: &str) -> Result<DateTime<Utc>, ValueFault> {
    if let Ok(day) = text.parse::<NaiveDate>() {
        return Ok(day.and_time(chrono::NaiveTime::MIN).and_utc());
    }
    DateTime::parse_from_rfc3339(text).map(|moment| moment.to_utc()).map_err(|_| {
        ValueFault::new(
            "invalid-date",
            format!("expected a day such as \"2026-01-01\", or a moment with its time, found {text:?}"),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(since: &str, sunset: Option<&str>, link: Option<&str>) -> DeprecatedConfig {
        let owned = |text: Option<&str>| text.map(str::to_owned);
        DeprecatedConfig { since: since.to_owned(), sunset: owned(sunset), link: owned(link) }
    }

    #[test]
    fn headers_are_as_the_standards_say() {
        let notices =
            Notices::compile(&config("2026-01-01", Some("2026-12-31T23:59:59Z"), Some("https://docs.example/v2")));
        let mut headers = HeaderMap::new();
        notices.unwrap().add(&mut headers);
        assert_eq!(headers.get("deprecation").unwrap(), "@1767225600");
        assert_eq!(headers.get("sunset").unwrap(), "Thu, 31 Dec 2026 23:59:59 GMT");
        let links: Vec<_> = headers.get_all(LINK).map(|link| link.to_str().unwrap()).collect();
        assert_eq!(links[0], "<https://docs.example/v2>; rel=\"deprecation\"; type=\"text/html\"");
        assert_eq!(links.len(), 2);
    }

    #[test]
    fn faults_name_their_member() {
        let wrong = |config| Notices::compile(&config).unwrap_err().0;
        assert_eq!(wrong(config("soon", None, None)), "since");
        assert_eq!(wrong(config("2026-01-01", Some("2025-01-01"), None)), "sunset");
        assert_eq!(wrong(config("2026-01-01", None, Some("docs"))), "link");
    }
}
