//! The gateway's own problems, beside the general ones.

use crate::platform::http::ProblemType;

/// The breaker is open.
pub(super) const CIRCUIT_OPEN: ProblemType = ProblemType {
    code: "circuit-open",
    status: 503,
    title: "The service behind is failing",
    about: "The service behind has failed too often, so that it is given a pause. Try again after `Retry-After`.",
};

/// Every target is out.
pub(super) const NO_HEALTHY_TARGET: ProblemType = ProblemType {
    code: "no-healthy-target",
    status: 503,
    title: "The service behind has no healthy instance",
    about: "Every instance of the service behind is down or was taken out. Try again after `Retry-After`.",
};

/// The cap of requests in flight is reached.
pub(super) const OVERLOADED: ProblemType = ProblemType {
    code: "overloaded",
    status: 503,
    title: "The service behind is at its capacity",
    about: "As many requests as are allowed are under way to the service behind. Try again after `Retry-After`.",
};

/// No response head, or no end, in time.
pub(super) const UPSTREAM_TIMEOUT: ProblemType = ProblemType {
    code: "upstream-timeout",
    status: 504,
    title: "The service behind did not answer in time",
    about: "The service behind was reached, but its answer did not come in the time that is allowed.",
};

/// A configuration that was read again has faults.
pub(super) const CONFIGURATION_REFUSED: ProblemType = ProblemType {
    code: "configuration-refused",
    status: 422,
    title: "The configuration has faults",
    about: "The configuration was read again and has faults; `errors` names every one with its key and its place. The configuration before it is still in effect.",
};

/// The request wants an answer from the cache, and there is none.
pub(super) const NOT_CACHED: ProblemType = ProblemType {
    code: "not-cached",
    status: 504,
    title: "There is no stored answer",
    about: "The request says `Cache-Control: only-if-cached`, and no stored answer fits it.",
};

/// Every problem of this module.
pub const PROBLEMS: &[&ProblemType] =
    &[&CIRCUIT_OPEN, &NO_HEALTHY_TARGET, &NOT_CACHED, &OVERLOADED, &UPSTREAM_TIMEOUT, &CONFIGURATION_REFUSED];
