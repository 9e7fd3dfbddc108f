//! Swagger UI at `/docs`, Redoc at `/redoc`, both from the binary itself; the document at `/openapi.json`.

use std::sync::{Arc, LazyLock};

use actix_web::{HttpResponse, web};
use aws_lc_rs::digest::{SHA256, digest};
use base64::{Engine as _, prelude::BASE64_STANDARD};

use super::Operations;
use crate::platform::http::{Problem, problem::NOT_FOUND};

/// The routes.
pub(super) fn configure(app: &mut web::ServiceConfig) {
    app.route("/openapi.json", web::get().to(document))
        .route("/docs", web::get().to(swagger_index))
        .route("/docs/{file:.*}", web::get().to(swagger_file))
        .route("/redoc", web::get().to(redoc));
}

async fn document(operations: web::Data<Operations>) -> HttpResponse {
    let document = operations.openapi.as_ref().map(|document| LazyLock::force(&document.load()).clone());
    HttpResponse::Ok().content_type("application/json").body(document.unwrap_or_default())
}

static SWAGGER: LazyLock<Arc<utoipa_swagger_ui::Config<'static>>> =
    LazyLock::new(|| Arc::new(utoipa_swagger_ui::Config::from("/openapi.json")));

const SWAGGER_CSP: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
                           font-src 'self'; connect-src 'self'; frame-ancestors 'none'";

async fn swagger_index() -> Result<HttpResponse, Problem> {
    swagger("index.html")
}

async fn swagger_file(path: web::Path<String>) -> Result<HttpResponse, Problem> {
    swagger(if path.is_empty() { "index.html" } else { &path })
}

fn swagger(path: &str) -> Result<HttpResponse, Problem> {
    let missing = || Problem::new(&NOT_FOUND, "the documentation has no such file");
    let file = utoipa_swagger_ui::serve(path, SWAGGER.clone()).ok().flatten().ok_or_else(missing)?;
    let mut answer = HttpResponse::Ok();
    answer.content_type(file.content_type).insert_header(("content-security-policy", SWAGGER_CSP));
    if path != "index.html" {
        return Ok(answer.body(file.bytes.into_owned()));
    }
    // The page stands at `/docs`, its files under `/docs/`.
    let html =
        String::from_utf8_lossy(&file.bytes).replace("href=\"./", "href=\"/docs/").replace("src=\"./", "src=\"/docs/");
    let html = html.replace("href=\"index.css\"", "href=\"/docs/index.css\"");
    Ok(answer.body(html))
}

/// Redoc's page carries its script inline; the policy allows exactly those scripts.
static REDOC: LazyLock<(String, String)> = LazyLock::new(|| {
    let html = aide::redoc::Redoc::new("/openapi.json").with_title("Vestibule").html();
    let scripts = html.split("<script>").skip(1).filter_map(|rest| rest.rsplit_once("</script>"));
    let hashes = scripts
        .map(|(script, _)| format!(" 'sha256-{}'", BASE64_STANDARD.encode(digest(&SHA256, script.as_bytes()))))
        .collect::<Vec<_>>()
        .concat();
    let policy = format!(
        "default-src 'none'; script-src{hashes}; style-src 'unsafe-inline'; img-src 'self' data:; font-src 'self'; \
         connect-src 'self'; worker-src blob:; frame-ancestors 'none'"
    );
    (html, policy)
});

async fn redoc() -> HttpResponse {
    let (html, policy) = &*REDOC;
    HttpResponse::Ok()
        .content_type("text/html; charset=utf-8")
        .insert_header(("content-security-policy", policy.as_str()))
        .body(html.as_str())
}
