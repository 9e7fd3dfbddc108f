//! `/data/transform` over lines as they come: many at a time for speed, alone when one of them is at fault, so that it can
//! be named.

use std::time::Duration;

use serde_json::value::RawValue;

use super::{
    super::domain::{
        lines::Line,
        stream::{Part, array, elements, parts, shifted},
    },
    error::AggregationError,
    transform::{Rules, Transform},
};

/// How often a line that waits for a worker in vain waits again: the others go on meanwhile, only slower.
const PATIENCE: u32 = 10;

/// Rules and how far they have come.
#[derive(Debug)]
pub(crate) struct LineRules {
    parts: Vec<Part>,
    /// The text of each part's rules.
    texts: Vec<String>,
}

impl LineRules {
    /// Whether no line can add to the result any more.
    pub(crate) fn is_over(&self) -> bool {
        self.parts.iter().any(|part| matches!(part, Part::Window(window) if window.is_over()))
    }
}

/// What came of some lines: the result up to the line that is at fault, and that fault.
#[derive(Debug)]
pub(crate) struct Passed {
    /// In order.
    pub(crate) elements: Vec<Box<RawValue>>,
    /// After them.
    pub(crate) fault: Option<AggregationError>,
}

impl Transform {
    /// The rules for lines; those that need all of them at once are faults.
    pub(crate) fn line_rules(&self, rules: &Rules<'_>) -> Result<LineRules, AggregationError> {
        let (rules, text) = self.known(rules)?;
        let parts = parts(rules).map_err(|mut faults| {
            for fault in &mut faults {
                fault.pointer.insert_str(0, "/rules");
            }
            AggregationError::Rules(faults)
        })?;
        let each: Vec<&RawValue> =
            serde_json::from_str(text).map_err(|fault| AggregationError::Broken(fault.to_string()))?;
        let text = |part: &Part| match part {
            Part::Each { rules, first } => array(each.iter().skip(*first).take(rules.len()).copied()).get().to_owned(),
            Part::Window(_) => String::new(),
        };
        Ok(LineRules { texts: parts.iter().map(text).collect(), parts })
    }

    /// Passes lines through the rules.
    pub(crate) async fn pass(&self, rules: &mut LineRules, lines: &[Line]) -> Passed {
        let before = rules.parts.clone();
        let fault = match self.pass_together(rules, lines).await {
            Ok(elements) => return Passed { elements, fault: None },
            Err(fault) => fault,
        };
        if let [line] = lines {
            let fault = AggregationError::Line { number: line.number, fault: Box::new(fault) };
            return Passed { elements: Vec::new(), fault: Some(fault) };
        }
        rules.parts = before;
        let mut passed = Vec::new();
        for line in lines {
            match self.pass_together(rules, std::slice::from_ref(line)).await {
                Ok(elements) => passed.extend(elements),
                Err(fault) => {
                    let fault = AggregationError::Line { number: line.number, fault: Box::new(fault) };
                    return Passed { elements: passed, fault: Some(fault) };
                }
            }
        }
        Passed { elements: passed, fault: None }
    }

    async fn pass_together(
        &self,
        rules: &mut LineRules,
        lines: &[Line],
    ) -> Result<Vec<Box<RawValue>>, AggregationError> {
        let mut passing: Vec<Box<RawValue>> = lines.iter().map(|line| (*line.value).to_owned()).collect();
        for (part, text) in rules.parts.iter_mut().zip(&rules.texts) {
            passing = match part {
                Part::Window(window) => window.pass(passing),
                Part::Each { .. } if passing.is_empty() => passing,
                Part::Each { rules, first } => {
                    let data = array(passing.iter().map(|element| &**element));
                    let applied = self.applied_in_the_end(&data, rules, text).await;
                    elements(&applied.map_err(|fault| below(fault, *first))?)
                }
            };
        }
        Ok(passing)
    }

    /// A stream that has begun rather waits than fails.
    async fn applied_in_the_end(
        &self,
        data: &RawValue,
        rules: &[super::super::domain::rule::Rule],
        text: &str,
    ) -> Result<Box<RawValue>, AggregationError> {
        let mut waited = 0;
        loop {
            match self.applied(data, rules, text).await {
                Err(AggregationError::Busy(wait)) if waited < PATIENCE => {
                    waited += 1;
                    tokio::time::sleep(wait.min(Duration::from_secs(1))).await;
                }
                other => return other,
            }
        }
    }
}

/// Faults of a part's rules, pointed at in the whole list.
fn below(fault: AggregationError, first: usize) -> AggregationError {
    let AggregationError::Rules(mut faults) = fault else { return fault };
    for fault in &mut faults {
        if let Some(pointer) = fault.pointer.strip_prefix("/rules") {
            fault.pointer = format!("/rules{}", shifted(pointer, first));
        }
    }
    AggregationError::Rules(faults)
}
