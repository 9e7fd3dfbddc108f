//! Keys as people read them: `gateway.routes[0].upstream`.

use std::fmt;

/// One step of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Segment {
    /// A member of a table.
    Name(String),
    /// An element of a list.
    Index(usize),
}

/// The way from the root to a setting.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Key(pub(super) Vec<Segment>);

impl Key {
    /// Reads `a.b[0]."c.d"`. Whatever does not look like a key is taken as a name, because the text is only used to find a
    /// place.
    pub(super) fn read(text: &str) -> Self {
        let mut segments = Vec::new();
        let mut rest = text;
        while !rest.is_empty() {
            if let Some((index, after)) = read_index(rest) {
                segments.push(Segment::Index(index));
                rest = after;
            } else if let Some((name, after)) = rest.strip_prefix('"').and_then(|quoted| quoted.split_once('"')) {
                segments.push(Segment::Name(name.to_owned()));
                rest = after;
            } else {
                let end = rest.find(['.', '[']).unwrap_or(rest.len()).max(1);
                let (name, after) = rest.split_at(floor(rest, end));
                segments.push(Segment::Name(name.to_owned()));
                rest = after;
            }
            rest = rest.strip_prefix('.').unwrap_or(rest);
        }
        Self(segments)
    }

    /// This key with one more name.
    pub(super) fn member(&self, name: &str) -> Self {
        let mut longer = self.clone();
        longer.0.push(Segment::Name(name.to_owned()));
        longer
    }

    /// This key with one more index.
    pub(super) fn element(&self, index: usize) -> Self {
        let mut longer = self.clone();
        longer.0.push(Segment::Index(index));
        longer
    }

    /// The last name on the way.
    pub(super) fn last_name(&self) -> Option<&str> {
        self.0.iter().rev().find_map(|segment| match segment {
            Segment::Name(name) => Some(name.as_str()),
            Segment::Index(_) => None,
        })
    }

    /// The key without its list positions: `gateway.routes[].upstream`.
    pub(super) fn pattern(&self) -> String {
        let mut text = String::new();
        for segment in &self.0 {
            match segment {
                Segment::Name(name) if text.is_empty() => text.push_str(name),
                Segment::Name(name) => {
                    text.push('.');
                    text.push_str(name);
                }
                Segment::Index(_) => text.push_str("[]"),
            }
        }
        text
    }
}

fn read_index(text: &str) -> Option<(usize, &str)> {
    let (digits, after) = text.strip_prefix('[')?.split_once(']')?;
    Some((digits.parse().ok()?, after))
}

/// The nearest character boundary at or after `at`.
fn floor(text: &str, at: usize) -> usize {
    (at..=text.len()).find(|at| text.is_char_boundary(*at)).unwrap_or(text.len())
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, segment) in self.0.iter().enumerate() {
            match segment {
                Segment::Name(name) => {
                    let dot = if position == 0 { "" } else { "." };
                    let bare = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c));
                    if bare { write!(f, "{dot}{name}")? } else { write!(f, "{dot}{name:?}")? }
                }
                Segment::Index(index) => write!(f, "[{index}]")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn reads_what_it_writes() {
        for text in ["server.port", "gateway.routes[0].upstream", "a[0][1]", "headers.\"x.y\".z", "server"] {
            assert_eq!(Key::read(text).to_string(), text);
        }
        assert_eq!(Key::read("gateway.routes[7].cache").pattern(), "gateway.routes[].cache");
    }

    proptest! {
        #[test]
        fn reads_anything(text: String) {
            let _ = Key::read(&text);
        }
    }
}
