//! GraphQL in OpenAPI.

use utoipa::openapi::{
    ContentBuilder, HttpMethod, ObjectBuilder, PathItem, RefOr, Required, ResponseBuilder, Schema, SecurityRequirement,
    Type,
    path::{OperationBuilder, Parameter, ParameterBuilder, ParameterIn},
    request_body::RequestBodyBuilder,
    schema::SchemaType,
};

use super::super::config::{AggregationConfig, EndpointAuth, GraphqlConfig};

/// The path and its operations, when there is one.
pub(in super::super) fn documented(config: &AggregationConfig) -> Option<(String, PathItem)> {
    let config = config.graphql.as_ref()?;
    let query = operation(config)
        .summary(Some("A GraphQL query"))
        .description(Some(
            "Queries alone; a request without a token needs a header such as `graphql-require-preflight`.",
        ))
        .parameter(text("query", Required::True))
        .parameter(text("operationName", Required::False))
        .parameter(text("variables", Required::False))
        .response("304", ResponseBuilder::new().description("The answer whose tag is in `If-None-Match`"))
        .response("405", ResponseBuilder::new().description("A mutation"));
    let body = ObjectBuilder::new()
        .property("query", ObjectBuilder::new().schema_type(Type::String))
        .property("operationName", ObjectBuilder::new().schema_type(Type::String))
        .property("variables", ObjectBuilder::new().schema_type(Type::Object))
        .property("extensions", ObjectBuilder::new().schema_type(Type::Object))
        .required("query");
    let content = ContentBuilder::new().schema(Some(RefOr::T(Schema::from(body.build())))).build();
    let body = RequestBodyBuilder::new().content("application/json", content).required(Some(Required::True)).build();
    let all = operation(config)
        .summary(Some("A GraphQL query or mutation"))
        .request_body(Some(body))
        .response("413", ResponseBuilder::new().description("The body is too large"))
        .response("415", ResponseBuilder::new().description("The body is not `application/json`"));
    let mut item = PathItem::new(HttpMethod::Get, query);
    item.merge_operations(PathItem::new(HttpMethod::Post, all));
    Some((config.path.clone(), item))
}

fn operation(config: &GraphqlConfig) -> OperationBuilder {
    let bearer = SecurityRequirement::new("bearer", Vec::<String>::new());
    let security = match config.auth {
        EndpointAuth::None => Vec::new(),
        EndpointAuth::Optional => vec![SecurityRequirement::default(), bearer],
        EndpointAuth::Required => vec![bearer],
    };
    let any = || {
        ContentBuilder::new()
            .schema(Some(RefOr::T(Schema::from(ObjectBuilder::new().schema_type(SchemaType::AnyValue).build()))))
    };
    let answer = ResponseBuilder::new()
        .description("`data`, and `errors` for what is not there; `X-Aggregation-Complete` tells whether all is")
        .content("application/graphql-response+json", any().build())
        .content("application/json", any().build());
    let refused = ResponseBuilder::new()
        .description("The document cannot be read, does not fit the schema or costs too much (`errors`), or the request is malformed")
        .content("application/graphql-response+json", any().build())
        .content("application/problem+json", any().build());
    let operation = OperationBuilder::new()
        .tag("aggregation")
        .response("200", answer)
        .response("400", refused)
        .securities(Some(security));
    if config.auth == EndpointAuth::None {
        return operation;
    }
    operation.response("401", ResponseBuilder::new().description("No valid access token"))
}

fn text(name: &str, required: Required) -> Parameter {
    let schema = ObjectBuilder::new().schema_type(Type::String);
    ParameterBuilder::new().name(name).parameter_in(ParameterIn::Query).required(required).schema(Some(schema)).build()
}
