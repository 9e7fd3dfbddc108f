//! Many elements of `for_each` in one call, and what came of it back to each.

use std::collections::HashMap;

use serde_json::value::RawValue;

use super::{
    super::domain::{
        data::{Json, null},
        outcome::{SourceReport, SourceStatus},
        path::{Path, elements, identity},
        template::Arguments,
    },
    aggregate::one,
    catalogue::Step,
    ports::{Call, Input, SourceAnswer},
    run_endpoint::{arguments, call_of, headers},
};

/// How elements are put together.
#[derive(Debug)]
pub(crate) struct Batch {
    /// The most elements of one call.
    pub(crate) size: usize,
    /// Between joined arguments.
    pub(crate) join: String,
    /// Where an element of the answer says which it is; `None`: the answer is an object with an element by name.
    pub(crate) key: Option<Path>,
    /// The argument that is joined; `None`: the body has the elements.
    pub(crate) joined: Option<String>,
    /// Whether everything with an element's key is its own, as an array, in place of the first.
    pub(crate) many: bool,
}

/// Calls for all elements, and where each element is.
pub(crate) struct Batched {
    /// The calls.
    pub(crate) calls: Vec<Result<Call, String>>,
    /// For each element its call, and what it is called there.
    places: Vec<Result<(usize, String), String>>,
}

impl Batch {
    /// The calls for these elements, equal ones once.
    pub(crate) fn plan(&self, step: &Step, scope: Input<'_>, items: &[Json]) -> Batched {
        let filled = arguments(step, scope, items);
        let mut position: HashMap<String, usize> = HashMap::new();
        // What is asked for, each once, in order.
        let mut distinct: Vec<(&str, &Arguments, &Json)> = Vec::new();
        let named: Vec<Result<String, String>> =
            items.iter().zip(&filled).map(|(item, filled)| self.name(item, filled.as_ref())).collect();
        let mut places = Vec::with_capacity(items.len());
        for ((item, arguments), name) in items.iter().zip(&filled).zip(&named) {
            places.push(match (name, arguments) {
                (Err(fault), _) | (_, Err(fault)) => Err(fault.clone()),
                (Ok(name), Ok(arguments)) => {
                    let at = *position.entry(name.clone()).or_insert_with(|| {
                        distinct.push((name, arguments, item));
                        distinct.len() - 1
                    });
                    Ok((at / self.size, name.clone()))
                }
            });
        }
        let chunks: Vec<_> = distinct.chunks(self.size).collect();
        let bodies = bodies(step, scope, &chunks);
        // The configuration has been checked: they do not depend on the element.
        let headers = headers(step, scope, &[null()]).pop().unwrap_or_else(|| Ok(Arguments::new()));
        let calls = chunks.iter().zip(bodies).map(|(chunk, body)| {
            let mut arguments = chunk.first().map(|(_, arguments, _)| (*arguments).clone()).unwrap_or_default();
            if let Some(joined) = &self.joined {
                let elements: Vec<&str> = chunk.iter().map(|(name, ..)| *name).collect();
                arguments.insert(joined.clone(), elements.join(&self.join));
            }
            call_of(step, &arguments, headers.clone()?, body?)
        });
        Batched { calls: calls.collect(), places }
    }

    /// What an element is called: its joined argument, or itself.
    fn name(&self, item: &RawValue, filled: Result<&Arguments, &String>) -> Result<String, String> {
        let name = match &self.joined {
            Some(joined) => filled.map_err(String::clone)?.get(joined).cloned(),
            None => identity(item).map(std::borrow::Cow::into_owned),
        };
        match name {
            None => Err("the element is neither a text nor a number".to_owned()),
            Some(name) if self.joined.is_some() && name.contains(&self.join) => {
                Err("the element contains what elements are joined with".to_owned())
            }
            Some(name) => Ok(name),
        }
    }

    /// What came back for each element, in the elements' order; one that the answer does not have is null.
    pub(crate) fn assemble(&self, batched: &Batched, made: &[SourceAnswer]) -> Vec<SourceAnswer> {
        let told: Vec<Result<HashMap<String, Json>, SourceReport>> =
            made.iter().map(|answer| self.by_name(answer)).collect();
        let answer = |place: &Result<(usize, String), String>| {
            let failed = |detail: &str| SourceReport::failed(SourceStatus::Error, detail);
            let found = match place {
                Err(fault) => Err(failed(fault)),
                Ok((call, name)) => match told.get(*call) {
                    None => Err(failed("no call")),
                    Some(Err(report)) => Err(report.clone()),
                    Some(Ok(elements)) => Ok((&made[*call].report, elements.get(name))),
                },
            };
            match found {
                Err(report) => SourceAnswer { report, body: None },
                Ok((report, element)) => {
                    let body = element.map_or_else(|| self.missing(), Json::clone);
                    SourceAnswer { report: report.clone(), body: Some(body) }
                }
            }
        };
        batched.places.iter().map(answer).collect()
    }

    /// What there is where the answer has nothing.
    fn missing(&self) -> Json {
        if self.many { array(&[]) } else { null() }
    }

    /// An answer's elements by what they are called; of equal ones the first, or all.
    fn by_name(&self, answer: &SourceAnswer) -> Result<HashMap<String, Json>, SourceReport> {
        let Some(body) = answer.body.as_deref() else { return Err(answer.report.clone()) };
        let wrong = |detail: &str| SourceReport {
            http_status: answer.report.http_status,
            ..SourceReport::failed(SourceStatus::Error, detail)
        };
        let Some(key) = &self.key else {
            let named: Result<HashMap<String, Box<RawValue>>, _> = serde_json::from_str(body.get());
            let named = named.map_err(|_| wrong("the batch's answer is no object"))?;
            return Ok(named.into_iter().map(|(name, element)| (name, Json::from(element))).collect());
        };
        let all = elements(body).ok_or_else(|| wrong("the batch's answer is no array"))?;
        let mut named: HashMap<String, Vec<&RawValue>> = HashMap::with_capacity(all.len());
        for element in all {
            if let Some(name) = key.find(element).and_then(identity) {
                named.entry(name.into_owned()).or_default().push(element);
            }
        }
        let one = |elements: Vec<&RawValue>| match elements.first() {
            Some(first) if !self.many => Json::from((*first).to_owned()),
            _ => array(&elements),
        };
        Ok(named.into_iter().map(|(name, elements)| (name, one(elements))).collect())
    }
}

fn array(elements: &[&RawValue]) -> Json {
    let elements: Vec<&str> = elements.iter().map(|element| element.get()).collect();
    let text = format!("[{}]", elements.join(","));
    Json::from(RawValue::from_string(text).expect("an array of JSON texts"))
}

/// The body of each chunk, whose program sees its elements as `.item`.
fn bodies(
    step: &Step,
    scope: Input<'_>,
    chunks: &[&[(&str, &Arguments, &Json)]],
) -> Vec<Result<Option<String>, String>> {
    let Some(program) = &step.body else { return vec![Ok(None); chunks.len()] };
    let arrays = chunks.iter().map(|chunk| {
        let items: Vec<&str> = chunk.iter().map(|(.., item)| item.get()).collect();
        let text = format!("[{}]", items.join(","));
        Json::from(RawValue::from_string(text).expect("an array of JSON texts"))
    });
    let arrays: Vec<Json> = arrays.collect();
    let made = program.run_each(scope, &arrays, 2).into_iter();
    made.map(|body| one(body).map(|body| Some(body.get().to_owned())).map_err(|fault| format!("body: {fault}")))
        .collect()
}
