//! The schema as async-graphql knows it: it validates documents (GraphQL §5) and answers introspection (§4). Values are
//! none of its business: every other field is null to it.

use async_graphql::{
    Positioned, Request, Value, Variables,
    dynamic::{
        Enum, EnumItem, Field, FieldFuture, InputObject, InputValue, Interface, InterfaceField, Object, Scalar, Schema,
        TypeRef, Union,
    },
    indexmap::IndexMap,
    parser::types::{
        BaseType, ConstDirective, ExecutableDocument, FieldDefinition, InputValueDefinition, Type, TypeDefinition,
        TypeKind,
    },
};

use super::{
    bounds::MAX_NESTING,
    fault::{Fault, VALIDATION},
    sdl,
};

/// With its description. The builders have nothing in common but the names of their methods.
macro_rules! described {
    ($made:expr, $description:expr) => {
        match &$description {
            Some(text) => $made.description(text.node.as_str()),
            None => $made,
        }
    };
}

/// Marked as deprecated where it is.
macro_rules! deprecated {
    ($made:expr, $directives:expr) => {{
        let made = $made;
        match reason(&$directives) {
            Some(reason) => made.deprecation(Some(&reason)),
            None => made,
        }
    }};
}

/// What a deprecated thing says when it says nothing else (GraphQL §3.13.3).
const NO_REASON: &str = "No longer supported";

/// Builds it. The error says what GraphQL does not allow of types, such as an interface that is not implemented.
pub(super) fn build(schema: &sdl::Schema, introspection: bool) -> Result<Schema, String> {
    let mut builder =
        Schema::build(&schema.api.query, schema.api.mutation.as_deref(), None).limit_recursive_depth(MAX_NESTING + 1);
    if !introspection {
        // Suggestions would tell names one by one.
        builder = builder.disable_introspection().disable_suggestions();
    }
    for definition in &schema.definitions {
        builder = match &definition.kind {
            TypeKind::Scalar => builder.register(scalar(definition)),
            TypeKind::Enum(values) => {
                let mut made = described!(Enum::new(definition.name.node.as_str()), definition.description);
                for value in &values.values {
                    let item = described!(EnumItem::new(value.node.value.node.as_str()), value.node.description);
                    made = made.item(deprecated!(item, value.node.directives));
                }
                builder.register(made)
            }
            TypeKind::Object(object) => {
                let mut made = described!(Object::new(definition.name.node.as_str()), definition.description);
                for interface in &object.implements {
                    made = made.implement(interface.node.as_str());
                }
                for field in &object.fields {
                    made = made.field(self::field(&field.node));
                }
                builder.register(made)
            }
            TypeKind::Interface(interface) => {
                let mut made = described!(Interface::new(definition.name.node.as_str()), definition.description);
                for other in &interface.implements {
                    made = made.implement(other.node.as_str());
                }
                for field in &interface.fields {
                    let field = &field.node;
                    let mut one = InterfaceField::new(field.name.node.as_str(), type_ref(&field.ty.node));
                    for argument in &field.arguments {
                        one = one.argument(input(&argument.node));
                    }
                    made = made.field(deprecated!(described!(one, field.description), field.directives));
                }
                builder.register(made)
            }
            TypeKind::Union(union) => {
                let mut made = described!(Union::new(definition.name.node.as_str()), definition.description);
                for member in &union.members {
                    made = made.possible_type(member.node.as_str());
                }
                builder.register(made)
            }
            TypeKind::InputObject(object) => {
                let mut made = described!(InputObject::new(definition.name.node.as_str()), definition.description);
                if definition.directives.iter().any(|directive| directive.node.name.node == "oneOf") {
                    made = made.oneof();
                }
                for member in &object.fields {
                    made = made.field(input(&member.node));
                }
                builder.register(made)
            }
        };
    }
    builder.finish().map_err(|fault| fault.to_string())
}

/// Validates a document, and answers what it asks of the schema itself: by response key.
pub(super) async fn validate(
    schema: &Schema,
    document: &ExecutableDocument,
    operation: Option<&str>,
    variables: serde_json::Value,
) -> Result<IndexMap<String, Value>, Vec<Fault>> {
    let mut request = Request::new("").variables(Variables::from_json(variables)).only_introspection();
    request.operation_name = operation.map(str::to_owned);
    request.set_parsed_query(document.clone());
    let response = schema.execute(request).await;
    if !response.errors.is_empty() {
        let told = response.errors.into_iter();
        return Err(told.map(|error| Fault::new(VALIDATION, error.message).at(error.locations)).collect());
    }
    match response.data {
        Value::Object(members) => Ok(members.into_iter().map(|(key, value)| (key.to_string(), value)).collect()),
        _ => Ok(IndexMap::new()),
    }
}

fn scalar(definition: &TypeDefinition) -> Scalar {
    let mut made = described!(Scalar::new(definition.name.node.as_str()), definition.description);
    if let Some(Value::String(url)) = argument(&definition.directives, "specifiedBy", "url") {
        made = made.specified_by_url(url);
    }
    made
}

fn field(definition: &FieldDefinition) -> Field {
    let made = Field::new(definition.name.node.as_str(), type_ref(&definition.ty.node), |_| FieldFuture::Value(None));
    let mut made = deprecated!(described!(made, definition.description), definition.directives);
    for argument in &definition.arguments {
        made = made.argument(input(&argument.node));
    }
    made
}

fn input(definition: &InputValueDefinition) -> InputValue {
    let made = InputValue::new(definition.name.node.as_str(), type_ref(&definition.ty.node));
    let made = deprecated!(described!(made, definition.description), definition.directives);
    match &definition.default_value {
        Some(default) => made.default_value(default.node.clone()),
        None => made,
    }
}

fn type_ref(ty: &Type) -> TypeRef {
    let inner = match &ty.base {
        BaseType::Named(name) => TypeRef::named(name.as_str()),
        BaseType::List(inner) => TypeRef::List(Box::new(type_ref(inner))),
    };
    if ty.nullable { inner } else { TypeRef::NonNull(Box::new(inner)) }
}

/// An argument of a directive that stands there.
fn argument(directives: &[Positioned<ConstDirective>], name: &str, argument: &str) -> Option<Value> {
    let directive = directives.iter().find(|directive| directive.node.name.node == name)?;
    directive.node.get_argument(argument).map(|value| value.node.clone())
}

/// Why something is deprecated; `None`: it is not.
fn reason(directives: &[Positioned<ConstDirective>]) -> Option<String> {
    directives.iter().find(|directive| directive.node.name.node == "deprecated")?;
    match argument(directives, "deprecated", "reason") {
        Some(Value::String(reason)) => Some(reason),
        _ => Some(NO_REASON.to_owned()),
    }
}
