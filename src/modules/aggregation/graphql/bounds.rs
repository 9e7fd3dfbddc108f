//! What a document would cost, before anything is done for it: how deep it asks, how often it gives other names, how much
//! it may bring. A fragment is looked at once, however often it is used, so that a document that multiplies itself is
//! refused as quickly as any other.

use std::collections::HashMap;

use async_graphql::{
    Value,
    parser::types::{ExecutableDocument, Field, OperationType, Selection, SelectionSet},
};

use super::{
    fault::{ALIASES, COMPLEXITY, DEPTH, Fault, VALIDATION},
    input::{Variables, argument},
    schema::{Api, innermost, lists},
};

/// The most fields of an introspection, and how often lists of its fields may stand in each other.
const MAX_INTROSPECTED: u64 = 500;
const MAX_INTROSPECTED_LISTS: u64 = 2;
/// The deepest nesting of selections, with and without a field; what validates them nests as deep.
pub(super) const MAX_NESTING: usize = 64;
/// The most selections with every fragment written out; what validates them goes through all.
const MAX_SELECTIONS: u64 = 20_000;

/// `max_depth`, `max_complexity`, `list_size`, `max_aliases`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    pub(super) depth: usize,
    pub(super) complexity: u64,
    pub(super) list_size: u64,
    pub(super) aliases: u64,
}

/// What a selection costs.
#[derive(Debug, Clone, Copy, Default)]
struct Weight {
    cost: u64,
    depth: usize,
    aliases: u64,
    nesting: usize,
    selections: u64,
    introspected: u64,
    introspected_lists: u64,
}

impl Weight {
    fn and(self, other: Self) -> Self {
        Self {
            cost: self.cost.saturating_add(other.cost),
            depth: self.depth.max(other.depth),
            aliases: self.aliases.saturating_add(other.aliases),
            nesting: self.nesting.max(other.nesting),
            selections: self.selections.saturating_add(other.selections),
            introspected: self.introspected.saturating_add(other.introspected),
            introspected_lists: self.introspected_lists.max(other.introspected_lists),
        }
    }

    /// One level further out.
    fn nested(self) -> Self {
        Self { nesting: self.nesting + 1, selections: self.selections.saturating_add(1), ..self }
    }
}

/// Refuses a document that costs too much, all its operations together.
pub(super) fn check(
    api: &Api,
    limits: Limits,
    document: &ExecutableDocument,
    variables: &Variables,
) -> Result<(), Fault> {
    let mut weighing = Weighing { api, limits, document, variables, fragments: HashMap::new(), level: 0 };
    let mut total = Weight::default();
    for (_, operation) in document.operations.iter() {
        let root = match operation.node.ty {
            OperationType::Query => Some(api.query.as_str()),
            OperationType::Mutation => api.mutation.as_deref(),
            OperationType::Subscription => None,
        };
        total = total.and(weighing.selections(root, &operation.node.selection_set.node)?);
    }
    let (depth, complexity, aliases) = (limits.depth, limits.complexity, limits.aliases);
    if total.depth > depth {
        return Err(Fault::new(DEPTH, format!("fields nest {} deep; at most {depth} is answered", total.depth)));
    }
    if total.nesting > MAX_NESTING {
        return Err(too_nested());
    }
    if total.selections > MAX_SELECTIONS {
        let message = format!("the document selects {} times; at most {MAX_SELECTIONS} are read", total.selections);
        return Err(Fault::new(COMPLEXITY, message));
    }
    if total.aliases > aliases {
        return Err(Fault::new(ALIASES, format!("{} aliases; at most {aliases} are answered", total.aliases)));
    }
    if total.cost > complexity {
        let message = format!("the document costs {}; at most {complexity} is answered", total.cost);
        return Err(Fault::new(COMPLEXITY, message));
    }
    if total.introspected > MAX_INTROSPECTED || total.introspected_lists > MAX_INTROSPECTED_LISTS {
        let message = format!(
            "an introspection has at most {MAX_INTROSPECTED} fields, and lists of fields in {MAX_INTROSPECTED_LISTS} levels"
        );
        return Err(Fault::new(COMPLEXITY, message));
    }
    Ok(())
}

fn too_nested() -> Fault {
    Fault::new(DEPTH, format!("selections and fragments nest deeper than {MAX_NESTING}"))
}

struct Weighing<'a> {
    api: &'a Api,
    limits: Limits,
    document: &'a ExecutableDocument,
    variables: &'a Variables,
    /// By name; `None`: it is being looked at.
    fragments: HashMap<&'a str, Option<Weight>>,
    /// How deep this is.
    level: usize,
}

impl<'a> Weighing<'a> {
    /// Of selections in an object of type `owner`; `None`: it is not known, or of the introspection.
    fn selections(&mut self, owner: Option<&str>, set: &'a SelectionSet) -> Result<Weight, Fault> {
        if self.level > MAX_NESTING {
            return Err(too_nested());
        }
        self.level += 1;
        let mut total = Weight::default();
        for selection in &set.items {
            let one = match &selection.node {
                Selection::Field(field) => self.field(owner, &field.node)?,
                Selection::InlineFragment(fragment) => {
                    let on = fragment.node.type_condition.as_ref().map(|on| on.node.on.node.as_str());
                    self.selections(on.or(owner), &fragment.node.selection_set.node)?
                }
                Selection::FragmentSpread(spread) => {
                    let name = spread.node.fragment_name.node.as_str();
                    self.fragment(name).map_err(|fault| fault.at([spread.pos]))?
                }
            };
            total = total.and(one.nested());
        }
        self.level -= 1;
        Ok(total)
    }

    fn fragment(&mut self, name: &'a str) -> Result<Weight, Fault> {
        match self.fragments.get(name) {
            Some(Some(known)) => return Ok(*known),
            Some(None) => return Err(Fault::new(VALIDATION, format!("the fragment `{name}` uses itself"))),
            None => {}
        }
        // One that is not there is the validation's to refuse.
        let Some(fragment) = self.document.fragments.get(name) else { return Ok(Weight::default()) };
        self.fragments.insert(name, None);
        let on = fragment.node.type_condition.node.on.node.as_str();
        let weight = self.selections(Some(on), &fragment.node.selection_set.node)?;
        self.fragments.insert(name, Some(weight));
        Ok(weight)
    }

    fn field(&mut self, owner: Option<&str>, field: &'a Field) -> Result<Weight, Fault> {
        let name = field.name.node.as_str();
        let aliases = u64::from(field.alias.is_some());
        let is_introspection =
            owner.is_none_or(|owner| owner.starts_with("__")) || matches!(name, "__schema" | "__type");
        if is_introspection {
            let inner = self.selections(None, &field.selection_set.node)?;
            let is_list = matches!(name, "fields" | "interfaces" | "possibleTypes" | "inputFields");
            return Ok(Weight {
                introspected: inner.introspected.saturating_add(1),
                introspected_lists: inner.introspected_lists + u64::from(is_list),
                aliases: inner.aliases.saturating_add(aliases),
                ..inner
            });
        }
        let api = self.api;
        let known = owner.and_then(|owner| api.field(owner, name));
        let inner =
            self.selections(Some(known.map_or("?", |known| innermost(&known.ty))), &field.selection_set.node)?;
        let elements = known.map_or(1, |known| match lists(&known.ty) {
            0 => 1,
            lists => self.size(known, field).saturating_pow(lists),
        });
        Ok(Weight {
            cost: inner.cost.saturating_mul(elements).saturating_add(1),
            depth: inner.depth + 1,
            aliases: inner.aliases.saturating_add(aliases),
            ..inner
        })
    }

    /// How many elements a list is taken to have; none is taken as one, for what is asked of them is read all the same.
    fn size(&self, known: &super::schema::Field, field: &Field) -> u64 {
        let asked = known.size.slicing.iter().find_map(|name| {
            let given = argument(field, name, self.variables);
            let default = || known.arguments.iter().find(|input| input.name == *name)?.default.clone();
            match given.or_else(default)? {
                Value::Number(number) => number.as_u64(),
                Value::Binary(text) => std::str::from_utf8(&text).ok()?.parse().ok(),
                _ => None,
            }
        });
        asked.or(known.size.assumed).unwrap_or(self.limits.list_size).max(1)
    }
}
