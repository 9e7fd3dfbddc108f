//! What a browser may do with a page (Content Security Policy, level 3).

use url::{Host, Url};

/// Where things may come from and go to.
pub(super) struct Policy<'a> {
    /// Of the page's own style.
    pub(super) nonce: &'a str,
    /// The operator's image, if it lies elsewhere.
    pub(super) logo: Option<&'a str>,
    /// Where the answer to the page's form leads in the end, if elsewhere.
    pub(super) leads_to: Option<&'a str>,
    /// Whether our own script may run, and ask us.
    pub(super) has_script: bool,
    /// Where the page's riddle comes from, if it has one.
    pub(super) riddle: Option<&'static str>,
}

impl Policy<'_> {
    /// The header.
    pub(super) fn header(&self) -> String {
        let logo = self.logo.and_then(source).map(|source| format!(" {source}")).unwrap_or_default();
        let target = self.leads_to.and_then(source).map(|source| format!(" {source}")).unwrap_or_default();
        let style = self.riddle.map(|from| format!(" {from}")).unwrap_or_default();
        let frames = self.riddle.map(|from| format!("frame-src {from}; ")).unwrap_or_default();
        let scripts: Vec<_> = self.has_script.then_some("'self'").into_iter().chain(self.riddle).collect();
        let scripts = scripts.join(" ");
        let scripts = match scripts.as_str() {
            "" => String::new(),
            from => format!("script-src {from}; {frames}connect-src {from}; "),
        };
        format!(
            "default-src 'none'; {scripts}style-src 'nonce-{}'{style}; img-src 'self' data:{logo}; form-action 'self'{target}; \
             frame-ancestors 'none'; base-uri 'none'",
            self.nonce
        )
    }
}

/// The narrowest source expression that covers a URL. Browsers hold `form-action` against redirects too, and a client's
/// address may be an app's own scheme, or an address that has no form of its own there (IPv6).
fn source(url: &str) -> Option<String> {
    let url = Url::parse(url).ok()?;
    let scheme = url.scheme();
    match (scheme, url.host()) {
        ("http" | "https", Some(Host::Domain(_) | Host::Ipv4(_))) => Some(url.origin().ascii_serialization()),
        // Anything that runs, or that says no more than "anything", helps nobody.
        ("javascript" | "data" | "blob" | "filesystem" | "about", _) => None,
        _ => Some(format!("{scheme}:")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_names_what_is_needed_and_no_more() {
        let bare = Policy { nonce: "n", logo: Some("/logo.svg"), leads_to: None, riddle: None, has_script: false };
        assert_eq!(
            bare.header(),
            "default-src 'none'; style-src 'nonce-n'; img-src 'self' data:; form-action 'self'; \
             frame-ancestors 'none'; base-uri 'none'"
        );
        let away = Policy { leads_to: Some("https://app.example/cb"), logo: Some("https://cdn.example/l"), ..bare };
        assert!(
            away.header()
                .contains("; img-src 'self' data: https://cdn.example; form-action 'self' https://app.example;")
        );
        let riddle = Policy { riddle: Some("https://riddle.example"), ..away };
        assert!(riddle.header().starts_with(
            "default-src 'none'; script-src https://riddle.example; frame-src https://riddle.example; \
             connect-src https://riddle.example; style-src 'nonce-n' https://riddle.example; "
        ));
    }

    #[test]
    fn our_own_script_runs_where_there_is_one() {
        let ours = Policy { nonce: "n", logo: None, leads_to: None, riddle: None, has_script: true };
        assert!(
            ours.header()
                .starts_with("default-src 'none'; script-src 'self'; connect-src 'self'; style-src 'nonce-n'; ")
        );
        let both = Policy { riddle: Some("https://riddle.example"), ..ours };
        assert!(both.header().starts_with(
            "default-src 'none'; script-src 'self' https://riddle.example; frame-src https://riddle.example; \
             connect-src 'self' https://riddle.example; style-src 'nonce-n' https://riddle.example; "
        ));
    }

    #[test]
    fn a_source_is_the_origin_or_else_the_scheme() {
        for (url, expected) in [
            ("https://app.example/cb?a=b;c", Some("https://app.example")),
            ("http://127.0.0.1:4711/cb", Some("http://127.0.0.1:4711")),
            ("http://[::1]:4711/cb", Some("http:")),
            ("com.example.app:/cb", Some("com.example.app:")),
            ("javascript:alert(1)", None),
            ("not a url", None),
        ] {
            assert_eq!(source(url).as_deref(), expected, "{url}");
        }
    }
}
