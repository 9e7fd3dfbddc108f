//! The problems of aggregation.

use serde_json::{Map, Value, json};

use super::super::super::application::error::AggregationError;
use crate::platform::http::{Problem, ProblemType, problem::general};

const UNKNOWN_SOURCE: ProblemType = ProblemType {
    code: "unknown-source",
    status: 400,
    title: "There is no such source",
    about: "`?sources=` names a source that is not configured. `GET /data/sources` lists those that are.",
};
const MISSING_ARGUMENT: ProblemType = ProblemType {
    code: "missing-argument",
    status: 400,
    title: "A source needs an argument",
    about: "A source that was asked for needs an argument that the query does not give. `GET /data/sources` lists each \
            source's arguments.",
};
const BAD_ARGUMENT: ProblemType = ProblemType {
    code: "bad-argument",
    status: 400,
    title: "An argument cannot be used",
    about: "An argument would make an empty, `.` or `..` segment of a source's path, and so name something else.",
};
const SOURCE_FAILED: ProblemType = ProblemType {
    code: "source-failed",
    status: 502,
    title: "A required source failed",
    about: "A source without which there is no answer failed. `sources` tells how each one went.",
};
const SOURCE_TIMEOUT: ProblemType = ProblemType {
    code: "source-timeout",
    status: 504,
    title: "A required source did not answer in time",
    about: "A source without which there is no answer was too slow. `sources` tells how each one went.",
};
const RESPONSE_FAILED: ProblemType = ProblemType {
    code: "response-failed",
    status: 502,
    title: "The answer cannot be made",
    about: "What the sources gave is not what the endpoint's `response` program expects.",
};
const TRANSFORM_LIMIT: ProblemType = ProblemType {
    code: "transform-limit",
    status: 422,
    title: "The transformation reached a limit",
    about: "The rules took too much time or memory, or gave too much. `limit` says which. Ask for less at a time.",
};

/// Every problem type of this module.
pub(crate) const PROBLEMS: &[&ProblemType] = &[
    &UNKNOWN_SOURCE,
    &MISSING_ARGUMENT,
    &BAD_ARGUMENT,
    &SOURCE_FAILED,
    &SOURCE_TIMEOUT,
    &RESPONSE_FAILED,
    &TRANSFORM_LIMIT,
];

impl From<AggregationError> for Problem {
    fn from(error: AggregationError) -> Self {
        let detail = error.to_string();
        let kind = general(error.kind());
        match error {
            AggregationError::BadQuery(_) | AggregationError::BadLine(_) => Self::new(kind, detail),
            AggregationError::Line { number, fault } => Self::from(*fault).with_member("line", json!(number)),
            AggregationError::UnknownSource { .. } => Self::new(&UNKNOWN_SOURCE, detail),
            AggregationError::MissingArgument { .. } => Self::new(&MISSING_ARGUMENT, detail),
            AggregationError::BadArgument { .. } => Self::new(&BAD_ARGUMENT, detail),
            AggregationError::RequiredSource { timeout, retry_after, reports, .. } => {
                let sources: Map<String, Value> =
                    reports.into_iter().map(|(name, report)| (name, json!(report))).collect();
                let required = if timeout { &SOURCE_TIMEOUT } else { &SOURCE_FAILED };
                let problem = Self::new(required, detail).with_member("sources", Value::Object(sources));
                retry_after.into_iter().fold(problem, Self::retry_after)
            }
            AggregationError::Response(_) => Self::new(&RESPONSE_FAILED, detail),
            AggregationError::Rules(faults) => Self::invalid(faults),
            AggregationError::Limit(what) => Self::new(&TRANSFORM_LIMIT, detail).with_member("limit", json!(what)),
            AggregationError::Busy(wait) => Self::new(kind, detail).retry_after(wait),
            AggregationError::Broken(_) => {
                tracing::error!(event = "aggregation_broken", detail, "aggregation is broken");
                Self::new(kind, "a fault of the server")
            }
        }
    }
}
