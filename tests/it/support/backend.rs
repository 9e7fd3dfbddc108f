//! Well-behaved upstreams: HTTP servers that answer what a test tells them to, and can be taken away.

use serde_json::Value;
use wiremock::{Mock, MockServer, Request, ResponseTemplate, matchers::any};

/// An upstream of its own; its port closes when it is dropped.
pub(crate) struct Backend(MockServer);

impl Backend {
    /// One that answers 404 until it is told more.
    pub(crate) async fn start() -> Self {
        // Servers of wiremock's pool outlive their handle; this one must be able to die.
        Self(MockServer::builder().start().await)
    }

    /// One that answers every request with this JSON.
    pub(crate) async fn answering(body: &Value) -> Self {
        let backend = Self::start().await;
        backend.answer(ResponseTemplate::new(200).set_body_json(body)).await;
        backend
    }

    /// Answers every request like this.
    pub(crate) async fn answer(&self, template: ResponseTemplate) {
        Mock::given(any()).respond_with(template).mount(&self.0).await;
    }

    /// Forgets what it was told to answer, and what it was asked.
    pub(crate) async fn forget(&self) {
        self.0.reset().await;
    }

    /// `http://host:port`.
    pub(crate) fn url(&self) -> String {
        self.0.uri()
    }

    /// What it was asked so far.
    pub(crate) async fn requests(&self) -> Vec<Request> {
        self.0.received_requests().await.expect("requests are recorded")
    }
}
