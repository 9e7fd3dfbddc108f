//! OAuth clients: the applications that may ask for tokens, and what each may ask for (RFC 6749 §2, RFC 7591 §2 for the
//! names).

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use url::Url;

use super::scope::{OFFLINE_ACCESS, Scopes};
use crate::kernel::error::ValueFault;

/// How a client gets tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum GrantType {
    /// A user says yes in the browser (RFC 6749 §4.1, with PKCE).
    AuthorizationCode,
    /// The client speaks for itself (RFC 6749 §4.4).
    ClientCredentials,
    /// A refresh token is spent for the next (RFC 6749 §6).
    RefreshToken,
    /// A user says yes on another device (RFC 8628).
    DeviceCode,
}

impl GrantType {
    /// Every grant there is.
    pub(crate) const ALL: [Self; 4] =
        [Self::AuthorizationCode, Self::ClientCredentials, Self::RefreshToken, Self::DeviceCode];

    /// The value of `grant_type`.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::AuthorizationCode => "authorization_code",
            Self::ClientCredentials => "client_credentials",
            Self::RefreshToken => "refresh_token",
            Self::DeviceCode => "urn:ietf:params:oauth:grant-type:device_code",
        }
    }

    /// Reads a `grant_type` as requests name it.
    pub(crate) fn parse_exact(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|grant| grant.as_str() == text)
    }

    /// Reads a `grant_type`; `device_code` is good for the long name too. Fault: `unknown-grant`.
    pub(crate) fn parse(text: &str) -> Result<Self, ValueFault> {
        let long = if text == "device_code" { Self::DeviceCode.as_str() } else { text };
        Self::parse_exact(long).ok_or_else(|| {
            let known = "authorization_code, client_credentials, refresh_token or device_code";
            ValueFault::new("unknown-grant", format!("there is no grant {text:?}; expected {known}"))
        })
    }
}

/// Where a browser may be sent back to: an absolute URL without a fragment. It is compared byte for byte (RFC 9700 §2.1),
/// except that the port of a loopback address may differ (RFC 8252 §7.3).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct RedirectUri(String);

impl RedirectUri {
    /// Reads a URI that is to be registered: `https`, `http` on a loopback address or localhost, or an application's own
    /// scheme with a dot in it (RFC 8252 §7.1). Fault: `invalid-redirect-uri`.
    pub(crate) fn parse(text: &str) -> Result<Self, ValueFault> {
        let fault = |detail: &str| ValueFault::new("invalid-redirect-uri", detail.to_owned());
        let url =
            Url::parse(text).map_err(|_| fault("expected an absolute URL such as https://app.example/callback"))?;
        if text.contains('#') {
            return Err(fault("a redirect URI has no fragment"));
        }
        if text.len() > 2_000 || text.chars().any(|c| c.is_control() || c.is_whitespace()) {
            return Err(fault("expected at most 2000 characters without spaces"));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(fault("a redirect URI has no user name or password"));
        }
        let is_loopback = matches!(url.host_str(), Some("localhost" | "127.0.0.1" | "[::1]"));
        match url.scheme() {
            "https" => Ok(Self(text.to_owned())),
            "http" if is_loopback => Ok(Self(text.to_owned())),
            "http" => Err(fault("http is for loopback addresses; expected https")),
            own if own.contains('.') => Ok(Self(text.to_owned())),
            _ => Err(fault(
                "expected https, http on a loopback address, or a scheme of your own such as com.example.app",
            )),
        }
    }

    /// Whether `asked` is this URI.
    pub(crate) fn matches(&self, asked: &str) -> bool {
        if self.0 == asked {
            return true;
        }
        let (Some(kept), Some(asked)) = (loopback_without_port(&self.0), loopback_without_port(asked)) else {
            return false;
        };
        kept == asked
    }

    /// The text.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

/// `http://127.0.0.1:49152/callback` as what is before the port, and after it; `None` for other hosts. Only literal
/// addresses: `localhost` may be anything (RFC 8252 §8.3).
fn loopback_without_port(text: &str) -> Option<(&str, &str)> {
    let host = ["http://127.0.0.1", "http://[::1]"].into_iter().find(|host| text.starts_with(host))?;
    let rest = &text[host.len()..];
    let rest = match rest.strip_prefix(':') {
        Some(port) => {
            let digits = port.bytes().take_while(u8::is_ascii_digit).count();
            port[..digits].parse::<u16>().ok()?;
            &port[digits..]
        }
        None => rest,
    };
    rest.starts_with('/').then_some((host, rest))
}

/// How a client proves who it is at the token endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ClientProof {
    /// Not at all: it cannot keep a secret (RFC 6749 §2.1).
    Public,
    /// By a secret.
    Secret(ClientSecret),
    /// By a signature of one of these keys, a JWK Set (RFC 7523 §2.2, `private_key_jwt`).
    PrivateKey(String),
}

impl ClientProof {
    /// The `token_endpoint_auth_method` (RFC 7591 §2). A secret is taken in the header and in the form alike.
    pub(crate) const fn method(&self) -> &'static str {
        match self {
            Self::Public => "none",
            Self::Secret(_) => "client_secret_basic",
            Self::PrivateKey(_) => "private_key_jwt",
        }
    }
}

/// What is kept of a client's secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ClientSecret {
    /// Its SHA-256 in lower-case hexadecimal.
    pub(crate) hash: String,
    /// The hash of the one before, and until when that is good too.
    pub(crate) previous: Option<(String, DateTime<Utc>)>,
}

impl ClientSecret {
    /// Whether this is the hash of the secret, or of the one before in its time. Takes equally long for every answer.
    pub(crate) fn is(&self, hash: &str, now: DateTime<Utc>) -> bool {
        let (previous, until) = self.previous.as_ref().map_or(("", now), |(hash, until)| (hash.as_str(), *until));
        let (is_current, is_previous) = (same(&self.hash, hash), same(previous, hash));
        is_current || (is_previous && until > now)
    }
}

fn same(one: &str, other: &str) -> bool {
    let differences = one.bytes().zip(other.bytes()).fold(0, |all, (a, b)| all | (a ^ b));
    one.len() == other.len() && std::hint::black_box(differences) == 0
}

/// An OAuth client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Client {
    /// `client_id`; never that of a user, and never our own.
    pub(crate) id: String,
    /// The name that users are shown when they are asked.
    pub(crate) name: String,
    pub(crate) proof: ClientProof,
    pub(crate) redirect_uris: Vec<RedirectUri>,
    /// Where the browser may go after a logout that the client began (OpenID Connect RP-Initiated Logout 1.0 §3).
    pub(crate) post_logout_redirect_uris: Vec<RedirectUri>,
    pub(crate) grants: BTreeSet<GrantType>,
    /// The scopes it may ask for.
    pub(crate) scopes: BTreeSet<String>,
    /// Whether its authorization requests have to be pushed (RFC 9126 §6).
    pub(crate) requires_pushed_requests: bool,
    pub(crate) created_at: DateTime<Utc>,
    pub(crate) updated_at: DateTime<Utc>,
}

impl Client {
    /// Whether it may use this grant.
    pub(crate) fn may_use(&self, grant: GrantType) -> bool {
        self.grants.contains(&grant)
    }

    /// What a token of the client may do: what it asks for, or without it everything that it may ask for, less
    /// `offline_access`, which is always asked for by name. Fault: `invalid-scope` for a scope that is malformed, unknown
    /// or not the client's.
    pub(crate) fn scopes_for(&self, asked: Option<&str>) -> Result<Scopes, ValueFault> {
        let own = Scopes::of(self.scopes.iter().cloned())?;
        let Some(asked) = asked else { return Ok(own.only(|name| name != OFFLINE_ACCESS)) };
        let asked = Scopes::parse(asked)?;
        if asked.are_within(&own) {
            return Ok(asked);
        }
        Err(ValueFault::new("invalid-scope", "a scope is unknown, or not one that this client may ask for"))
    }

    /// Whether the browser may be sent there with an answer.
    pub(crate) fn accepts_redirect(&self, uri: &str) -> bool {
        self.redirect_uris.iter().any(|kept| kept.matches(uri))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_port_of_a_loopback_address_may_differ() {
        let uri = |text: &str| RedirectUri::parse(text).unwrap();
        assert!(uri("https://app.example/cb").matches("https://app.example/cb"));
        for other in [
            "https://app.example/cb/",
            "https://app.example/cb?x=1",
            "https://app.example:443/cb",
            "https://APP.example/cb",
            "https://app.example/cb#",
            "https://app.example/./cb",
        ] {
            assert!(!uri("https://app.example/cb").matches(other), "{other}");
        }
        assert!(uri("http://127.0.0.1/cb").matches("http://127.0.0.1:49152/cb"));
        assert!(uri("http://127.0.0.1:1/cb").matches("http://127.0.0.1:2/cb"));
        for other in [
            "http://127.0.0.1:2/other",
            "http://127.0.0.1:2@evil.example/cb",
            "http://127.0.0.1:99999/cb",
            "http://127.0.0.10/cb",
            "http://localhost:2/cb",
        ] {
            assert!(!uri("http://127.0.0.1:1/cb").matches(other), "{other}");
        }
        assert!(!uri("http://localhost:1/cb").matches("http://localhost:2/cb"));
    }

    #[test]
    fn a_redirect_uri_is_absolute_and_safe() {
        for wrong in [
            "/cb",
            "http://app.example/cb",
            "https://app.example/#x",
            "javascript:alert(1)",
            "https://u:p@app.example/",
        ] {
            assert_eq!(RedirectUri::parse(wrong).unwrap_err().code, "invalid-redirect-uri", "{wrong}");
        }
        RedirectUri::parse("com.example.app:/cb").unwrap();
    }
}
