//! Sources that answer from what was written down: nothing is called.
//!
//! A source's answer is its body as it stands. An object whose members begin with `$` describes more: `$status` and `$body`
//! for an answer that is no plain success, `$paths` for answers by the path (with its query) that is called.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use async_trait::async_trait;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::super::{
    application::{
        catalogue::Source,
        ports::{Call, RequestHeaders, SourceAnswer, SourceCaller},
    },
    domain::{
        data::{Json, null, take},
        outcome::{SourceReport, SourceStatus},
        paging::{Page, Paging},
        stream::array,
    },
};

/// Answers by source.
pub(crate) struct CannedSources {
    answers: HashMap<String, Canned>,
}

/// What a source answers.
enum Canned {
    /// Always this.
    Same(Answer),
    /// By path and query.
    ByPath(HashMap<String, Answer>),
}

/// A status, and a body if there is one.
struct Answer {
    status: u16,
    body: Option<Json>,
}

/// An answer with `$`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Described {
    #[serde(rename = "$status")]
    status: Option<u16>,
    #[serde(rename = "$body")]
    body: Option<Box<RawValue>>,
    #[serde(rename = "$paths")]
    paths: Option<HashMap<String, Box<RawValue>>>,
}

impl CannedSources {
    /// Reads the answers, JSON texts by source. The error names the source.
    pub(crate) fn read(answers: &BTreeMap<String, String>) -> Result<Self, String> {
        let read = |(name, text): (&String, &String)| {
            let canned = canned(text).map_err(|fault| format!("the canned answer of `{name}`: {fault}"))?;
            Ok((name.clone(), canned))
        };
        Ok(Self { answers: answers.iter().map(read).collect::<Result<_, String>>()? })
    }

    fn answer(&self, source: &Source, url: &str) -> Result<&Answer, String> {
        match self.answers.get(&source.name) {
            None => Err(format!("there is no canned answer for `{}`", source.name)),
            Some(Canned::Same(answer)) => Ok(answer),
            Some(Canned::ByPath(answers)) => {
                let after_scheme = url.find("://").map_or(0, |at| at + 3);
                let path = url[after_scheme..].find('/').map_or("/", |at| &url[after_scheme + at..]);
                let without_query = path.split('?').next().unwrap_or(path);
                let answer = answers.get(path).or_else(|| answers.get(without_query));
                answer.ok_or_else(|| format!("there is no canned answer for {path}"))
            }
        }
    }
}

fn canned(text: &str) -> Result<Canned, String> {
    if !is_described(text) {
        return answer(text).map(Canned::Same);
    }
    let described: Described = serde_json::from_str(text).map_err(|fault| fault.to_string())?;
    let Some(paths) = described.paths else { return answer(text).map(Canned::Same) };
    if described.status.is_some() || described.body.is_some() {
        return Err("expected either `$paths` or `$status` and `$body`".to_owned());
    }
    let read = |(path, text): (String, Box<RawValue>)| Ok((path, answer(text.get())?));
    paths.into_iter().map(read).collect::<Result<_, String>>().map(Canned::ByPath)
}

fn answer(text: &str) -> Result<Answer, String> {
    let value = |text: &str| take(text.as_bytes().to_vec()).map_err(|fault| fault.detail);
    if !is_described(text) {
        return Ok(Answer { status: 200, body: Some(value(text)?) });
    }
    let described: Described = serde_json::from_str(text).map_err(|fault| fault.to_string())?;
    if described.paths.is_some() {
        return Err("`$paths` cannot stand in an answer".to_owned());
    }
    let body = described.body.map(|body| value(body.get())).transpose()?;
    Ok(Answer { status: described.status.unwrap_or(200), body })
}

/// Whether it is an object whose first member begins with `$`.
fn is_described(text: &str) -> bool {
    let inside = text.trim_start().strip_prefix('{').map(str::trim_start);
    inside.is_some_and(|inside| inside.starts_with("\"$"))
}

#[async_trait]
impl SourceCaller for CannedSources {
    async fn call(&self, source: &Arc<Source>, call: &Call, _: &RequestHeaders) -> SourceAnswer {
        let answered = match &source.paging {
            None => self.one(source, &call.url),
            Some(paging) => self.pages(source, paging, &call.url),
        };
        match answered {
            Ok((report, body)) => SourceAnswer { report, body: Some(body) },
            Err(report) => SourceAnswer { report, body: None },
        }
    }
}

impl CannedSources {
    fn one(&self, source: &Source, url: &str) -> Result<(SourceReport, Json), SourceReport> {
        let failed =
            |http_status, detail| SourceReport { http_status, ..SourceReport::failed(SourceStatus::Error, detail) };
        let answer = self.answer(source, url).map_err(|detail| failed(None, detail))?;
        let status = answer.status;
        let is_success =
            if source.expect.is_empty() { (200..300).contains(&status) } else { source.expect.contains(&status) };
        if !is_success {
            return Err(failed(Some(status), format!("answered {status}")));
        }
        Ok((SourceReport::ok(Some(status)), answer.body.clone().unwrap_or_else(null)))
    }

    /// The items of all pages that the canned answers lead to.
    fn pages(&self, source: &Source, paging: &Paging, url: &str) -> Result<(SourceReport, Json), SourceReport> {
        let failed = |detail: &str| SourceReport::failed(SourceStatus::Error, detail);
        let (mut next, mut bodies) = (Some(paging.first(url)), Vec::new());
        while let Some(at) = next.take().filter(|_| bodies.len() < paging.max_pages) {
            let (_, body) = self.one(source, &at)?;
            let items = paging.items(&body).ok_or_else(|| failed("a page has no items"))?.len();
            let page = Page { index: bodies.len(), url: &at, body: &body, items, link: None };
            next = paging.next(url, page).map_err(failed)?;
            bodies.push(body);
        }
        let items: Vec<&RawValue> = bodies.iter().filter_map(|body| paging.items(body)).flatten().collect();
        Ok((SourceReport::ok(Some(200)), Json::from(array(items.into_iter()))))
    }
}
