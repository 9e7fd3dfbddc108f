//! The hosted pages: plain forms that need no script but a riddle's, in templates that the operator may replace. Every page goes out
//! through here, so that all have the same strict headers, and every form comes in through here, so that none is forged.

mod form;
mod page;
mod policy;
mod samples;
mod templates;
#[cfg(test)]
mod tests;
mod widget;

use std::sync::Arc;

use actix_web::{
    HttpMessage as _, HttpRequest, HttpResponse, ResponseError as _,
    http::{StatusCode, header},
};
use minijinja::{
    Environment, Value, context,
    value::{Serde, merge_maps},
};

pub(crate) use form::{Posted, is_form};
pub(crate) use page::{Next, Page, ScopeLine};
pub(crate) use widget::Widget;
use widget::field_of;

use super::UseCases;
use crate::{
    kernel::{Random, SettingFault},
    modules::auth::config::{AuthConfig, PagesConfig},
    platform::http::{Problem, RequestContext},
};

/// What a page says to whoever has not solved its riddle.
pub(crate) const UNSOLVED: &str = "Please show below that you are a person, and send the form again.";

/// The solution that came with a form, if riddles are asked for.
pub(crate) fn solution<'a>(cases: &UseCases, posted: &'a Posted) -> Option<&'a str> {
    posted.field(field_of(cases.captcha.provider()?.0))
}

/// Shows pages and reads their forms.
pub(crate) struct Pages {
    templates: Environment<'static>,
    /// What every page knows.
    globals: Value,
    logo: Option<String>,
    is_https: bool,
    random: Arc<dyn Random>,
}

impl Pages {
    /// Loads and tries the templates.
    pub(crate) fn start(config: &AuthConfig, random: Arc<dyn Random>) -> Result<Self, Vec<SettingFault>> {
        Self::with(&config.pages, &config.issuer, random)
    }

    fn with(config: &PagesConfig, issuer: &str, random: Arc<dyn Random>) -> Result<Self, Vec<SettingFault>> {
        let PagesConfig { product_name, logo_url, accent, accent_dark, templates } = config;
        // The front door may lie under a path of its host.
        let base = url::Url::parse(issuer).map(|url| url.path().trim_end_matches('/').to_owned());
        let globals = context! { product_name, logo_url, accent, accent_dark, base => base.unwrap_or_default() };
        Ok(Self {
            templates: templates::load(templates.as_deref(), &globals)?,
            globals,
            logo: logo_url.clone(),
            is_https: issuer.starts_with("https://"),
            random,
        })
    }

    /// Answers with a page whose form, if it has one, stays with us.
    pub(crate) fn show(&self, request: &HttpRequest, status: u16, page: &Page<'_>) -> HttpResponse {
        self.answer(request, status, page, None)
    }

    /// Answers with a page whose form may end in a redirect to `target`, the URL of a client.
    pub(crate) fn show_before(
        &self,
        target: &str,
        request: &HttpRequest,
        status: u16,
        page: &Page<'_>,
    ) -> HttpResponse {
        self.answer(request, status, page, Some(target))
    }

    /// Answers with a page that tells of a problem, with its status and headers.
    pub(crate) fn problem(&self, request: &HttpRequest, problem: &Problem) -> HttpResponse {
        let status = problem.kind().status;
        let (title, text) = match status {
            429 => ("Too many attempts", "Please wait a while before you try again."),
            503 => ("Too busy at the moment", "Please try again in a moment."),
            500.. => ("Something went wrong", "The fault is ours. Please try again in a moment."),
            _ => (problem.kind().title, "Go back and try again."),
        };
        let mut answer = self.show(request, status, &Page::Problem { title, text, next: None });
        for (name, value) in problem.error_response().headers() {
            if !answer.headers().contains_key(name) {
                answer.headers_mut().append(name.clone(), value.clone());
            }
        }
        answer
    }

    /// Reads a posted form, if it is one that we showed; else [`Pages::forged`] is the answer.
    pub(crate) fn posted(&self, request: &HttpRequest, body: &[u8]) -> Option<Posted> {
        Posted::read(request, body, self.is_https)
    }

    /// The answer to a form that is not ours.
    pub(crate) fn forged(&self, request: &HttpRequest) -> HttpResponse {
        tracing::info!(event = "form_refused", path = request.path());
        let text = "The form was not sent from our page, or your browser did not keep its cookie. \
                    Go back, reload the page and try again.";
        self.show(request, 403, &Page::Problem { title: "This form cannot be used", text, next: None })
    }

    fn answer(&self, request: &HttpRequest, status: u16, page: &Page<'_>, leads_to: Option<&str>) -> HttpResponse {
        let csrf = form::Csrf::of(request, &*self.random, self.is_https);
        let nonce = form::random_text(&*self.random);
        let request_id = request.extensions().get::<RequestContext>().map(|known| known.request_id.to_string());
        let context = context! { csrf => &csrf.value, nonce => &nonce, request_id, status,
        ..merge_maps([Value::from(Serde(page)), self.globals.clone()]) };
        let written = self.templates.get_template(page.template()).and_then(|template| template.render(context));
        let (status, html) = match written {
            Ok(html) => (status, html),
            Err(error) => {
                tracing::error!(event = "page_failed", template = page.template(), %error);
                (500, BROKEN.to_owned())
            }
        };
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let policy = policy::Policy {
            nonce: &nonce,
            logo: self.logo.as_deref(),
            leads_to,
            riddle: page.riddle_from(),
            has_script: page.has_script(),
        };
        let mut answer = HttpResponse::build(status);
        answer
            .content_type("text/html; charset=utf-8")
            .insert_header((header::CACHE_CONTROL, "no-store"))
            .insert_header((header::REFERRER_POLICY, "no-referrer"))
            .insert_header((header::CONTENT_SECURITY_POLICY, policy.header()))
            .insert_header((header::X_FRAME_OPTIONS, "DENY"))
            .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"));
        if csrf.is_new && html.contains(&csrf.value) {
            answer.append_header((header::SET_COOKIE, csrf.cookie_line(self.is_https)));
        }
        answer.body(html)
    }
}

/// What is wrong with the templates of `[auth.pages]`.
pub(crate) fn check(config: &AuthConfig) -> Vec<SettingFault> {
    let globals = context! { product_name => "", logo_url => (), accent => "", accent_dark => "", base => "" };
    templates::load(config.pages.templates.as_deref(), &globals).err().unwrap_or_default()
}

/// When even the template for problems fails.
const BROKEN: &str = "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<title>Something went wrong</title>\n\
                      <h1>Something went wrong</h1>\n<p>This page cannot be shown. Please try again later.</p>\n</html>\n";
