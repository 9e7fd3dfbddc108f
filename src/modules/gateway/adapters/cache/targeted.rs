//! A targeted cache-control field (RFC 9213) is a dictionary of structured fields (RFC 9651), read strictly: what is not
//! sound as a whole is as if it were not there.

use super::directives::unquote;

/// A value, as far as directives have one.
enum Item {
    True,
    Integer(String),
    Text(String),
    Other,
}

/// Times must be integers.
const TIMES: [&str; 4] = ["max-age", "s-maxage", "stale-while-revalidate", "stale-if-error"];

/// The directives of a dictionary; `None` when it is empty or not sound.
pub(super) fn read(text: &str) -> Option<Vec<(String, Option<String>)>> {
    let mut list: Vec<(String, Option<String>)> = Vec::new();
    let mut rest = text.trim_matches(' ');
    loop {
        let (key, after) = key(rest)?;
        let (item, after) = match after.strip_prefix('=') {
            Some(value) => item(value)?,
            None => (Item::True, after),
        };
        rest = parameters(after)?.trim_start_matches([' ', '\t']);
        let value = match item {
            Item::Integer(number) => Some(number),
            Item::True | Item::Text(_) | Item::Other if TIMES.contains(&key) => return None,
            Item::True => None,
            Item::Text(text) => Some(text),
            // What is said in another type is said in no way that is known.
            Item::Other => Some("?".to_owned()),
        };
        // Of two members of a name the last counts.
        list.retain(|(found, _)| found != key);
        list.push((key.to_owned(), value));
        if rest.is_empty() {
            return Some(list);
        }
        rest = rest.strip_prefix(',')?.trim_start_matches([' ', '\t']);
    }
}

fn key(text: &str) -> Option<(&str, &str)> {
    if !text.starts_with(|first: char| first.is_ascii_lowercase() || first == '*') {
        return None;
    }
    let of_key = |byte: char| byte.is_ascii_lowercase() || byte.is_ascii_digit() || "_-.*".contains(byte);
    let end = text.find(|byte| !of_key(byte)).unwrap_or(text.len());
    Some(text.split_at(end))
}

fn item(text: &str) -> Option<(Item, &str)> {
    let first = text.chars().next()?;
    match first {
        '"' => {
            let (value, after) = unquote(&text[1..]);
            // An unclosed string leaves nothing and has no closing quote.
            let closed = text.len() - after.len() >= 2 && text[..text.len() - after.len()].ends_with('"');
            closed.then_some((Item::Text(value), after))
        }
        '-' | '0'..='9' => {
            let end =
                text[1..].find(|byte: char| !byte.is_ascii_digit() && byte != '.').map_or(text.len(), |at| at + 1);
            let (number, after) = text.split_at(end);
            if number == "-" || number.len() > 16 {
                return None;
            }
            Some((if number.contains('.') { Item::Other } else { Item::Integer(number.to_owned()) }, after))
        }
        '?' => match text.as_bytes().get(1) {
            Some(b'1') => Some((Item::True, &text[2..])),
            Some(b'0') => Some((Item::Other, &text[2..])),
            _ => None,
        },
        ':' => text[1..].find(':').map(|end| (Item::Other, &text[end + 2..])),
        '(' => text.find(')').map(|end| (Item::Other, &text[end + 1..])),
        first if first.is_ascii_alphabetic() || first == '*' => {
            let of_token = |byte: char| byte.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~:/".contains(byte);
            let end = text.find(|byte| !of_token(byte)).unwrap_or(text.len());
            Some((Item::Text(text[..end].to_owned()), &text[end..]))
        }
        _ => None,
    }
}

/// What comes after an item's parameters, which mean nothing here.
fn parameters(mut text: &str) -> Option<&str> {
    while let Some(parameter) = text.strip_prefix(';') {
        let (_, after) = key(parameter.trim_start_matches(' '))?;
        text = match after.strip_prefix('=') {
            Some(value) => item(value)?.1,
            None => after,
        };
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_is_sound_and_nothing_else() {
        let sound = read("max-age=60, foo;bar=1, private=\"a, b\", no-store, x=?1 , y=tok").expect("sound");
        let values: Vec<(&str, Option<&str>)> =
            sound.iter().map(|(name, value)| (name.as_str(), value.as_deref())).collect();
        assert_eq!(
            values,
            [
                ("max-age", Some("60")),
                ("foo", None),
                ("private", Some("a, b")),
                ("no-store", None),
                ("x", None),
                ("y", Some("tok"))
            ]
        );
        for unsound in ["", "max-age=", "max-age=60,", "max-age=x", "=1", "a b", "a=\"b", "max-age=1.5", "A=1"] {
            assert!(read(unsound).is_none(), "{unsound}");
        }
    }
}
