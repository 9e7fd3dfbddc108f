//! How aggregation asks the other roles: in this process where they are here, over HTTP where they are not. Nothing passes
//! the front door, and the answers are the same.

use std::{
    rc::Rc,
    sync::{Arc, Mutex, OnceLock, PoisonError},
    time::Duration,
};

use actix_http::{Payload, Request as ActixRequest, h1};
use actix_service::{IntoServiceFactory as _, Service, ServiceFactory as _};
use actix_web::{
    body::{MessageBody, to_bytes_limited},
    dev::{AppConfig, ServiceResponse},
    http::header::{HeaderName, HeaderValue},
};
use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::{BodyExt as _, Full};
use tokio::sync::{mpsc, oneshot};

use super::{
    RoleSet,
    process::Shared,
    server::{Routes, application, front},
};
use crate::{
    config::ServicesConfig,
    kernel::Role,
    platform::http::{
        client::{ClientFault, Fetched, HttpClient},
        role_client::RoleClient,
    },
};

/// Calls that may wait until the thread takes them.
const WAITING: usize = 1024;
/// Until a connection to a role elsewhere stands.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

type Starter = Box<dyn FnOnce() -> mpsc::Sender<Job> + Send>;

/// The other roles.
pub(super) struct Inside {
    here: RoleSet,
    elsewhere: ServicesConfig,
    client: HttpClient,
    starter: Mutex<Option<Starter>>,
    jobs: OnceLock<Option<mpsc::Sender<Job>>>,
}

/// A call, and who waits for its answer.
struct Job {
    head: http::request::Parts,
    body: Bytes,
    limit: usize,
    told: oneshot::Sender<Result<Fetched, ClientFault>>,
}

impl Inside {
    pub(super) fn new(here: RoleSet, elsewhere: ServicesConfig) -> Self {
        let client = HttpClient::new(CONNECT_TIMEOUT);
        Self { here, elsewhere, client, starter: Mutex::default(), jobs: OnceLock::new() }
    }

    /// Says what the roles of this process answer with; a thread of theirs begins with the first call.
    pub(super) fn answer_with(&self, shared: Arc<Shared>, routes: Routes) {
        let start: Starter = Box::new(move || {
            let (sender, jobs) = mpsc::channel(WAITING);
            let serving = move || actix_web::rt::System::new().block_on(serve(shared, routes, jobs));
            if let Err(error) = std::thread::Builder::new().name("roles".to_owned()).spawn(serving) {
                tracing::error!(event = "roles_not_served", %error);
            }
            sender
        });
        *self.starter.lock().unwrap_or_else(PoisonError::into_inner) = Some(start);
    }

    fn jobs(&self) -> Option<&mpsc::Sender<Job>> {
        let start = || self.starter.lock().unwrap_or_else(PoisonError::into_inner).take().map(|start| start());
        self.jobs.get_or_init(start).as_ref()
    }

    /// Asks this very process.
    async fn ask(&self, request: Request<Full<Bytes>>, limit: usize) -> Result<Fetched, ClientFault> {
        let (head, body) = request.into_parts();
        let body = body.collect().await.map_err(|_| ClientFault::Broken)?.to_bytes();
        let (told, answer) = oneshot::channel();
        let jobs = self.jobs().ok_or(ClientFault::Connect)?;
        jobs.send(Job { head, body, limit, told }).await.map_err(|_| ClientFault::Connect)?;
        answer.await.unwrap_or(Err(ClientFault::Broken))
    }
}

#[async_trait::async_trait]
impl RoleClient for Inside {
    async fn fetch(
        &self,
        role: Role,
        mut request: Request<Full<Bytes>>,
        timeout: Duration,
        body_limit: usize,
    ) -> Result<Fetched, ClientFault> {
        if self.here.has(role) {
            let asked = tokio::time::timeout(timeout, self.ask(request, body_limit));
            return asked.await.unwrap_or(Err(ClientFault::Timeout));
        }
        let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
        let url = format!("{}{path}", self.elsewhere.url(role).trim_end_matches('/'));
        *request.uri_mut() = url.parse().map_err(|_| ClientFault::Connect)?;
        self.client.fetch(request, timeout, body_limit).await
    }
}

/// Answers calls side by side until nobody can make one.
async fn serve(shared: Arc<Shared>, routes: Routes, mut jobs: mpsc::Receiver<Job>) {
    let application = application(&shared, &routes).wrap(front(&shared)).into_factory();
    let Ok(service) = application.new_service(AppConfig::default()).await else {
        return tracing::error!(event = "roles_not_served");
    };
    let service = Rc::new(service);
    while let Some(job) = jobs.recv().await {
        let service = service.clone();
        actix_web::rt::spawn(async move {
            let Job { head, body, limit, mut told } = job;
            let answer = tokio::select! {
                answer = answer(&*service, head, body, limit) => answer,
                () = told.closed() => return,
            };
            // Who asked may have gone away at this very moment.
            let _ = told.send(answer);
        });
    }
}

async fn answer<S, B>(
    service: &S,
    head: http::request::Parts,
    body: Bytes,
    limit: usize,
) -> Result<Fetched, ClientFault>
where
    S: Service<ActixRequest, Response = ServiceResponse<B>, Error = actix_web::Error>,
    B: MessageBody,
{
    let request = request(&head, body).ok_or(ClientFault::Broken)?;
    let response = service.call(request).await.map_err(|_| ClientFault::Broken)?;
    let status = StatusCode::from_u16(response.status().as_u16()).map_err(|_| ClientFault::Broken)?;
    let mut headers = HeaderMap::new();
    for (name, value) in response.headers() {
        let name = http::HeaderName::from_bytes(name.as_str().as_bytes()).map_err(|_| ClientFault::Broken)?;
        let value = http::HeaderValue::from_bytes(value.as_bytes()).map_err(|_| ClientFault::Broken)?;
        headers.append(name, value);
    }
    let body = to_bytes_limited(response.into_body(), limit).await.map_err(|_| ClientFault::TooLarge)?;
    let body = body.map_err(|_| ClientFault::Broken)?;
    Ok(Fetched { status, headers, body: Vec::from(body) })
}

/// The request as the application takes it.
fn request(head: &http::request::Parts, body: Bytes) -> Option<ActixRequest> {
    let (_, mut payload) = h1::Payload::create(true);
    let length = body.len();
    payload.unread_data(body);
    let mut request = ActixRequest::with_payload(Payload::from(payload));
    let target = head.uri.path_and_query().map_or("/", |path| path.as_str());
    let own = request.head_mut();
    own.uri = target.parse().ok()?;
    own.method = head.method.as_str().parse().ok()?;
    for (name, value) in &head.headers {
        let name = HeaderName::from_bytes(name.as_str().as_bytes()).ok()?;
        own.headers.append(name, HeaderValue::from_bytes(value.as_bytes()).ok()?);
    }
    if length > 0 {
        own.headers.insert(actix_web::http::header::CONTENT_LENGTH, HeaderValue::from(length));
    }
    Some(request)
}
