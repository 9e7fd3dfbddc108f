//! The endpoints of OAuth 2.1 and OpenID Connect. They answer as RFC 6749 §5 says, not with problem details.

pub(super) mod answer;
pub(super) mod form;

pub(super) use answer::OAuthProblem;
pub(super) use form::Form;
