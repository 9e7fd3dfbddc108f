//! What a registration says, read into what a client may be.

use std::collections::BTreeSet;

use crate::{
    kernel::{FieldFault, error::ValueFault},
    modules::auth::{
        api::CreateClient,
        application::ClientKeys,
        domain::{ClientProof, EMAIL, GrantType, OFFLINE_ACCESS, OPENID, PROFILE, RedirectUri, Scopes, USER_SCOPES},
    },
};

/// The most URIs of one kind.
const MAX_URIS: usize = 50;
/// The longest name, in characters.
const MAX_NAME: usize = 100;

/// A registration as it came, by the names of RFC 7591 §2.
#[derive(Debug, Clone, Default)]
pub(crate) struct ClientWish {
    pub(crate) client_name: String,
    /// Absent: a secret, or a signature where there are keys.
    pub(crate) token_endpoint_auth_method: Option<String>,
    pub(crate) redirect_uris: Vec<String>,
    pub(crate) post_logout_redirect_uris: Vec<String>,
    /// Empty: what goes with the rest.
    pub(crate) grant_types: Vec<String>,
    /// Absent: what goes with the grants.
    pub(crate) scope: Option<String>,
    pub(crate) jwks: Option<String>,
    /// RFC 9126 §6.
    pub(crate) require_pushed_authorization_requests: bool,
}

impl From<CreateClient> for ClientWish {
    fn from(command: CreateClient) -> Self {
        Self {
            client_name: command.name,
            token_endpoint_auth_method: command.public.then(|| "none".to_owned()),
            redirect_uris: command.redirect_uris,
            post_logout_redirect_uris: command.post_logout_redirect_uris,
            grant_types: command.grants,
            scope: Some(command.scopes.join(" ")).filter(|scope| !scope.trim().is_empty()),
            jwks: command.jwks,
            require_pushed_authorization_requests: command.require_pushed_requests,
        }
    }
}

/// A registration that holds together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ClientDraft {
    pub(crate) name: String,
    /// `None`: by a secret, which is not made here.
    pub(crate) proof: Option<ClientProof>,
    pub(crate) redirect_uris: Vec<RedirectUri>,
    pub(crate) post_logout_redirect_uris: Vec<RedirectUri>,
    pub(crate) grants: BTreeSet<GrantType>,
    pub(crate) scopes: BTreeSet<String>,
    pub(crate) requires_pushed_requests: bool,
}

/// Reads the name that users are shown. Fault: `invalid-name`.
pub(crate) fn client_name(text: &str) -> Result<String, ValueFault> {
    let name = text.trim();
    let is_name = (1..=MAX_NAME).contains(&name.chars().count()) && !name.chars().any(char::is_control);
    let fault = || ValueFault::new("invalid-name", format!("expected 1 to {MAX_NAME} characters on one line"));
    is_name.then(|| name.to_owned()).ok_or_else(fault)
}

/// Reads a registration; every fault at once, by pointers into the body that RFC 7591 describes.
pub(super) fn read(wish: &ClientWish, keys: &dyn ClientKeys) -> Result<ClientDraft, Vec<FieldFault>> {
    let mut faults = Vec::new();
    let name = noted(&mut faults, "/client_name", client_name(&wish.client_name)).unwrap_or_default();
    let redirect_uris = read_uris(&mut faults, "/redirect_uris", &wish.redirect_uris);
    let post_logout_redirect_uris =
        read_uris(&mut faults, "/post_logout_redirect_uris", &wish.post_logout_redirect_uris);
    let proof = read_proof(&mut faults, wish, keys);
    let grants = read_grants(&mut faults, wish, proof.as_ref());
    let scopes = match &wish.scope {
        None => default_scopes(&grants),
        Some(scope) => noted(&mut faults, "/scope", Scopes::parse(scope))
            .map(|scopes| scopes.names().map(str::to_owned).collect())
            .unwrap_or_default(),
    };
    if faults.is_empty() {
        let requires_pushed_requests = wish.require_pushed_authorization_requests;
        Ok(ClientDraft {
            name,
            proof,
            redirect_uris,
            post_logout_redirect_uris,
            grants,
            scopes,
            requires_pushed_requests,
        })
    } else {
        Err(faults)
    }
}

fn read_uris(faults: &mut Vec<FieldFault>, pointer: &str, texts: &[String]) -> Vec<RedirectUri> {
    if texts.len() > MAX_URIS {
        faults.push(FieldFault::new(pointer, "too-many", format!("expected at most {MAX_URIS}")));
        return Vec::new();
    }
    let mut uris: Vec<RedirectUri> = Vec::new();
    for (number, text) in texts.iter().enumerate() {
        let uri = noted(faults, &format!("{pointer}/{number}"), RedirectUri::parse(text));
        uris.extend(uri.filter(|uri| !uris.contains(uri)));
    }
    uris
}

fn read_proof(faults: &mut Vec<FieldFault>, wish: &ClientWish, keys: &dyn ClientKeys) -> Option<ClientProof> {
    const METHOD: &str = "/token_endpoint_auth_method";
    let jwks = wish.jwks.as_deref().and_then(|jwks| noted(faults, "/jwks", keys.check(jwks)));
    match wish.token_endpoint_auth_method.as_deref() {
        None if wish.jwks.is_some() => jwks.map(ClientProof::PrivateKey),
        Some("private_key_jwt") => {
            if wish.jwks.is_none() {
                faults.push(FieldFault::new("/jwks", "missing", "private_key_jwt needs the client's public keys"));
            }
            jwks.map(ClientProof::PrivateKey)
        }
        method => {
            if wish.jwks.is_some() {
                faults.push(FieldFault::new(METHOD, "contradiction", "a client with keys uses private_key_jwt"));
            }
            match method {
                None | Some("client_secret_basic" | "client_secret_post") => None,
                Some("none") => Some(ClientProof::Public),
                Some(_) => {
                    let known = "expected none, client_secret_basic, client_secret_post or private_key_jwt";
                    faults.push(FieldFault::new(METHOD, "unknown-method", known));
                    None
                }
            }
        }
    }
}

fn read_grants(faults: &mut Vec<FieldFault>, wish: &ClientWish, proof: Option<&ClientProof>) -> BTreeSet<GrantType> {
    const POINTER: &str = "/grant_types";
    if wish.grant_types.is_empty() {
        return if wish.redirect_uris.is_empty() && proof != Some(&ClientProof::Public) {
            [GrantType::ClientCredentials].into()
        } else {
            must_redirect(faults, wish);
            [GrantType::AuthorizationCode, GrantType::RefreshToken].into()
        };
    }
    let mut grants = BTreeSet::new();
    for (number, text) in wish.grant_types.iter().enumerate() {
        grants.extend(noted(faults, &format!("{POINTER}/{number}"), GrantType::parse(text)));
    }
    if grants.contains(&GrantType::ClientCredentials) && proof == Some(&ClientProof::Public) {
        let why = "a public client cannot speak for itself: it has nothing to prove who it is";
        faults.push(FieldFault::new(POINTER, "contradiction", why));
    }
    if grants.contains(&GrantType::AuthorizationCode) {
        must_redirect(faults, wish);
    }
    let user_grants = [GrantType::AuthorizationCode, GrantType::DeviceCode];
    if grants.contains(&GrantType::RefreshToken) && !user_grants.iter().any(|grant| grants.contains(grant)) {
        let why = "refresh_token goes with authorization_code or the device grant";
        faults.push(FieldFault::new(POINTER, "contradiction", why));
    }
    grants
}

fn must_redirect(faults: &mut Vec<FieldFault>, wish: &ClientWish) {
    if wish.redirect_uris.is_empty() {
        let why = "authorization_code needs at least one redirect URI";
        faults.push(FieldFault::new("/redirect_uris", "missing", why));
    }
}

/// Who the user is, and for how long, where there is a user; nothing else unless it is asked for.
fn default_scopes(grants: &BTreeSet<GrantType>) -> BTreeSet<String> {
    let has_user = grants.contains(&GrantType::AuthorizationCode) || grants.contains(&GrantType::DeviceCode);
    let has_refresh = grants.contains(&GrantType::RefreshToken);
    debug_assert!(
        [OPENID, PROFILE, EMAIL, OFFLINE_ACCESS] == USER_SCOPES,
        "every scope of a user is decided about here"
    );
    let scopes = [OPENID, PROFILE, EMAIL].into_iter().chain(has_refresh.then_some(OFFLINE_ACCESS));
    scopes.filter(|_| has_user).map(str::to_owned).collect()
}

/// The value, or its fault noted.
fn noted<T>(faults: &mut Vec<FieldFault>, pointer: &str, value: Result<T, ValueFault>) -> Option<T> {
    value.map_err(|fault| faults.push(FieldFault::new(pointer, fault.code, fault.detail))).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::modules::auth::domain::Assertion;

    struct AnyKeys;

    impl ClientKeys for AnyKeys {
        fn check(&self, jwks: &str) -> Result<String, ValueFault> {
            if jwks == "bad" { Err(ValueFault::new("invalid-jwks", "bad")) } else { Ok(jwks.to_owned()) }
        }

        fn claimed_client(&self, _: &str) -> Option<String> {
            None
        }

        fn verify(&self, _: &str, _: &str) -> Option<Assertion> {
            None
        }
    }

    fn wish() -> ClientWish {
        ClientWish { client_name: "Shop".to_owned(), ..ClientWish::default() }
    }

    fn texts(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|text| (*text).to_owned()).collect()
    }

    fn pointers(wish: &ClientWish) -> Vec<String> {
        read(wish, &AnyKeys).unwrap_err().into_iter().map(|fault| fault.pointer).collect()
    }

    #[test]
    fn what_is_not_said_goes_with_the_rest() {
        let machine = read(&wish(), &AnyKeys).unwrap();
        assert_eq!((machine.grants, machine.scopes), ([GrantType::ClientCredentials].into(), BTreeSet::new()));
        let app = ClientWish { redirect_uris: texts(&["https://a.example/cb"; 2]), ..wish() };
        let app = read(&app, &AnyKeys).unwrap();
        assert_eq!(app.redirect_uris.len(), 1, "each once");
        assert_eq!(app.grants, [GrantType::AuthorizationCode, GrantType::RefreshToken].into());
        assert_eq!(app.scopes, texts(&["openid", "profile", "email", "offline_access"]).into_iter().collect());
        let signing = ClientWish { jwks: Some("keys".to_owned()), ..wish() };
        assert_eq!(read(&signing, &AnyKeys).unwrap().proof, Some(ClientProof::PrivateKey("keys".to_owned())));
        let device = ClientWish {
            grant_types: texts(&["device_code"]),
            token_endpoint_auth_method: Some("none".to_owned()),
            ..wish()
        };
        let device = read(&device, &AnyKeys).unwrap();
        assert_eq!(device.scopes, texts(&["openid", "profile", "email"]).into_iter().collect());
    }

    #[test]
    fn contradictions_are_told_where_they_stand() {
        let public = |grants: &[&str]| ClientWish {
            token_endpoint_auth_method: Some("none".to_owned()),
            grant_types: texts(grants),
            ..wish()
        };
        assert_eq!(pointers(&public(&["client_credentials"])), ["/grant_types"]);
        assert_eq!(pointers(&public(&[])), ["/redirect_uris"]);
        assert_eq!(pointers(&public(&["authorization_code"])), ["/redirect_uris"]);
        assert_eq!(pointers(&public(&["refresh_token"])), ["/grant_types"]);
        let many = ClientWish {
            client_name: " ".to_owned(),
            token_endpoint_auth_method: Some("tls_client_auth".to_owned()),
            redirect_uris: texts(&["https://a.example/cb", "http://a.example/cb"]),
            post_logout_redirect_uris: texts(&["/out"]),
            grant_types: texts(&["authorization_code", "password"]),
            scope: Some("a\"b".to_owned()),
            jwks: Some("bad".to_owned()),
            ..ClientWish::default()
        };
        let expected = [
            "/client_name",
            "/redirect_uris/1",
            "/post_logout_redirect_uris/0",
            "/jwks",
            "/token_endpoint_auth_method",
            "/token_endpoint_auth_method",
            "/grant_types/1",
            "/scope",
        ];
        assert_eq!(pointers(&many), expected);
        let without_keys = ClientWish { token_endpoint_auth_method: Some("private_key_jwt".to_owned()), ..wish() };
        assert_eq!(pointers(&without_keys), ["/jwks"]);
    }
}
