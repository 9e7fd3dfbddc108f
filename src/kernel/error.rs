//! The closed set of reasons why something fails. Each module's error enum says which kind each of its errors is; one
//! place, `platform::http::problem`, turns kinds into HTTP statuses.

/// Why a call failed, in terms that every transport can map.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// The request cannot be read at all (400).
    Malformed,
    /// The request reads well and says something that is not acceptable (422).
    Invalid,
    /// Who is asking is not known (401).
    Unauthenticated,
    /// Who is asking may not (403).
    Forbidden,
    /// There is no such thing, or it is not the asker's to see (404).
    NotFound,
    /// It contradicts what already is (409).
    Conflict,
    /// `If-Match` named another version (412).
    PreconditionFailed,
    /// Too large (413).
    TooLarge,
    /// Too often (429).
    RateLimited,
    /// A dependency answered wrongly (502).
    BadGateway,
    /// Not now: a dependency or a capacity is missing; worth another try (503).
    Unavailable,
    /// A dependency did not answer in time (504).
    Timeout,
    /// A fault of ours (500).
    Internal,
}

/// One fault of a request body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldFault {
    /// RFC 6901 pointer to the member, or to where it would stand.
    pub pointer: String,
    /// Stable and kebab-case, such as `missing`, `unknown`, `too-short`.
    pub code: &'static str,
    /// What was expected, for people.
    pub detail: String,
}

impl FieldFault {
    /// A fault at `pointer`.
    pub fn new(pointer: impl Into<String>, code: &'static str, detail: impl Into<String>) -> Self {
        Self { pointer: pointer.into(), code, detail: detail.into() }
    }
}

/// A value that a domain type refuses: what is wrong with it, without where it stood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{detail}")]
pub struct ValueFault {
    /// Stable and kebab-case, such as `too-short`.
    pub code: &'static str,
    /// What was expected, for people.
    pub detail: String,
}

impl ValueFault {
    /// A fault.
    pub fn new(code: &'static str, detail: impl Into<String>) -> Self {
        Self { code, detail: detail.into() }
    }
}
