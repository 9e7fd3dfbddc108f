//! Header hygiene, both ways: which headers belong to one connection only, which a client may not send on, and the
//! translation between the two HTTP libraries, in one walk.

use actix_web::http::header as front;
use http::header as back;

use crate::platform::siblings::ASSERTION;

/// Headers of one connection (RFC 9110 §7.6.1), whatever `Connection` names beside them.
pub(super) fn is_hop_by_hop(name: &str) -> bool {
    matches!(
        name,
        "connection"
            | "keep-alive"
            | "proxy-connection"
            | "proxy-authenticate"
            | "proxy-authorization"
            | "te"
            | "trailer"
            | "transfer-encoding"
            | "upgrade"
    )
}

/// Headers that only the gateway may say, whatever their spelling: who the user is, and where the request came from.
/// Some servers read `_` or `.` as `-`, so that all of them are one name here.
pub(super) fn is_reserved(name: &str) -> bool {
    if !matches!(
        name.as_bytes(),
        [b'x', b'-' | b'_' | b'.', ..] | [b'c', b'l', b'i', b'e', b'n', b't', ..] | b"forwarded"
    ) {
        return false;
    }
    let alike = |(a, b): (u8, u8)| a == b || (b == b'-' && matches!(a, b'_' | b'.'));
    let begins = |prefix: &str| name.len() >= prefix.len() && name.bytes().zip(prefix.bytes()).all(alike);
    let same = |other: &str| name.len() == other.len() && begins(other);
    name == "forwarded"
        || begins("x-user-")
        || begins("x-forwarded-")
        || same("client-cert")
        || same("client-cert-chain")
        || same("x-real-ip")
        || same("x-request-id")
        || same("x-request-deadline")
        || same(ASSERTION)
        || (name != "x-api-key" && same("x-api-key"))
}

/// Names that a `Connection` header declares to be of this connection only.
pub(super) struct Declared(Vec<String>);

impl Declared {
    /// Reads the values of `Connection`. Usually there is nothing beside `close` and `keep-alive`, and nothing is kept.
    pub(super) fn read<'a>(values: impl Iterator<Item = &'a [u8]>) -> Self {
        let mut names = Vec::new();
        for value in values {
            let text = std::str::from_utf8(value).unwrap_or_default();
            let declared = text.split(',').map(str::trim).filter(|name| !name.is_empty());
            let declared = declared.filter(|name| {
                !["close", "keep-alive", "upgrade", "te"].iter().any(|usual| name.eq_ignore_ascii_case(usual))
            });
            names.extend(declared.map(str::to_ascii_lowercase));
        }
        Self(names)
    }

    /// Whether the header is one of them.
    pub(super) fn has(&self, name: &str) -> bool {
        !self.0.is_empty() && self.0.iter().any(|declared| declared == name)
    }
}

/// A response's headers for the way to the client.
pub(super) fn to_front_all(headers: &back::HeaderMap) -> Vec<(front::HeaderName, front::HeaderValue)> {
    let each = headers.iter().filter_map(|(name, value)| {
        let name = front::HeaderName::from_bytes(name.as_str().as_bytes()).ok()?;
        Some((name, front::HeaderValue::from_bytes(value.as_bytes()).ok()?))
    });
    each.collect()
}

/// For the fuzz target of header names.
#[cfg(fuzzing)]
pub(in crate::modules::gateway) fn may_go_on(name: &str) -> bool {
    !is_hop_by_hop(name) && !is_reserved(name)
}

/// For the fuzz target of `Connection`.
#[cfg(fuzzing)]
pub(in crate::modules::gateway) fn declared<'a>(values: &[&[u8]], names: &[&'a str]) -> Vec<&'a str> {
    let declared = Declared::read(values.iter().copied());
    names.iter().copied().filter(|name| declared.has(name)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_of_a_reserved_name() {
        for name in [
            "x-user-id",
            "x_user_id",
            "x-user_roles",
            "x.user.id",
            "x_api-key",
            "x_user-anything",
            "forwarded",
            "x-forwarded-for",
            "x_forwarded_host",
            "client-cert",
            "client_cert",
            "client-cert-chain",
        ] {
            assert!(is_reserved(name), "{name}");
        }
        for name in ["x-users", "user-id", "x-api-key", "x-tenant", "x-use", "forwarded-by", "client", "client-certs"] {
            assert!(!is_reserved(name), "{name}");
        }
    }

    #[test]
    fn declared_names_are_read_from_all_values() {
        let declared = Declared::read([b"close, X-Secret".as_slice(), b"keep-alive,,x-other "].into_iter());
        assert!(declared.has("x-secret") && declared.has("x-other"));
        assert!(!declared.has("close") && !declared.has("x-user-id"));
    }
}
