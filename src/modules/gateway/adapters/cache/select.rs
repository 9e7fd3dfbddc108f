//! Which of the answers of a URL is for a request (RFC 9111 §4.1): the one of the same route whose `Vary` names headers
//! that say the same. Only a hash of what they say is kept, for they can be credentials.

use actix_web::http::header::{CONTENT_ENCODING, HeaderMap, HeaderName, VARY};
use aws_lc_rs::digest::{Context, SHA256};

use crate::modules::gateway::adapters::{hygiene, outgoing::Outgoing};

/// A hash of what the selecting headers of a request say.
pub(super) type Digest = [u8; 32];

/// The names that `Vary` lists, in one order; `None` when no later request can match.
pub(super) fn names(headers: &HeaderMap) -> Option<Vec<HeaderName>> {
    let mut names = Vec::new();
    for line in headers.get_all(VARY) {
        for name in line.to_str().ok()?.split(',').map(str::trim).filter(|name| !name.is_empty()) {
            if name == "*" {
                return None;
            }
            names.push(HeaderName::try_from(name).ok()?);
        }
    }
    // An encoded body is for those who can read it, whether its server remembers to say so or not.
    if headers.contains_key(CONTENT_ENCODING) {
        names.push(HeaderName::from_static("accept-encoding"));
    }
    names.sort_unstable_by(|a, b| a.as_str().cmp(b.as_str()));
    names.dedup();
    Some(names)
}

/// The hash of what a request's upstream is told under these names; `None` when that is never told twice.
pub(super) fn digest(names: &[HeaderName], outgoing: &Outgoing<'_>) -> Option<Digest> {
    if names.is_empty() {
        return Some([0; 32]);
    }
    let mut context = Context::new(&SHA256);
    for name in names {
        let value = value(name, outgoing)?;
        context.update(name.as_str().as_bytes());
        match &value {
            None => context.update(&[0]),
            Some(value) => {
                context.update(&[1]);
                context.update(&(value.len() as u64).to_be_bytes());
                context.update(value);
            }
        }
    }
    let mut digest = [0; 32];
    digest.copy_from_slice(context.finish().as_ref());
    Some(digest)
}

/// What the upstream is told; the outer `None`: something else each time.
#[expect(clippy::option_option, reason = "a header that is absent is not one that is never the same")]
fn value(name: &HeaderName, outgoing: &Outgoing<'_>) -> Option<Option<Vec<u8>>> {
    let of_principal = |value: &dyn Fn(&crate::kernel::Principal) -> String| {
        Some(outgoing.principal.map(|principal| value(principal).into_bytes()))
    };
    let rules = &outgoing.route.request_headers;
    // These are the same for every request of one URL on one route.
    if rules.remove.contains(name) || rules.set.iter().any(|(set, _)| set == name) {
        return Some(None);
    }
    match name.as_str() {
        "host" | "x-forwarded-host" | "x-forwarded-proto" | "x-forwarded-prefix" => Some(None),
        "x-user-id" => of_principal(&|principal| principal.subject.to_string()),
        "x-user-email" => of_principal(&|principal| principal.email.clone().unwrap_or_default()),
        "x-user-roles" => of_principal(&|principal| principal.roles.join(",")),
        "x-user-scopes" => of_principal(&|principal| principal.scopes.join(" ")),
        "x-forwarded-for" => Some(Some(outgoing.context.client_ip.to_string().into_bytes())),
        "traceparent" | "tracestate" => None,
        "accept-encoding" => Some(accepted(&outgoing.head.headers)),
        other if hygiene::is_reserved(other) => None,
        other if hygiene::is_hop_by_hop(other) => Some(None),
        "accept-language" => Some(joined(name, &outgoing.head.headers).map(|value| value.to_ascii_lowercase())),
        _ => Some(joined(name, &outgoing.head.headers)),
    }
}

/// All lines as one list without needless space (RFC 9111 §4.1).
fn joined(name: &HeaderName, headers: &HeaderMap) -> Option<Vec<u8>> {
    let mut all: Option<Vec<u8>> = None;
    for line in headers.get_all(name) {
        for part in line.as_bytes().split(|byte| *byte == b',') {
            let all = all.get_or_insert_default();
            if !all.is_empty() {
                all.push(b',');
            }
            all.extend_from_slice(part.trim_ascii());
        }
    }
    all
}

/// `Accept-Encoding` in one order: codings that are not wanted say nothing.
fn accepted(headers: &HeaderMap) -> Option<Vec<u8>> {
    let joined = joined(&HeaderName::from_static("accept-encoding"), headers)?.to_ascii_lowercase();
    let text = String::from_utf8_lossy(&joined).replace([' ', '\t'], "");
    let mut codings: Vec<&str> = text.split(',').filter(|coding| !coding.is_empty()).collect();
    codings.sort_unstable();
    codings.dedup();
    Some(codings.join(",").into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(lines: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(HeaderName::from_static(name), value.parse().expect("a value"));
        }
        headers
    }

    #[test]
    fn names_are_listed_once_in_one_order() {
        let listed = |lines: &[(&'static str, &'static str)]| {
            names(&headers(lines)).map(|names| names.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "))
        };
        assert_eq!(listed(&[("vary", "Foo, bar"), ("vary", "foo,,")]).as_deref(), Some("bar foo"));
        assert_eq!(listed(&[]).as_deref(), Some(""));
        assert_eq!(listed(&[("content-encoding", "br")]).as_deref(), Some("accept-encoding"));
        for star in ["*", "*, *", ", *", "Foo, *", "*,Foo"] {
            assert_eq!(listed(&[("vary", star)]), None, "{star}");
        }
        assert_eq!(listed(&[("vary", ""), ("vary", "*")]), None);
        assert_eq!(listed(&[("vary", "not a name")]), None);
    }

    #[test]
    fn space_order_and_case_of_codings_are_the_same() {
        let one = accepted(&headers(&[("accept-encoding", "gzip, br;q=0.5")]));
        assert_eq!(one, accepted(&headers(&[("accept-encoding", "BR; q=0.5"), ("accept-encoding", "GZIP")])));
        assert_ne!(one, accepted(&headers(&[("accept-encoding", "gzip")])));
        assert_ne!(one, accepted(&headers(&[])));
    }

    #[test]
    fn lines_are_one_list() {
        let name = HeaderName::from_static("foo");
        assert_eq!(joined(&name, &headers(&[("foo", " 1 ,2 ")])), Some(b"1,2".to_vec()));
        assert_eq!(joined(&name, &headers(&[("foo", "1"), ("foo", "2")])), Some(b"1,2".to_vec()));
        assert_eq!(joined(&name, &headers(&[("foo", "")])), Some(Vec::new()));
        assert_eq!(joined(&name, &headers(&[])), None);
    }
}
