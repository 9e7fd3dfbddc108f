//! What the command line asks of this module: plain data, so that it reads the same whatever is compiled in.

use std::{collections::BTreeMap, io, time::Duration};

use serde::Serialize;

use crate::kernel::SettingFault;

/// One run of a source or an endpoint, outside a server.
#[derive(Debug, Clone, Default)]
pub struct RunRequest {
    /// A source's name, an endpoint's path as it is configured, or a path that an endpoint serves.
    pub name: String,
    /// A source's arguments; an endpoint's path parameters and query.
    pub arguments: Vec<(String, String)>,
    /// Path parameters.
    pub path: Vec<(String, String)>,
    /// Headers of the request.
    pub headers: Vec<(String, String)>,
    /// For GraphQL: the document, and its variables as a JSON object.
    pub document: Option<String>,
    /// See `document`.
    pub variables: Option<String>,
    /// Canned answers by source, as JSON text; `None`: the sources are called.
    pub fixtures: Option<BTreeMap<String, String>>,
}

/// How a run ended.
#[derive(Debug, Clone)]
pub struct RunOutcome {
    /// The answer, JSON. `Err`: there is none, and why.
    pub answer: Result<String, String>,
    /// Whether every source answered.
    pub complete: bool,
    /// Each step, or the source.
    pub timeline: Vec<RunStep>,
}

/// One step of a run.
#[derive(Debug, Clone, Serialize)]
pub struct RunStep {
    /// The name of its result.
    pub step: String,
    /// What it called.
    pub source: String,
    /// How it went.
    pub status: &'static str,
    /// What the source answered with.
    pub http_status: Option<u16>,
    /// How many calls it made.
    pub calls: usize,
    /// Why it failed.
    pub detail: Option<String>,
    /// When it started, after the run did.
    #[serde(skip)]
    pub started: Duration,
    /// How long it took.
    #[serde(skip)]
    pub took: Duration,
}

/// Why there is no run.
#[derive(Debug, Clone)]
pub enum RunFault {
    /// It was asked for in a way that cannot be.
    Usage(String),
    /// The configuration cannot be used.
    Settings(Vec<SettingFault>),
    /// It could not be done.
    Failed(String),
}

/// Why data was not transformed.
#[derive(Debug, thiserror::Error)]
pub enum TransformFault {
    /// The rules are wrong, a line each.
    #[error("{}", .0.join("\n"))]
    Rules(Vec<String>),
    /// The data is wrong, or what the rules say of it.
    #[error("{0}")]
    Data(String),
    /// The data cannot be read.
    #[error("the data cannot be read: {0}")]
    Input(io::Error),
    /// The result cannot be written.
    #[error("the result cannot be written: {0}")]
    Output(io::Error),
}

/// A configuration of another gateway, as far as it could be taken over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Imported {
    /// The configuration, TOML.
    pub text: String,
    /// What was left out or changed: where it stood, and what became of it.
    pub notes: Vec<String>,
}
