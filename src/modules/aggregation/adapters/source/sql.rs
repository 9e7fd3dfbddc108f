//! Sources that are a question to a database.

use std::sync::Arc;

use super::{Asked, Guard, HttpSources, failed};
use crate::{
    modules::aggregation::{
        application::ports::SourceAnswer,
        domain::{
            data::take,
            outcome::{SourceReport, SourceStatus},
        },
    },
    platform::readonly::{Bounds, ReadFault, ReadOnly},
};

/// A question.
pub(super) struct Question {
    /// With numbered places.
    pub(super) text: String,
    /// Whom it is put to.
    pub(super) database: Arc<ReadOnly>,
    /// The most rows of its answer.
    pub(super) rows: usize,
}

impl HttpSources {
    /// The rows of the answer, within the source's time.
    pub(super) async fn ask(&self, question: &Question, guard: &Guard, asked: Asked<'_>) -> SourceAnswer {
        let permit = match guard.breaker.admit() {
            Ok(permit) => permit,
            Err(open) => return super::open(open.retry_after),
        };
        let bounds = Bounds { rows: question.rows, bytes: asked.room, timeout: self.left(asked) };
        let rows = question.database.rows(&question.text, &asked.call.values, bounds).await;
        match &rows {
            Err(ReadFault::Timeout | ReadFault::Unavailable) => permit.failed(),
            _ => permit.succeeded(),
        }
        match rows {
            Err(ReadFault::Timeout) => failed(SourceStatus::Timeout, None, "no answer in time"),
            Err(fault) => {
                if let ReadFault::Refused(words) = &fault {
                    tracing::warn!(event = "source_question_refused", source = %asked.source.name, detail = words);
                }
                failed(SourceStatus::Error, None, fault.to_string())
            }
            Ok(rows) => match take(rows.into_bytes()) {
                Err(fault) => failed(SourceStatus::Error, None, fault.detail),
                Ok(body) => SourceAnswer { report: SourceReport::ok(None), body: Some(body) },
            },
        }
    }
}
