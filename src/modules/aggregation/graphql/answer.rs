//! From a request to its answer: what is refused is refused before anything is asked of a source.

use std::{collections::HashMap, sync::Mutex};

use async_graphql::{
    Name, Positioned,
    parser::{
        parse_query,
        types::{DocumentOperations, ExecutableDocument, OperationDefinition, OperationType},
    },
};
use tokio::time::Instant;

use super::{
    super::{
        adapters::http::CREDENTIALS,
        application::{ports::RequestHeaders, run_endpoint::texts},
        domain::{data::Json, freshness::Freshness},
    },
    bounds,
    execute::Execution,
    fault::{DEPTH, Fault, INPUT, OPERATION, PARSE, PERSISTED, TOKENS, VALIDATION},
    fetch::Calls,
    input,
    request::{Given, Request},
    start::Service,
    tokens::{self, Excess},
    typed,
};

/// An answer.
pub(super) struct Answer {
    /// JSON.
    pub(super) body: String,
    /// Whether anything was executed.
    pub(super) executed: bool,
    /// Whether all is there.
    pub(super) complete: bool,
    /// How long it may be kept.
    pub(super) freshness: Freshness,
}

/// Why there is no answer of GraphQL's own.
pub(super) enum Refused {
    /// By this method only queries are answered.
    Method,
}

impl Service {
    /// Answers a request. `is_safe`: it must change nothing.
    pub(super) async fn answer(
        &self,
        request: &Request,
        headers: &RequestHeaders,
        seen: Json,
        is_safe: bool,
    ) -> Result<Answer, Refused> {
        let deadline = Instant::now() + self.timeout;
        let document = match self.document(request) {
            Ok(document) => document,
            Err(fault) => return Ok(refused(&[fault])),
        };
        let operation = match operation(&document, request.operation.as_deref()) {
            Ok(operation) => operation,
            Err(fault) => return Ok(refused(&[fault])),
        };
        let is_mutation = operation.node.ty == OperationType::Mutation;
        if is_mutation && is_safe {
            return Err(Refused::Method);
        }
        let root = match operation.node.ty {
            OperationType::Query => Some(self.api.query.as_str()),
            OperationType::Mutation => self.api.mutation.as_deref(),
            OperationType::Subscription => None,
        };
        let Some(root) = root.and_then(|name| self.api.object(name)) else {
            let message = format!("the schema has no {}s", operation.node.ty);
            return Ok(refused(&[Fault::new(VALIDATION, message).at([operation.pos])]));
        };
        let (variables, introspected) = match self.prepare(request, &document, operation).await {
            Ok(prepared) => prepared,
            Err(faults) => return Ok(refused(&faults)),
        };
        let execution = Execution {
            api: &self.api,
            fragments: &document.fragments,
            variables: &variables,
            calls: Calls::new(&*self.caller, headers, seen, deadline, self.max_calls),
            introspected,
            left: self.max_values.into(),
            faults: Mutex::default(),
        };
        let data = execution.run(root, &operation.node.selection_set.node, is_mutation).await;
        let freshness = execution.calls.freshness();
        let faults = execution.faults.into_inner().unwrap_or_default();
        let mut body = String::from("{\"data\":");
        data.write(&mut body);
        if !faults.is_empty() {
            body.push_str(",\"errors\":");
            body.push_str(&serde_json::to_string(&faults).unwrap_or_else(|_| "[]".to_owned()));
        }
        body.push('}');
        let complete = faults.is_empty();
        let freshness = if complete && !is_mutation { freshness } else { Freshness::NO_STORE };
        Ok(Answer { body, executed: true, complete, freshness })
    }

    /// Answers a document outside a server: the answer, and whether all of it is there. The error says why nothing was run.
    pub(in super::super) async fn rehearse(
        &self,
        document: &str,
        variables: Option<&str>,
        headers: &RequestHeaders,
    ) -> Result<(String, bool), String> {
        let variables = variables.map(serde_json::from_str::<Given>).transpose();
        let variables = variables.map_err(|_| "--variables: expected an object in JSON".to_owned())?;
        let request =
            Request { query: Some(document.to_owned()), operation: None, variables: variables.unwrap_or_default() };
        let seen = seen(headers, &CREDENTIALS);
        match self.answer(&request, headers, seen, false).await {
            Ok(answer) if answer.executed => Ok((answer.body, answer.complete)),
            Ok(answer) => Err(answer.body),
            Err(Refused::Method) => Err("a mutation".to_owned()),
        }
    }

    /// Reads the document, when it is not too long.
    fn document(&self, request: &Request) -> Result<ExecutableDocument, Fault> {
        let Some(text) = &request.query else {
            // Clients know this one: they send the whole document then.
            return Err(Fault::new(PERSISTED, "PersistedQueryNotSupported"));
        };
        tokens::check(text, self.max_tokens).map_err(|excess| match excess {
            Excess::Tokens => {
                let most = self.max_tokens;
                Fault::new(TOKENS, format!("the document has more than {most} words and signs"))
            }
            Excess::Nesting => Fault::new(DEPTH, "the document's brackets nest deeper than 64"),
        })?;
        parse_query(text).map_err(|fault| {
            let positions: Vec<_> = fault.positions().collect();
            let told = fault.to_string();
            // The parser draws the line; what it expected stands at the end.
            let detail = told.lines().rev().find_map(|line| line.trim().strip_prefix("= ")).unwrap_or(&told);
            Fault::new(PARSE, detail.replace('_', " ")).at(positions)
        })
    }

    /// Everything that can be wrong before the first call: what it costs, whether it fits the schema, its variables. With
    /// them comes what it asks of the schema itself.
    async fn prepare(
        &self,
        request: &Request,
        document: &ExecutableDocument,
        operation: &Positioned<OperationDefinition>,
    ) -> Result<(input::Variables, HashMap<String, String>), Vec<Fault>> {
        let written = request.variables.iter().map(|(name, value)| (name.clone(), value.get().to_owned()));
        bounds::check(&self.api, self.limits, document, &written.collect()).map_err(|fault| vec![fault])?;
        let values = values(&request.variables).map_err(|fault| vec![fault])?;
        let name =
            request.operation.as_deref().filter(|_| matches!(document.operations, DocumentOperations::Multiple(_)));
        let validated = typed::validate(&self.typed, document, name, values).await;
        let variables = input::variables(&self.api, &operation.node, &request.variables);
        let variables = variables.map_err(|fault| Fault::new(INPUT, fault).at([operation.pos]));
        let (introspected, variables) = match (validated, variables) {
            (Ok(introspected), Ok(variables)) => (introspected, variables),
            // A value that does not fit is told by both; what is wrong with it is said more plainly by the first.
            (validated, Err(fault)) => {
                return Err([fault].into_iter().chain(validated.err().unwrap_or_default()).collect());
            }
            (Err(faults), Ok(_)) => return Err(faults),
        };
        let write = |(key, value)| Some((key, serde_json::to_string(&value).ok()?));
        Ok((variables, introspected.into_iter().filter_map(write).collect()))
    }
}

/// Variables as the validation reads them.
fn values(given: &Given) -> Result<serde_json::Value, Fault> {
    let mut values = serde_json::Map::new();
    for (name, value) in given {
        let value = serde_json::from_str(value.get());
        let wrong = |fault: serde_json::Error| Fault::new(INPUT, format!("the variable `${name}`: {fault}"));
        values.insert(name.clone(), value.map_err(wrong)?);
    }
    Ok(serde_json::Value::Object(values))
}

/// The operation that is meant (§6.1).
fn operation<'d>(
    document: &'d ExecutableDocument,
    name: Option<&str>,
) -> Result<&'d Positioned<OperationDefinition>, Fault> {
    let mut all = document.operations.iter();
    match name {
        None => match (all.next(), all.next()) {
            (Some((_, only)), None) => Ok(only),
            _ => Err(Fault::new(OPERATION, "the document has several operations; expected `operationName`")),
        },
        Some(name) => {
            let found = all.find(|(known, _)| known.map(Name::as_str) == Some(name));
            found.map(|(_, operation)| operation).ok_or_else(|| {
                let name: String = name.chars().take(64).collect();
                Fault::new(OPERATION, format!("the document has no operation `{name}`"))
            })
        }
    }
}

fn refused(faults: &[Fault]) -> Answer {
    let errors = serde_json::to_string(faults).unwrap_or_else(|_| "[]".to_owned());
    let body = format!("{{\"errors\":{errors}}}");
    Answer { body, executed: false, complete: false, freshness: Freshness::NO_STORE }
}

/// What programs see of the request's headers.
pub(super) fn seen(headers: &RequestHeaders, hidden: &[&str]) -> Json {
    let seen = headers.client.iter().filter(|(name, _)| !hidden.contains(&name.as_str()));
    texts(seen.map(|(name, value)| (name.as_str(), value.as_str())))
}
