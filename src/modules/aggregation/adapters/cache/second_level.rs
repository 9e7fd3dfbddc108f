//! What other instances keep of sources' answers. It is asked once a miss, and never waited for long.

use std::{sync::Arc, time::Duration};

use aws_lc_rs::digest;
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::super::super::{
    application::ports::SourceAnswer,
    domain::{
        data::take,
        freshness::Freshness,
        outcome::{Pages, SourceReport},
    },
};
use crate::{kernel::Clock, platform::shared_values::SharedValues};

/// Larger answers are not shared.
const LARGEST: usize = 1 << 20;

/// Answers that instances share.
pub(super) struct SecondLevel {
    pub(super) values: Arc<dyn SharedValues>,
    pub(super) clock: Arc<dyn Clock>,
}

/// An answer that another instance has left, or this one earlier.
pub(super) struct Held {
    pub(super) answer: SourceAnswer,
    pub(super) age: Duration,
}

/// What stands before the body, in a line of its own.
#[derive(Serialize, Deserialize)]
struct Head {
    at: DateTime<Utc>,
    http_status: Option<u16>,
    pages: Option<Pages>,
    freshness: Freshness,
}

impl SecondLevel {
    /// An answer, whatever its age.
    pub(super) async fn get(&self, key: &str) -> Option<Held> {
        let value = self.values.get(&name(key)).await?;
        let line = value.iter().position(|byte| *byte == b'\n')?;
        let head: Head = serde_json::from_slice(&value[..line]).ok()?;
        let body = take(value[line + 1..].to_vec()).ok()?;
        // Of a clock that is behind, an answer is new.
        let age = (self.clock.now() - head.at).to_std().unwrap_or(Duration::ZERO);
        let report =
            SourceReport { pages: head.pages, freshness: head.freshness, ..SourceReport::ok(head.http_status) };
        Some(Held { answer: SourceAnswer { report, body: Some(body) }, age })
    }

    /// Leaves an answer for so long.
    pub(super) fn put(&self, key: &str, answer: &SourceAnswer, time: Duration) {
        let Some(body) = answer.body.as_deref().filter(|body| body.get().len() <= LARGEST) else { return };
        let report = &answer.report;
        let (at, pages) = (self.clock.now(), report.pages);
        let head = Head { at, http_status: report.http_status, pages, freshness: report.freshness };
        let Ok(mut value) = serde_json::to_vec(&head) else { return };
        value.push(b'\n');
        value.extend_from_slice(body.get().as_bytes());
        self.values.put(&name(key), value, time);
    }
}

/// The key holds forwarded headers, credentials among them, which are nothing for others to read.
fn name(key: &str) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, key.as_bytes()))
}
