//! What the use cases need from outside.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use serde_json::value::RawValue;

use super::{
    super::domain::{data::Json, outcome::SourceReport},
    catalogue::Source,
};
use crate::kernel::FieldFault;

/// Headers of the request that is being answered.
#[derive(Debug, Clone, Default)]
pub(crate) struct RequestHeaders {
    /// The client's, names in lower case, in order.
    pub(crate) client: Vec<(String, String)>,
    /// Request id and trace context, sent with every call.
    pub(crate) trace: Vec<(String, String)>,
}

/// What a call brought.
#[derive(Debug, Clone)]
pub(crate) struct SourceAnswer {
    /// How it went.
    pub(crate) report: SourceReport,
    /// The body, when the report says `ok`.
    pub(crate) body: Option<Json>,
}

/// What is asked of a source.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(crate) struct Call {
    /// The address, filled; empty for a question to a database.
    pub(crate) url: String,
    /// What is bound to the question's places.
    pub(crate) values: Vec<String>,
    /// Headers that belong to this call alone, names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    /// The body, JSON.
    pub(crate) body: Option<String>,
}

/// Calls sources, or answers from what it keeps of earlier calls. MUST answer within the source's timeout, MUST bound the body, MUST give a body only with `ok`, and MUST
/// end the call when the future is dropped.
#[async_trait]
pub(crate) trait SourceCaller: Send + Sync {
    /// Makes this call of `source`.
    async fn call(&self, source: &Arc<Source>, call: &Call, headers: &RequestHeaders) -> SourceAnswer;
}

/// What a program reads.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Input<'a> {
    /// A body.
    Body(&'a RawValue),
    /// `{path, query, headers, results, item}`.
    Scope {
        /// `path`, `query`, `headers`, each an object.
        request: &'a [(&'static str, Json)],
        /// The results, by step.
        results: &'a [(&'a str, Json)],
        /// The element of `for_each`.
        item: Option<&'a RawValue>,
    },
}

/// A compiled program from the configuration.
pub(crate) trait Program: Send + Sync + std::fmt::Debug {
    /// At most `at_most` outputs. The error says what went wrong in a few words.
    fn run(&self, input: Input<'_>, at_most: usize) -> Result<Vec<Json>, String>;

    /// The same for each of `items` as `item` of the scope, whose other members are read once for all.
    fn run_each(&self, input: Input<'_>, items: &[Json], at_most: usize) -> Vec<Result<Vec<Json>, String>>;
}

/// What a source's answers keep to.
pub(crate) trait AnswerSchema: Send + Sync + std::fmt::Debug {
    /// The error says where and why not, without what stands there.
    fn check(&self, body: &RawValue) -> Result<(), String>;
}

/// Compiles programs from the configuration.
pub(crate) trait Compiler: Send + Sync {
    /// The error is for the author of the program.
    fn compile(&self, text: &str) -> Result<Arc<dyn Program>, String>;
}

/// Why a transformation was not done.
#[derive(Debug, Clone)]
pub(crate) enum EvaluationFault {
    /// A rule is wrong; the pointer is below the list of rules.
    Rule(FieldFault),
    /// It reached a limit of time, memory or output, which the text names.
    Limit(&'static str),
    /// No worker is free; when to come again.
    Busy(Duration),
    /// Workers cannot be started.
    Broken(String),
}

/// Applies rules out of this process. MUST bound time, memory and output whatever the rules say, MUST NOT let them reach
/// anything, and MUST stop when the future is dropped.
#[async_trait]
pub(crate) trait Evaluator: Send + Sync {
    /// Applies `rules`, a JSON array that reads as rules, to `data`.
    async fn transform(&self, data: &RawValue, rules: &str) -> Result<Box<RawValue>, EvaluationFault>;
}
