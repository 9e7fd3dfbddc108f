//! Why a call of aggregation fails.

use std::time::Duration;

use super::super::domain::outcome::SourceReport;
use crate::kernel::{ErrorKind, FieldFault};

/// What was told of each source, in the order asked for.
pub(crate) type Reports = Vec<(String, SourceReport)>;

/// Why a call of aggregation fails.
#[derive(Debug, Clone, thiserror::Error)]
pub(crate) enum AggregationError {
    /// `?sources=` is missing, empty or says the same twice.
    #[error("{0}")]
    BadQuery(String),
    /// A source of this name is not configured.
    #[error("there is no source `{name}`; expected {expected}")]
    UnknownSource {
        /// What was asked for.
        name: String,
        /// What there is.
        expected: String,
    },
    /// A source needs an argument that the query does not give.
    #[error("the source `{source_name}` needs `{argument}`")]
    MissingArgument {
        /// The source.
        source_name: String,
        /// The argument.
        argument: String,
    },
    /// An argument cannot stand where it would.
    #[error("the source `{source_name}`: {detail}")]
    BadArgument {
        /// The source.
        source_name: String,
        /// What is wrong.
        detail: String,
    },
    /// A required source failed.
    #[error("the required source `{name}` {}", if *.timeout { "did not answer in time" } else { "failed" })]
    RequiredSource {
        /// The source or step.
        name: String,
        /// Whether it was too slow, rather than wrong.
        timeout: bool,
        /// When it is worth another try, if it said so.
        retry_after: Option<Duration>,
        /// What is known of each.
        reports: Reports,
    },
    /// The endpoint's `response` cannot be made of these results.
    #[error("the answer cannot be made of what the sources gave: {0}")]
    Response(String),
    /// Rules that are not acceptable, with pointers.
    #[error("the rules have {} faults", .0.len())]
    Rules(Vec<FieldFault>),
    /// A line of a stream, with its number, is not acceptable.
    #[error("line {number}: {fault}")]
    Line {
        /// From 1.
        number: u64,
        /// What is wrong.
        fault: Box<AggregationError>,
    },
    /// A line that is not JSON, or too long.
    #[error("{0}")]
    BadLine(String),
    /// A transformation reached a limit.
    #[error("the transformation reached its limit of {0}")]
    Limit(&'static str),
    /// All workers are busy.
    #[error("too many transformations at a time")]
    Busy(Duration),
    /// Something of ours is broken.
    #[error("{0}")]
    Broken(String),
}

impl AggregationError {
    /// The kind, which decides the status.
    pub(crate) fn kind(&self) -> ErrorKind {
        match self {
            Self::Line { fault, .. } => fault.kind(),
            Self::BadQuery(_)
            | Self::BadLine(_)
            | Self::UnknownSource { .. }
            | Self::MissingArgument { .. }
            | Self::BadArgument { .. } => ErrorKind::Malformed,
            Self::RequiredSource { timeout: true, .. } => ErrorKind::Timeout,
            Self::RequiredSource { .. } | Self::Response(_) => ErrorKind::BadGateway,
            Self::Rules(_) | Self::Limit(_) => ErrorKind::Invalid,
            Self::Busy(_) => ErrorKind::Unavailable,
            Self::Broken(_) => ErrorKind::Internal,
        }
    }
}
