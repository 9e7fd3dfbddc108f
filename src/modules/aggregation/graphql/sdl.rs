//! Reads the schema: from its text to types whose every field knows where it comes from. Every fault is told at once, each
//! with its line.

mod directives;
mod origin;
mod roots;

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use async_graphql::{
    Name, Pos, Positioned,
    parser::{
        parse_schema,
        types::{ConstDirective, FieldDefinition, InputValueDefinition, Type, TypeDefinition, TypeKind},
    },
};

use self::directives::Directives;
use super::{
    super::{
        application::{catalogue::Catalogue, ports::Compiler},
        domain::{path::Path, vary::Vary},
    },
    input::constant,
    schema::{Abstract, Api, Field, Input, Kind, ListSize, Object, Origin, Scalar, innermost, lists},
};

/// The scalars that every schema has.
const BUILT_IN: [(&str, Scalar); 5] = [
    ("Int", Scalar::Int),
    ("Float", Scalar::Float),
    ("String", Scalar::String),
    ("Boolean", Scalar::Boolean),
    ("ID", Scalar::Id),
];

/// What is wrong in the schema's text, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wrong {
    pub(super) position: Option<Pos>,
    pub(super) detail: String,
}

/// A schema.
#[derive(Debug)]
pub(super) struct Schema {
    pub(super) api: Api,
    /// Its types as they are written, extensions put in their places.
    pub(super) definitions: Vec<TypeDefinition>,
    /// Which of the request's headers its answers depend on.
    pub(super) vary: Vary,
}

/// Where a field stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Query,
    Mutation,
    Type,
    Interface,
}

/// Reads a schema over these sources.
pub(super) fn read(text: &str, catalogue: &Catalogue, programs: &dyn Compiler) -> Result<Schema, Vec<Wrong>> {
    let document = parse_schema(text).map_err(|fault| {
        let position = fault.positions().next();
        // The parser draws the line; what it expected stands at the end.
        let told = fault.to_string();
        let detail = told.lines().rev().find_map(|line| line.trim().strip_prefix("= ")).unwrap_or(&told);
        vec![Wrong { position, detail: detail.replace('_', " ") }]
    })?;
    let mut reading = Reading { catalogue, programs, faults: Vec::new(), api: Api::default(), vary: Vary::default() };
    let definitions = reading.gather(document.definitions);
    reading.names(&definitions);
    for definition in &definitions {
        reading.define(definition);
    }
    reading.possible(&definitions);
    reading.defaults(&definitions);
    let Reading { mut faults, api, vary, .. } = reading;
    if faults.is_empty() {
        return Ok(Schema { api, definitions, vary });
    }
    faults.sort_by_key(|fault| fault.position);
    Err(faults)
}

struct Reading<'a> {
    catalogue: &'a Catalogue,
    programs: &'a dyn Compiler,
    faults: Vec<Wrong>,
    api: Api,
    vary: Vary,
}

impl Reading<'_> {
    fn fault(&mut self, position: Pos, detail: impl Into<String>) {
        self.faults.push(Wrong { position: Some(position), detail: detail.into() });
    }

    /// Every name that may be used, before any is.
    fn names(&mut self, definitions: &[TypeDefinition]) {
        for (name, scalar) in BUILT_IN {
            self.api.types.insert(name.to_owned(), Kind::Scalar(scalar));
        }
        for definition in definitions {
            let name = &definition.name;
            if BUILT_IN.iter().any(|(known, _)| *known == name.node.as_str()) {
                self.fault(name.pos, format!("`{}` is built in", name.node));
                continue;
            }
            self.reserved(name);
            let kind = match &definition.kind {
                TypeKind::Scalar => Kind::Scalar(Scalar::Own),
                TypeKind::Enum(values) => {
                    let values: Vec<_> = values.values.iter().map(|value| &value.node.value).collect();
                    self.unique(&values, "the value");
                    Kind::Enum(values.iter().map(|value| value.node.to_string()).collect())
                }
                TypeKind::Object(object) => Kind::Object(Object {
                    name: name.node.to_string(),
                    fields: HashMap::new(),
                    implements: object.implements.iter().map(|name| name.node.to_string()).collect(),
                }),
                TypeKind::Interface(_) | TypeKind::Union(_) => Kind::Abstract(Abstract::default()),
                TypeKind::InputObject(_) => Kind::Input(Vec::new()),
            };
            self.api.types.insert(name.node.to_string(), kind);
        }
    }

    fn define(&mut self, definition: &TypeDefinition) {
        let name = definition.name.node.as_str();
        let allowed: &[&str] = match definition.kind {
            TypeKind::Scalar => &["specifiedBy"],
            TypeKind::InputObject(_) => &["oneOf"],
            _ => &[],
        };
        Directives::read(self, &definition.directives, allowed);
        match &definition.kind {
            TypeKind::Object(object) => {
                let place = match name {
                    name if name == self.api.query => Place::Query,
                    name if Some(name) == self.api.mutation.as_deref() => Place::Mutation,
                    _ => Place::Type,
                };
                if object.fields.is_empty() {
                    self.fault(definition.name.pos, format!("`{name}` has no fields"));
                }
                let fields = self.fields(place, &object.fields);
                if let Some(Kind::Object(known)) = self.api.types.get_mut(name) {
                    known.fields = fields;
                }
            }
            TypeKind::Interface(interface) => {
                let fields = self.fields(Place::Interface, &interface.fields);
                if let Some(Kind::Abstract(known)) = self.api.types.get_mut(name) {
                    known.fields = fields;
                }
            }
            TypeKind::InputObject(object) => {
                let members = self.inputs(&object.fields);
                self.api.types.insert(name.to_owned(), Kind::Input(members));
            }
            TypeKind::Enum(values) => {
                for value in &values.values {
                    Directives::read(self, &value.node.directives, &["deprecated"]);
                }
            }
            TypeKind::Scalar | TypeKind::Union(_) => {}
        }
    }

    fn fields(&mut self, place: Place, definitions: &[Positioned<FieldDefinition>]) -> HashMap<String, Arc<Field>> {
        self.unique(&definitions.iter().map(|field| &field.node.name).collect::<Vec<_>>(), "the field");
        let mut fields = HashMap::new();
        for definition in definitions {
            let field = self.field(place, &definition.node);
            fields.insert(field.name.clone(), Arc::new(field));
        }
        fields
    }

    fn field(&mut self, place: Place, definition: &FieldDefinition) -> Field {
        let name = &definition.name;
        self.reserved(name);
        self.output_type(&definition.ty);
        let arguments = self.inputs(&definition.arguments);
        let allowed: &[&str] = match place {
            Place::Interface => &["deprecated", "listSize"],
            _ => &["source", "from", "listSize", "deprecated"],
        };
        let directives = Directives::read(self, &definition.directives, allowed);
        let size = self.list_size(&directives, &definition.ty.node, &arguments);
        let origin = match directives.get("source") {
            Some(source) => self.source(place, definition, source, directives.get("from")),
            None => self.member(place, definition, directives.get("from")),
        };
        let own = || Origin::Member(own_member(&name.node));
        Field {
            name: name.node.to_string(),
            ty: definition.ty.node.clone(),
            arguments,
            origin: origin.unwrap_or_else(own),
            size,
        }
    }

    fn inputs(&mut self, definitions: &[Positioned<InputValueDefinition>]) -> Vec<Input> {
        self.unique(&definitions.iter().map(|input| &input.node.name).collect::<Vec<_>>(), "the argument");
        let mut inputs = Vec::new();
        for Positioned { node: definition, .. } in definitions {
            self.reserved(&definition.name);
            Directives::read(self, &definition.directives, &["deprecated"]);
            let named = innermost(&definition.ty.node);
            match self.api.types.get(named) {
                None => self.fault(definition.ty.pos, format!("there is no type `{named}`")),
                Some(Kind::Object(_) | Kind::Abstract(_)) => {
                    self.fault(
                        definition.ty.pos,
                        format!("`{named}` cannot be given; expected a scalar, enum or input"),
                    );
                }
                Some(_) => {}
            }
            inputs.push(Input {
                name: definition.name.node.to_string(),
                ty: definition.ty.node.clone(),
                default: definition.default_value.as_ref().map(|value| value.node.clone()),
            });
        }
        inputs
    }

    fn output_type(&mut self, ty: &Positioned<Type>) {
        let named = innermost(&ty.node);
        match self.api.types.get(named) {
            None => self.fault(ty.pos, format!("there is no type `{named}`")),
            Some(Kind::Input(_)) => {
                self.fault(ty.pos, format!("`{named}` is an input; expected a type that can be answered"));
            }
            Some(_) => {}
        }
    }

    fn list_size(&mut self, directives: &Directives<'_>, ty: &Type, arguments: &[Input]) -> ListSize {
        let Some(given) = directives.get("listSize") else { return ListSize::default() };
        if lists(ty) == 0 {
            self.fault(given.name.pos, "`@listSize` is for lists");
        }
        let assumed = self.number(given, "assumedSize").map(|size| size as u64);
        let slicing: Vec<String> = self.texts(given, "slicingArguments");
        for name in &slicing {
            if !arguments.iter().any(|input| input.name == *name) {
                self.fault(given.name.pos, format!("the field has no argument `{name}`"));
            }
        }
        ListSize { assumed, slicing }
    }

    /// Defaults are values of their types.
    fn defaults(&mut self, definitions: &[TypeDefinition]) {
        let mut inputs: Vec<&InputValueDefinition> = Vec::new();
        for definition in definitions {
            match &definition.kind {
                TypeKind::Object(object) => {
                    inputs
                        .extend(object.fields.iter().flat_map(|field| &field.node.arguments).map(|input| &input.node));
                }
                TypeKind::InputObject(object) => inputs.extend(object.fields.iter().map(|input| &input.node)),
                _ => {}
            }
        }
        for input in inputs {
            if let Some(default) = &input.default_value
                && self.api.types.contains_key(innermost(&input.ty.node))
                && let Err(fault) = constant(&self.api, &input.ty.node, &default.node)
            {
                self.fault(default.pos, fault);
            }
        }
    }

    fn unique(&mut self, names: &[&Positioned<Name>], what: &str) {
        let mut seen = HashSet::new();
        for name in names {
            if !seen.insert(name.node.as_str()) {
                self.fault(name.pos, format!("{what} `{}` stands twice", name.node));
            }
        }
    }

    fn reserved(&mut self, name: &Positioned<Name>) {
        if name.node.starts_with("__") {
            self.fault(name.pos, format!("`{}`: names with two underscores are GraphQL's own", name.node));
        }
    }
}

/// The member of the same name.
fn own_member(name: &str) -> Path {
    Path::parse(&format!(".{name}")).expect("a name of GraphQL is one of a path")
}

/// A directive of the schema.
type Given = ConstDirective;
