//! What every operation can answer, written into the API description once: the body of problems, the faults of requests and
//! of callers, the limit, and what is away at the moment. A handler's own description tells only what is its own.

use serde_json::{Map, Value, json};

use super::{
    ProblemType,
    problem::{
        BODY_TOO_LARGE, FORBIDDEN, MALFORMED_REQUEST, PROBLEM_JSON, RATE_LIMITED, REQUEST_TIMEOUT, UNAUTHENTICATED,
        UNAVAILABLE, UNSUPPORTED_MEDIA_TYPE, VALIDATION_FAILED,
    },
};

/// Operations with this tag count against no limit and need nothing else.
const OPERATIONS: &str = "operations";

/// When an operation can give an answer.
enum When {
    Always,
    /// It takes a body.
    Body,
    /// It takes a JSON body.
    Json,
    /// It needs a token.
    Token,
}

/// The answers, by the name under which the document keeps them.
const ANSWERS: &[(When, &str, &ProblemType)] = &[
    (When::Always, "Malformed", &MALFORMED_REQUEST),
    (When::Token, "Unauthenticated", &UNAUTHENTICATED),
    (When::Token, "Forbidden", &FORBIDDEN),
    (When::Body, "Timeout", &REQUEST_TIMEOUT),
    (When::Body, "TooLarge", &BODY_TOO_LARGE),
    (When::Body, "UnsupportedMediaType", &UNSUPPORTED_MEDIA_TYPE),
    (When::Json, "Invalid", &VALIDATION_FAILED),
    (When::Always, "RateLimited", &RATE_LIMITED),
    (When::Always, "Unavailable", &UNAVAILABLE),
];

/// Adds the common answers to every operation that does not tell them itself, gives errors without a body the body of a
/// problem, and closes the JSON objects that requests send: unknown members are refused.
pub fn complete(document: &mut Value) {
    let mut sent = Vec::new();
    for operation in operations(document) {
        sent.extend(json_body(operation).and_then(|content| content["schema"]["$ref"].as_str()).map(str::to_owned));
        let applies: Vec<_> = ANSWERS.iter().filter(|(when, ..)| when.applies_to(operation)).collect();
        let Some(responses) = operation.get_mut("responses").and_then(Value::as_object_mut) else { continue };
        for (status, response) in responses.iter_mut() {
            if let Some(response) = response.as_object_mut().filter(|_| status.starts_with(['4', '5'])) {
                tell_problem(response);
            }
        }
        for (when, name, problem) in applies {
            let reference = || json!({"$ref": format!("#/components/responses/{name}")});
            let response = responses.entry(problem.status.to_string()).or_insert_with(reference);
            // The front door answers with a problem, whatever form the operation's own errors have.
            if let (When::Always, Some(content)) = (when, response.get_mut("content")) {
                content[PROBLEM_JSON] = problem_content();
            }
        }
        responses.sort_keys();
    }
    for reference in sent {
        if let Some(schema) = document.pointer_mut(reference.trim_start_matches('#')).and_then(Value::as_object_mut)
            && schema.contains_key("properties")
        {
            schema.entry("additionalProperties").or_insert(Value::Bool(false));
        }
    }
    let answers = ANSWERS.iter().map(|(_, name, problem)| ((*name).to_owned(), answer(problem))).collect();
    document["components"]["responses"] = Value::Object(answers);
    document["components"]["schemas"]["Problem"] = problem_schema();
}

impl When {
    fn applies_to(&self, operation: &Value) -> bool {
        let is_for_operators =
            operation["tags"].as_array().is_some_and(|tags| tags.iter().any(|tag| tag == OPERATIONS));
        match self {
            Self::Always => !is_for_operators,
            Self::Body => operation.get("requestBody").is_some(),
            Self::Json => json_body(operation).is_some(),
            Self::Token => operation["security"].as_array().is_some_and(|needs| !needs.is_empty()),
        }
    }
}

fn operations(document: &mut Value) -> impl Iterator<Item = &mut Value> {
    let paths = document["paths"].as_object_mut().into_iter().flat_map(Map::values_mut);
    let members = paths.filter_map(Value::as_object_mut).flat_map(Map::values_mut);
    members.filter(|member| member.get("responses").is_some())
}

fn json_body(operation: &Value) -> Option<&Value> {
    operation.pointer("/requestBody/content/application~1json")
}

/// An error whose body is not told has that of a problem.
fn tell_problem(response: &mut Map<String, Value>) {
    if !response.contains_key("$ref") {
        response.entry("content").or_insert_with(|| json!({PROBLEM_JSON: problem_content()}));
    }
}

fn problem_content() -> Value {
    json!({"schema": {"$ref": "#/components/schemas/Problem"}})
}

fn answer(problem: &ProblemType) -> Value {
    let mut answer = json!({
        "description": format!("`{}`: {}", problem.code, problem.about),
        "content": {PROBLEM_JSON: problem_content()},
    });
    let header = match problem.status {
        401 | 403 => ("WWW-Authenticate", "What would be accepted (RFC 6750)", "string"),
        429 | 503 => ("Retry-After", "Seconds to wait", "integer"),
        _ => return answer,
    };
    answer["headers"] = json!({header.0: {"description": header.1, "schema": {"type": header.2}}});
    answer
}

/// RFC 9457, and what we add to it.
fn problem_schema() -> Value {
    let text = |about: &str| json!({"type": "string", "description": about});
    json!({
        "type": "object",
        "description": "A problem (RFC 9457). `type` leads to a page that explains it.",
        "required": ["type", "title", "status", "detail", "instance", "code", "request_id"],
        "properties": {
            "type": text("`/problems/<code>`"),
            "title": text("The same for every problem of this kind"),
            "status": {"type": "integer", "description": "The answer's status"},
            "detail": text("About this occurrence"),
            "instance": text("The path that was called"),
            "code": text("Stable, kebab-case"),
            "request_id": text("The answer's `X-Request-Id`"),
            "errors": {
                "type": "array",
                "description": "Every fault of the body",
                "items": {
                    "type": "object",
                    "required": ["pointer", "code", "detail"],
                    "properties": {
                        "pointer": text("RFC 6901"),
                        "code": text("Stable, kebab-case"),
                        "detail": text("What was expected"),
                    },
                },
            },
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_operation_tells_itself_stays() {
        let mut document = json!({
            "paths": {
                "/a": {
                    "post": {
                        "security": [{"bearer": []}],
                        "requestBody": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/A"}}}},
                        "responses": {"204": {"description": "done"}, "401": {"description": "own"}},
                    },
                    "get": {"responses": {
                        "400": {"description": "own form", "content": {"application/json": {}}},
                        "422": {"description": "a page", "content": {"text/html": {}}},
                    }},
                },
                "/health": {"get": {"tags": ["operations"], "responses": {"200": {"description": "fine"}}}},
            },
            "components": {"schemas": {"A": {"type": "object", "properties": {"x": {"type": "string"}}}}},
        });
        complete(&mut document);
        let statuses = |pointer: &str| {
            let responses = document.pointer(pointer).and_then(|operation| operation["responses"].as_object());
            responses.map(|responses| responses.keys().cloned().collect::<Vec<_>>().join(" ")).unwrap_or_default()
        };
        assert_eq!(statuses("/paths/~1a/post"), "204 400 401 403 408 413 415 422 429 503");
        assert_eq!(statuses("/paths/~1a/get"), "400 422 429 503");
        assert_eq!(statuses("/paths/~1health/get"), "200");
        let own = &document["paths"]["/a"]["post"]["responses"]["401"];
        assert_eq!((&own["description"], own["content"][PROBLEM_JSON].is_object()), (&json!("own"), true));
        let get = &document["paths"]["/a"]["get"]["responses"];
        assert_eq!(get["422"]["content"], json!({"text/html": {}}));
        assert!(
            get["400"]["content"]["application/json"].is_object() && get["400"]["content"][PROBLEM_JSON].is_object()
        );
        assert_eq!(document["components"]["schemas"]["A"]["additionalProperties"], false);
    }
}
