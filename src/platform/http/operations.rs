//! What operators and tools ask of every role: health, metrics, documentation, and what a problem's `type` means. None of it
//! needs a token, counts against a limit, or fetches anything from elsewhere.

mod docs;
mod health;

use std::{
    collections::BTreeMap,
    sync::{Arc, LazyLock},
};

use actix_web::{HttpResponse, web};
use arc_swap::ArcSwap;

use super::{HealthProbe, Problem, ProblemType, problem::NOT_FOUND};
use crate::{
    kernel::Clock,
    platform::telemetry::{logs::LogGuard, metrics::Metrics},
};

/// The paths of this file's routes, for a gateway that must let them pass.
pub const PATHS: [&str; 6] = ["/health", "/metrics", "/docs", "/redoc", "/openapi.json", "/problems"];

/// A text that is written when it is wanted first.
pub type OnDemand = LazyLock<String, Box<dyn FnOnce() -> String + Send>>;

/// What the routes answer from.
pub struct Operations {
    /// The role, or `vestibule` when several run together.
    pub service: &'static str,
    /// Local dependencies: what makes this process ready.
    pub probes: Vec<Arc<dyn HealthProbe>>,
    /// The roles, local and remote, as `GET /health` lists them.
    pub services: Vec<Arc<dyn HealthProbe>>,
    /// Set when the process is about to stop: not ready any more.
    pub draining: Arc<std::sync::atomic::AtomicBool>,
    /// The recorder.
    pub metrics: Metrics,
    /// The log, for its count of dropped lines.
    pub log: Arc<LogGuard>,
    /// The OpenAPI document, written when somebody asks for it, and another one when the configuration changes; `None`:
    /// documentation is off.
    pub openapi: Option<ArcSwap<OnDemand>>,
    /// Every kind of problem that the process can answer with.
    pub problems: Vec<&'static ProblemType>,
    /// Time.
    pub clock: Arc<dyn Clock>,
}

impl Operations {
    /// The routes.
    pub fn configure(self: &Arc<Self>, app: &mut web::ServiceConfig) {
        app.app_data(web::Data::from(self.clone()))
            .route("/health", web::get().to(health::overall))
            .route("/health/live", web::get().to(health::live))
            .route("/health/ready", web::get().to(health::ready))
            .route("/metrics", web::get().to(metrics))
            .route("/problems", web::get().to(problem_index))
            .route("/problems/{code}", web::get().to(problem_page));
        if self.openapi.is_some() {
            docs::configure(app);
        }
    }
}

/// The operations of this file, for every role's OpenAPI document.
#[derive(utoipa::OpenApi)]
#[openapi(paths(health::overall, health::live, health::ready, metrics, problem_page))]
struct Documented;

/// The OpenAPI part of what every role serves.
pub fn openapi() -> utoipa::openapi::OpenApi {
    <Documented as utoipa::OpenApi>::openapi()
}

/// The process's metrics in Prometheus' text format.
#[utoipa::path(get, path = "/metrics", tag = "operations",
    responses((status = 200, description = "Metrics", content_type = "text/plain")))]
async fn metrics(operations: web::Data<Operations>) -> HttpResponse {
    metrics::counter!("log_lines_dropped_total").absolute(operations.log.dropped_lines());
    HttpResponse::Ok().content_type("text/plain; version=0.0.4; charset=utf-8").body(operations.metrics.render())
}

async fn problem_index(operations: web::Data<Operations>) -> HttpResponse {
    let by_code: BTreeMap<_, _> = operations.problems.iter().map(|problem| (problem.code, problem)).collect();
    let items = by_code
        .values()
        .map(|problem| {
            format!("<li><a href=\"/problems/{0}\">{0}</a>: {1}</li>\n", problem.code, escape(problem.title))
        })
        .collect::<Vec<_>>()
        .concat();
    page("Problems", &format!("<h1>Problems</h1>\n<ul>\n{items}</ul>"))
}

/// What a problem's `type` means.
#[utoipa::path(get, path = "/problems/{code}", tag = "operations",
    params(("code" = String, Path, description = "The problem's `code`, such as `rate-limited`")),
    responses((status = 200, description = "An explanation", content_type = "text/html"),
              (status = 404, description = "No such problem", content_type = "application/problem+json")))]
async fn problem_page(operations: web::Data<Operations>, code: web::Path<String>) -> Result<HttpResponse, Problem> {
    let problem = operations.problems.iter().find(|problem| problem.code == *code);
    let problem = problem.ok_or_else(|| Problem::new(&NOT_FOUND, "there is no problem of this name"))?;
    let body = format!(
        "<h1>{}</h1>\n<p>Status {}, code <code>{}</code></p>\n<p>{}</p>\n<p><a href=\"/problems\">All problems</a></p>",
        escape(problem.title),
        problem.status,
        problem.code,
        escape(problem.about)
    );
    Ok(page(problem.title, &body))
}

fn page(title: &str, body: &str) -> HttpResponse {
    let html = format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" content=\"width=device-width\">\n\
         <title>{}</title>\n</head>\n<body>\n<main>\n{body}\n</main>\n</body>\n</html>\n",
        escape(title)
    );
    HttpResponse::Ok()
        .content_type("text/html; charset=utf-8")
        .insert_header(("content-security-policy", "default-src 'none'; frame-ancestors 'none'"))
        .body(html)
}

/// Escapes text for HTML.
fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
