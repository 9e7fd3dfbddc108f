//! Which requests come from a process of the same installation.

use std::{
    future::{Ready, ready},
    sync::Arc,
};

use actix_web::{FromRequest, HttpMessage as _, HttpRequest, dev::Payload};

use super::problem::{FORBIDDEN, Problem};
use crate::platform::siblings::{Asserted, SiblingVerifier};

/// A handler's caller is a process of the same installation; another's request is refused. Where the processes share no
/// secret everybody is taken for one, and the network has to keep strangers away.
#[derive(Debug, Clone, Copy)]
pub struct Sibling;

impl FromRequest for Sibling {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let is_needed = request.app_data::<Arc<SiblingVerifier>>().is_some();
        let is_there = request.extensions().contains::<Asserted>();
        let refused = || Problem::new(&FORBIDDEN, "this is for the processes of the same installation");
        ready(if is_there || !is_needed { Ok(Self) } else { Err(refused()) })
    }
}
