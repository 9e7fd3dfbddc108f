//! `/oauth/consent`: the page that asks whether a client may.

use actix_web::{HttpRequest, HttpResponse, web};

use super::{
    browser::{browser, from_query, posted, show},
    log_in_page::proceed,
};
use crate::modules::auth::{
    adapters::http::{UseCases, origin_of},
    application::oauth::{Refused, Step},
};

/// The page, or what is to come before or after it.
#[utoipa::path(
    get, path = "/oauth/consent", tag = "oauth",
    params(("pending" = String, Query, description = "The request that waits")),
    responses(
        (status = 200, description = "A page", content_type = "text/html"),
        (status = 303, description = "To the client: `code` or `error`, with `state` and `iss`"),
        (status = 400, description = "A page: nothing waits", content_type = "text/html"),
        (status = 503, description = "A page, with `Retry-After`", content_type = "text/html"),
    )
)]
pub(in crate::modules::auth::adapters::http) async fn show_page(
    request: HttpRequest,
    cases: web::Data<UseCases>,
) -> HttpResponse {
    proceed(&request, &cases, &from_query(&request, "pending").unwrap_or_default()).await
}

/// Says yes or no.
#[utoipa::path(
    post, path = "/oauth/consent", tag = "oauth",
    request_body(content = String, content_type = "application/x-www-form-urlencoded", description = "`decision` (`allow` or `deny`), and the page's hidden fields"),
    params(("pending" = String, Query, description = "The request that waits")),
    responses(
        (status = 200, description = "A page: the user has to log in again", content_type = "text/html"),
        (status = 303, description = "To the client: `code` or `error`, with `state` and `iss`"),
        (status = 400, description = "A page: nothing waits", content_type = "text/html"),
        (status = 403, description = "A page: the form is not ours", content_type = "text/html"),
        (status = 413, description = "A page: the form is too long", content_type = "text/html"),
        (status = 503, description = "A page, with `Retry-After`", content_type = "text/html"),
    )
)]
pub(in crate::modules::auth::adapters::http) async fn decide(
    request: HttpRequest,
    payload: web::Payload,
    cases: web::Data<UseCases>,
) -> HttpResponse {
    let posted = match posted(&request, payload, &cases).await {
        Ok(posted) => posted,
        Err(answer) => return answer,
    };
    let pending = from_query(&request, "pending").unwrap_or_default();
    let step: Result<Step, Refused> = async {
        let browser = browser(&request, &cases).await?;
        let (account, authorize) = (posted.text("account"), &cases.user_facing.authorize);
        match posted.text("decision") {
            "allow" => authorize.decide(&pending, browser.as_ref(), account, true, &origin_of(&request)).await,
            "deny" => authorize.decide(&pending, browser.as_ref(), account, false, &origin_of(&request)).await,
            _ => authorize.proceed(&pending, browser.as_ref()).await,
        }
    }
    .await;
    show(&request, &cases, step)
}
