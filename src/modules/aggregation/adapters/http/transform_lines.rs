//! `POST /data/transform` with `application/x-ndjson`: one JSON value a line there and back. Lines are read when the
//! client takes what became of those before, so that a stream of any length needs no more memory than a short one.
//!
//! The rules are the ruleset that `?ruleset=` names, or stand in the first line as `{"rules": […]}`. A fault of the first
//! lines is an ordinary problem. Later the status has been sent: the last line is `{"error": problem}`, and the connection
//! breaks off instead of ending the body, so that nobody takes a part for the whole.

use std::{io, time::Duration};

use actix_web::{HttpMessage as _, HttpRequest, HttpResponse, http::header, web};
use futures_util::{StreamExt as _, stream};
use serde_json::value::RawValue;

use super::{
    super::super::{
        application::{
            error::AggregationError,
            transform::Rules,
            transform_lines::{LineRules, Passed},
        },
        domain::{
            lines::{Line, LineFault, Lines},
            rule,
        },
    },
    UseCases,
    context::query,
    live::Current,
};
use crate::{
    kernel::FieldFault,
    platform::{
        http::{
            Problem, RequestContext,
            body::BodyLimit,
            problem::{BODY_TOO_LARGE, MALFORMED_REQUEST, REQUEST_TIMEOUT},
        },
        json as strict_json,
    },
};

/// The media type.
pub(super) const NDJSON: &str = "application/x-ndjson";
/// The longest pause between two pieces of the body.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// So many lines, of so many bytes in all, are worked on at a time.
const MANY: usize = 256;
const MUCH: usize = 64 << 10;
/// After the last line, before the connection breaks off: time to write it.
const FAREWELL: Duration = Duration::from_millis(50);

/// Whether the body is lines.
pub(super) fn is_lines(request: &HttpRequest) -> bool {
    let content_type = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("");
    let essence = content_type.split(';').next().unwrap_or("").trim().to_ascii_lowercase();
    matches!(essence.as_str(), NDJSON | "application/ndjson" | "application/jsonl")
}

/// Applies rules to lines.
pub(super) async fn transform_lines(
    request: &HttpRequest,
    payload: web::Payload,
    use_cases: Current,
) -> Result<HttpResponse, Problem> {
    let mut incoming = Incoming::new(request, payload, use_cases.transform.line_limit)?;
    let rules = match ruleset(request)? {
        Some(name) => use_cases.transform.line_rules(&Rules::Named(&name))?,
        None => first_line(&mut incoming, &use_cases).await?,
    };
    let mut work = Work { incoming, rules, use_cases, context: Told::of(request) };
    let first = match work.next().await? {
        Some(Outcome { fault: Some(fault), .. }) => return Err(fault),
        first => first,
    };
    let body = stream::unfold(State::Begun(first, work), |state| async move {
        match state {
            State::Begun(None, _) | State::Over => None,
            State::Begun(Some(Outcome { text, fault }), work) if text.is_empty() => follow(work, fault).await,
            State::Begun(Some(Outcome { text, fault }), work) => Some((Ok(text.into()), State::Next(fault, work))),
            State::Next(fault, work) => follow(work, fault).await,
            State::Broken => {
                tokio::time::sleep(FAREWELL).await;
                Some((Err(io::Error::other("a line is at fault")), State::Over))
            }
        }
    });
    Ok(HttpResponse::Ok().content_type(NDJSON).streaming(body))
}

/// Where the answer is.
enum State {
    /// The first part is known.
    Begun(Option<Outcome>, Work),
    /// A part was written; if there was a fault after it, that is next.
    Next(Option<Problem>, Work),
    /// The fault was written.
    Broken,
    Over,
}

/// The next piece of the answer that is not empty.
async fn follow(mut work: Work, mut fault: Option<Problem>) -> Option<(Result<web::Bytes, io::Error>, State)> {
    loop {
        if let Some(problem) = fault {
            return Some((Ok(work.context.last_line(&problem).into()), State::Broken));
        }
        match work.next().await {
            Ok(None) => return None,
            Ok(Some(outcome)) if outcome.text.is_empty() => fault = outcome.fault,
            Ok(Some(outcome)) => return Some((Ok(outcome.text.into()), State::Next(outcome.fault, work))),
            Err(problem) => fault = Some(problem),
        }
    }
}

/// `?ruleset=`; other parameters are refused.
fn ruleset(request: &HttpRequest) -> Result<Option<String>, Problem> {
    let mut ruleset = None;
    for (name, value) in query(request)? {
        if name != "ruleset" || ruleset.replace(value).is_some() {
            let name: String = name.chars().take(64).collect();
            return Err(Problem::new(
                &MALFORMED_REQUEST,
                format!("expected `ruleset` once in the query, found `{name}`"),
            ));
        }
    }
    Ok(ruleset)
}

/// The rules of the first line.
async fn first_line(incoming: &mut Incoming, use_cases: &UseCases) -> Result<LineRules, Problem> {
    let missing =
        || Problem::invalid(vec![FieldFault::new("/rules", "missing", "expected {\"rules\": […]} in the first line")]);
    let line = incoming.line().await?.ok_or_else(missing)?;
    let members: std::collections::BTreeMap<String, &RawValue> =
        serde_json::from_str(line.value.get()).map_err(|_| missing())?;
    let rules = *members.get("rules").filter(|_| members.len() == 1).ok_or_else(missing)?;
    let value = strict_json::parse(rules.get().as_bytes())
        .map_err(|fault| Problem::new(&MALFORMED_REQUEST, format!("the rules are not valid JSON: {fault}")))?;
    let read = rule::read(&value, "/rules").map_err(Problem::invalid)?;
    Ok(use_cases.transform.line_rules(&Rules::Given(read, rules.get()))?)
}

/// What the problem in the last line tells of the request.
struct Told {
    path: String,
    request_id: String,
}

impl Told {
    fn of(request: &HttpRequest) -> Self {
        let request_id = request.extensions().get::<RequestContext>().map(|context| context.request_id.to_string());
        Self { path: request.path().to_owned(), request_id: request_id.unwrap_or_default() }
    }

    fn last_line(&self, problem: &Problem) -> Vec<u8> {
        let problem = problem.body(&self.path, &self.request_id);
        [b"{\"error\":", problem.as_slice(), b"}\n"].concat()
    }
}

/// A part of the answer, and the fault that follows it.
struct Outcome {
    text: Vec<u8>,
    fault: Option<Problem>,
}

/// Everything between request and answer.
struct Work {
    incoming: Incoming,
    rules: LineRules,
    use_cases: Current,
    context: Told,
}

impl Work {
    /// What became of the next lines; `None`: there are no more.
    async fn next(&mut self) -> Result<Option<Outcome>, Problem> {
        if self.rules.is_over() {
            // What is left counts for nothing, but the connection is of use afterwards.
            self.incoming.drain().await?;
            return Ok(None);
        }
        let (lines, fault) = self.incoming.some().await;
        let Passed { elements, fault: of_rules } = self.use_cases.transform.pass(&mut self.rules, &lines).await;
        let mut text = Vec::new();
        for element in elements {
            text.extend_from_slice(element.get().as_bytes());
            text.push(b'\n');
        }
        let fault = of_rules.map(Problem::from).or(fault);
        let outcome = if fault.is_some() { "invalid" } else { "ok" };
        metrics::counter!("business_operations_total", "operation" => "transform", "outcome" => outcome).increment(1);
        match fault {
            // Nothing was written yet, perhaps nothing ever: the caller decides how it is told.
            Some(fault) if text.is_empty() => Err(fault),
            None if lines.is_empty() => Ok(None),
            fault => Ok(Some(Outcome { text, fault })),
        }
    }
}

/// The body, a line at a time.
struct Incoming {
    payload: web::Payload,
    lines: Lines,
    /// Bytes that may still come.
    left: usize,
    limit: usize,
    ended: bool,
}

impl Incoming {
    fn new(request: &HttpRequest, payload: web::Payload, longest: usize) -> Result<Self, Problem> {
        let limit = request.app_data::<BodyLimit>().map_or(1 << 20, |limit| limit.0);
        let announced =
            request.headers().get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
        if announced.is_some_and(|length: u64| length > limit as u64) {
            return Err(too_large(limit));
        }
        Ok(Self { payload, lines: Lines::new(longest.min(limit)), left: limit, limit, ended: false })
    }

    /// Waits for more of the body.
    async fn piece(&mut self) -> Result<web::Bytes, Problem> {
        let next = tokio::time::timeout(LONGEST_PAUSE, self.payload.next()).await;
        let next = next.map_err(|_| Problem::new(&REQUEST_TIMEOUT, "the body stopped coming"))?;
        let Some(piece) = next else {
            self.ended = true;
            self.lines.end();
            return Ok(web::Bytes::new());
        };
        let piece = piece.map_err(|error| Problem::new(&MALFORMED_REQUEST, format!("the body broke off: {error}")))?;
        self.left = self.left.checked_sub(piece.len()).ok_or_else(|| too_large(self.limit))?;
        Ok(piece)
    }

    /// The next line, `None` at the end.
    async fn line(&mut self) -> Result<Option<Line>, Problem> {
        loop {
            if let Some(line) = self.lines.next() {
                return line.map(Some).map_err(|fault| bad_line(fault).into());
            }
            if self.ended {
                return Ok(None);
            }
            let piece = self.piece().await?;
            self.lines.push(&piece);
        }
    }

    /// The lines that are there, at least one unless the body is at its end; and what is wrong after them.
    async fn some(&mut self) -> (Vec<Line>, Option<Problem>) {
        let mut lines = match self.line().await {
            Ok(Some(line)) => vec![line],
            Ok(None) => return (Vec::new(), None),
            Err(problem) => return (Vec::new(), Some(problem)),
        };
        let mut bytes = lines[0].value.get().len();
        while lines.len() < MANY && bytes < MUCH {
            match self.lines.next() {
                None => break,
                Some(Err(fault)) => return (lines, Some(bad_line(fault).into())),
                Some(Ok(line)) => {
                    bytes += line.value.get().len();
                    lines.push(line);
                }
            }
        }
        (lines, None)
    }

    async fn drain(&mut self) -> Result<(), Problem> {
        while !self.ended {
            self.piece().await?;
        }
        Ok(())
    }
}

fn too_large(limit: usize) -> Problem {
    Problem::new(&BODY_TOO_LARGE, format!("the body is longer than {limit} bytes"))
}

fn bad_line(fault: LineFault) -> AggregationError {
    AggregationError::Line { number: fault.number, fault: Box::new(AggregationError::BadLine(fault.detail)) }
}
