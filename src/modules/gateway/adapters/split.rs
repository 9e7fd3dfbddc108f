//! Splits: a route that leads to several upstreams, each with its share. Who came to one comes to it again, where the route
//! says what by.

use actix_web::{
    dev::ServiceRequest,
    http::header::{COOKIE, HeaderMap, HeaderValue},
};

use super::balance::{hash_bytes, mix};
use crate::kernel::{Principal, Subject};

/// A split, compiled.
#[derive(Debug)]
pub(super) struct Split {
    /// Upstreams by number, and up to which percent theirs is.
    parts: Vec<(usize, u32)>,
    sticky: Option<Sticky>,
    /// Makes different splits draw differently.
    salt: u64,
}

/// What who comes again is known by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Sticky {
    /// A cookie; who has none is given one.
    Cookie(String),
    /// The user; who is none, by the address.
    User,
    ClientIp,
}

impl Sticky {
    /// Reads `sticky`.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let is_token = |name: &str| {
            !name.is_empty()
                && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
        };
        match text {
            "user" => Some(Self::User),
            "client_ip" => Some(Self::ClientIp),
            _ => text.strip_prefix("cookie:").filter(|name| is_token(name)).map(|name| Self::Cookie(name.to_owned())),
        }
    }
}

/// What a request is known by.
pub(super) struct Comer<'a> {
    pub(super) request: &'a ServiceRequest,
    pub(super) principal: Option<&'a Principal>,
    pub(super) ip: std::net::IpAddr,
    pub(super) is_https: bool,
    /// A number drawn for this request.
    pub(super) drawn: u64,
}

impl Split {
    /// A split of these upstreams, with their percents, for the route `name`.
    pub(super) fn new(name: &str, shares: &[(usize, u32)], sticky: Option<Sticky>) -> Self {
        let mut up_to = 0;
        let parts = shares.iter().map(|(number, percent)| {
            up_to += percent;
            (*number, up_to)
        });
        Self { parts: parts.collect(), sticky, salt: hash_bytes(name.as_bytes()) }
    }

    /// The upstream of a request, and the cookie that it will be known by when it has none yet.
    pub(super) fn choose(&self, comer: &Comer<'_>) -> (usize, Option<HeaderValue>) {
        let ip = || hash_bytes(comer.ip.to_string().as_bytes());
        let (key, cookie) = match &self.sticky {
            None => (comer.drawn, None),
            Some(Sticky::ClientIp) => (ip(), None),
            Some(Sticky::User) => (comer.principal.map_or_else(ip, user), None),
            Some(Sticky::Cookie(name)) => {
                if let Some(value) = cookie_of(comer.request.headers(), name) {
                    (hash_bytes(value.as_bytes()), None)
                } else {
                    let value = format!("{:016x}", comer.drawn);
                    let secure = if comer.is_https { "; Secure" } else { "" };
                    let cookie = format!("{name}={value}; Path=/; HttpOnly; SameSite=Lax{secure}");
                    (hash_bytes(value.as_bytes()), HeaderValue::from_str(&cookie).ok())
                }
            }
        };
        (self.part(key), cookie)
    }

    fn part(&self, key: u64) -> usize {
        let percent = u32::try_from(mix(key ^ self.salt) % 100).unwrap_or_default();
        let part = self.parts.iter().find(|(_, up_to)| percent < *up_to).or(self.parts.last());
        part.map_or(0, |(number, _)| *number)
    }
}

fn user(principal: &Principal) -> u64 {
    match &principal.subject {
        Subject::User(id) => hash_bytes(id.0.as_bytes()),
        Subject::Client(id) => hash_bytes(id.as_bytes()),
    }
}

fn cookie_of<'a>(headers: &'a HeaderMap, wanted: &str) -> Option<&'a str> {
    let lines = headers.get_all(COOKIE).filter_map(|line| line.to_str().ok());
    let mut pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(name, _)| *name == wanted).map(|(_, value)| value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_as_configured_and_a_key_stays_with_its_part() {
        let split = Split::new("r", &[(3, 95), (7, 5)], None);
        let keys: Vec<u64> = (0..10_000u64).map(|number| hash_bytes(&number.to_le_bytes())).collect();
        let second = keys.iter().filter(|key| split.part(**key) == 7).count();
        assert!((400..600).contains(&second), "{second}");
        // A larger share takes others in and sends nobody away.
        let grown = Split::new("r", &[(3, 80), (7, 20)], None);
        assert!(keys.iter().all(|key| split.part(*key) != 7 || grown.part(*key) == 7));
    }

    #[test]
    fn what_is_sticky_is_read_strictly() {
        assert_eq!(Sticky::parse("cookie:lane"), Some(Sticky::Cookie("lane".to_owned())));
        assert_eq!(Sticky::parse("user"), Some(Sticky::User));
        for wrong in ["cookie:", "cookie:a b", "cookie:a=b", "header:x", ""] {
            assert_eq!(Sticky::parse(wrong), None, "{wrong}");
        }
    }
}
