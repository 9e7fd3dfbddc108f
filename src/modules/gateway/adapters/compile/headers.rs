//! A route's changes to headers: checked, and compiled.

use actix_web::http::header::{HeaderName, HeaderValue};

use super::Compiler;
use crate::modules::gateway::{
    adapters::{
        route::{HeaderChanges, HeaderText},
        template::Template,
    },
    config::HeaderRules,
};

impl Compiler<'_> {
    /// The compiled changes; texts may name the path's `parameters`.
    pub(super) fn header_changes(&mut self, key: &str, rules: &HeaderRules, parameters: &[String]) -> HeaderChanges {
        let mut changes = HeaderChanges::default();
        for (number, name) in rules.remove.iter().enumerate() {
            match HeaderName::try_from(name.as_str()) {
                Ok(name) => changes.remove.push(name),
                Err(_) => self.fault(format!("{key}.remove[{number}]"), "expected a header's name"),
            }
        }
        for (name, text) in &rules.set {
            let place = format!("{key}.set.{name}");
            let Ok(header) = HeaderName::try_from(name.as_str()) else {
                self.fault(place, "expected a header's name");
                continue;
            };
            if matches!(header.as_str(), "content-length" | "transfer-encoding" | "connection" | "host") {
                self.fault(place, "this header belongs to the framing of the message");
                continue;
            }
            match (HeaderValue::try_from(text.as_str()), Template::parse(text, parameters)) {
                (Err(_), _) => self.fault(place, "a header's value has no line breaks or control characters"),
                (_, Err(fault)) => self.fault(place, fault.detail),
                (Ok(value), Ok(template)) => {
                    let ready = template.literal().is_some();
                    changes
                        .set
                        .push((header, if ready { HeaderText::Ready(value) } else { HeaderText::Template(template) }));
                }
            }
        }
        changes
    }
}
