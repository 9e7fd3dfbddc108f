//! Arguments and variables, coerced as GraphQL §3 says, as JSON text: what a scalar of the schema's own holds stays as it is
//! written.

use std::{
    collections::{BTreeMap, HashMap},
    convert::Infallible,
};

use async_graphql::{
    Value,
    parser::types::{BaseType, Directive, Field, OperationDefinition, Type},
};
use bytes::Bytes;
use serde_json::value::RawValue;

use super::schema::{Api, Input, Kind, Scalar};

/// Variables by name, coerced; one that was not given is not there.
pub(super) type Variables = HashMap<String, String>;

/// The operation's variables.
pub(super) fn variables(
    api: &Api,
    operation: &OperationDefinition,
    given: &BTreeMap<String, Box<RawValue>>,
) -> Result<Variables, String> {
    let mut variables = Variables::new();
    for definition in &operation.variable_definitions {
        let (name, ty) = (definition.node.name.node.as_str(), &definition.node.var_type.node);
        let wrong = |fault: String| format!("the variable `${name}`: {fault}");
        match (given.get(name), &definition.node.default_value) {
            (Some(value), _) => drop(variables.insert(name.to_owned(), raw(api, ty, value).map_err(wrong)?)),
            (None, Some(default)) => {
                let text = constant(api, ty, &default.node).map_err(wrong)?;
                variables.insert(name.to_owned(), text);
            }
            (None, None) if !ty.nullable => return Err(wrong(format!("expected {ty}"))),
            (None, None) => {}
        }
    }
    Ok(variables)
}

/// The arguments of a field, an object.
pub(super) fn arguments(api: &Api, wanted: &[Input], field: &Field, variables: &Variables) -> Result<String, String> {
    members(api, wanted, |input| match argument(field, &input.name, variables) {
        Some(value) => literal(api, &input.ty, &value),
        None => Ok(None),
    })
}

/// An argument of a field as it stands, with each variable's JSON text in place of the variable: as bytes, which nothing
/// else is; empty when it was not given.
pub(super) fn argument(field: &Field, name: &str, variables: &Variables) -> Option<Value> {
    let value = field.get_argument(name)?.node.clone();
    value.into_const_with(|name| Ok::<_, Infallible>(stand_in(variables, &name))).ok()
}

/// Whether `@skip` and `@include` let it stand.
pub(super) fn is_wanted<'a>(directives: impl Iterator<Item = &'a Directive>, variables: &Variables) -> bool {
    let mut directives = directives;
    directives.all(|directive| {
        let unwanted = match directive.name.node.as_str() {
            "skip" => true,
            "include" => false,
            _ => return true,
        };
        let value = directive.get_argument("if").map(|value| value.node.clone());
        let value =
            value.and_then(|value| value.into_const_with(|name| Ok::<_, Infallible>(stand_in(variables, &name))).ok());
        let is_true = match value {
            Some(Value::Boolean(value)) => value,
            Some(Value::Binary(text)) => text.as_ref() == b"true",
            _ => false,
        };
        is_true != unwanted
    })
}

fn stand_in(variables: &Variables, name: &str) -> Value {
    Value::Binary(variables.get(name).map_or_else(Bytes::new, |text| Bytes::copy_from_slice(text.as_bytes())))
}

/// A value that holds nothing but constants.
pub(super) fn constant(api: &Api, ty: &Type, value: &Value) -> Result<String, String> {
    literal(api, ty, value)?.ok_or_else(|| format!("expected {ty}"))
}

/// An object of what is given or has a default; the order is that of the schema.
fn members(
    api: &Api,
    wanted: &[Input],
    mut given: impl FnMut(&Input) -> Result<Option<String>, String>,
) -> Result<String, String> {
    let mut text = String::from("{");
    for input in wanted {
        let wrong = |fault: String| format!("`{}`: {fault}", input.name);
        let value = match (given(input).map_err(wrong)?, &input.default) {
            (Some(value), _) => value,
            (None, Some(default)) => constant(api, &input.ty, default).map_err(wrong)?,
            (None, None) if input.ty.nullable => continue,
            (None, None) => return Err(wrong(format!("missing, expected {}", input.ty))),
        };
        if text.len() > 1 {
            text.push(',');
        }
        text.push_str(&quoted(&input.name));
        text.push(':');
        text.push_str(&value);
    }
    text.push('}');
    Ok(text)
}

/// A value of a document. `None`: a variable that was not given.
fn literal(api: &Api, ty: &Type, value: &Value) -> Result<Option<String>, String> {
    let expected = || format!("expected {ty}");
    if let Value::Binary(text) = value {
        // Its type has been compared with this one; null may still stand where nothing else is wrong.
        return match std::str::from_utf8(text) {
            Ok("") => Ok(None),
            Ok("null") if !ty.nullable => Err(expected()),
            Ok(text) => Ok(Some(text.to_owned())),
            Err(_) => Err(expected()),
        };
    }
    if matches!(value, Value::Null) {
        return if ty.nullable { Ok(Some("null".to_owned())) } else { Err(expected()) };
    }
    let name = match &ty.base {
        BaseType::List(inner) => {
            let one = std::slice::from_ref(value);
            let items = if let Value::List(items) = value { items.as_slice() } else { one };
            let mut texts = Vec::with_capacity(items.len());
            for item in items {
                let text = literal(api, inner, item)?;
                texts.push(match text {
                    None if !inner.nullable => return Err(format!("expected {inner}")),
                    text => text.unwrap_or_else(|| "null".to_owned()),
                });
            }
            return Ok(Some(format!("[{}]", texts.join(","))));
        }
        BaseType::Named(name) => name.as_str(),
    };
    let text = match (api.types.get(name), value) {
        (Some(Kind::Input(wanted)), Value::Object(given)) => {
            if let Some(unknown) = given.keys().find(|key| !wanted.iter().any(|input| input.name == key.as_str())) {
                return Err(format!("{name} has no `{unknown}`"));
            }
            let one = |input: &Input| match given.get(input.name.as_str()) {
                Some(value) => literal(api, &input.ty, value),
                None => Ok(None),
            };
            Some(members(api, wanted, one)?)
        }
        (Some(Kind::Enum(values)), Value::Enum(given)) if values.iter().any(|value| value == given.as_str()) => {
            Some(quoted(given))
        }
        (Some(Kind::Scalar(Scalar::Own)), value) => Some(any(value)),
        (Some(Kind::Scalar(scalar)), Value::Number(number)) => by_number(*scalar, &number.to_string()),
        (Some(Kind::Scalar(Scalar::String | Scalar::Id)), Value::String(text)) => Some(quoted(text)),
        (Some(Kind::Scalar(Scalar::Boolean)), Value::Boolean(value)) => Some(value.to_string()),
        _ => None,
    };
    text.map(Some).ok_or_else(expected)
}

/// A variable's value as it came.
fn raw(api: &Api, ty: &Type, value: &RawValue) -> Result<String, String> {
    let (text, expected) = (value.get(), || format!("expected {ty}"));
    let first = text.as_bytes().first().copied().unwrap_or_default();
    if first == b'n' {
        return if ty.nullable { Ok(text.to_owned()) } else { Err(expected()) };
    }
    let name = match &ty.base {
        BaseType::List(inner) => {
            let read: Result<Vec<&RawValue>, _> = serde_json::from_str(text);
            let items = read.unwrap_or_else(|_| vec![value]);
            let texts: Result<Vec<String>, String> = items.into_iter().map(|item| raw(api, inner, item)).collect();
            return Ok(format!("[{}]", texts?.join(",")));
        }
        BaseType::Named(name) => name.as_str(),
    };
    let made = match (api.types.get(name), first) {
        (Some(Kind::Input(wanted)), b'{') => {
            let given: BTreeMap<String, &RawValue> = serde_json::from_str(text).map_err(|_| expected())?;
            if let Some(unknown) = given.keys().find(|key| !wanted.iter().any(|input| input.name == **key)) {
                return Err(format!("{name} has no `{unknown}`"));
            }
            let one = |input: &Input| given.get(&input.name).map(|value| raw(api, &input.ty, value)).transpose();
            Some(members(api, wanted, one)?)
        }
        (Some(Kind::Enum(values)), b'"') => {
            let given: String = serde_json::from_str(text).map_err(|_| expected())?;
            values.contains(&given).then(|| text.to_owned())
        }
        (Some(Kind::Scalar(Scalar::Own)), _)
        | (Some(Kind::Scalar(Scalar::String | Scalar::Id)), b'"')
        | (Some(Kind::Scalar(Scalar::Boolean)), b't' | b'f') => Some(text.to_owned()),
        (Some(Kind::Scalar(scalar)), b'-' | b'0'..=b'9') => by_number(*scalar, text),
        _ => None,
    };
    made.ok_or_else(expected)
}

/// A number where this scalar is wanted.
fn by_number(scalar: Scalar, text: &str) -> Option<String> {
    match scalar {
        Scalar::Int => text.parse::<i32>().ok().map(|number| number.to_string()),
        Scalar::Float | Scalar::Own => Some(text.to_owned()),
        Scalar::Id if !text.contains(['.', 'e', 'E']) => Some(quoted(text)),
        _ => None,
    }
}

/// Whatever it is, as JSON.
fn any(value: &Value) -> String {
    match value {
        Value::Binary(text) if !text.is_empty() => String::from_utf8_lossy(text).into_owned(),
        Value::Number(number) => number.to_string(),
        Value::String(text) => quoted(text),
        Value::Boolean(value) => value.to_string(),
        Value::Enum(name) => quoted(name),
        Value::List(items) => {
            format!("[{}]", items.iter().map(any).collect::<Vec<_>>().join(","))
        }
        Value::Object(members) => {
            let member = members.iter().map(|(name, value)| format!("{}:{}", quoted(name), any(value)));
            format!("{{{}}}", member.collect::<Vec<_>>().join(","))
        }
        Value::Null | Value::Binary(_) => "null".to_owned(),
    }
}

/// A text as JSON.
pub(super) fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
