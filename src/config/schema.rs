//! The configuration's JSON Schema, for editors: `vestibule config schema`.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use crate::kernel::units::{ByteSize, Rate, Span};

macro_rules! unit_schema {
    ($($unit:ty: $name:literal, $pattern:literal;)*) => {$(
        impl JsonSchema for $unit {
            fn schema_name() -> Cow<'static, str> {
                $name.into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({"type": "string", "pattern": concat!("^(", $pattern, "|(file|env):.+)$")})
            }
        }
    )*};
}

unit_schema! {
    Span: "Duration", r"\d+(ms|s|m|h|d)";
    ByteSize: "Size", r"\d+(B|KiB|MiB|GiB)";
    Rate: "Rate", r"[1-9]\d*/(second|minute|hour|day)";
}

/// The JSON Schema of a configuration file. What has a default may be left out of a file, so only the members of list
/// elements are required; any value may be a reference.
pub fn schema() -> serde_json::Value {
    let mut schema = schemars::schema_for!(super::Config).to_value();
    let Some(definitions) = schema.get_mut("$defs").and_then(serde_json::Value::as_object_mut) else { return schema };
    for (name, definition) in definitions {
        if !ELEMENTS.contains(&name.as_str())
            && let Some(members) = definition.as_object_mut()
        {
            members.remove("required");
        }
    }
    if let Some(members) = schema.as_object_mut() {
        members.remove("required");
        members.insert("title".to_owned(), "Vestibule's configuration".into());
    }
    schema
}

/// Tables that are given as a whole.
const ELEMENTS: [&str; 9] = [
    "UpstreamConfig",
    "TargetConfig",
    "RouteConfig",
    "SourceConfig",
    "EndpointConfig",
    "StepConfig",
    "HealthConfig",
    "RulesetConfig",
    "CorsConfig",
];
