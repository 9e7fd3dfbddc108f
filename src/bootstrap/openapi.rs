//! The OpenAPI document of a process: its roles' operations, at the paths where a client finds them.

use std::sync::LazyLock;

use utoipa::openapi::{
    ComponentsBuilder, InfoBuilder, OpenApi, OpenApiBuilder,
    security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme},
};

use super::RoleSet;
use crate::{config::Config, kernel::Role, platform::http::operations::OnDemand};

/// The document, written when it is wanted first: it is large, and few ask for it.
pub(super) fn described(roles: &RoleSet, config: &Config) -> OnDemand {
    let (roles, config) = (roles.clone(), config.clone());
    LazyLock::new(Box::new(move || document(&roles, &config)))
}

/// The document as JSON. With the gateway among the roles it shows the whole front door, wherever the roles run.
#[cfg_attr(
    not(any(feature = "gateway", feature = "aggregation")),
    expect(unused_variables, reason = "auth is documented the same whatever is configured")
)]
pub fn document(roles: &RoleSet, config: &Config) -> String {
    let front_door = roles.has(Role::Gateway);
    let mut document = base();
    #[cfg(feature = "auth")]
    if front_door || roles.has(Role::Auth) {
        document.merge(crate::modules::auth::openapi());
    }
    #[cfg(feature = "aggregation")]
    if front_door || roles.has(Role::Aggregation) {
        let own = crate::modules::aggregation::openapi(&config.aggregation);
        document.merge(if front_door { under(&config.gateway.api_prefix, own) } else { own });
    }
    #[cfg(feature = "gateway")]
    if front_door {
        document.merge(crate::modules::gateway::openapi(&config.gateway));
    }
    document.merge(crate::platform::http::operations::openapi());
    also_by_api_key(&mut document);
    // What cannot be written is an empty document, which the tests would notice.
    let mut document = serde_json::to_value(&document).unwrap_or_default();
    crate::platform::http::common_answers::complete(&mut document);
    serde_json::to_string_pretty(&document).unwrap_or_default()
}

fn base() -> OpenApi {
    let info = InfoBuilder::new()
        .title("Vestibule")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some("Login, one front door and one call per screen. Errors are problem details (RFC 9457)."))
        .build();
    let bearer = SecurityScheme::Http(HttpBuilder::new().scheme(HttpAuthScheme::Bearer).bearer_format("JWT").build());
    let api_key =
        ApiKeyValue::with_description("X-Api-Key", "Made at `POST /auth/api-keys`; does what its scopes name");
    let api_key = SecurityScheme::ApiKey(ApiKey::Header(api_key));
    let schemes =
        ComponentsBuilder::new().security_scheme("bearer", bearer).security_scheme("api_key", api_key).build();
    OpenApiBuilder::new().info(info).components(Some(schemes)).build()
}

/// What takes a token takes an API key as well, but for what is about the account itself.
fn also_by_api_key(document: &mut OpenApi) {
    let is_own = |path: &str| path.starts_with("/auth/") || path.starts_with("/oauth/");
    for (_, item) in document.paths.paths.iter_mut().filter(|(path, _)| !is_own(path)) {
        let operations = [&mut item.get, &mut item.put, &mut item.post, &mut item.delete, &mut item.patch];
        for operation in operations.into_iter().filter_map(Option::as_mut) {
            if let Some(security) = operation.security.as_mut().filter(|security| !security.is_empty()) {
                security.push(SecurityRequirement::new::<_, [String; 0], String>("api_key", []));
            }
        }
    }
}

/// Moves every path under a prefix.
#[cfg(feature = "aggregation")]
fn under(prefix: &str, mut document: OpenApi) -> OpenApi {
    let paths = std::mem::take(&mut document.paths.paths);
    document.paths.paths = paths.into_iter().map(|(path, item)| (format!("{prefix}{path}"), item)).collect();
    document
}
