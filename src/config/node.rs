//! The settings as a tree in which every value knows where it was given.

use std::collections::BTreeMap;

use super::{
    fault::Place,
    key::{Key, Segment},
};

/// A value and where it stands.
#[derive(Debug, Clone)]
pub(super) struct Node {
    /// The value.
    pub(super) value: Value,
    /// Where its key stands.
    pub(super) place: Place,
    /// The `file:…` or `env:…` that gave the value.
    pub(super) reference: Option<String>,
    /// Put in for a faulty or missing value, so that reading goes on and finds the other faults. Never reaches a `Config`.
    pub(super) stand_in: bool,
}

/// What a node holds.
#[derive(Debug, Clone)]
pub(super) enum Value {
    /// Text without a type, from outside TOML: a string where a string is wanted, else what it reads as.
    Text(String),
    /// A TOML string.
    String(String),
    /// A TOML integer.
    Integer(i64),
    /// A TOML float.
    Float(f64),
    /// A TOML boolean.
    Boolean(bool),
    /// What no setting wants, as written: a date, a number out of range.
    Other(String),
    /// A list.
    Array(Vec<Node>),
    /// A table.
    Table(BTreeMap<String, Node>),
    /// Whatever is wanted; the number counts the samples that were refused.
    StandIn(usize),
}

impl Node {
    /// A value at a place.
    pub(super) fn new(value: Value, place: Place) -> Self {
        Self { value, place, reference: None, stand_in: false }
    }

    /// An empty table.
    pub(super) fn table(place: Place) -> Self {
        Self::new(Value::Table(BTreeMap::new()), place)
    }

    fn step(&self, segment: &Segment) -> Option<&Self> {
        match (segment, &self.value) {
            (Segment::Name(name), Value::Table(members)) => members.get(name),
            (Segment::Index(index), Value::Array(elements)) => elements.get(*index),
            _ => None,
        }
    }

    /// The node at `key`.
    pub(super) fn find(&self, key: &Key) -> Option<&Self> {
        key.0.iter().try_fold(self, |node, segment| node.step(segment))
    }

    /// The node at `key`, to be changed.
    pub(super) fn find_mut(&mut self, key: &Key) -> Option<&mut Self> {
        key.0.iter().try_fold(self, |node, segment| match (segment, &mut node.value) {
            (Segment::Name(name), Value::Table(members)) => members.get_mut(name),
            (Segment::Index(index), Value::Array(elements)) => elements.get_mut(*index),
            _ => None,
        })
    }

    /// The node at `key`, or the nearest one above it that there is.
    pub(super) fn find_nearest(&self, key: &Key) -> &Self {
        let mut node = self;
        for segment in &key.0 {
            match node.step(segment) {
                Some(next) => node = next,
                None => break,
            }
        }
        node
    }

    /// Puts `value` at the end of `names`, making the tables on the way.
    pub(super) fn put(&mut self, names: &[&str], value: Self) {
        let Some((name, rest)) = names.split_first() else {
            self.merge(value);
            return;
        };
        if !matches!(self.value, Value::Table(_)) {
            *self = Self::table(value.place.clone());
        }
        if let Value::Table(members) = &mut self.value {
            let member = members.entry((*name).to_owned()).or_insert_with(|| Self::table(value.place.clone()));
            member.put(rest, value);
        }
    }

    /// Lays `over` over this: tables are merged, everything else, lists too, is replaced as a whole.
    pub(super) fn merge(&mut self, over: Self) {
        match (&mut self.value, over.value) {
            (Value::Table(members), Value::Table(new)) => {
                if self.place == Place::Default {
                    self.place = over.place;
                }
                for (name, node) in new {
                    match members.get_mut(&name) {
                        Some(member) => member.merge(node),
                        None => {
                            members.insert(name, node);
                        }
                    }
                }
            }
            (_, value) => *self = Self { value, place: over.place, reference: over.reference, stand_in: false },
        }
    }

    /// Calls `visit` with every node and its key, parents first.
    pub(super) fn walk_mut(&mut self, key: &Key, visit: &mut dyn FnMut(&Key, &mut Self)) {
        visit(key, self);
        match &mut self.value {
            Value::Table(members) => {
                for (name, node) in members {
                    node.walk_mut(&key.member(name), visit);
                }
            }
            Value::Array(elements) => {
                for (index, node) in elements.iter_mut().enumerate() {
                    node.walk_mut(&key.element(index), visit);
                }
            }
            _ => {}
        }
    }

    /// Whether any part of this was given by a layer above the defaults.
    pub(super) fn is_set(&self) -> bool {
        match &self.value {
            Value::Table(members) => members.values().any(Self::is_set),
            _ => self.place != Place::Default,
        }
    }
}
