//! A document's words and signs, counted before it is parsed: parsing costs more, and nests as deep as the text does.

/// The deepest nesting of brackets. The parser takes a piece of the stack for each.
const MAX_NESTING: usize = 64;

/// Why a document is not parsed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Excess {
    /// It has more words and signs than it may have.
    Tokens,
    /// Its brackets nest deeper than 64.
    Nesting,
}

/// Looks at every byte once, and at none after the limit. What is no token at all is the parser's to refuse.
pub(super) fn check(text: &str, max_tokens: usize) -> Result<(), Excess> {
    let bytes = text.as_bytes();
    let (mut at, mut tokens, mut depth) = (0, 0_usize, 0_usize);
    while let Some(byte) = bytes.get(at) {
        let rest = &bytes[at..];
        at += match byte {
            b' ' | b'\t' | b'\r' | b'\n' | b',' | 0xef | 0xbb | 0xbf => {
                at += 1;
                continue;
            }
            b'#' => {
                at += rest.iter().take_while(|byte| !matches!(byte, b'\n' | b'\r')).count();
                continue;
            }
            b'"' if rest.starts_with(b"\"\"\"") => block(rest),
            b'"' => quoted(rest),
            b'{' | b'[' | b'(' => {
                depth += 1;
                if depth > MAX_NESTING {
                    return Err(Excess::Nesting);
                }
                1
            }
            b'}' | b']' | b')' => {
                depth = depth.saturating_sub(1);
                1
            }
            byte if is_word(*byte) => rest.iter().take_while(|byte| is_word(**byte)).count(),
            b'.' if rest.starts_with(b"...") => 3,
            _ => 1,
        };
        tokens += 1;
        if tokens > max_tokens {
            return Err(Excess::Tokens);
        }
    }
    Ok(())
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-')
}

/// The length of a text in three quotes.
fn block(rest: &[u8]) -> usize {
    let mut at = 3;
    while at < rest.len() {
        if rest[at..].starts_with(b"\\\"\"\"") {
            at += 4;
        } else if rest[at..].starts_with(b"\"\"\"") {
            return at + 3;
        } else {
            at += 1;
        }
    }
    rest.len()
}

/// The length of a text in quotes, as far as its line goes.
fn quoted(rest: &[u8]) -> usize {
    let mut at = 1;
    while let Some(byte) = rest.get(at) {
        match byte {
            b'"' => return at + 1,
            b'\\' => at += 2,
            b'\n' | b'\r' => return at,
            _ => at += 1,
        }
    }
    rest.len()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn words_and_signs_count_and_nothing_else_does() {
        for (text, tokens) in [
            ("", 0),
            ("{ a, b }", 4),
            ("query Q($x: Int = -1) { a(b: $x) @skip(if: true) ...F } # { {", 28),
            (r#"{ a(b: "} \" { x") }"#, 8),
            (r#"{ a(b: """ " \""" } """) }"#, 8),
            ("\u{feff}{ä}", 4),
        ] {
            assert_eq!(check(text, tokens), Ok(()), "{text}");
            assert!(tokens == 0 || check(text, tokens - 1) == Err(Excess::Tokens), "{text}");
        }
    }

    #[test]
    fn nesting_has_an_end() {
        assert_eq!(check(&"{".repeat(64), 1_000), Ok(()));
        assert_eq!(check(&"{a(b:[".repeat(1_000), 100_000), Err(Excess::Nesting));
        assert_eq!(check(&"{}".repeat(100), 1_000), Ok(()));
    }

    proptest! {
        #[test]
        fn no_text_is_too_strange(text in "[\\{\\}\"\\\\#\\n a.ü]{0,60}") {
            let _ = check(&text, 10);
        }
    }
}
