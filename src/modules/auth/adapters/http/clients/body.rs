//! Bodies about clients, by the names of RFC 7591 §2.

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::{
    kernel::{FieldFault, error::ValueFault, units::Span},
    modules::auth::{
        adapters::http::{bodies::rfc3339, lists},
        api::ClientView,
        application::{ClientWish, client_name},
    },
    platform::http::{Fields, Problem},
};

/// What `POST /clients` and `PUT /clients/{id}` take.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it is read member by member; this is its description")]
pub(in crate::modules::auth::adapters::http) struct WishBody {
    /// The name that users are shown.
    #[schema(example = "Shop")]
    client_name: String,
    /// `none`, `client_secret_basic`, `client_secret_post` or `private_key_jwt`; without it a secret, or
    /// `private_key_jwt` where there are keys.
    token_endpoint_auth_method: Option<String>,
    /// Where browsers are sent back to.
    #[schema(example = json!(["https://shop.example/callback"]))]
    redirect_uris: Option<Vec<String>>,
    /// Where browsers may go after a logout.
    post_logout_redirect_uris: Option<Vec<String>>,
    /// `authorization_code`, `refresh_token`, `client_credentials`, `urn:ietf:params:oauth:grant-type:device_code`.
    /// Without it: the first two where there is a redirect URI, else `client_credentials`.
    grant_types: Option<Vec<String>>,
    /// What it may ask for, separated by spaces. Without it: who the user is, where there is a user.
    #[schema(example = "openid profile offline_access")]
    scope: Option<String>,
    /// Its public keys (RFC 7517), when it signs.
    jwks: Option<Value>,
    /// Whether its authorization requests have to be pushed (RFC 9126 §6); false without it.
    require_pushed_authorization_requests: Option<bool>,
}

impl WishBody {
    /// Reads the members; faults of their types are noted, those of their values are found by the use case.
    pub(super) fn read(fields: &mut Fields) -> ClientWish {
        let text = |fields: &mut Fields, name| fields.optional(name, |text| Ok(text.to_owned()));
        ClientWish {
            // A name that is at fault is noted here; the use case is given one that is not.
            client_name: fields.required("client_name", client_name).unwrap_or_else(|| "-".to_owned()),
            token_endpoint_auth_method: text(fields, "token_endpoint_auth_method"),
            redirect_uris: lists::strings(fields, "redirect_uris").unwrap_or_default(),
            post_logout_redirect_uris: lists::strings(fields, "post_logout_redirect_uris").unwrap_or_default(),
            grant_types: lists::strings(fields, "grant_types").unwrap_or_default(),
            scope: text(fields, "scope"),
            jwks: fields.take("jwks").filter(|jwks| !jwks.is_null()).map(|jwks| jwks.to_string()),
            require_pushed_authorization_requests: lists::flag(fields, "require_pushed_authorization_requests"),
        }
    }
}

/// Ends the reading: the faults of types and of values together.
pub(super) fn finish<T>(mut fields: Fields, read: Result<T, Vec<FieldFault>>) -> Result<T, Problem> {
    match read {
        Ok(value) => fields.finish().map(|()| value),
        Err(faults) => {
            for fault in faults.clone() {
                fields.fault_at(fault.pointer, fault.code, fault.detail);
            }
            fields.finish()?;
            Err(Problem::invalid(faults))
        }
    }
}

/// Reads how long the secret before works on. Fault: `invalid-duration`.
pub(super) fn overlap(text: &str) -> Result<Span, ValueFault> {
    let span = text.parse::<Span>().ok().filter(|span| span.get().as_secs() <= 30 * 24 * 3_600);
    span.ok_or_else(|| ValueFault::new("invalid-duration", "expected a duration such as \"1h\", at most \"30d\""))
}

/// What `POST /clients/{id}/rotate-secret` takes.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it is read member by member; this is its description")]
pub(in crate::modules::auth::adapters::http) struct RotationBody {
    /// How long the secret before works on; without it, it stops at once. At most `30d`.
    #[schema(example = "1h")]
    keep_old_for: Option<String>,
}

/// A client.
#[derive(Serialize, ToSchema)]
pub(in crate::modules::auth::adapters::http) struct ClientBody {
    /// The id.
    client_id: String,
    /// The name that users are shown.
    #[schema(example = "Shop")]
    client_name: String,
    /// `none`, `client_secret_basic` or `private_key_jwt`. A secret is taken in the header and in the form alike.
    #[schema(example = "client_secret_basic")]
    token_endpoint_auth_method: &'static str,
    /// Where browsers are sent back to.
    redirect_uris: Vec<String>,
    /// Where browsers may go after a logout.
    post_logout_redirect_uris: Vec<String>,
    /// How it gets tokens.
    #[schema(example = json!(["authorization_code", "refresh_token"]))]
    grant_types: Vec<&'static str>,
    /// What it may ask for, separated by spaces.
    #[schema(example = "openid profile offline_access")]
    scope: String,
    /// Its public keys, when it signs.
    #[serde(skip_serializing_if = "Option::is_none")]
    jwks: Option<Value>,
    /// Whether its authorization requests have to be pushed.
    require_pushed_authorization_requests: bool,
    /// When it was made.
    #[schema(value_type = String, format = "date-time")]
    created_at: String,
    /// When it last changed.
    #[schema(value_type = String, format = "date-time")]
    updated_at: String,
}

impl From<ClientView> for ClientBody {
    fn from(client: ClientView) -> Self {
        Self {
            client_id: client.client_id,
            client_name: client.client_name,
            token_endpoint_auth_method: client.token_endpoint_auth_method,
            redirect_uris: client.redirect_uris,
            post_logout_redirect_uris: client.post_logout_redirect_uris,
            grant_types: client.grant_types,
            scope: client.scope,
            jwks: client.jwks,
            require_pushed_authorization_requests: client.require_pushed_authorization_requests,
            created_at: rfc3339(client.created_at),
            updated_at: rfc3339(client.updated_at),
        }
    }
}

/// A client, and its secret when it has one: shown once.
#[derive(Serialize, ToSchema)]
pub(in crate::modules::auth::adapters::http) struct NewClientBody {
    #[serde(flatten)]
    client: ClientBody,
    /// The secret. It is not kept, and cannot be shown again.
    #[serde(skip_serializing_if = "Option::is_none")]
    client_secret: Option<String>,
}

impl NewClientBody {
    pub(super) fn new(client: ClientView, client_secret: Option<String>) -> Self {
        Self { client: client.into(), client_secret }
    }
}

/// A page of clients.
#[derive(Serialize, ToSchema)]
pub(in crate::modules::auth::adapters::http) struct ClientsBody {
    /// The clients.
    pub(super) items: Vec<ClientBody>,
    /// Where the next page begins; null on the last.
    pub(super) next_cursor: Option<String>,
}
