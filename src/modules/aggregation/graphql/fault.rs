//! Entries of `errors` (GraphQL §7.1.2), with a code in `extensions` that says what kind of fault it is.

use std::sync::Arc;

use async_graphql::Pos;
use serde::{Serialize, Serializer};
use serde_json::{Map, Value, json};

use super::super::domain::outcome::{SourceReport, SourceStatus};

/// The document cannot be read.
pub(super) const PARSE: &str = "GRAPHQL_PARSE_FAILED";
/// The document does not fit the schema.
pub(super) const VALIDATION: &str = "GRAPHQL_VALIDATION_FAILED";
/// It is not clear which operation is meant.
pub(super) const OPERATION: &str = "OPERATION_RESOLUTION_FAILURE";
/// A variable or an argument is wrong.
pub(super) const INPUT: &str = "BAD_USER_INPUT";
/// A document by its hash alone.
pub(super) const PERSISTED: &str = "PERSISTED_QUERY_NOT_SUPPORTED";
/// A limit of documents.
pub(super) const TOKENS: &str = "MAX_TOKENS_EXCEEDED";
pub(super) const DEPTH: &str = "MAX_DEPTH_EXCEEDED";
pub(super) const COMPLEXITY: &str = "MAX_COMPLEXITY_EXCEEDED";
pub(super) const ALIASES: &str = "MAX_ALIASES_EXCEEDED";
/// A limit of answers.
pub(super) const VALUES: &str = "MAX_VALUES_EXCEEDED";
/// What a source gave is not what the schema says.
pub(super) const RESULT: &str = "BAD_SOURCE_DATA";

/// A fault.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Fault {
    pub(super) message: String,
    #[serde(skip_serializing_if = "Vec::is_empty", serialize_with = "positions")]
    pub(super) locations: Vec<Pos>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) path: Option<Vec<Segment>>,
    /// Apart, so that a fault is small.
    pub(super) extensions: Box<Map<String, Value>>,
}

/// A part of the way to a value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub(super) enum Segment {
    Key(Arc<str>),
    Index(usize),
}

impl Fault {
    /// A fault of the whole request.
    pub(super) fn new(code: &'static str, message: impl Into<String>) -> Self {
        let extensions = Box::new(Map::from_iter([("code".to_owned(), code.into())]));
        Self { message: message.into(), locations: Vec::new(), path: None, extensions }
    }

    /// The same, at these places of the document.
    #[must_use]
    pub(super) fn at(mut self, locations: impl IntoIterator<Item = Pos>) -> Self {
        self.locations.extend(locations);
        self
    }

    /// A source that failed.
    pub(super) fn of_source(name: &str, report: &SourceReport) -> Self {
        let code = match report.status {
            SourceStatus::Timeout => "SOURCE_TIMEOUT",
            SourceStatus::Open => "SOURCE_UNAVAILABLE",
            _ => "SOURCE_FAILED",
        };
        let detail = report.detail.as_deref().unwrap_or("failed");
        let mut fault = Self::new(code, format!("the source `{name}`: {detail}"));
        // What is told of a source anywhere else is told here too.
        let told = [
            ("source", Some(name.into())),
            ("http_status", report.http_status.map(Value::from)),
            ("retry_after", report.retry_after.map(|wait| json!(wait.as_secs() + u64::from(wait.subsec_nanos() > 0)))),
            ("problem", report.problem.as_deref().cloned()),
        ];
        let told = told.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?)));
        fault.extensions.extend(told);
        fault
    }
}

fn positions<S: Serializer>(positions: &[Pos], serializer: S) -> Result<S::Ok, S::Error> {
    let one = |position: &Pos| json!({"line": position.line, "column": position.column});
    serializer.collect_seq(positions.iter().map(one))
}
