//! What follows the body of an answer (RFC 9110 §6.5).

use std::{cell::RefCell, rc::Rc};

use http::HeaderMap;

/// Trailers that follow an answer's body over HTTP/2. Whoever makes the body puts them in before its end; in the
/// response's extensions.
#[derive(Debug, Clone, Default)]
pub struct AnswerTrailers(Rc<RefCell<HeaderMap>>);

impl AnswerTrailers {
    /// Sets them.
    pub fn set(&self, trailers: HeaderMap) {
        *self.0.borrow_mut() = trailers;
    }

    /// Takes them out, if there are any.
    pub(super) fn take(&self) -> Option<HeaderMap> {
        let trailers = self.0.take();
        (!trailers.is_empty()).then_some(trailers)
    }
}
