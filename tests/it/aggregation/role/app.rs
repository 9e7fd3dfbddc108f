//! The role alone behind a router, its callers already known: what a token is worth is tested elsewhere.

use std::sync::Arc;

use actix_web::{
    App, HttpMessage as _,
    body::to_bytes,
    dev::{Service, ServiceResponse},
    test,
};
use serde_json::{Value, json};
use vestibule::{
    kernel::{Principal, SessionId, Subject, SystemClock, UserId},
    modules::aggregation::{Aggregation, AggregationConfig, AggregationParts, WorkerCommand},
    platform::{
        http::{Problem, authentication::Identity},
        shared_values::SharedValues,
    },
};

/// Who asks.
#[derive(Clone, Copy)]
pub(crate) enum As {
    Nobody,
    User,
    /// With `aggregation:explain`.
    Operator,
}

/// An answer.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) complete: Option<String>,
    pub(crate) retry_after: Option<String>,
    pub(crate) text: String,
    /// Headers in order.
    pub(crate) headers: Vec<(String, String)>,
    /// The problem's code, for an error.
    pub(crate) code: Option<&'static str>,
}

impl Answer {
    /// A header's first value.
    pub(crate) fn header(&self, name: &str) -> Option<String> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone())
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or(Value::Null)
    }
}

/// `[aggregation]` with these sources, endpoints and rulesets.
pub(crate) fn config(sources: &Value, endpoints: &Value, rulesets: &Value) -> AggregationConfig {
    serde_json::from_value(json!({
        "source_body_limit": "64KiB",
        "cache_size": "64KiB",
        "evaluation": {"workers": 1, "timeout": "250ms", "memory": "64MiB", "output_limit": "1MiB", "queue": 4},
        "sources": sources,
        "endpoints": endpoints,
        "rulesets": rulesets,
    }))
    .unwrap()
}

/// The role under test.
pub(crate) struct TestRole(pub(crate) Aggregation);

impl TestRole {
    pub(crate) fn start(config: &AggregationConfig) -> Self {
        Self::start_with(config, None)
    }

    /// With what instances keep for each other.
    pub(crate) fn start_with(config: &AggregationConfig, shared: Option<Arc<dyn SharedValues>>) -> Self {
        let worker = WorkerCommand {
            program: env!("CARGO_BIN_EXE_vestibule").into(),
            arguments: vec![WorkerCommand::COMMAND.into()],
        };
        let parts = AggregationParts {
            config,
            clock: Arc::new(SystemClock),
            databases: Vec::new(),
            shared,
            roles: None,
            worker: Some(worker),
        };
        Self(Aggregation::start(parts).unwrap())
    }

    pub(crate) async fn get(&self, who: As, path: &str) -> Answer {
        self.call(who, test::TestRequest::get().uri(path)).await
    }

    pub(crate) async fn transform(&self, body: impl Into<String>) -> Answer {
        let request =
            test::TestRequest::post().uri("/data/transform").insert_header(("content-type", "application/json"));
        self.call(As::User, request.set_payload(body.into())).await
    }

    /// Calls with a request as it stands.
    pub(crate) async fn call(&self, who: As, request: test::TestRequest) -> Answer {
        let app = test::init_service(App::new().configure(|app| self.0.configure(app))).await;
        let request = request.to_request();
        request.extensions_mut().insert(match who {
            As::Nobody => Identity::Anonymous,
            As::User => Identity::Known(Arc::new(principal(&[]))),
            As::Operator => Identity::Known(Arc::new(principal(&["aggregation:explain"]))),
        });
        let response: ServiceResponse = match app.call(request).await {
            Ok(response) => response,
            Err(error) => panic!("{error}"),
        };
        let header = |name: &str| response.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
        let (complete, retry_after) = (header("x-aggregation-complete"), header("retry-after"));
        let problem = response.response().extensions().get::<Problem>().cloned();
        let status = response.status().as_u16();
        let headers = response.headers().iter();
        let headers = headers.map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned())).collect();
        let text = match &problem {
            Some(problem) => problem.body("/", "test"),
            None => to_bytes(response.into_body()).await.ok().unwrap().to_vec(),
        };
        let code = problem.map(|problem| problem.kind().code);
        Answer { status, complete, retry_after, text: String::from_utf8(text).unwrap(), headers, code }
    }
}

fn principal(scopes: &[&str]) -> Principal {
    let id = "0190a5b0-0000-7000-8000-000000000001".parse().unwrap();
    Principal {
        subject: Subject::User(UserId(id)),
        session_id: SessionId(id),
        client_id: "test".to_owned(),
        email: Some("user@example.com".to_owned()),
        roles: vec!["user".to_owned()],
        scopes: scopes.iter().map(|&scope| scope.to_owned()).collect(),
        expires_at: chrono::DateTime::UNIX_EPOCH,
    }
}
