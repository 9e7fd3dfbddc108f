//! How long an answer may be kept: what each of its parts says in `Cache-Control`, the strictest of all.

use std::{fmt::Write as _, time::Duration};

/// What the parts of an answer allow together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "directives of `Cache-Control` are there or not, each by itself")]
pub(crate) struct Freshness {
    /// A part said something.
    spoken: bool,
    /// A part did not say how long it is good.
    open: bool,
    no_store: bool,
    no_cache: bool,
    private: bool,
    must_revalidate: bool,
    /// The least of what is left.
    max_age: Option<Duration>,
}

impl Freshness {
    /// A part that says nothing.
    pub(crate) const SILENT: Self = Self {
        spoken: false,
        open: true,
        no_store: false,
        no_cache: false,
        private: false,
        must_revalidate: false,
        max_age: None,
    };
    /// A part that must not be kept.
    pub(crate) const NO_STORE: Self = Self { spoken: true, no_store: true, ..Self::SILENT };

    /// Reads the `Cache-Control` of a part (RFC 9111 §5.2.2). `expires` is what `Expires` leaves, for when no age is said;
    /// `age` is how old the part is already. An age that cannot be read, or stands twice, is none.
    pub(crate) fn read(cache_control: &str, expires: Option<Duration>, age: Duration) -> Self {
        let mut read = Self::default();
        let mut ages = Vec::new();
        for directive in directives(cache_control) {
            let (name, value) = directive.split_once('=').unwrap_or((directive, ""));
            let value = value.trim().trim_matches('"');
            match name.trim().to_ascii_lowercase().as_str() {
                "no-store" => read.no_store = true,
                "no-cache" => read.no_cache = true,
                "private" => read.private = true,
                "must-revalidate" | "proxy-revalidate" => read.must_revalidate = true,
                "max-age" | "s-maxage" => ages.push(seconds(value)),
                "" => continue,
                _ => {}
            }
            read.spoken = true;
        }
        let said = ages.into_iter().min().or(expires);
        read.spoken |= said.is_some();
        read.open = said.is_none();
        read.max_age = said.map(|said| said.saturating_sub(age));
        read
    }

    /// The same, some time later.
    #[must_use]
    pub(crate) fn later(mut self, by: Duration) -> Self {
        self.max_age = self.max_age.map(|left| left.saturating_sub(by));
        self
    }

    /// The same, when its time is known to be over.
    #[must_use]
    pub(crate) fn stale(mut self) -> Self {
        (self.spoken, self.no_cache) = (true, true);
        self
    }

    /// Both together: the stricter of each.
    #[must_use]
    pub(crate) fn and(self, other: Self) -> Self {
        Self {
            spoken: self.spoken || other.spoken,
            open: self.open || other.open,
            no_store: self.no_store || other.no_store,
            no_cache: self.no_cache || other.no_cache,
            private: self.private || other.private,
            must_revalidate: self.must_revalidate || other.must_revalidate,
            max_age: match (self.max_age, other.max_age) {
                (Some(one), Some(two)) => Some(one.min(two)),
                (one, two) => one.or(two),
            },
        }
    }

    /// `Cache-Control` of the whole; `None`: no part said anything. Where some parts say how long they are good and others do
    /// not, the whole may be kept but must be asked for again: nobody allowed more.
    pub(crate) fn cache_control(&self) -> Option<String> {
        if !self.spoken {
            return None;
        }
        if self.no_store {
            return Some("no-store".to_owned());
        }
        let mut text = String::new();
        let mut add = |word: &str| {
            let _ = write!(text, "{}{word}", if text.is_empty() { "" } else { ", " });
        };
        if self.private {
            add("private");
        }
        match self.max_age {
            _ if self.no_cache => add("no-cache"),
            Some(_) if self.open => add("no-cache"),
            Some(left) => add(&format!("max-age={}", left.as_secs())),
            None => {}
        }
        if self.must_revalidate {
            add("must-revalidate");
        }
        (!text.is_empty()).then_some(text)
    }
}

/// The parts between commas that stand in no quotes.
fn directives(text: &str) -> impl Iterator<Item = &str> {
    let mut quoted = false;
    let split = move |c: char| {
        quoted ^= c == '"';
        c == ',' && !quoted
    };
    text.split(split).map(str::trim)
}

/// Delta seconds (RFC 9111 §1.2.2): what overflows is very long, what is no number is over.
fn seconds(text: &str) -> Duration {
    const LONGEST: u64 = 1 << 31;
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    Duration::from_secs(if is_number { text.parse().unwrap_or(LONGEST).min(LONGEST) } else { 0 })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(text: &str) -> Freshness {
        Freshness::read(text, None, Duration::ZERO)
    }

    fn together(parts: &[Freshness]) -> Option<String> {
        parts.iter().copied().fold(Freshness::default(), Freshness::and).cache_control()
    }

    #[test]
    fn the_strictest_part_wins() {
        let silent = Freshness::SILENT;
        for (parts, expected) in [
            (vec![], None),
            (vec![silent], None),
            (vec![silent, silent], None),
            (vec![of("max-age=60"), of("public, max-age=30")], Some("max-age=30")),
            (vec![of("max-age=60"), silent], Some("no-cache")),
            (vec![of("max-age=60"), of("private, max-age=90")], Some("private, max-age=60")),
            (vec![of("max-age=60"), of("private")], Some("private, no-cache")),
            (vec![of("private"), silent], Some("private")),
            (vec![of("max-age=60"), of("no-cache")], Some("no-cache")),
            (vec![of("max-age=60"), of("No-Store")], Some("no-store")),
            (vec![silent, Freshness::NO_STORE], Some("no-store")),
            (vec![of("max-age=5, must-revalidate")], Some("max-age=5, must-revalidate")),
            (vec![of("max-age=60, s-maxage=10")], Some("max-age=10")),
            (vec![of("max-age=\"7\"")], Some("max-age=7")),
            (vec![of("max-age=soon")], Some("max-age=0")),
            (vec![of("private=\"set-cookie, x\", max-age=9")], Some("private, max-age=9")),
            (vec![of("max-age=60").later(Duration::from_secs(45))], Some("max-age=15")),
            (vec![of("max-age=60").later(Duration::from_secs(90))], Some("max-age=0")),
            (vec![silent.stale(), silent], Some("no-cache")),
            (vec![of("immutable")], None),
        ] {
            assert_eq!(together(&parts).as_deref(), expected, "{parts:?}");
        }
        let expiring = Freshness::read("", Some(Duration::from_secs(20)), Duration::from_secs(5));
        assert_eq!(together(&[expiring]).as_deref(), Some("max-age=15"));
        let older = Freshness::read("max-age=60", Some(Duration::from_secs(20)), Duration::from_secs(50));
        assert_eq!(together(&[older]).as_deref(), Some("max-age=10"));
    }

    proptest! {
        #[test]
        fn the_order_of_the_parts_does_not_matter(texts in proptest::collection::vec("(no-store|no-cache|private|max-age=[0-9]{1,3}|)", 0..5)) {
            let parts: Vec<_> = texts.iter().map(|text| of(text)).collect();
            let reversed: Vec<_> = parts.iter().rev().copied().collect();
            prop_assert_eq!(together(&parts), together(&reversed));
        }

        #[test]
        fn no_text_is_too_strange(text in ".{0,80}") {
            let _ = of(&text).cache_control();
        }
    }
}
