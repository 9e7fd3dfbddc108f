//! `Idempotency-Key` on calls that create something: made once, however often they are sent.
//!
//! A handler reads its body, names the call by [`keyed`], and does its work inside [`once`].

use std::collections::BTreeMap;

use actix_web::{
    HttpRequest, HttpResponse,
    http::header::{CACHE_CONTROL, ETAG, HeaderValue, LOCATION},
    web,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tracing::Instrument as _;

use super::UseCases;
use crate::{
    kernel::Subject,
    modules::auth::{
        application::{Failure, KeyedCall, Standing},
        domain::PlainPassword,
    },
    platform::{
        http::{Problem, authentication::Caller, problem::MALFORMED_REQUEST},
        json,
    },
};

const HEADER: &str = "idempotency-key";
/// The longest key, in bytes.
const LONGEST: usize = 255;

/// What a call that created something answers: 201, with these. It is kept sealed.
#[derive(Serialize, Deserialize)]
pub(super) struct Created {
    pub(super) location: String,
    pub(super) etag: Option<String>,
    pub(super) body: Value,
}

impl Created {
    fn answer(self) -> HttpResponse {
        let mut response = HttpResponse::Created();
        response.insert_header((LOCATION, self.location));
        response.insert_header((CACHE_CONTROL, HeaderValue::from_static("no-store")));
        if let Some(etag) = self.etag {
            response.insert_header((ETAG, etag));
        }
        response.json(self.body)
    }
}

/// The call, when it carries a key. The member `secret` of the body is compared apart, so that nothing but its password
/// hash is kept of it.
pub(super) fn keyed(
    request: &HttpRequest,
    caller: &Caller,
    body: &[u8],
    secret: Option<&str>,
) -> Result<Option<KeyedCall>, Problem> {
    let mut values = request.headers().get_all(HEADER);
    let Some(value) = values.next() else { return Ok(None) };
    let wrong =
        || Problem::new(&MALFORMED_REQUEST, format!("{HEADER}: expected one key of 1 to {LONGEST} visible characters"));
    let key = value.to_str().map_err(|_| wrong())?.trim();
    let is_key = !key.is_empty() && key.len() <= LONGEST && key.bytes().all(|b| b.is_ascii_graphic() || b == b' ');
    if values.next().is_some() || !is_key {
        return Err(wrong());
    }
    let Ok(Value::Object(members)) = json::parse(body) else { return Ok(None) };
    // In one order, whatever that of the body is.
    let mut members: BTreeMap<String, Value> = members.into_iter().collect();
    let secret = secret.and_then(|name| members.remove(name));
    let secret = secret.as_ref().and_then(Value::as_str).map(PlainPassword::given).transpose();
    let content = serde_json::to_string(&members).map_err(|error| Failure::Internal(error.to_string()))?;
    let owner = match &caller.0.subject {
        Subject::User(id) => format!("user {id}"),
        Subject::Client(id) => format!("client {id}"),
    };
    Ok(Some(KeyedCall {
        owner,
        key: key.to_owned(),
        content: format!("{} {} {content}", request.method(), request.path()),
        // One that is too long to be a secret is refused by whoever reads the body.
        secret: secret.unwrap_or_default(),
    }))
}

/// Does the work, or answers as it was answered before. Work that was begun under a key is finished even when the client
/// goes away, since the client will ask again.
pub(super) async fn once(
    cases: &web::Data<UseCases>,
    call: Option<KeyedCall>,
    work: impl Future<Output = Result<Created, Problem>> + 'static,
) -> Result<HttpResponse, Problem> {
    let Some(call) = call else { return Ok(work.await?.answer()) };
    let claim = match cases.idempotency.begin(&call).await? {
        Standing::First(claim) => claim,
        Standing::Again(answer) => {
            let kept: Created = serde_json::from_str(&answer).map_err(|error| Failure::Internal(error.to_string()))?;
            return Ok(kept.answer());
        }
    };
    let cases = cases.clone();
    let done = async move {
        let outcome = work.await;
        match outcome.as_ref().ok().and_then(|created| serde_json::to_string(created).ok()) {
            Some(answer) => cases.idempotency.keep(&call, &claim, &answer).await,
            None => cases.idempotency.release(&claim).await,
        }
        outcome
    };
    let done = actix_web::rt::spawn(done.in_current_span()).await;
    Ok(done.map_err(|error| Failure::Internal(error.to_string()))??.answer())
}
