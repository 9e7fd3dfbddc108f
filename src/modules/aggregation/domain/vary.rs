//! Which request headers an answer depends on, as far as the configuration shows: `Vary` (RFC 9110 §12.5.5).

/// The credentials that say who asks; what a source hears of them depends on either.
pub(crate) const CREDENTIALS: [&str; 2] = ["authorization", "x-api-key"];

/// What is made of the credentials, and not what the client sent.
const IDENTITY: [&str; 4] = ["x-user-id", "x-user-email", "x-user-roles", "x-user-scopes"];

/// A growing `Vary`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Vary {
    names: Vec<String>,
    on_anything: bool,
}

impl Vary {
    /// The answer depends on this header of the request.
    pub(crate) fn on(&mut self, name: &str) {
        if IDENTITY.contains(&name) {
            return self.on_credentials();
        }
        if !self.names.iter().any(|known| known == name) {
            self.names.push(name.to_owned());
        }
    }

    /// The answer depends on who asks.
    pub(crate) fn on_credentials(&mut self) {
        for name in CREDENTIALS {
            self.on(name);
        }
    }

    /// The answer depends on the headers that this program reads.
    pub(crate) fn on_program(&mut self, text: &str) {
        for (at, _) in text.match_indices("headers") {
            let rest = &text[at + "headers".len()..];
            let name = rest.strip_prefix('.').map(|rest| word(rest.trim_start_matches('"')));
            let name = name.or_else(|| rest.strip_prefix("[\"").and_then(|rest| rest.split('"').next()));
            match name.filter(|name| !name.is_empty() && word(name).len() == name.len()) {
                Some(name) => self.on(&name.to_ascii_lowercase()),
                None => self.on_anything = true,
            }
        }
    }

    /// The header's value; `None`: it depends on none.
    pub(crate) fn value(&self) -> Option<String> {
        if self.on_anything {
            return Some("*".to_owned());
        }
        (!self.names.is_empty()).then(|| self.names.join(", "))
    }
}

/// As far as a header's name reaches.
fn word(text: &str) -> &str {
    &text[..text.find(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != '-').unwrap_or(text.len())]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(programs: &[&str]) -> Option<String> {
        let mut vary = Vary::default();
        for program in programs {
            vary.on_program(program);
        }
        vary.value()
    }

    #[test]
    fn programs_show_what_they_read() {
        assert_eq!(of(&[".results.a", ".path.id"]), None);
        assert_eq!(of(&[".headers.cookie, .headers[\"Accept-Language\"]"]).as_deref(), Some("cookie, accept-language"));
        assert_eq!(of(&[".headers.\"x-tenant\" | length"]).as_deref(), Some("x-tenant"));
        assert_eq!(of(&["{headers}"]).as_deref(), Some("*"));
        assert_eq!(of(&[".headers[.query.name]"]).as_deref(), Some("*"));
    }

    #[test]
    fn who_asks_is_known_by_credentials() {
        let mut vary = Vary::default();
        for name in ["accept-language", "x-user-id", "x-user-roles"] {
            vary.on(name);
        }
        assert_eq!(vary.value().as_deref(), Some("accept-language, authorization, x-api-key"));
    }
}
