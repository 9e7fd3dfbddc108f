//! What an answer is kept under: scheme, host, path and query as the client asked for them.

use std::sync::Arc;

use url::Url;

use crate::modules::gateway::domain::path::canonical;

/// The key of a request. The host is the one that upstreams are told, so that who can choose the one chooses the other.
pub(super) fn of_request(scheme: &str, host: &str, path: &str, query: Option<&str>) -> Arc<str> {
    let default_port = if scheme == "https" { ":443" } else { ":80" };
    let host = host.strip_suffix(default_port).unwrap_or(host);
    let query_length = query.map_or(0, |query| query.len() + 1);
    let mut key = String::with_capacity(scheme.len() + 3 + host.len() + path.len() + query_length);
    key.push_str(scheme);
    key.push_str("://");
    key.extend(host.chars().map(|character| character.to_ascii_lowercase()));
    key.push_str(path);
    if let Some(query) = query {
        key.push('?');
        key.push_str(query);
    }
    key.into()
}

/// The key of a URL that is written out; `None` when it is none of ours.
pub(super) fn of_url(url: &Url) -> Option<Arc<str>> {
    if !matches!(url.scheme(), "http" | "https") {
        return None;
    }
    let path = canonical(url.path()).ok()?;
    let host = match url.port() {
        Some(port) => format!("{}:{port}", url.host_str()?),
        None => url.host_str()?.to_owned(),
    };
    Some(of_request(url.scheme(), &host, &path, url.query()))
}

/// The keys of what an answer's header names, relative to the key it came for; `None` when it is of another origin.
pub(super) fn of_reference(base: &str, reference: &str) -> Option<Arc<str>> {
    let base = Url::parse(base).ok()?;
    let url = base.join(reference).ok()?;
    if url.origin() != base.origin() {
        return None;
    }
    of_url(&url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_the_url_as_it_was_asked_for() {
        assert_eq!(&*of_request("http", "Shop.Example:80", "/a", Some("b=1")), "http://shop.example/a?b=1");
        assert_eq!(&*of_request("https", "a:8443", "/", None), "https://a:8443/");
        assert_ne!(of_request("http", "a", "/x", Some("")), of_request("http", "a", "/x", None));
    }

    #[test]
    fn a_written_url_has_the_same_key() {
        for (url, key) in [
            ("HTTP://Shop.Example:80/a//b/../c?q=1#top", "http://shop.example/a/c?q=1"),
            ("https://a:8443", "https://a:8443/"),
        ] {
            assert_eq!(of_url(&Url::parse(url).expect("a URL")).as_deref(), Some(key), "{url}");
        }
        assert_eq!(of_url(&Url::parse("ftp://a/b").expect("a URL")), None);
    }

    #[test]
    fn references_of_other_origins_have_none() {
        let base = "http://a:8080/x/y?z";
        assert_eq!(of_reference(base, "w").as_deref(), Some("http://a:8080/x/w"));
        assert_eq!(of_reference(base, "/w?q").as_deref(), Some("http://a:8080/w?q"));
        assert_eq!(of_reference(base, "http://A:8080/w").as_deref(), Some("http://a:8080/w"));
        for other in ["http://a/w", "https://a:8080/w", "//b/w", "http://"] {
            assert_eq!(of_reference(base, other), None, "{other}");
        }
    }
}
