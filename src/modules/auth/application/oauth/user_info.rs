//! What a client is told of the user it has a token of (OpenID Connect Core 1.0 §5.3).

use std::sync::Arc;

use crate::{
    kernel::Principal,
    modules::auth::{
        application::{Failure, UserRepository},
        domain::{OPENID, User},
    },
};

/// The use case.
#[derive(Clone)]
pub(crate) struct UserInfo {
    pub(crate) users: Arc<dyn UserRepository>,
}

impl UserInfo {
    /// The user of a token that carries `openid`; `None`: the token is none of these. `NotFound` when the user is gone.
    pub(crate) async fn run(&self, caller: &Principal) -> Result<Option<User>, Failure> {
        let Some(id) = caller.user().filter(|_| caller.may(OPENID)) else { return Ok(None) };
        let user = self.users.find(id).await?.filter(|user| user.can_log_in(false).is_ok());
        user.map(Some).ok_or(Failure::NotFound)
    }
}
