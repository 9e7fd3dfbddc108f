//! What can be asked for: the types of the schema, and where each field comes from.

use std::{collections::HashMap, sync::Arc};

use async_graphql::{
    Value,
    parser::types::{BaseType, Type},
};

use super::super::{application::catalogue::Step, domain::path::Path};

/// The types, checked.
#[derive(Debug, Default)]
pub(super) struct Api {
    /// By name.
    pub(super) types: HashMap<String, Kind>,
    /// The name of the type of queries.
    pub(super) query: String,
    /// The name of the type of mutations.
    pub(super) mutation: Option<String>,
}

/// What a type is.
#[derive(Debug)]
pub(super) enum Kind {
    Scalar(Scalar),
    Enum(Vec<String>),
    Object(Object),
    /// An interface or a union.
    Abstract(Abstract),
    /// The members of an input object.
    Input(Vec<Input>),
}

/// How a scalar is read and written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scalar {
    Int,
    Float,
    String,
    Boolean,
    Id,
    /// One of the schema's own: any JSON, as it is written.
    Own,
}

/// An object type.
#[derive(Debug)]
pub(super) struct Object {
    pub(super) name: String,
    pub(super) fields: HashMap<String, Arc<Field>>,
    /// The interfaces it implements.
    pub(super) implements: Vec<String>,
}

/// An interface or a union: which object a value is says its member `__typename`.
#[derive(Debug, Default)]
pub(super) struct Abstract {
    /// The objects it may be.
    pub(super) possible: Vec<String>,
    /// An interface's fields.
    pub(super) fields: HashMap<String, Arc<Field>>,
}

/// A field of an object.
#[derive(Debug)]
pub(super) struct Field {
    pub(super) name: String,
    pub(super) ty: Type,
    pub(super) arguments: Vec<Input>,
    pub(super) origin: Origin,
    /// How many elements its list has.
    pub(super) size: ListSize,
}

/// Where a field's value comes from.
#[derive(Debug)]
pub(super) enum Origin {
    /// A part of the object it belongs to.
    Member(Path),
    /// A source is asked.
    Source {
        /// What is asked and how; `.item` is the object it belongs to.
        step: Box<Step>,
        /// Whether what is asked depends on the object.
        by_parent: bool,
        /// The part of the answer that is the value.
        part: Option<Path>,
    },
}

/// `@listSize`.
#[derive(Debug, Clone, Default)]
pub(super) struct ListSize {
    /// So many; absent: `list_size` of the configuration.
    pub(super) assumed: Option<u64>,
    /// Arguments that say how many are asked for.
    pub(super) slicing: Vec<String>,
}

/// An argument, or a member of an input object.
#[derive(Debug)]
pub(super) struct Input {
    pub(super) name: String,
    pub(super) ty: Type,
    pub(super) default: Option<Value>,
}

impl Api {
    /// The objects that a value of this type may be.
    pub(super) fn is_possible(&self, object: &Object, condition: &str) -> bool {
        object.name == condition
            || object.implements.iter().any(|name| name == condition)
            || matches!(self.types.get(condition), Some(Kind::Abstract(kind)) if kind.possible.contains(&object.name))
    }

    /// An object type by its name.
    pub(super) fn object(&self, name: &str) -> Option<&Object> {
        match self.types.get(name) {
            Some(Kind::Object(object)) => Some(object),
            _ => None,
        }
    }

    /// A field of an object or interface type.
    pub(super) fn field(&self, owner: &str, name: &str) -> Option<&Field> {
        match self.types.get(owner)? {
            Kind::Object(object) => object.fields.get(name),
            Kind::Abstract(kind) => kind.fields.get(name),
            _ => None,
        }
        .map(|field| &**field)
    }
}

/// The name inside lists.
pub(super) fn innermost(ty: &Type) -> &str {
    match &ty.base {
        BaseType::Named(name) => name,
        BaseType::List(inner) => innermost(inner),
    }
}

/// How many lists there are around it.
pub(super) fn lists(ty: &Type) -> u32 {
    match &ty.base {
        BaseType::Named(_) => 0,
        BaseType::List(inner) => 1 + lists(inner),
    }
}
