//! The rules of a transformation, read from JSON. Reading tells every fault with its pointer; expressions stay text, what
//! they say is judged where they may be compiled.

use serde_json::{Map, Value};

use crate::kernel::FieldFault;

/// The most rules of one transformation.
pub(crate) const MAX_RULES: usize = 100;
/// The longest field name, in bytes: renaming must not multiply the data.
const MAX_NAME: usize = 256;

/// One rule. Expressions are jq.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Rule {
    /// Keeps the elements for which the expression is true, as jq sees it.
    Filter { condition: String },
    /// Keeps only these fields.
    Select { fields: Vec<String> },
    /// Takes these fields away; absent ones do not matter.
    Remove { fields: Vec<String> },
    /// Gives a field another name, in its place.
    Rename { from: String, to: String },
    /// Sets a field.
    Set { field: String, value: String },
    /// Sorts, stable, in jq's order.
    Sort { by: String, descending: bool },
    /// Keeps the first of the elements with the same key.
    Distinct { by: String },
    /// Keeps so many elements after an offset.
    Limit { count: usize, offset: usize },
    /// One element per key, in order of first appearance.
    Group { by: String, into: Vec<(String, Summary)> },
    /// One element per item of an array field.
    Flatten { field: String },
    /// Any program over the whole data.
    Jq { program: String },
}

/// What a group tells of its elements.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Summary {
    /// How the values become one.
    pub(crate) function: SummaryFunction,
    /// The values; absent: the elements.
    pub(crate) of: Option<String>,
}

/// How the values of a group become one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SummaryFunction {
    /// Their sum.
    Sum,
    /// Their mean.
    Avg,
    /// The least.
    Min,
    /// The greatest.
    Max,
    /// How many.
    Count,
    /// All of them.
    List,
}

impl SummaryFunction {
    const ALL: [(&'static str, Self); 6] = [
        ("sum", Self::Sum),
        ("avg", Self::Avg),
        ("min", Self::Min),
        ("max", Self::Max),
        ("count", Self::Count),
        ("list", Self::List),
    ];

    /// The jq program that does it, over the array of the values.
    pub(crate) const fn program(self) -> &'static str {
        match self {
            Self::Sum => "add // 0",
            Self::Avg => "if length == 0 then null else add / length end",
            Self::Min => "min",
            Self::Max => "max",
            Self::Count => "length",
            Self::List => ".",
        }
    }
}

impl Rule {
    /// Whether the rule evaluates nothing and never makes the data larger than a constant factor: it may run anywhere.
    pub(crate) const fn is_plain(&self) -> bool {
        matches!(self, Self::Select { .. } | Self::Remove { .. } | Self::Rename { .. } | Self::Limit { .. })
    }

    /// The rule's expressions, each with its pointer below the rule.
    pub(crate) fn expressions(&self) -> Vec<(String, &str)> {
        match self {
            Self::Filter { condition } => vec![("/where".to_owned(), condition)],
            Self::Set { value, .. } => vec![("/value".to_owned(), value)],
            Self::Sort { by, .. } | Self::Distinct { by } => vec![("/by".to_owned(), by)],
            Self::Jq { program } => vec![("/program".to_owned(), program)],
            Self::Group { by, into } => {
                let summaries = into
                    .iter()
                    .filter_map(|(name, summary)| Some((format!("/into/{}/of", escape(name)), summary.of.as_deref()?)));
                std::iter::once(("/by".to_owned(), by.as_str())).chain(summaries).collect()
            }
            _ => Vec::new(),
        }
    }
}

/// Reads a list of rules; pointers begin with `base`.
pub(crate) fn read(rules: &Value, base: &str) -> Result<Vec<Rule>, Vec<FieldFault>> {
    let Value::Array(items) = rules else {
        return Err(vec![FieldFault::new(base, "wrong-type", "expected an array of rules")]);
    };
    if items.len() > MAX_RULES {
        return Err(vec![FieldFault::new(base, "too-many", format!("expected at most {MAX_RULES} rules"))]);
    }
    let mut faults = Vec::new();
    let mut read = Vec::new();
    for (index, item) in items.iter().enumerate() {
        let pointer = format!("{base}/{index}");
        let Value::Object(members) = item else {
            faults.push(FieldFault::new(pointer, "wrong-type", "expected an object"));
            continue;
        };
        let mut reader = Reader { members: members.clone(), pointer, faults: &mut faults };
        if let Some(rule) = reader.rule() {
            read.push(rule);
        }
        reader.refuse_the_rest();
    }
    if faults.is_empty() { Ok(read) } else { Err(faults) }
}

const OPS: &str = "filter, select, remove, rename, set, sort, distinct, limit, group, flatten or jq";

/// Takes a rule's members one by one; what remains is unknown.
struct Reader<'a> {
    members: Map<String, Value>,
    pointer: String,
    faults: &'a mut Vec<FieldFault>,
}

impl Reader<'_> {
    fn rule(&mut self) -> Option<Rule> {
        let op = self.text("op")?;
        match op.as_str() {
            "filter" => self.text("where").map(|condition| Rule::Filter { condition }),
            "select" => self.names("fields").map(|fields| Rule::Select { fields }),
            "remove" => self.names("fields").map(|fields| Rule::Remove { fields }),
            "rename" => {
                let (from, to) = (self.name("from"), self.name("to"));
                Some(Rule::Rename { from: from?, to: to? })
            }
            "set" => {
                let (field, value) = (self.name("field"), self.text("value"));
                Some(Rule::Set { field: field?, value: value? })
            }
            "sort" => {
                let (by, descending) = (self.text("by"), self.descending());
                Some(Rule::Sort { by: by?, descending: descending? })
            }
            "distinct" => self.text("by").map(|by| Rule::Distinct { by }),
            "limit" => {
                let (count, offset) = (self.number("count", None), self.number("offset", Some(0)));
                Some(Rule::Limit { count: count?, offset: offset? })
            }
            "group" => {
                let (by, into) = (self.text("by"), self.summaries());
                Some(Rule::Group { by: by?, into: into? })
            }
            "flatten" => self.name("field").map(|field| Rule::Flatten { field }),
            "jq" => self.text("program").map(|program| Rule::Jq { program }),
            _ => {
                self.members.clear();
                self.fault("/op", "unknown-op", &format!("expected {OPS}"))
            }
        }
    }

    fn fault<T>(&mut self, below: &str, code: &'static str, detail: &str) -> Option<T> {
        self.faults.push(FieldFault::new(format!("{}{below}", self.pointer), code, detail));
        None
    }

    fn text(&mut self, name: &str) -> Option<String> {
        match self.members.remove(name) {
            Some(Value::String(text)) => Some(text),
            Some(_) => self.fault(&format!("/{name}"), "wrong-type", "expected a string"),
            None => self.fault(&format!("/{name}"), "missing", "expected a string"),
        }
    }

    fn name(&mut self, member: &str) -> Option<String> {
        let text = self.text(member)?;
        if text.len() > MAX_NAME {
            return self.fault(&format!("/{member}"), "too-long", &format!("expected at most {MAX_NAME} bytes"));
        }
        Some(text)
    }

    fn names(&mut self, member: &str) -> Option<Vec<String>> {
        let pointer = format!("/{member}");
        let Some(value) = self.members.remove(member) else {
            return self.fault(&pointer, "missing", "expected an array of field names");
        };
        let Value::Array(items) = value else {
            return self.fault(&pointer, "wrong-type", "expected an array of field names");
        };
        let mut names = Vec::new();
        for (index, item) in items.into_iter().enumerate() {
            match item {
                Value::String(name) if name.len() <= MAX_NAME => names.push(name),
                _ => return self.fault(&format!("{pointer}/{index}"), "wrong-type", "expected a field name"),
            }
        }
        Some(names)
    }

    fn number(&mut self, member: &str, default: Option<usize>) -> Option<usize> {
        let pointer = format!("/{member}");
        match self.members.remove(member) {
            None if default.is_some() => default,
            None => self.fault(&pointer, "missing", "expected a whole number, at least 0"),
            Some(value) => match value.as_u64().and_then(|number| usize::try_from(number).ok()) {
                Some(number) => Some(number),
                None => self.fault(&pointer, "wrong-type", "expected a whole number, at least 0"),
            },
        }
    }

    fn descending(&mut self) -> Option<bool> {
        match self.members.remove("order") {
            None => Some(false),
            Some(Value::String(order)) if order == "asc" => Some(false),
            Some(Value::String(order)) if order == "desc" => Some(true),
            Some(_) => self.fault("/order", "unknown-order", "expected \"asc\" or \"desc\""),
        }
    }

    fn summaries(&mut self) -> Option<Vec<(String, Summary)>> {
        let Some(Value::Object(into)) = self.members.remove("into") else {
            return self.fault("/into", "wrong-type", "expected an object of summaries");
        };
        let mut summaries = Vec::new();
        for (name, value) in into {
            let pointer = format!("/into/{}", escape(&name));
            if name == "key" || name.len() > MAX_NAME {
                return self.fault(&pointer, "bad-name", "expected a short name other than `key`");
            }
            summaries.push((name, self.summary(&pointer, value)?));
        }
        Some(summaries)
    }

    fn summary(&mut self, pointer: &str, value: Value) -> Option<Summary> {
        let Value::Object(mut members) = value else {
            return self.fault(pointer, "wrong-type", "expected {\"fn\", \"of\"}");
        };
        let named = members.remove("fn");
        let named = named.as_ref().and_then(Value::as_str);
        let Some(function) = SummaryFunction::ALL.iter().find(|(name, _)| Some(*name) == named).map(|(_, fun)| *fun)
        else {
            return self.fault(&format!("{pointer}/fn"), "unknown-fn", "expected sum, avg, min, max, count or list");
        };
        let of = match members.remove("of") {
            None => None,
            Some(Value::String(of)) => Some(of),
            Some(_) => return self.fault(&format!("{pointer}/of"), "wrong-type", "expected an expression"),
        };
        if let Some(unknown) = members.keys().next() {
            return self.fault(&format!("{pointer}/{}", escape(unknown)), "unknown", "there is no such member");
        }
        Some(Summary { function, of })
    }

    fn refuse_the_rest(self) {
        for name in self.members.keys() {
            let pointer = format!("{}/{}", self.pointer, escape(name));
            self.faults.push(FieldFault::new(pointer, "unknown", "this rule has no such member"));
        }
    }
}

/// Escapes a name for a pointer (RFC 6901 §3).
fn escape(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_rule_reads() {
        let rules = json!([
            {"op": "filter", "where": ".a"}, {"op": "select", "fields": ["a"]}, {"op": "remove", "fields": ["a"]},
            {"op": "rename", "from": "a", "to": "b"}, {"op": "set", "field": "a", "value": "1"},
            {"op": "sort", "by": ".a", "order": "desc"}, {"op": "distinct", "by": ".a"}, {"op": "limit", "count": 1},
            {"op": "group", "by": ".a", "into": {"n": {"fn": "count"}, "s": {"fn": "sum", "of": ".b"}}},
            {"op": "flatten", "field": "a"}, {"op": "jq", "program": "."},
        ]);
        let rules = read(&rules, "/rules").expect("good rules");
        assert_eq!(rules.len(), 11);
        assert_eq!(rules[8].expressions().into_iter().map(|(at, _)| at).collect::<Vec<_>>(), ["/by", "/into/s/of"]);
    }

    #[test]
    fn every_fault_is_pointed_at() {
        let rules = json!([
            {"op": "explode"}, {"op": "filter"}, {"op": "limit", "count": -1, "x": 1}, 7, {"op": "select", "fields": [1]},
            {"op": "group", "by": ".a", "into": {"a/b": {"fn": "median"}}}, {"op": "sort", "by": ".a", "order": "up"}, {},
        ]);
        let faults = read(&rules, "/rules").expect_err("bad rules");
        let pointers: Vec<_> = faults.iter().map(|fault| fault.pointer.as_str()).collect();
        let expected = [
            "/rules/0/op",
            "/rules/1/where",
            "/rules/2/count",
            "/rules/2/x",
            "/rules/3",
            "/rules/4/fields/0",
            "/rules/5/into/a~1b/fn",
            "/rules/6/order",
            "/rules/7/op",
        ];
        assert_eq!(pointers, expected);
        assert!(read(&json!({}), "/rules").is_err());
        assert!(read(&Value::Array(vec![json!({"op": "jq", "program": "."}); 101]), "/rules").is_err());
    }
}
