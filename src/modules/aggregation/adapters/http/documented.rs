//! Configured endpoints in OpenAPI.

use std::collections::BTreeSet;

use utoipa::openapi::{
    ContentBuilder, HttpMethod, ObjectBuilder, PathItem, RefOr, Required, ResponseBuilder, SecurityRequirement, Type,
    path::{OperationBuilder, Parameter, ParameterBuilder, ParameterIn},
};

use super::{
    super::super::config::{EndpointAuth, EndpointConfig},
    catalogue::parameters,
};

/// An endpoint's path, with `{name}` for `{*name}`, and its operation.
pub(crate) fn documented(endpoint: &EndpointConfig) -> (String, PathItem) {
    let path = format!("/data{}", endpoint.path.replace("{*", "{"));
    let sources: BTreeSet<&str> = endpoint.steps.iter().map(|step| step.source.as_str()).collect();
    let sources = sources.into_iter().collect::<Vec<_>>().join(", ");
    let bearer = SecurityRequirement::new("bearer", Vec::<String>::new());
    let security = match endpoint.auth {
        EndpointAuth::None => Vec::new(),
        EndpointAuth::Optional => vec![SecurityRequirement::default(), bearer],
        EndpointAuth::Required => vec![bearer],
    };
    let mut operation = OperationBuilder::new()
        .tag("aggregation")
        .summary(Some(format!("A configured endpoint over {sources}")))
        .parameters(Some(parameters(&endpoint.path).into_iter().map(in_path)))
        .parameter(explain())
        .response("200", answer())
        .response("304", problem("The answer whose tag is in `If-None-Match`"))
        .response("502", problem("A required step failed; `sources` tells how each one went"))
        .response("504", problem("A required step was not done in time"))
        .securities(Some(security));
    if endpoint.auth != EndpointAuth::None {
        operation = operation.response("401", problem("No valid access token"));
    }
    (path, PathItem::new(HttpMethod::Get, operation))
}

fn in_path(name: &str) -> Parameter {
    let text = ObjectBuilder::new().schema_type(Type::String);
    let parameter = ParameterBuilder::new().name(name).parameter_in(ParameterIn::Path).required(Required::True);
    parameter.schema(Some(text)).build()
}

fn explain() -> Parameter {
    ParameterBuilder::new()
        .name("explain")
        .parameter_in(ParameterIn::Query)
        .description(Some("Adds the steps' timeline; needs the permission `aggregation:explain`"))
        .schema(Some(ObjectBuilder::new().schema_type(Type::Boolean)))
        .build()
}

fn answer() -> ResponseBuilder {
    let any = ObjectBuilder::new().schema_type(utoipa::openapi::schema::SchemaType::AnyValue);
    let content = ContentBuilder::new().schema(Some(RefOr::T(any.build().into()))).build();
    ResponseBuilder::new()
        .description("What the endpoint makes of its sources; `X-Aggregation-Complete` tells whether all answered")
        .content("application/json", content)
}

fn problem(description: &str) -> ResponseBuilder {
    ResponseBuilder::new().description(description)
}
