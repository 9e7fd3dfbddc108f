//! Makes values of the schema's types of what was found (GraphQL §6.4.3, §6.4.4): all values of a level at once.

use std::sync::{Arc, PoisonError, atomic::Ordering};

use async_graphql::{
    Pos,
    parser::types::{BaseType, SelectionSet, Type},
};
use futures_util::future::{BoxFuture, FutureExt as _, join_all};

use super::{
    super::{
        super::domain::{
            data::Json,
            path::{elements, member},
        },
        fault::{Fault, RESULT, Segment, VALUES},
        output::{Output, enumerated, scalar},
        schema::{Field, Kind, Object},
    },
    At, Done, Execution, Item, Node,
};

impl<'a> Execution<'a> {
    /// Makes values of this type of what was found (§6.4.3).
    pub(super) fn complete<'b>(
        &'a self,
        ty: &'a Type,
        sets: &'b [&'a SelectionSet],
        items: Vec<Item>,
        position: Pos,
        field: &'a Field,
    ) -> BoxFuture<'b, Vec<Done>>
    where
        'a: 'b,
    {
        async move {
            let done = match &ty.base {
                BaseType::List(inner) => self.lists(inner, sets, items, position, field).await,
                BaseType::Named(name) => match self.api.types.get(name.as_str()) {
                    Some(Kind::Object(object)) => {
                        let objects = items.into_iter().map(|item| (item, Some(object)));
                        self.composites(objects.collect(), sets, position, field).await
                    }
                    Some(Kind::Abstract(kind)) => {
                        let find = |item: Item| {
                            let name = item.json.as_deref().and_then(|json| member(json, "__typename"));
                            let name: Option<String> = name.and_then(|name| serde_json::from_str(name.get()).ok());
                            let name = name.filter(|name| kind.possible.contains(name));
                            let object = name.and_then(|name| self.api.object(&name));
                            (item, object)
                        };
                        self.composites(items.into_iter().map(find).collect(), sets, position, field).await
                    }
                    kind => items.into_iter().map(|item| self.leaf(kind, item, ty, position, field)).collect(),
                },
            };
            if ty.nullable {
                return done;
            }
            let must_be = |done| match done {
                Done::Null(Some(item)) => {
                    let message = format!("`{}` must not be null, and there is nothing", field.name);
                    self.tell(&item, Fault::new(RESULT, message), position);
                    Done::Broken
                }
                Done::Null(None) => Done::Broken,
                done => done,
            };
            done.into_iter().map(must_be).collect()
        }
        .boxed()
    }

    fn leaf(&self, kind: Option<&Kind>, mut item: Item, ty: &Type, position: Pos, field: &Field) -> Done {
        let Some(json) = item.json.take() else { return nothing(item) };
        if !self.afford(1, &item, position) {
            return Done::Null(None);
        }
        let found = match kind {
            Some(Kind::Scalar(kind)) => scalar(*kind, json),
            Some(Kind::Enum(values)) => enumerated(values, &json),
            _ => None,
        };
        found.map_or_else(|| self.not_a(&ty.to_string(), &item, position, field), Done::Value)
    }

    /// All elements of all lists as one level.
    async fn lists(
        &'a self,
        inner: &'a Type,
        sets: &[&'a SelectionSet],
        items: Vec<Item>,
        position: Pos,
        field: &'a Field,
    ) -> Vec<Done> {
        let (mut level, mut lists) = (Vec::new(), Vec::with_capacity(items.len()));
        for mut item in items {
            let Some(json) = item.json.take() else {
                lists.push(Err(nothing(item)));
                continue;
            };
            let Some(found) = elements(&json) else {
                lists.push(Err(self.not_a("list", &item, position, field)));
                continue;
            };
            if !self.afford(found.len(), &item, position) {
                lists.push(Err(Done::Null(None)));
                continue;
            }
            lists.push(Ok(found.len()));
            let around = item.here();
            level.extend(found.into_iter().enumerate().map(|(index, element)| Item {
                around: Some(Arc::clone(&around)),
                segment: Segment::Index(index),
                json: (element.get() != "null").then(|| Json::from(element.to_owned())),
                told: false,
            }));
        }
        let mut done = self.complete(inner, sets, level, position, field).await.into_iter();
        let list = |list: Result<usize, Done>| {
            let length = match list {
                Ok(length) => length,
                Err(done) => return done,
            };
            let mut outputs = Some(Vec::with_capacity(length));
            for done in done.by_ref().take(length) {
                match done {
                    Done::Value(output) => drop(outputs.as_mut().map(|outputs| outputs.push(output))),
                    Done::Null(_) => drop(outputs.as_mut().map(|outputs| outputs.push(Output::Null))),
                    Done::Broken => outputs = None,
                }
            }
            outputs.map_or(Done::Null(None), |outputs| Done::Value(Output::List(outputs)))
        };
        lists.into_iter().map(list).collect()
    }

    /// Objects, each of its own type, those of one type together.
    async fn composites(
        &'a self,
        items: Vec<(Item, Option<&'a Object>)>,
        sets: &[&'a SelectionSet],
        position: Pos,
        field: &'a Field,
    ) -> Vec<Done> {
        let mut places: Vec<Result<usize, Done>> = Vec::with_capacity(items.len());
        let mut groups: Vec<(&'a Object, Vec<Node>)> = Vec::new();
        for (mut item, object) in items {
            let Some(json) = item.json.take() else {
                places.push(Err(nothing(item)));
                continue;
            };
            let Some(object) = object.filter(|_| json.get().starts_with('{')) else {
                let expected = match object {
                    Some(object) => object.name.as_str(),
                    None => "object whose `__typename` is one of its types",
                };
                places.push(Err(self.not_a(expected, &item, position, field)));
                continue;
            };
            if !self.afford(1, &item, position) {
                places.push(Err(Done::Null(None)));
                continue;
            }
            let node = Node { json, at: Some(item.here()) };
            let group = groups.iter().position(|(known, _)| std::ptr::eq(*known, object)).unwrap_or_else(|| {
                groups.push((object, Vec::new()));
                groups.len() - 1
            });
            groups[group].1.push(node);
            places.push(Ok(group));
        }
        let groups: Vec<_> =
            groups.into_iter().map(|(object, nodes)| self.objects(object, sets.to_vec(), nodes, false)).collect();
        let mut done: Vec<_> = join_all(groups).await.into_iter().map(Vec::into_iter).collect();
        let place = |place: Result<usize, Done>| match place {
            Ok(group) => done[group].next().unwrap_or(Done::Null(None)),
            Err(done) => done,
        };
        places.into_iter().map(place).collect()
    }

    /// What was found is something else.
    fn not_a(&self, expected: &str, item: &Item, position: Pos, field: &Field) -> Done {
        let message = format!("`{}` is not what the schema says; expected {expected}", field.name);
        self.tell(item, Fault::new(RESULT, message), position);
        Done::Null(None)
    }

    /// Whether the answer may have so many more values.
    fn afford(&self, values: usize, item: &Item, position: Pos) -> bool {
        let less = |left: usize| left.checked_sub(values);
        if self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less).is_ok() {
            return true;
        }
        // Told once: whatever comes after it is missing too.
        if self.left.swap(0, Ordering::Relaxed) > 0 || !self.has(VALUES) {
            self.tell(item, Fault::new(VALUES, "the answer has more values than it may have"), position);
        }
        false
    }

    fn has(&self, code: &str) -> bool {
        let faults = self.faults.lock().unwrap_or_else(PoisonError::into_inner);
        faults.iter().any(|fault| fault.extensions.get("code").is_some_and(|known| known == code))
    }

    pub(super) fn tell(&self, item: &Item, fault: Fault, position: Pos) {
        let mut path = vec![item.segment.clone()];
        let mut around = item.around.as_ref();
        while let Some(at) = around {
            path.push(at.segment.clone());
            around = at.around.as_ref();
        }
        path.reverse();
        let fault = Fault { path: Some(path), ..fault.at([position]) };
        self.faults.lock().unwrap_or_else(PoisonError::into_inner).push(fault);
    }
}

impl Item {
    /// Where it stands, for what stands in it.
    fn here(&self) -> Arc<At> {
        Arc::new(At { around: self.around.clone(), segment: self.segment.clone() })
    }
}

fn nothing(item: Item) -> Done {
    Done::Null((!item.told).then_some(item))
}
