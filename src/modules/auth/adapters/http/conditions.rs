//! `ETag` and `If-Match` (RFC 9110 §8.8.3, §13.1.1): nobody overwrites what somebody else changed meanwhile.

use actix_web::{HttpRequest, http::header::IF_MATCH};
use chrono::{DateTime, Utc};

use crate::{
    modules::auth::{api::UserView, application::Failure},
    platform::http::Problem,
};

/// The tag of a version that is a time.
pub(super) fn tag_of_time(at: DateTime<Utc>) -> String {
    format!("\"{}\"", at.timestamp_micros())
}

/// A user's tag.
pub(super) fn tag_of_user(user: &UserView) -> String {
    tag_of_time(user.updated_at)
}

/// Whether the caller named a version, which then is the present one; else 412.
pub(super) fn names_version(request: &HttpRequest, current: &str) -> Result<bool, Problem> {
    if !request.headers().contains_key(IF_MATCH) {
        return Ok(false);
    }
    let lists = request.headers().get_all(IF_MATCH).filter_map(|value| value.to_str().ok());
    let is_current = lists.flat_map(|list| list.split(',')).map(str::trim).any(|tag| tag == "*" || tag == current);
    if is_current { Ok(true) } else { Err(Failure::PreconditionFailed.into()) }
}
