//! JSON that is carried, not parsed: numbers, text and order leave byte for byte as they came.

use std::sync::Arc;

use serde_json::value::RawValue;

use crate::kernel::error::ValueFault;

/// The deepest nesting that is accepted, the same as everywhere in the product.
pub(crate) const MAX_DEPTH: usize = 128;

/// A JSON value as text.
pub(crate) type Json = Arc<RawValue>;

/// `null`.
pub(crate) fn null() -> Json {
    Arc::from(RawValue::NULL.to_owned())
}

/// Takes text as one JSON value (RFC 8259) of bounded depth; an empty text is `null`, as a 204 means it.
pub(crate) fn take(text: Vec<u8>) -> Result<Json, ValueFault> {
    let text = String::from_utf8(text).map_err(|_| ValueFault::new("not-utf8", "the text is not UTF-8"))?;
    if text.trim().is_empty() {
        return Ok(null());
    }
    // Depth first: what reads the value later may recurse.
    check_depth(&text)?;
    let raw = RawValue::from_string(text).map_err(|fault| ValueFault::new("not-json", format!("not JSON: {fault}")))?;
    Ok(Arc::from(raw))
}

/// Refuses text whose brackets nest deeper than [`MAX_DEPTH`].
pub(crate) fn check_depth(text: &str) -> Result<(), ValueFault> {
    let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
    for byte in text.bytes() {
        if in_string {
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => in_string = false,
                _ => {}
            }
            continue;
        }
        match byte {
            b'"' => in_string = true,
            b'[' | b'{' => {
                depth += 1;
                if depth > MAX_DEPTH {
                    return Err(ValueFault::new("too-deep", format!("more than {MAX_DEPTH} levels")));
                }
            }
            b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_survives_byte_for_byte() {
        for text in [r#"{"b":1.10,"a":12345678901234567890123}"#, r#"["\u00e9",-0,1E400]"#, "null"] {
            assert_eq!(take(text.into()).expect("valid").get(), text);
        }
        assert_eq!(take(Vec::new()).expect("empty").get(), "null");
    }

    #[test]
    fn garbage_and_depth_are_refused() {
        let nested = |levels: usize| "[".repeat(levels) + &"]".repeat(levels);
        assert!(take(nested(128).into()).is_ok());
        assert_eq!(take(nested(129).into()).expect_err("deep").code, "too-deep");
        assert_eq!(take(nested(100_000).into()).expect_err("deep").code, "too-deep");
        assert!(take(r#""[[[[""#.into()).is_ok());
        for wrong in [&b"<html>"[..], b"{", b"1 2", b"\xff", b"NaN", b"{\"a\":}"] {
            assert!(take(wrong.to_vec()).is_err(), "{wrong:?}");
        }
    }
}
