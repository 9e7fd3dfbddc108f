//! What is configured, compiled: nothing of it is read again while a request is served.

use std::{sync::Arc, time::Duration};

use serde::Serialize;

use super::{
    super::domain::{address::Address, data::Json, paging::Paging, plan::Plan, rule::Rule, shape::Shape, vary::Vary},
    batch::Batch,
    ports::{AnswerSchema, Program},
};
use crate::kernel::Role;

/// Everything that can be asked for.
#[derive(Debug, Default)]
pub(crate) struct Catalogue {
    /// In the order of the configuration.
    pub(crate) sources: Vec<Arc<Source>>,
    /// In the order of the configuration.
    pub(crate) endpoints: Vec<Arc<Endpoint>>,
    /// In the order of the configuration.
    pub(crate) rulesets: Vec<Arc<Ruleset>>,
}

impl Catalogue {
    /// A source by its name.
    pub(crate) fn source(&self, name: &str) -> Option<&Arc<Source>> {
        self.sources.iter().find(|source| source.name == name)
    }

    /// A ruleset by its name.
    pub(crate) fn ruleset(&self, name: &str) -> Option<&Arc<Ruleset>> {
        self.rulesets.iter().find(|ruleset| ruleset.name == name)
    }
}

/// A source.
#[derive(Debug)]
pub(crate) struct Source {
    /// Its name.
    pub(crate) name: String,
    /// Where it is, or what is asked.
    pub(crate) url: Address,
    /// The role that is asked; `None`: whoever the address names.
    pub(crate) role: Option<Role>,
    /// The method.
    pub(crate) method: String,
    /// Client headers that are passed on, in lower case.
    pub(crate) forward_headers: Vec<String>,
    /// Until the whole answer, over all tries.
    pub(crate) timeout: Duration,
    /// The statuses that are success; empty: 200 to 299.
    pub(crate) expect: Vec<u16>,
    /// Whether `/data/aggregate` fails without it.
    pub(crate) required: bool,
    /// How its pages are followed.
    pub(crate) paging: Option<Paging>,
    /// What its answers keep to.
    pub(crate) schema: Option<Arc<dyn AnswerSchema>>,
    /// Over the body.
    pub(crate) select: Option<Arc<dyn Program>>,
}

/// Whether an endpoint needs a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Access {
    /// Nobody looks.
    #[serde(rename = "none")]
    Anybody,
    /// Looked at when sent; a bad one is refused.
    Optional,
    /// Needed.
    Required,
}

/// An endpoint.
#[derive(Debug)]
pub(crate) struct Endpoint {
    /// Below `/data`, in the router's syntax.
    pub(crate) path: String,
    /// Whether a token is needed.
    pub(crate) access: Access,
    /// For all steps.
    pub(crate) timeout: Duration,
    /// The calls.
    pub(crate) steps: Vec<Step>,
    /// Their order.
    pub(crate) plan: Plan,
    /// What makes the answer.
    pub(crate) response: Option<Arc<dyn Program>>,
    /// The same, when it only puts results together.
    pub(crate) shape: Option<Shape>,
    /// Which of the request's headers the answer depends on.
    pub(crate) vary: Vary,
}

/// A step of an endpoint.
#[derive(Debug)]
pub(crate) struct Step {
    /// The name of its result.
    pub(crate) name: String,
    /// What it calls.
    pub(crate) source: Arc<Source>,
    /// Whether the endpoint fails without it.
    pub(crate) required: bool,
    /// The arguments it computes.
    pub(crate) arguments: Vec<(String, Arc<dyn Program>)>,
    /// The headers it computes, names in lower case.
    pub(crate) headers: Vec<(String, Arc<dyn Program>)>,
    /// The body it sends.
    pub(crate) body: Option<Arc<dyn Program>>,
    /// Whether it runs.
    pub(crate) when: Option<Arc<dyn Program>>,
    /// The result when it fails.
    pub(crate) fallback: Option<Json>,
    /// What it calls for each of.
    pub(crate) for_each: Option<Arc<dyn Program>>,
    /// How many of them become one call.
    pub(crate) batch: Option<Batch>,
    /// Calls at a time.
    pub(crate) concurrency: usize,
}

/// A named list of rules.
#[derive(Debug)]
pub(crate) struct Ruleset {
    /// Its name.
    pub(crate) name: String,
    /// The rules, read.
    pub(crate) rules: Vec<Rule>,
    /// The rules as JSON.
    pub(crate) text: String,
}
