//! What each rule does. Elements are carried as text and opened only where a rule looks into them, so that what no rule
//! touched leaves byte for byte as it came.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    rc::Rc,
};

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{Error as _, MapAccess, Visitor},
    ser::SerializeMap as _,
};
use serde_json::value::RawValue;

use super::rule::Rule;

/// Evaluates jq. The domain knows only this much of it.
pub(crate) trait Expressions {
    /// A compiled expression.
    type Program;
    /// A value, in jq's order.
    type Value: Ord + Clone;

    /// Compiles; the error is for the author of the expression.
    fn compile(&self, text: &str) -> Result<Self::Program, String>;
    /// Reads a value.
    fn read(&self, text: &RawValue) -> Result<Self::Value, String>;
    /// At most `at_most` outputs.
    fn run(&self, program: &Self::Program, input: &Self::Value, at_most: usize) -> Result<Vec<Self::Value>, String>;
    /// Neither null nor false.
    fn is_true(&self, value: &Self::Value) -> bool;
    /// `null`.
    fn null(&self) -> Self::Value;
    /// An array of these.
    fn array(&self, items: Vec<Self::Value>) -> Self::Value;
    /// The value as JSON text.
    fn write(&self, value: &Self::Value) -> Result<Box<RawValue>, String>;
}

/// A rule cannot be applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum RuleFault {
    /// The rule, or what it says of this data, is wrong; the pointer is below the list of rules, such as `/0/where`.
    Bad { pointer: String, code: &'static str, detail: String },
    /// The data grew past the limit.
    TooLarge,
}

/// Applies the rules in order.
pub(crate) fn apply<E: Expressions>(
    expressions: &E,
    data: &RawValue,
    rules: &[Rule],
    output_limit: usize,
) -> Result<Box<RawValue>, RuleFault> {
    let mut data = Data::read(data);
    for (index, rule) in rules.iter().enumerate() {
        data = Step { expressions, index, output_limit }.apply(data, rule)?;
    }
    let text = data.write();
    if text.get().len() > output_limit { Err(RuleFault::TooLarge) } else { Ok(text) }
}

/// Most outputs of one expression that take part in a key.
const KEY_OUTPUTS: usize = 1_000;

/// Array elements, or one value.
enum Data {
    Many(Vec<Element>),
    One(Element),
}

impl Data {
    fn read(text: &RawValue) -> Self {
        match serde_json::from_str::<Vec<Box<RawValue>>>(text.get()) {
            Ok(items) => Self::Many(items.into_iter().map(|item| Element::Closed(Rc::from(item))).collect()),
            Err(_) => Self::One(Element::Closed(Rc::from(text.to_owned()))),
        }
    }

    fn write(self) -> Box<RawValue> {
        let text = match self {
            Self::One(element) => return element.close().as_ref().to_owned(),
            Self::Many(elements) => {
                let mut text = String::from("[");
                for (index, element) in elements.into_iter().enumerate() {
                    if index > 0 {
                        text.push(',');
                    }
                    text.push_str(element.close().get());
                }
                text.push(']');
                text
            }
        };
        raw(text)
    }

    fn map<F>(self, mut change: impl FnMut(Element) -> Result<Element, F>) -> Result<Self, F> {
        Ok(match self {
            Self::One(element) => Self::One(change(element)?),
            Self::Many(elements) => Self::Many(elements.into_iter().map(change).collect::<Result<_, _>>()?),
        })
    }
}

/// Text made of JSON texts.
fn raw(text: String) -> Box<RawValue> {
    RawValue::from_string(text).expect("JSON put together from JSON")
}

enum Element {
    Closed(Rc<RawValue>),
    Open(Members),
}

impl Element {
    fn close(self) -> Rc<RawValue> {
        match self {
            Self::Closed(text) => text,
            Self::Open(members) => {
                Rc::from(serde_json::value::to_raw_value(&members).expect("an object of JSON texts"))
            }
        }
    }

    fn open(self) -> Option<Members> {
        match self {
            Self::Open(members) => Some(members),
            Self::Closed(text) => serde_json::from_str(text.get()).ok(),
        }
    }
}

/// An object's members in their order.
#[derive(Clone)]
struct Members(Vec<(Rc<str>, Rc<RawValue>)>);

impl Members {
    fn set(&mut self, name: &str, value: Rc<RawValue>) {
        match self.0.iter_mut().find(|(known, _)| **known == *name) {
            Some(member) => member.1 = value,
            None => self.0.push((Rc::from(name), value)),
        }
    }

    fn size(&self) -> usize {
        self.0.iter().map(|(name, value)| name.len() + value.get().len() + 4).sum()
    }
}

impl Serialize for Members {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, value) in &self.0 {
            map.serialize_entry(&**name, &**value)?;
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visit;
        impl<'de> Visitor<'de> for Visit {
            type Value = Members;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
                let mut members = Vec::new();
                let mut names = BTreeSet::new();
                while let Some((name, value)) = map.next_entry::<String, Box<RawValue>>()? {
                    let name: Rc<str> = Rc::from(name);
                    if !names.insert(Rc::clone(&name)) {
                        return Err(A::Error::custom("a member stands twice"));
                    }
                    members.push((name, Rc::from(value)));
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Visit)
    }
}

/// An expression over an element.
struct Evaluated<V> {
    outputs: Vec<V>,
    /// The element, read.
    value: V,
    /// The element as it came.
    text: Rc<RawValue>,
}

/// One rule at work.
struct Step<'a, E> {
    expressions: &'a E,
    index: usize,
    output_limit: usize,
}

impl<E: Expressions> Step<'_, E> {
    fn apply(&self, data: Data, rule: &Rule) -> Result<Data, RuleFault> {
        match rule {
            Rule::Filter { condition } => self.filter(data, condition),
            Rule::Select { fields } => {
                let kept: BTreeSet<&str> = fields.iter().map(String::as_str).collect();
                self.members(data, |members| members.0.retain(|(name, _)| kept.contains(&**name)))
            }
            Rule::Remove { fields } => {
                let removed: BTreeSet<&str> = fields.iter().map(String::as_str).collect();
                self.members(data, |members| members.0.retain(|(name, _)| !removed.contains(&**name)))
            }
            Rule::Rename { from, to } => {
                let to: Rc<str> = Rc::from(to.as_str());
                self.members(data, |members| {
                    if **from != *to && members.0.iter().any(|(name, _)| **name == **from) {
                        members.0.retain(|(name, _)| *name != to);
                        let renamed = members.0.iter_mut().filter(|(name, _)| **name == **from);
                        renamed.for_each(|member| member.0 = Rc::clone(&to));
                    }
                })
            }
            Rule::Set { field, value } => self.set(data, field, value),
            Rule::Sort { by, descending } => self.sort(data, by, *descending),
            Rule::Distinct { by } => self.distinct(data, by),
            Rule::Limit { count, offset } => Ok(match data {
                Data::Many(elements) => Data::Many(elements.into_iter().skip(*offset).take(*count).collect()),
                one @ Data::One(_) => one,
            }),
            Rule::Group { by, into } => self.group(data, by, into),
            Rule::Flatten { field } => self.flatten(data, field),
            Rule::Jq { program } => self.jq(data, program),
        }
    }

    fn bad(&self, below: &str, code: &'static str, detail: impl Into<String>) -> RuleFault {
        RuleFault::Bad { pointer: format!("/{}{below}", self.index), code, detail: detail.into() }
    }

    fn compile(&self, below: &str, text: &str) -> Result<E::Program, RuleFault> {
        self.expressions.compile(text).map_err(|fault| self.bad(below, "bad-expression", fault))
    }

    fn evaluate(
        &self,
        below: &str,
        program: &E::Program,
        element: Element,
        at_most: usize,
    ) -> Result<Evaluated<E::Value>, RuleFault> {
        let failed = |fault| self.bad(below, "evaluation-failed", fault);
        let text = element.close();
        let value = self.expressions.read(&text).map_err(failed)?;
        let outputs = self.expressions.run(program, &value, at_most).map_err(failed)?;
        Ok(Evaluated { outputs, value, text })
    }

    /// Changes the members of every element.
    fn members(&self, data: Data, change: impl Fn(&mut Members)) -> Result<Data, RuleFault> {
        data.map(|element| {
            let mut members = element.open().ok_or_else(|| self.bad("", "not-an-object", "expected objects"))?;
            change(&mut members);
            Ok(Element::Open(members))
        })
    }

    fn filter(&self, data: Data, condition: &str) -> Result<Data, RuleFault> {
        let program = self.compile("/where", condition)?;
        let keep = |element| {
            let Evaluated { outputs, text, .. } = self.evaluate("/where", &program, element, 1)?;
            let kept = outputs.first().is_some_and(|value| self.expressions.is_true(value));
            Ok(kept.then_some(Element::Closed(text)))
        };
        Ok(match data {
            Data::Many(elements) => Data::Many(
                elements.into_iter().filter_map(|element| keep(element).transpose()).collect::<Result<_, _>>()?,
            ),
            Data::One(element) => {
                Data::One(keep(element)?.unwrap_or_else(|| Element::Closed(Rc::from(RawValue::NULL.to_owned()))))
            }
        })
    }

    fn set(&self, data: Data, field: &str, value: &str) -> Result<Data, RuleFault> {
        let program = self.compile("/value", value)?;
        let mut size = 0;
        data.map(|element| {
            let Evaluated { outputs, text, .. } = self.evaluate("/value", &program, element, 1)?;
            let mut members =
                Element::Closed(text).open().ok_or_else(|| self.bad("", "not-an-object", "expected objects"))?;
            if let Some(output) = outputs.first() {
                let output = self.expressions.write(output);
                let output = output.map_err(|fault| self.bad("/value", "evaluation-failed", fault))?;
                members.set(field, Rc::from(output));
            }
            self.grow(&mut size, members.size())?;
            Ok(Element::Open(members))
        })
    }

    fn grow(&self, size: &mut usize, by: usize) -> Result<(), RuleFault> {
        *size += by;
        // Later rules may shrink it again; twice the limit on the way is enough.
        if *size > self.output_limit.saturating_mul(2) { Err(RuleFault::TooLarge) } else { Ok(()) }
    }

    fn sort(&self, data: Data, by: &str, descending: bool) -> Result<Data, RuleFault> {
        let program = self.compile("/by", by)?;
        let Data::Many(elements) = data else { return Ok(data) };
        let mut keyed = Vec::with_capacity(elements.len());
        for element in elements {
            let Evaluated { outputs: key, text, .. } = self.evaluate("/by", &program, element, KEY_OUTPUTS)?;
            keyed.push((key, text));
        }
        keyed.sort_by(|(a, _), (b, _)| if descending { b.cmp(a) } else { a.cmp(b) });
        Ok(Data::Many(keyed.into_iter().map(|(_, text)| Element::Closed(text)).collect()))
    }

    fn distinct(&self, data: Data, by: &str) -> Result<Data, RuleFault> {
        let program = self.compile("/by", by)?;
        let Data::Many(elements) = data else { return Ok(data) };
        let (mut seen, mut kept) = (BTreeSet::new(), Vec::new());
        for element in elements {
            let Evaluated { outputs: key, text, .. } = self.evaluate("/by", &program, element, KEY_OUTPUTS)?;
            if seen.insert(key) {
                kept.push(Element::Closed(text));
            }
        }
        Ok(Data::Many(kept))
    }

    fn group(&self, data: Data, by: &str, into: &[(String, super::rule::Summary)]) -> Result<Data, RuleFault> {
        let program = self.compile("/by", by)?;
        let mut summaries = Vec::new();
        for (name, summary) in into {
            let at = format!("/into/{}", name.replace('~', "~0").replace('/', "~1"));
            let of = self.compile(&format!("{at}/of"), summary.of.as_deref().unwrap_or("."))?;
            let function = self.compile(&format!("{at}/fn"), summary.function.program())?;
            summaries.push((name, at, of, function));
        }
        let elements = match data {
            Data::Many(elements) => elements,
            Data::One(element) => vec![element],
        };
        let mut groups: Vec<(E::Value, Vec<E::Value>)> = Vec::new();
        let mut position: BTreeMap<E::Value, usize> = BTreeMap::new();
        for element in elements {
            let Evaluated { outputs, value, .. } = self.evaluate("/by", &program, element, 1)?;
            let key = outputs.into_iter().next().unwrap_or_else(|| self.expressions.null());
            let at = *position.entry(key.clone()).or_insert_with(|| {
                groups.push((key, Vec::new()));
                groups.len() - 1
            });
            groups[at].1.push(value);
        }
        let mut size = 0;
        let mut elements = Vec::with_capacity(groups.len());
        for (key, values) in groups {
            let write = |value: &E::Value, at: &str| {
                self.expressions.write(value).map_err(|fault| self.bad(at, "evaluation-failed", fault)).map(Rc::from)
            };
            let mut members = Members(vec![(Rc::from("key"), write(&key, "/by")?)]);
            for (name, at, of, function) in &summaries {
                let failed = |fault| self.bad(at, "evaluation-failed", fault);
                let mut taken = Vec::new();
                for value in &values {
                    taken.extend(self.expressions.run(of, value, KEY_OUTPUTS).map_err(failed)?);
                }
                let taken = self.expressions.array(taken);
                let summary = self.expressions.run(function, &taken, 1).map_err(failed)?;
                members.set(name, write(&summary.into_iter().next().unwrap_or_else(|| self.expressions.null()), at)?);
            }
            self.grow(&mut size, members.size())?;
            elements.push(Element::Open(members));
        }
        Ok(Data::Many(elements))
    }

    fn flatten(&self, data: Data, field: &str) -> Result<Data, RuleFault> {
        let elements = match data {
            Data::Many(elements) => elements,
            Data::One(element) => vec![element],
        };
        let (mut size, mut flat) = (0, Vec::new());
        for element in elements {
            let members = element.open().ok_or_else(|| self.bad("", "not-an-object", "expected objects"))?;
            let items = members.0.iter().find(|(name, _)| **name == *field);
            let items = items.map(|(_, value)| serde_json::from_str::<Vec<Box<RawValue>>>(value.get()));
            let items = items.and_then(Result::ok);
            let items = items
                .ok_or_else(|| self.bad("/field", "not-an-array", format!("expected `{field}` to be an array")))?;
            let array_size =
                members.0.iter().find(|(name, _)| **name == *field).map_or(0, |(_, value)| value.get().len());
            let rest = members.size() - array_size;
            for item in items {
                self.grow(&mut size, rest + item.get().len())?;
                let mut copy = members.clone();
                copy.set(field, Rc::from(item));
                flat.push(Element::Open(copy));
            }
        }
        Ok(Data::Many(flat))
    }

    fn jq(&self, data: Data, program: &str) -> Result<Data, RuleFault> {
        let failed = |fault| self.bad("/program", "evaluation-failed", fault);
        let program = self.compile("/program", program)?;
        let value = self.expressions.read(&data.write()).map_err(failed)?;
        let outputs = self.expressions.run(&program, &value, 2).map_err(failed)?;
        let [output] = outputs.as_slice() else {
            let detail = "expected exactly one value; wrap the program in [ ] to collect several";
            return Err(self.bad("/program", "not-one-value", detail));
        };
        Ok(Data::read(&self.expressions.write(output).map_err(failed)?))
    }
}
