//! Request bodies: JSON objects read strictly, with every fault named by its pointer (RFC 6901) in one answer.

use std::{future::Future, pin::Pin, time::Duration};

use actix_web::{FromRequest, HttpRequest, dev::Payload, http::header, web};
use futures_util::StreamExt as _;
use serde_json::{Map, Value};

use super::problem::{BODY_TOO_LARGE, MALFORMED_REQUEST, Problem, REQUEST_TIMEOUT, UNSUPPORTED_MEDIA_TYPE};
use crate::{
    kernel::{FieldFault, error::ValueFault},
    platform::json,
};

/// The longest pause between two pieces of a body.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// How large a body may be; an application's data. `server.body_limit`.
#[derive(Debug, Clone, Copy)]
pub struct BodyLimit(pub usize);

/// The members of a JSON object, taken one by one; what remains at the end is unknown, and refused.
#[derive(Debug)]
pub struct Fields {
    members: Map<String, Value>,
    faults: Vec<FieldFault>,
}

impl Fields {
    /// Reads an object.
    pub fn parse(body: &[u8]) -> Result<Self, Problem> {
        match json::parse(body) {
            Ok(Value::Object(members)) => Ok(Self { members, faults: Vec::new() }),
            Ok(_) => Err(Problem::invalid(vec![FieldFault::new("", "wrong-type", "expected an object")])),
            Err(fault) => Err(Problem::new(&MALFORMED_REQUEST, format!("the body is not valid JSON: {fault}"))),
        }
    }

    /// A string that must be there, read by `parse`. `None` when it is at fault; [`Fields::finish`] tells.
    pub fn required<T>(&mut self, name: &str, parse: impl FnOnce(&str) -> Result<T, ValueFault>) -> Option<T> {
        match self.members.remove(name) {
            None | Some(Value::Null) => {
                self.fault(name, "missing", "expected a string");
                None
            }
            Some(Value::String(text)) => self.read(name, parse(&text)),
            Some(_) => {
                self.fault(name, "wrong-type", "expected a string");
                None
            }
        }
    }

    /// A string that may be absent or null.
    pub fn optional<T>(&mut self, name: &str, parse: impl FnOnce(&str) -> Result<T, ValueFault>) -> Option<T> {
        match self.members.get(name) {
            None | Some(Value::Null) => {
                self.members.remove(name);
                None
            }
            Some(_) => self.required(name, parse),
        }
    }

    /// Whether there is such a member, null or not.
    pub fn has(&self, name: &str) -> bool {
        self.members.contains_key(name)
    }

    /// Any value; the caller reads it and tells its faults by [`Fields::fault_at`].
    pub fn take(&mut self, name: &str) -> Option<Value> {
        self.members.remove(name)
    }

    /// Notes a fault of the member `name`.
    pub fn fault(&mut self, name: &str, code: &'static str, detail: impl Into<String>) {
        self.fault_at(format!("/{}", escape(name)), code, detail);
    }

    /// Notes a fault at a pointer.
    pub fn fault_at(&mut self, pointer: impl Into<String>, code: &'static str, detail: impl Into<String>) {
        self.faults.push(FieldFault::new(pointer, code, detail));
    }

    /// Ends the reading: unknown members are faults too, and every fault is told at once.
    pub fn finish(mut self) -> Result<(), Problem> {
        for name in self.members.keys() {
            let pointer = format!("/{}", escape(name));
            self.faults.push(FieldFault::new(pointer, "unknown", "there is no such member"));
        }
        if self.faults.is_empty() { Ok(()) } else { Err(Problem::invalid(self.faults)) }
    }

    fn read<T>(&mut self, name: &str, read: Result<T, ValueFault>) -> Option<T> {
        match read {
            Ok(value) => Some(value),
            Err(fault) => {
                self.fault(name, fault.code, fault.detail);
                None
            }
        }
    }
}

/// Escapes a member's name for a pointer (RFC 6901 §3).
pub fn escape(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

impl FromRequest for Fields {
    type Error = Problem;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Problem>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let request = request.clone();
        let payload = payload.take();
        Box::pin(async move {
            expect_json(&request)?;
            Self::parse(&read_bounded(&request, payload).await?)
        })
    }
}

/// Refuses a body that does not call itself JSON.
pub fn expect_json(request: &HttpRequest) -> Result<(), Problem> {
    let content_type = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("");
    let essence = content_type.split(';').next().unwrap_or("").trim();
    let is_json = essence.eq_ignore_ascii_case("application/json")
        || (essence.len() > 5
            && essence.is_char_boundary(essence.len() - 5)
            && essence[essence.len() - 5..].eq_ignore_ascii_case("+json"));
    if is_json {
        return Ok(());
    }
    let detail = format!("expected application/json, found {:?}", if essence.is_empty() { "none" } else { essence });
    Err(Problem::new(&UNSUPPORTED_MEDIA_TYPE, detail))
}

/// The whole body, never more than [`BodyLimit`].
pub async fn read_bounded(request: &HttpRequest, payload: Payload) -> Result<web::Bytes, Problem> {
    read_at_most(request, payload, usize::MAX).await
}

/// The whole body, never more than `most` bytes nor than [`BodyLimit`].
pub async fn read_at_most(request: &HttpRequest, mut payload: Payload, most: usize) -> Result<web::Bytes, Problem> {
    let limit = request.app_data::<BodyLimit>().map_or(1 << 20, |limit| limit.0).min(most);
    let too_large = || Problem::new(&BODY_TOO_LARGE, format!("the body is longer than {limit} bytes"));
    let announced = request.headers().get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
    if announced.is_some_and(|length: u64| length > limit as u64) {
        return Err(too_large());
    }
    let mut body = web::BytesMut::new();
    loop {
        let next = tokio::time::timeout(LONGEST_PAUSE, payload.next()).await;
        let Some(chunk) = next.map_err(|_| Problem::new(&REQUEST_TIMEOUT, "the body stopped coming"))? else { break };
        let chunk = chunk.map_err(|error| Problem::new(&MALFORMED_REQUEST, format!("the body broke off: {error}")))?;
        if body.len() + chunk.len() > limit {
            return Err(too_large());
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body.freeze())
}
