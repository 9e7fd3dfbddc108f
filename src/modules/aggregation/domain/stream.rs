//! Rules over elements that come one after the other: those that look at one element at a time may run as they come, a
//! limit counts, and those that need every element are refused.

use serde_json::value::RawValue;

use super::rule::Rule;
use crate::kernel::FieldFault;

/// What the elements pass through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Part {
    /// Rules for each element by itself; `first` is the position of the first in the list.
    Each { rules: Vec<Rule>, first: usize },
    /// A limit.
    Window(Window),
}

/// A limit that has counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Window {
    skip: usize,
    left: usize,
}

impl Window {
    /// The elements that pass.
    pub(crate) fn pass(&mut self, elements: Vec<Box<RawValue>>) -> Vec<Box<RawValue>> {
        let skipped = self.skip.min(elements.len());
        self.skip -= skipped;
        let passed: Vec<_> = elements.into_iter().skip(skipped).take(self.left).collect();
        self.left -= passed.len();
        passed
    }

    /// Whether no other element will ever pass.
    pub(crate) const fn is_over(self) -> bool {
        self.left == 0
    }
}

/// The parts of these rules, or which rules need every element at once.
pub(crate) fn parts(rules: &[Rule]) -> Result<Vec<Part>, Vec<FieldFault>> {
    let (mut parts, mut faults) = (Vec::new(), Vec::new());
    for (index, rule) in rules.iter().enumerate() {
        match rule {
            Rule::Limit { count, offset } => parts.push(Part::Window(Window { skip: *offset, left: *count })),
            Rule::Sort { .. } | Rule::Distinct { .. } | Rule::Group { .. } | Rule::Jq { .. } => {
                let detail = "this rule needs all lines at once; send them as an array";
                faults.push(FieldFault::new(format!("/{index}"), "needs-the-whole", detail));
            }
            each => match parts.last_mut() {
                Some(Part::Each { rules, .. }) => rules.push(each.clone()),
                _ => parts.push(Part::Each { rules: vec![each.clone()], first: index }),
            },
        }
    }
    if faults.is_empty() { Ok(parts) } else { Err(faults) }
}

/// A pointer into the rules of a part as one into the whole list.
pub(crate) fn shifted(pointer: &str, first: usize) -> String {
    let (index, rest) = pointer[1..].split_once('/').map_or((&pointer[1..], None), |(index, rest)| (index, Some(rest)));
    let index = index.parse::<usize>().unwrap_or(0) + first;
    rest.map_or_else(|| format!("/{index}"), |rest| format!("/{index}/{rest}"))
}

/// An array of these.
pub(crate) fn array<'a>(elements: impl Iterator<Item = &'a RawValue>) -> Box<RawValue> {
    let mut text = String::from("[");
    for (index, element) in elements.enumerate() {
        if index > 0 {
            text.push(',');
        }
        text.push_str(element.get());
    }
    text.push(']');
    RawValue::from_string(text).expect("an array of JSON texts")
}

/// The elements of an array.
pub(crate) fn elements(array: &RawValue) -> Vec<Box<RawValue>> {
    serde_json::from_str(array.get()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{super::rule::read, *};

    #[test]
    fn neighbours_run_together_and_limits_stand_alone() {
        let rules = json!([
            {"op": "filter", "where": "."}, {"op": "flatten", "field": "a"}, {"op": "limit", "count": 2, "offset": 1},
            {"op": "set", "field": "x", "value": "1"},
        ]);
        let rules = read(&rules, "").unwrap();
        let parts = parts(&rules).unwrap();
        let first = Part::Each { rules: rules[..2].to_vec(), first: 0 };
        let last = Part::Each { rules: rules[3..].to_vec(), first: 3 };
        assert_eq!(parts, [first, Part::Window(Window { skip: 1, left: 2 }), last]);
    }

    #[test]
    fn what_needs_every_element_is_named() {
        let rules = json!([
            {"op": "sort", "by": "."}, {"op": "select", "fields": []}, {"op": "distinct", "by": "."},
            {"op": "group", "by": ".", "into": {}}, {"op": "jq", "program": "."},
        ]);
        let faults = parts(&read(&rules, "").unwrap()).unwrap_err();
        assert_eq!(faults.iter().map(|fault| fault.pointer.as_str()).collect::<Vec<_>>(), ["/0", "/2", "/3", "/4"]);
    }

    #[test]
    fn a_window_counts_over_pieces() {
        let numbers = |text: &str| elements(&RawValue::from_string(text.to_owned()).unwrap());
        let mut window = Window { skip: 2, left: 3 };
        let passed = [window.pass(numbers("[1]")), window.pass(numbers("[2,3,4]")), window.pass(numbers("[5,6]"))];
        assert_eq!(passed.map(|numbers| array(numbers.iter().map(|n| &**n)).get().to_owned()), ["[]", "[3,4]", "[5]"]);
        assert!(window.is_over());
    }

    #[test]
    fn pointers_are_shifted() {
        assert_eq!(shifted("/0/where", 3), "/3/where");
        assert_eq!(shifted("/2", 1), "/3");
    }
}
