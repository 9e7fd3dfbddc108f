//! What a request says (GraphQL over HTTP §5): `query`, `variables`, `operationName`, `extensions`; what else there is, is
//! passed over.

use std::collections::BTreeMap;

use serde_json::value::RawValue;

use super::super::domain::data::check;

/// Variables by name, as they are written.
pub(super) type Given = BTreeMap<String, Box<RawValue>>;

/// A request.
#[derive(Debug, Default)]
pub(super) struct Request {
    /// The document; `None`: it is named by its hash alone.
    pub(super) query: Option<String>,
    pub(super) operation: Option<String>,
    pub(super) variables: Given,
}

/// Reads a body.
pub(super) fn posted(body: &[u8]) -> Result<Request, String> {
    let text = std::str::from_utf8(body).map_err(|_| "the body is not UTF-8".to_owned())?;
    let raw: &RawValue = serde_json::from_str(text).map_err(|fault| format!("the body is not valid JSON: {fault}"))?;
    check(raw.get()).map_err(|fault| format!("the body is not valid JSON: {}", fault.detail))?;
    if raw.get().starts_with('[') {
        return Err("operations are not taken in batches; expected one object with `query`".to_owned());
    }
    let members: BTreeMap<String, &RawValue> =
        serde_json::from_str(raw.get()).map_err(|_| "expected an object with `query`".to_owned())?;
    let member = |name: &str| members.get(name).filter(|value| value.get() != "null");
    let text = |name: &str| {
        let text = member(name).map(|value| serde_json::from_str::<String>(value.get()));
        text.transpose().map_err(|_| format!("`{name}`: expected a text"))
    };
    let object = |name: &str| {
        let object = member(name).map(|value| serde_json::from_str::<Given>(value.get()));
        object.transpose().map_err(|_| format!("`{name}`: expected an object")).map(Option::unwrap_or_default)
    };
    complete(text("query")?, text("operationName")?, object("variables")?, &object("extensions")?)
}

/// Reads a query string.
pub(super) fn queried(query: &str) -> Result<Request, String> {
    let mut given: BTreeMap<String, String> = BTreeMap::new();
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        if given.insert(name.clone().into_owned(), value.into_owned()).is_some() {
            return Err(format!("`{}` stands twice", name.chars().take(64).collect::<String>()));
        }
    }
    let mut text = |name: &str| given.remove(name).filter(|text| !text.is_empty());
    let (document, operation) = (text("query"), text("operationName"));
    let mut object = |name: &str| {
        let Some(text) = text(name) else { return Ok(Given::default()) };
        let wrong = || format!("`{name}`: expected an object in JSON");
        let raw: &RawValue = serde_json::from_str(&text).map_err(|_| wrong())?;
        check(raw.get()).map_err(|fault| format!("`{name}`: {}", fault.detail))?;
        let object: Option<Given> = serde_json::from_str(raw.get()).map_err(|_| wrong())?;
        Ok::<_, String>(object.unwrap_or_default())
    };
    let (variables, extensions) = (object("variables")?, object("extensions")?);
    complete(document, operation, variables, &extensions)
}

fn complete(
    query: Option<String>,
    operation: Option<String>,
    variables: Given,
    extensions: &Given,
) -> Result<Request, String> {
    if query.is_none() && !extensions.contains_key("persistedQuery") {
        return Err("`query` is missing; expected a GraphQL document".to_owned());
    }
    // An empty name is what some clients send for none.
    Ok(Request { query, operation: operation.filter(|name| !name.is_empty()), variables })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_clients_send_besides_is_passed_over() {
        let read =
            posted(br#"{"query": "{a}", "variables": {"x": 1.10}, "operationName": "", "extensions": {}, "id": 7}"#);
        let read = read.expect("a request");
        assert_eq!((read.query.as_deref(), read.operation), (Some("{a}"), None));
        assert_eq!(read.variables["x"].get(), "1.10");
        let read = queried("query=%7Ba%7D&variables=%7B%22x%22%3A1%7D&operationName=A&n=1").expect("a request");
        assert_eq!((read.query.as_deref(), read.operation.as_deref()), (Some("{a}"), Some("A")));
        assert!(posted(br#"{"extensions": {"persistedQuery": {"version": 1}}}"#).expect("a hash").query.is_none());
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (body, word) in [
            ("", "JSON"),
            ("7", "object"),
            ("[]", "batches"),
            ("{}", "`query`"),
            (r#"{"query": 7}"#, "`query`: expected a text"),
            (r#"{"query": "{a}", "variables": []}"#, "`variables`: expected an object"),
            (r#"{"query": "{a}", "query": "{b}"}"#, "twice"),
        ] {
            let told = posted(body.as_bytes()).expect_err(body);
            assert!(told.contains(word), "{body}: {told}");
        }
        assert!(queried("query=a&query=b").is_err() && queried("query=a&variables=7").is_err());
    }
}
