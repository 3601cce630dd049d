//! The JSON Schema of the file, for editors: what the structs of the tables say of themselves, and here what the value
//! types look like when they are written.

use std::borrow::Cow;

use schemars::{
    JsonSchema, Schema, SchemaGenerator, generate::SchemaSettings, json_schema, transform::RecursiveTransform,
};
use serde_json::{Value, json};

use super::{
    file::File,
    sip::{ByKind, PublicAddress},
    urls::{UrlRow, UrlTable},
    value::{Binds, FromText, OneOrMany, Size, Spanned, Text},
};

/// The schema of a whole file.
pub fn schema() -> Value {
    let settings = SchemaSettings::draft07().with(|settings| settings.inline_subschemas = true);
    let settings = settings.with_transform(RecursiveTransform(as_written));
    let mut schema = settings.into_generator().into_root_schema_for::<File>();
    schema.insert("title".to_owned(), json!("Configuration of rpd"));
    schema.insert("description".to_owned(), json!("What each key means is in docs/CONFIG.md"));
    schema.to_value()
}

/// What serde would write as JSON, and nobody writes in this file: null, and durations as tables.
fn as_written(schema: &mut Schema) {
    without_null(schema);
    if schema.get("properties").is_some_and(|properties| properties.get("nanos").is_some()) {
        let seconds = schema.get("default").and_then(|default| default.get("secs")).cloned();
        *schema = text("a duration such as \"15s\" (units ms, s, min, h, d)");
        if let Some(seconds) = seconds {
            schema.insert("default".to_owned(), json!(format!("{seconds}s")));
        }
    }
}

/// A key that may be missing has no value then.
fn without_null(schema: &mut Schema) {
    let is_null = |value: &Value| value.is_null() || *value == "null" || *value == json!({ "type": "null" });
    for key in ["type", "enum", "anyOf"] {
        let Some(Value::Array(choices)) = schema.get_mut(key) else { continue };
        choices.retain(|choice| !is_null(choice));
        let [only] = choices.as_slice() else { continue };
        let only = only.clone();
        match only {
            Value::Object(only) if key == "anyOf" => {
                schema.remove(key);
                schema.ensure_object().extend(only);
            }
            only if key == "type" => _ = schema.insert(key.to_owned(), only),
            _ => {}
        }
    }
    if schema.get("default").is_some_and(Value::is_null) {
        schema.remove("default");
    }
}

fn text(wanted: &str) -> Schema {
    json_schema!({ "type": "string", "description": wanted })
}

impl<T: JsonSchema> JsonSchema for Spanned<T> {
    fn schema_name() -> Cow<'static, str> {
        T::schema_name()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        T::json_schema(generator)
    }
}

impl<T: FromText> JsonSchema for Text<T> {
    fn schema_name() -> Cow<'static, str> {
        T::WANTED.into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        text(T::WANTED)
    }
}

impl<T: FromText> JsonSchema for OneOrMany<T> {
    fn schema_name() -> Cow<'static, str> {
        T::WANTED.into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let one = text(T::WANTED);
        json_schema!({ "anyOf": [one, { "type": "array", "items": one }] })
    }
}

impl JsonSchema for Size {
    fn schema_name() -> Cow<'static, str> {
        Self::WANTED.into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        text(Self::WANTED)
    }
}

impl JsonSchema for Binds {
    fn schema_name() -> Cow<'static, str> {
        "Binds".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let port = json!({ "type": "integer", "minimum": 1, "maximum": 65535, "description": "a port" });
        let address = text("an address with a port, such as \"192.0.2.1:5060\" or \"[2001:db8::1]:5060\"");
        let many = json!({ "type": "array", "items": { "anyOf": [port, address] } });
        json_schema!({ "anyOf": [port, address, many] })
    }
}

impl JsonSchema for PublicAddress {
    fn schema_name() -> Cow<'static, str> {
        "PublicAddress".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let by_kind = ByKind::json_schema(generator);
        json_schema!({ "anyOf": [text("for both kinds"), by_kind] })
    }
}

impl JsonSchema for UrlRow {
    fn schema_name() -> Cow<'static, str> {
        "UrlRow".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let table = UrlTable::json_schema(generator);
        json_schema!({ "anyOf": [text("the beginning of a path"), table] })
    }
}
