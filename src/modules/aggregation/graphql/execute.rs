//! Executes an operation (GraphQL §6), level by level: a field is asked for all objects of its level at once, whatever lists
//! they stand in, so that what can be asked together is. Fields of one object stand in the order of the document, a value
//! that cannot be had is null with an entry in `errors`, and null where there must be a value takes what is around it away.

mod complete;

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, atomic::AtomicUsize},
};

use async_graphql::{
    Name, Positioned,
    parser::types::{Field as Asked, FragmentDefinition, Selection, SelectionSet},
};
use futures_util::future::{BoxFuture, FutureExt as _, join_all};
use serde_json::value::RawValue;

use super::{
    super::domain::{data::Json, path::Path},
    fault::{Fault, INPUT, Segment},
    fetch::Calls,
    input::{Variables, arguments, is_wanted, quoted},
    output::Output,
    schema::{Api, Object, Origin},
};

/// So many objects are worth a pause for others.
const MANY: usize = 256;

/// One execution.
pub(super) struct Execution<'a> {
    pub(super) api: &'a Api,
    pub(super) fragments: &'a HashMap<Name, Positioned<FragmentDefinition>>,
    pub(super) variables: &'a Variables,
    pub(super) calls: Calls<'a>,
    /// What was asked of the schema itself, by response key.
    pub(super) introspected: HashMap<String, String>,
    /// How many values the answer may still have.
    pub(super) left: AtomicUsize,
    pub(super) faults: Mutex<Vec<Fault>>,
}

/// An object that fields are asked of.
struct Node {
    json: Json,
    at: Option<Arc<At>>,
}

/// Where a value stands.
#[derive(Debug)]
struct At {
    around: Option<Arc<At>>,
    segment: Segment,
}

/// A value to be completed.
struct Item {
    around: Option<Arc<At>>,
    segment: Segment,
    json: Option<Json>,
    /// Whether there is an entry in `errors` for it already.
    told: bool,
}

/// A completed value.
enum Done {
    Value(Output),
    /// Nothing; whether there is an entry in `errors` that says why, and where it stands if there is not.
    Null(Option<Item>),
    /// Nothing where something must be: what is around it is null.
    Broken,
}

/// A field of the answer, and everything that is asked of it.
struct Collected<'a> {
    key: Arc<str>,
    asked: &'a Positioned<Asked>,
    sets: Vec<&'a SelectionSet>,
}

impl<'a> Execution<'a> {
    /// The operation's `data`. Mutations run one after the other.
    pub(super) async fn run(&'a self, root: &'a Object, set: &'a SelectionSet, is_mutation: bool) -> Output {
        let node = Node { json: Json::from(RawValue::NULL.to_owned()), at: None };
        match self.objects(root, vec![set], vec![node], is_mutation).await.pop() {
            Some(Done::Value(output)) => output,
            _ => Output::Null,
        }
    }

    /// Objects of one type, with what is asked of them.
    fn objects(
        &'a self,
        object: &'a Object,
        sets: Vec<&'a SelectionSet>,
        nodes: Vec<Node>,
        is_mutation: bool,
    ) -> BoxFuture<'a, Vec<Done>> {
        async move {
            if nodes.len() > MANY {
                tokio::task::yield_now().await;
            }
            let mut collected = Vec::new();
            self.collect(object, &sets, &mut HashSet::new(), &mut collected);
            let mut columns = Vec::with_capacity(collected.len());
            if is_mutation {
                for field in &collected {
                    columns.push(self.field(object, field, &nodes, true).await.into_iter());
                    self.calls.forget();
                }
            } else {
                let fields: Vec<_> = collected.iter().map(|field| self.field(object, field, &nodes, false)).collect();
                columns.extend(join_all(fields).await.into_iter().map(Vec::into_iter));
            }
            let mut objects = Vec::with_capacity(nodes.len());
            for _ in &nodes {
                let mut members = Some(Vec::with_capacity(collected.len()));
                for (field, column) in collected.iter().zip(&mut columns) {
                    match column.next() {
                        Some(Done::Value(output)) => {
                            if let Some(members) = &mut members {
                                members.push((Arc::clone(&field.key), output));
                            }
                        }
                        Some(Done::Null(_)) => {
                            if let Some(members) = &mut members {
                                members.push((Arc::clone(&field.key), Output::Null));
                            }
                        }
                        Some(Done::Broken) | None => members = None,
                    }
                }
                objects.push(members.map_or(Done::Null(None), |members| Done::Value(Output::Object(members))));
            }
            objects
        }
        .boxed()
    }

    /// The fields that are asked of an object of this type, in the document's order, equal ones together (§6.3.2).
    fn collect<'b>(
        &'a self,
        object: &Object,
        sets: &[&'a SelectionSet],
        spread: &'b mut HashSet<&'a str>,
        collected: &'b mut Vec<Collected<'a>>,
    ) {
        for selection in sets.iter().flat_map(|set| &set.items) {
            let directives = selection.node.directives().iter().map(|directive| &directive.node);
            if !is_wanted(directives, self.variables) {
                continue;
            }
            match &selection.node {
                Selection::Field(field) => {
                    let key = field.node.response_key().node.as_str();
                    let set = &field.node.selection_set.node;
                    match collected.iter_mut().find(|known| &*known.key == key) {
                        Some(known) => known.sets.push(set),
                        None => collected.push(Collected { key: Arc::from(key), asked: field, sets: vec![set] }),
                    }
                }
                Selection::InlineFragment(fragment) => {
                    let on = fragment.node.type_condition.as_ref();
                    if on.is_none_or(|on| self.api.is_possible(object, &on.node.on.node)) {
                        self.collect(object, &[&fragment.node.selection_set.node], spread, collected);
                    }
                }
                Selection::FragmentSpread(named) => {
                    let name = named.node.fragment_name.node.as_str();
                    let Some(fragment) = self.fragments.get(name) else { continue };
                    let is_new = spread.insert(name);
                    if is_new && self.api.is_possible(object, &fragment.node.type_condition.node.on.node) {
                        self.collect(object, &[&fragment.node.selection_set.node], spread, collected);
                    }
                }
            }
        }
    }

    /// One field of all these objects.
    fn field<'b>(
        &'a self,
        object: &'a Object,
        asked: &'b Collected<'a>,
        nodes: &'b [Node],
        is_mutation: bool,
    ) -> BoxFuture<'b, Vec<Done>>
    where
        'a: 'b,
    {
        self.found(object, asked, nodes, is_mutation).boxed()
    }

    async fn found(
        &'a self,
        object: &'a Object,
        asked: &Collected<'a>,
        nodes: &[Node],
        is_mutation: bool,
    ) -> Vec<Done> {
        let name = asked.asked.node.name.node.as_str();
        if name == "__typename" {
            return nodes.iter().map(|_| Done::Value(Output::Text(quoted(&object.name)))).collect();
        }
        let Some(field) = object.fields.get(name) else {
            // What is asked of the schema itself is asked of the root alone.
            let known = self.introspected.get(&*asked.key).cloned();
            let output = known.map_or(Output::Null, Output::Text);
            return nodes.iter().map(|_| Done::Value(output.clone())).collect();
        };
        let item = |node: &Node, json: Option<Json>, told: bool| Item {
            around: node.at.clone(),
            segment: Segment::Key(Arc::clone(&asked.key)),
            json,
            told,
        };
        let position = asked.asked.pos;
        let items: Vec<Item> = match &field.origin {
            Origin::Member(path) => nodes.iter().map(|node| item(node, part(path, &node.json), false)).collect(),
            Origin::Source { step, by_parent, part: path } => {
                let args = match arguments(self.api, &field.arguments, &asked.asked.node, self.variables) {
                    Ok(args) => Json::from(RawValue::from_string(args).expect("arguments are put together as JSON")),
                    Err(fault) => {
                        let items: Vec<Item> = nodes.iter().map(|node| item(node, None, true)).collect();
                        for item in &items {
                            self.tell(item, Fault::new(INPUT, format!("`{name}`: {fault}")), position);
                        }
                        return self.complete(&field.ty, &asked.sets, items, position, field).await;
                    }
                };
                let fetched = if *by_parent {
                    let parents: Vec<Json> = nodes.iter().map(|node| Arc::clone(&node.json)).collect();
                    self.calls.fetch(step, &args, &parents, is_mutation).await
                } else {
                    // It is the same for all.
                    let null = Json::from(RawValue::NULL.to_owned());
                    let one = self.calls.fetch(step, &args, &[null], is_mutation).await.pop().unwrap_or(Ok(None));
                    nodes.iter().map(|_| one.clone()).collect()
                };
                let item = |(node, fetched)| match fetched {
                    Ok(json) => {
                        let json: Option<Json> = json;
                        let json = match path {
                            Some(path) => json.and_then(|json| part(path, &json)),
                            None => json,
                        };
                        item(node, json.filter(|json| json.get() != "null"), false)
                    }
                    Err(report) => {
                        let failed = item(node, None, true);
                        self.tell(&failed, Fault::of_source(&step.source.name, &report), position);
                        failed
                    }
                };
                nodes.iter().zip(fetched).map(item).collect()
            }
        };
        self.complete(&field.ty, &asked.sets, items, position, field).await
    }
}

/// A part of an object; null is nothing.
fn part(path: &Path, json: &RawValue) -> Option<Json> {
    let found = path.find(json).filter(|found| found.get() != "null")?;
    Some(Json::from(found.to_owned()))
}
