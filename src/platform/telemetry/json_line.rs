//! One event as one JSON object, written straight into bytes: a line is written for every request, so it builds no map.

use std::fmt::{self, Write as _};

use serde::Serialize;
use tracing::{
    Event,
    field::{Field, Visit},
};

use crate::platform::http::{RequestContext, context::push_hex};

/// Members that every line has; an event's own fields of these names are left out.
fn is_common(name: &str) -> bool {
    matches!(name, "timestamp" | "level" | "service" | "request_id" | "trace_id" | "span_id")
}

/// A line in the making.
pub(super) struct JsonLine<'a> {
    out: &'a mut Vec<u8>,
    named: bool,
}

impl<'a> JsonLine<'a> {
    /// Begins a line in an empty buffer.
    pub(super) fn begin(out: &'a mut Vec<u8>, timestamp: &str, level: &str, service: &str) -> Self {
        out.clear();
        out.extend_from_slice(b"{\"timestamp\":\"");
        out.extend_from_slice(timestamp.as_bytes());
        out.push(b'"');
        let mut line = Self { out, named: false };
        line.text("level", level);
        line.text("service", service);
        line
    }

    /// The ids of the request that is being served.
    pub(super) fn request(&mut self, context: &RequestContext) {
        self.text("request_id", &context.request_id);
        // Hexadecimal digits need no escapes.
        self.out.extend_from_slice(b",\"trace_id\":\"");
        push_hex(self.out, &context.trace.trace_id.to_be_bytes());
        self.out.extend_from_slice(b"\",\"span_id\":\"");
        push_hex(self.out, &context.trace.span_id.to_be_bytes());
        self.out.push(b'"');
    }

    /// The event's own fields, and its name; libraries' events have none, where they come from is the best there is.
    pub(super) fn event(mut self, event: &Event<'_>) {
        event.record(&mut self);
        if !self.named {
            self.text("event", event.metadata().target());
        }
        self.out.extend_from_slice(b"}\n");
    }

    fn name(&mut self, name: &str) {
        self.out.extend_from_slice(b",\"");
        self.out.extend_from_slice(name.as_bytes());
        self.out.extend_from_slice(b"\":");
    }

    fn text(&mut self, name: &str, text: &str) {
        self.name(name);
        self.out.push(b'"');
        // Writing to memory does not fail.
        let _ = Escaped(self.out).write_str(text);
        self.out.push(b'"');
    }

    fn member(&mut self, name: &str, value: impl Serialize) {
        self.name(name);
        let _ = serde_json::to_writer(&mut *self.out, &value);
    }

    fn field(&mut self, field: &Field, value: impl Serialize) {
        let name = field.name();
        if !is_common(name) {
            self.named |= name == "event";
            self.member(name, value);
        }
    }
}

impl Visit for JsonLine<'_> {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.field(field, value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.field(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.field(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.field(field, value);
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        let name = field.name();
        if !is_common(name) {
            self.named |= name == "event";
            self.text(name, value);
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let name = field.name();
        if is_common(name) {
            return;
        }
        self.named |= name == "event";
        self.name(name);
        self.out.push(b'"');
        let _ = write!(Escaped(self.out), "{value:?}");
        self.out.push(b'"');
    }
}

/// Escapes text for a JSON string (RFC 8259 §7) while it is being formatted.
struct Escaped<'a>(&'a mut Vec<u8>);

impl fmt::Write for Escaped<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let mut rest = text.as_bytes();
        // Nearly all text is plain, and to see that of all of it at once is far quicker than byte by byte.
        if !rest.iter().fold(false, |found, byte| found | needs_escape(*byte)) {
            self.0.extend_from_slice(rest);
            return Ok(());
        }
        while let Some(at) = rest.iter().position(|byte| needs_escape(*byte)) {
            self.0.extend_from_slice(&rest[..at]);
            match rest[at] {
                control @ 0..b' ' => {
                    self.0.extend_from_slice(b"\\u00");
                    push_hex(self.0, &[control]);
                }
                mark => self.0.extend_from_slice(&[b'\\', mark]),
            }
            rest = &rest[at + 1..];
        }
        self.0.extend_from_slice(rest);
        Ok(())
    }
}

const fn needs_escape(byte: u8) -> bool {
    byte < b' ' || byte == b'"' || byte == b'\\'
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_escaped_reads_back(text: String) {
            let mut out = vec![b'"'];
            write!(Escaped(&mut out), "{text}").unwrap();
            out.push(b'"');
            prop_assert_eq!(serde_json::from_slice::<String>(&out).unwrap(), text);
        }
    }
}
