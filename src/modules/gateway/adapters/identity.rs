//! Who a request counts for, who sends it, and whether the route is for them.

use std::sync::Arc;

use actix_web::{HttpMessage as _, dev::ServiceRequest};

use super::{
    balance::hash_bytes,
    checks::Client,
    issuers::Acceptance,
    limiter::{Per, Policy, Subject},
    limits::{Decision, Limits, MOST_POLICIES},
    outgoing::Outgoing,
    pipeline::Shared,
    route::Route,
    upstream::HashOn,
};
use crate::{
    kernel::Principal,
    modules::gateway::config::RouteAuth,
    platform::{
        http::{
            Problem,
            authentication::{
                Credentials, Identity, authenticate as platform_authenticate, credentials, forbidden, refusal,
            },
            problem::FORBIDDEN,
        },
        tokens::TokenFault,
    },
};

/// Counts a request against the limits of its route.
pub(super) async fn count(shared: &Shared, limits: &Limits, request: &ServiceRequest, client: &Client) -> Decision {
    let mut identity = None;
    if limits.by_caller {
        match caller(shared, limits, request, client).await {
            Ok(known) => identity = known,
            Err(refused) => return refused,
        }
    }
    let mut subjects = [Subject::Everybody; MOST_POLICIES];
    for (subject, policy) in subjects.iter_mut().zip(&limits.policies) {
        *subject = subject_of(policy, request, client, identity.as_deref());
    }
    shared.limiter.take(limits, &subjects).await
}

/// Who sends the request, for policies that go by it; or the refusal of an address that has used up its limit.
async fn caller(
    shared: &Shared,
    limits: &Limits,
    request: &ServiceRequest,
    client: &Client,
) -> Result<Option<Arc<Principal>>, Decision> {
    let only_keys = || limits.policies.iter().all(|policy| !matches!(policy.per, Per::Client | Per::User));
    let is_judged = match credentials(request.headers()) {
        Credentials::Token(_) if only_keys() => return Ok(None),
        Credentials::Token(token) => remembers(shared, request, token),
        Credentials::ApiKey(key) => Box::pin(shared.api_keys.remembers(key)).await,
        Credentials::None | Credentials::Unclear(_) => return Ok(None),
    };
    // What was never seen costs cryptography or a question, and an address that has used up its limit gets none.
    if !is_judged {
        let mut decision = Decision::default();
        for (number, policy) in limits.policies.iter().enumerate() {
            let subject = subject_of(policy, request, client, None);
            decision.tell(number, &shared.limiter.peek(policy, subject));
        }
        if !decision.passes() {
            return Err(decision);
        }
    }
    match identify(shared, request).await {
        Identity::Known(principal) => Ok(Some(principal)),
        Identity::Anonymous | Identity::Refused(_) => Ok(None),
    }
}

/// Whose count a request goes to. The address stands in for what it does not say.
fn subject_of<'a>(
    policy: &Policy,
    request: &'a ServiceRequest,
    client: &Client,
    principal: Option<&'a Principal>,
) -> Subject<'a> {
    let ip = Subject::Ip(client.ip);
    match (&policy.per, principal) {
        (Per::Route, _) => Subject::Everybody,
        (Per::Header(name), _) => request.headers().get(name).map_or(ip, |value| Subject::Text(value.as_bytes())),
        (Per::ApiKey, Some(principal)) if matches!(credentials(request.headers()), Credentials::ApiKey(_)) => {
            Subject::Text(principal.session_id.0.as_bytes())
        }
        (Per::Client | Per::User, Some(principal)) => match &principal.subject {
            crate::kernel::Subject::User(id) => Subject::User(*id),
            crate::kernel::Subject::Client(id) => Subject::Text(id.as_bytes()),
        },
        (Per::Ip | Per::Client | Per::User | Per::ApiKey, _) => ip,
    }
}

/// Looks at the credentials once; the role behind finds the outcome with the request.
async fn identify(shared: &Shared, request: &ServiceRequest) -> Identity {
    if let Some(identity) = request.extensions().get::<Identity>() {
        return identity.clone();
    }
    let issuers = request.extensions().get::<Arc<Acceptance>>().cloned();
    let identity = match issuers {
        Some(issuers) => authenticate_by(&issuers, shared, request).await,
        None => platform_authenticate(request.headers(), &shared.verifier, &shared.api_keys).await,
    };
    request.extensions_mut().insert(identity.clone());
    identity
}

/// Judges the credentials where the route does not take ours alone.
async fn authenticate_by(issuers: &Acceptance, shared: &Shared, request: &ServiceRequest) -> Identity {
    let judged = match credentials(request.headers()) {
        Credentials::Token(token) => Box::pin(issuers.verify(token, &shared.verifier)).await,
        Credentials::ApiKey(_) if !issuers.own => Err(TokenFault::Invalid("API keys are not taken here")),
        _ => return platform_authenticate(request.headers(), &shared.verifier, &shared.api_keys).await,
    };
    judged.map_or_else(Identity::Refused, Identity::Known)
}

/// Whether this very token was verified before, by whom the route takes.
fn remembers(shared: &Shared, request: &ServiceRequest, token: &str) -> bool {
    match request.extensions().get::<Arc<Acceptance>>() {
        Some(issuers) => issuers.remembers(token, &shared.verifier),
        None => shared.verifier.remembers(token),
    }
}

/// Who sends the request, where the route looks.
pub(super) async fn authenticate(
    route: &Route,
    shared: &Shared,
    request: &ServiceRequest,
) -> Result<Option<Arc<Principal>>, Problem> {
    if route.auth == RouteAuth::None {
        return Ok(None);
    }
    match identify(shared, request).await {
        Identity::Known(principal) => Ok(Some(principal)),
        Identity::Anonymous if route.auth == RouteAuth::Optional => Ok(None),
        Identity::Anonymous => Err(refusal(None)),
        Identity::Refused(fault) => Err(refusal(Some(&fault))),
    }
}

/// Whether the route is for them: any of its roles, all of its scopes.
pub(super) fn authorize(route: &Route, principal: Option<&Principal>) -> Result<(), Problem> {
    if route.roles.is_empty() && route.scopes.is_empty() {
        return Ok(());
    }
    let Some(principal) = principal else { return Err(refusal(None)) };
    if !route.roles.is_empty() && !route.roles.iter().any(|role| principal.has_role(role)) {
        return Err(Problem::new(&FORBIDDEN, format!("this needs one of the roles {}", route.roles.join(", "))));
    }
    match route.scopes.iter().find(|scope| !principal.may(scope)) {
        Some(missing) => Err(forbidden(missing)),
        None => Ok(()),
    }
}

/// What a consistent hash goes by for this request; `None` when it has nothing of the kind.
pub(super) fn hash_key(on: &HashOn, outgoing: &Outgoing<'_>) -> Option<u64> {
    let headers = &outgoing.head.headers;
    match on {
        HashOn::ClientIp => Some(hash_bytes(outgoing.context.client_ip.to_string().as_bytes())),
        HashOn::User => outgoing.principal.map(|principal| match &principal.subject {
            crate::kernel::Subject::User(id) => hash_bytes(id.0.as_bytes()),
            crate::kernel::Subject::Client(id) => hash_bytes(id.as_bytes()),
        }),
        HashOn::Header(name) => headers.get(name).map(|value| hash_bytes(value.as_bytes())),
        HashOn::Cookie(wanted) => {
            let lines = headers.get_all("cookie").filter_map(|line| line.to_str().ok());
            let mut pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
            pairs.find(|(name, _)| name == wanted).map(|(_, value)| hash_bytes(value.as_bytes()))
        }
    }
}
