//! `/data/transform`: rules over data.

use std::{sync::Arc, time::Duration};

use serde_json::value::RawValue;

use super::{
    super::domain::{
        rule::Rule,
        transform::{Expressions, RuleFault, apply},
    },
    catalogue::Catalogue,
    error::AggregationError,
    ports::{EvaluationFault, Evaluator},
};
use crate::kernel::{Clock, FieldFault};

/// Data and rules up to this size are done in this process when the rules evaluate nothing.
const SMALL: usize = 64 * 1024;

/// What to apply.
#[derive(Debug)]
pub(crate) enum Rules<'a> {
    /// Rules of the request: read, and their text.
    Given(Vec<Rule>, &'a str),
    /// A ruleset of the configuration.
    Named(&'a str),
}

/// What came out.
#[derive(Debug)]
pub(crate) struct Transformed {
    /// The data.
    pub(crate) data: Box<RawValue>,
    /// How many rules were applied.
    pub(crate) rules: usize,
    /// How long it took.
    pub(crate) duration: Duration,
}

/// The use case.
pub(crate) struct Transform {
    pub(crate) catalogue: Arc<Catalogue>,
    pub(crate) evaluator: Arc<dyn Evaluator>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) output_limit: usize,
    /// The longest line of a stream.
    pub(crate) line_limit: usize,
}

impl Transform {
    /// Applies the rules to `data`.
    pub(crate) async fn run(&self, data: &RawValue, rules: Rules<'_>) -> Result<Transformed, AggregationError> {
        let started = self.clock.monotonic();
        let (rules, text) = self.known(&rules)?;
        let transformed = self.applied(data, rules, text).await?;
        Ok(Transformed { data: transformed, rules: rules.len(), duration: self.clock.monotonic() - started })
    }

    /// The rules and their text.
    pub(super) fn known<'a>(&'a self, rules: &'a Rules<'_>) -> Result<(&'a [Rule], &'a str), AggregationError> {
        match rules {
            Rules::Given(rules, text) => Ok((rules.as_slice(), text)),
            Rules::Named(name) => {
                let ruleset = self.catalogue.ruleset(name).ok_or_else(|| {
                    let fault = FieldFault::new("/ruleset", "unknown", "there is no such ruleset");
                    AggregationError::Rules(vec![fault])
                })?;
                Ok((ruleset.rules.as_slice(), ruleset.text.as_str()))
            }
        }
    }

    /// The data after these rules, whose text is given too.
    pub(super) async fn applied(
        &self,
        data: &RawValue,
        rules: &[Rule],
        text: &str,
    ) -> Result<Box<RawValue>, AggregationError> {
        let small = data.get().len() <= SMALL && text.len() <= SMALL;
        if small && rules.iter().all(Rule::is_plain) {
            apply(&NoExpressions, data, rules, self.output_limit).map_err(|fault| match fault {
                RuleFault::Bad { pointer, code, detail } => rule_fault(FieldFault::new(pointer, code, detail)),
                RuleFault::TooLarge => AggregationError::Limit("output"),
            })
        } else {
            self.evaluator.transform(data, text).await.map_err(|fault| match fault {
                EvaluationFault::Rule(fault) => rule_fault(fault),
                EvaluationFault::Limit(what) => AggregationError::Limit(what),
                EvaluationFault::Busy(wait) => AggregationError::Busy(wait),
                EvaluationFault::Broken(detail) => AggregationError::Broken(detail),
            })
        }
    }
}

fn rule_fault(mut fault: FieldFault) -> AggregationError {
    fault.pointer.insert_str(0, "/rules");
    AggregationError::Rules(vec![fault])
}

/// For rules that evaluate nothing.
pub(in super::super) struct NoExpressions;

const NONE: &str = "expressions are not evaluated here";

impl Expressions for NoExpressions {
    type Program = ();
    type Value = ();

    fn compile(&self, _: &str) -> Result<(), String> {
        Err(NONE.to_owned())
    }
    fn read(&self, _: &RawValue) -> Result<(), String> {
        Err(NONE.to_owned())
    }
    fn run(&self, (): &(), (): &(), _: usize) -> Result<Vec<()>, String> {
        Err(NONE.to_owned())
    }
    fn is_true(&self, (): &()) -> bool {
        false
    }
    fn null(&self) {}
    fn array(&self, _: Vec<()>) {}
    fn write(&self, (): &()) -> Result<Box<RawValue>, String> {
        Err(NONE.to_owned())
    }
}
