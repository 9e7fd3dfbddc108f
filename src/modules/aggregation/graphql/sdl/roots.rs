//! Which types there are: extensions in their places, the roots, and what interfaces and unions may be.

use std::collections::HashMap;

use async_graphql::{
    Name, Positioned,
    parser::types::{SchemaDefinition, TypeDefinition, TypeKind, TypeSystemDefinition},
};

use super::{super::schema::Kind, Reading, Wrong};

impl Reading<'_> {
    /// The types, with their extensions, and which of them are the roots.
    pub(super) fn gather(&mut self, definitions: Vec<TypeSystemDefinition>) -> Vec<TypeDefinition> {
        let (mut types, mut extensions): (Vec<TypeDefinition>, Vec<TypeDefinition>) = (Vec::new(), Vec::new());
        let mut roots: Option<SchemaDefinition> = None;
        for definition in definitions {
            match definition {
                // Directives may be declared for editors; which there are is known.
                TypeSystemDefinition::Directive(_) => {}
                TypeSystemDefinition::Schema(schema) => roots = Some(schema.node),
                TypeSystemDefinition::Type(one) if one.node.extend => extensions.push(one.node),
                TypeSystemDefinition::Type(one) => {
                    let name = &one.node.name;
                    if types.iter().any(|known| known.name.node == name.node) {
                        self.fault(name.pos, format!("the type `{}` is defined twice", name.node));
                    } else {
                        types.push(one.node);
                    }
                }
            }
        }
        for extension in extensions {
            let name = extension.name.clone();
            let known = types.iter_mut().find(|known| known.name.node == name.node);
            match known.map(|known| extend(known, extension)) {
                None => self.fault(name.pos, format!("there is no type `{}` to extend", name.node)),
                Some(false) => self.fault(name.pos, format!("`{}` is another kind of type", name.node)),
                Some(true) => {}
            }
        }
        let named = |root: Option<Positioned<Name>>, default: &str| match root {
            Some(root) => Some(root.node.to_string()),
            None if roots.is_none() => types.iter().any(|known| known.name.node == default).then(|| default.to_owned()),
            None => None,
        };
        let (query, mutation, subscription) =
            roots.clone().map_or((None, None, None), |roots| (roots.query, roots.mutation, roots.subscription));
        self.api.query = named(query, "Query").unwrap_or_default();
        self.api.mutation = named(mutation, "Mutation");
        let subscription = named(subscription, "Subscription");
        let position = |name: &str| types.iter().find(|known| known.name.node == name).map(|known| known.name.pos);
        for (name, what) in [(Some(self.api.query.clone()), "query"), (self.api.mutation.clone(), "mutation")] {
            let Some(name) = name else { continue };
            let is_object =
                |known: &TypeDefinition| known.name.node == name && matches!(known.kind, TypeKind::Object(_));
            if !types.iter().any(is_object) {
                let detail = format!("there is no object type for {what}; expected `type Query {{ … }}`");
                self.faults.push(Wrong { position: None, detail });
            }
        }
        if let Some(name) = subscription {
            let detail = "subscriptions are not served; expected queries and mutations".to_owned();
            self.faults.push(Wrong { position: position(&name), detail });
        }
        types
    }

    /// Which objects interfaces and unions may be.
    pub(super) fn possible(&mut self, definitions: &[TypeDefinition]) {
        let mut possible: HashMap<String, Vec<String>> = HashMap::new();
        for definition in definitions {
            let name = definition.name.node.to_string();
            match &definition.kind {
                TypeKind::Object(object) => {
                    for interface in &object.implements {
                        if !matches!(self.api.types.get(interface.node.as_str()), Some(Kind::Abstract(_))) {
                            self.fault(interface.pos, format!("there is no interface `{}`", interface.node));
                        }
                        possible.entry(interface.node.to_string()).or_default().push(name.clone());
                    }
                }
                TypeKind::Union(union) => {
                    if union.members.is_empty() {
                        self.fault(definition.name.pos, format!("`{name}` has no members"));
                    }
                    for member in &union.members {
                        if self.api.object(&member.node).is_none() {
                            self.fault(member.pos, format!("there is no object type `{}`", member.node));
                        }
                        possible.entry(name.clone()).or_default().push(member.node.to_string());
                    }
                }
                _ => {}
            }
        }
        for (name, objects) in possible {
            if let Some(Kind::Abstract(known)) = self.api.types.get_mut(&name) {
                known.possible = objects;
            }
        }
    }
}

/// Puts an extension in its place; whether it is of the same kind.
fn extend(known: &mut TypeDefinition, extension: TypeDefinition) -> bool {
    known.directives.extend(extension.directives);
    match (&mut known.kind, extension.kind) {
        (TypeKind::Scalar, TypeKind::Scalar) => {}
        (TypeKind::Object(known), TypeKind::Object(more)) => {
            known.fields.extend(more.fields);
            known.implements.extend(more.implements);
        }
        (TypeKind::Interface(known), TypeKind::Interface(more)) => known.fields.extend(more.fields),
        (TypeKind::Union(known), TypeKind::Union(more)) => known.members.extend(more.members),
        (TypeKind::Enum(known), TypeKind::Enum(more)) => known.values.extend(more.values),
        (TypeKind::InputObject(known), TypeKind::InputObject(more)) => known.fields.extend(more.fields),
        _ => return false,
    }
    true
}
