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
                json_schema!({"type": "string", "pattern": $pattern})
            }
        }
    )*};
}

unit_schema! {
    Span: "Duration", r"^\d+(ms|s|m|h|d)$";
    ByteSize: "Size", r"^\d+(B|KiB|MiB|GiB)$";
    Rate: "Rate", r"^[1-9]\d*/(second|minute|hour|day)$";
}
