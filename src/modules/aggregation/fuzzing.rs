//! A door for the fuzz targets in `fuzz/` to what is private; compiled for them alone.

use std::sync::Arc;

use serde_json::{Value, value::RawValue};

use super::{
    application::{run_endpoint::object, transform::NoExpressions},
    domain::{
        data::take,
        rule::{self, Rule},
        stream::{array, elements, parts},
        template::{Arguments, UrlTemplate},
        transform::apply,
    },
};
use crate::kernel::FieldFault;

/// What rules say of themselves.
#[derive(Debug)]
pub struct Rules(Vec<Rule>);

/// Reads rules as requests and the configuration do.
pub fn read_rules(rules: &Value) -> Result<Rules, Vec<FieldFault>> {
    rule::read(rules, "").map(Rules)
}

impl Rules {
    /// The expressions, each with its pointer.
    pub fn expressions(&self) -> Vec<(String, &str)> {
        let below = |(index, rule)| {
            let expressions = Rule::expressions(rule).into_iter();
            expressions.map(move |(pointer, text)| (format!("/{index}{pointer}"), text))
        };
        self.0.iter().enumerate().flat_map(below).collect()
    }

    /// Which of the rules cannot run over lines, by pointer.
    pub fn that_need_the_whole(&self) -> Vec<String> {
        parts(&self.0).err().into_iter().flatten().map(|fault| fault.pointer).collect()
    }

    /// Applies those that evaluate nothing; `None`: they do not fit the data, or evaluate.
    pub fn apply(&self, data: &str) -> Option<String> {
        let data = RawValue::from_string(data.to_owned()).ok()?;
        apply(&NoExpressions, &data, &self.0, 1 << 20).ok().map(|data| data.get().to_owned())
    }
}

/// An address filled with arguments: `None` when the template, or what it would give, is refused.
pub fn filled(template: &str, arguments: &[(String, String)]) -> Option<String> {
    let arguments: Arguments = arguments.iter().cloned().collect();
    UrlTemplate::parse(template).ok()?.fill(&arguments).ok()
}

/// The names of an address's places.
pub fn places(template: &str) -> Option<Vec<String>> {
    let template = UrlTemplate::parse(template).ok()?;
    Some(template.arguments().into_iter().map(str::to_owned).collect())
}

/// The object that an endpoint without a `response` makes of these results, as their bytes came from sources; `None`: one
/// of them is not accepted.
pub fn merged(results: &[(String, Vec<u8>)]) -> Option<String> {
    let read = |(name, body): &(String, Vec<u8>)| Some((name.clone(), take(body.clone()).ok()?));
    let read: Vec<_> = results.iter().map(read).collect::<Option<_>>()?;
    let members: Vec<_> = read.iter().map(|(name, value)| (name.as_str(), Arc::clone(value))).collect();
    Some(object(&members).get().to_owned())
}

/// What becomes of values that are put into one array and taken out again.
pub fn through_an_array(values: &[&RawValue]) -> Vec<Box<RawValue>> {
    elements(&array(values.iter().copied()))
}
