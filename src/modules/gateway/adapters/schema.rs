//! Request schemas: a body that does not keep to its route's JSON Schema goes no further. The schema is compiled when the
//! configuration is loaded, from its file and nothing else: references lead nowhere outside it.

use std::{fmt, path::Path, time::Duration};

use actix_web::{
    HttpMessage as _,
    dev::ServiceRequest,
    http::header::{CONTENT_ENCODING, CONTENT_LENGTH, HeaderValue, TRANSFER_ENCODING},
    web::BytesMut,
};
use bytes::Bytes;
use futures_util::StreamExt as _;
use jsonschema::{ValidationError, error::ValidationErrorKind};
use tokio::time::timeout;

use crate::{
    kernel::{FieldFault, error::ValueFault},
    platform::{
        http::{
            Problem,
            body::{escape, expect_json},
            problem::{BODY_TOO_LARGE, MALFORMED_REQUEST, REQUEST_TIMEOUT, UNSUPPORTED_MEDIA_TYPE},
        },
        json,
    },
};

/// More faults than this are not told.
const MOST_FAULTS: usize = 100;
/// A schema's file is not longer than this; more is some other file.
const LONGEST: u64 = 4 << 20;
/// A body's next piece may take so long.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// A schema, compiled.
pub(super) struct RequestSchema(jsonschema::Validator);

impl fmt::Debug for RequestSchema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RequestSchema")
    }
}

impl RequestSchema {
    /// Reads and compiles a schema's file.
    pub(super) fn load(path: &Path) -> Result<Self, ValueFault> {
        let wrong = |detail: String| ValueFault::new("invalid-schema", format!("{}: {detail}", path.display()));
        let length = std::fs::metadata(path).map_err(|error| wrong(error.to_string()))?.len();
        if length > LONGEST {
            return Err(wrong("the file is longer than 4 MiB".to_owned()));
        }
        let text = std::fs::read(path).map_err(|error| wrong(error.to_string()))?;
        let schema = json::parse(&text).map_err(|error| wrong(error.to_string()))?;
        Self::compile(&schema).map_err(wrong)
    }

    fn compile(schema: &serde_json::Value) -> Result<Self, String> {
        let options = jsonschema::options().should_validate_formats(true).offline();
        options.build(schema).map(Self).map_err(|error| error.to_string())
    }

    /// Every fault of a body.
    fn faults(&self, body: &serde_json::Value) -> Vec<FieldFault> {
        self.0.iter_errors(body).flat_map(|error| fields(&error)).take(MOST_FAULTS).collect()
    }

    /// Reads the whole body and looks at it; it goes on as it came. Its length.
    pub(super) async fn check(&self, request: &mut ServiceRequest, limit: u64) -> Result<u64, Problem> {
        expect_json(request.request())?;
        if request.headers().get(CONTENT_ENCODING).is_some_and(|coding| coding != "identity") {
            return Err(Problem::new(&UNSUPPORTED_MEDIA_TYPE, "send the body without a content coding"));
        }
        let body = read(request, limit).await?;
        let value = json::parse(&body).map_err(|error| Problem::new(&MALFORMED_REQUEST, error.to_string()))?;
        let faults = self.faults(&value);
        if !faults.is_empty() {
            return Err(Problem::invalid(faults));
        }
        let length = body.len() as u64;
        let headers = request.headers_mut();
        headers.remove(TRANSFER_ENCODING);
        headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
        let (_, mut payload) = actix_http::h1::Payload::create(true);
        payload.unread_data(body);
        request.set_payload(payload.into());
        Ok(length)
    }
}

async fn read(request: &mut ServiceRequest, limit: u64) -> Result<Bytes, Problem> {
    let mut payload = request.take_payload();
    let mut body = BytesMut::new();
    loop {
        let next = timeout(LONGEST_PAUSE, payload.next()).await;
        let next = next.map_err(|_| Problem::new(&REQUEST_TIMEOUT, "the body stopped coming"))?;
        let Some(piece) = next else { return Ok(body.freeze()) };
        let piece = piece.map_err(|_| Problem::new(&MALFORMED_REQUEST, "the body broke off"))?;
        if (body.len() + piece.len()) as u64 > limit {
            return Err(Problem::new(&BODY_TOO_LARGE, format!("the body is longer than {limit} bytes")));
        }
        body.extend_from_slice(&piece);
    }
}

/// A fault, pointed at where it is; a member that is missing, where it would stand.
fn fields(error: &ValidationError<'_>) -> Vec<FieldFault> {
    let at = error.instance_path().to_string();
    let member = |name: &str| format!("{at}/{}", escape(name));
    match error.kind() {
        ValidationErrorKind::Required { property } => {
            let name = property.as_str().unwrap_or_default();
            vec![FieldFault::new(member(name), "missing", "is required")]
        }
        ValidationErrorKind::AdditionalProperties { unexpected }
        | ValidationErrorKind::UnevaluatedProperties { unexpected } => {
            let unknown = |name: &String| FieldFault::new(member(name), "unknown", "there is no such member");
            unexpected.iter().map(unknown).collect()
        }
        // What was sent is not repeated: it may be secret, and long.
        kind => vec![FieldFault::new(at, code(kind), error.masked_with("it").to_string())],
    }
}

/// The keyword, as codes are written.
fn code(kind: &ValidationErrorKind) -> &'static str {
    match kind {
        ValidationErrorKind::Type { .. } => "wrong-type",
        ValidationErrorKind::MinLength { .. } | ValidationErrorKind::MinItems { .. } => "too-short",
        ValidationErrorKind::MaxLength { .. } | ValidationErrorKind::MaxItems { .. } => "too-long",
        ValidationErrorKind::Minimum { .. } | ValidationErrorKind::ExclusiveMinimum { .. } => "too-small",
        ValidationErrorKind::Maximum { .. } | ValidationErrorKind::ExclusiveMaximum { .. } => "too-large",
        ValidationErrorKind::Enum { .. } | ValidationErrorKind::Constant { .. } => "not-allowed",
        ValidationErrorKind::Pattern { .. } | ValidationErrorKind::Format { .. } => "wrong-format",
        _ => "invalid",
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_fault_has_its_pointer() {
        let schema = RequestSchema::compile(&json!({
            "type": "object", "required": ["id", "a/b"], "additionalProperties": false,
            "properties": {
                "id": {"type": "string", "minLength": 2}, "a/b": {},
                "lines": {"type": "array", "items": {"type": "object", "required": ["sku"]}}
            }
        }));
        let faults = schema.unwrap().faults(&json!({"id": "x", "lines": [{"sku": 1}, {}], "more": true}));
        let mut told: Vec<_> = faults.iter().map(|fault| (fault.pointer.as_str(), fault.code)).collect();
        told.sort_unstable();
        let expected = [("/a~1b", "missing"), ("/id", "too-short"), ("/lines/1/sku", "missing"), ("/more", "unknown")];
        assert_eq!(told, expected);
    }

    #[test]
    fn references_lead_nowhere_outside() {
        for place in ["http://127.0.0.1:1/schema.json", "file:///etc/passwd"] {
            assert!(RequestSchema::compile(&json!({"$ref": place})).is_err(), "{place}");
        }
        assert!(RequestSchema::compile(&json!({"$ref": "#/$defs/a", "$defs": {"a": {"type": "string"}}})).is_ok());
    }
}
