//! Follows a source's pages, one after the other, and puts their items together as they came.

use std::collections::HashSet;

use serde_json::value::RawValue;

use super::{Asked, Guard, HttpSources, failed, heard, judge};
use crate::modules::aggregation::{
    application::ports::{Call, SourceAnswer},
    domain::{
        outcome::{Pages, SourceReport, SourceStatus},
        paging::{Page, Paging},
    },
};

impl HttpSources {
    /// All pages up to the bound, within the source's time, as one array. One that fails fails the whole: what is not all
    /// must not look as if it were.
    pub(super) async fn pages(&self, paging: &Paging, guard: &Guard, asked: Asked<'_>) -> SourceAnswer {
        let mut url = paging.first(&asked.call.url);
        let (mut seen, mut text) = (HashSet::new(), String::from("["));
        let mut report: Option<SourceReport> = None;
        for index in 0.. {
            let call = Call { url: url.clone(), ..asked.call.clone() };
            let room = self.body_limit.saturating_sub(text.len());
            let fetched = match self.try_all(guard, Asked { call: &call, room, ..asked }).await {
                Ok(fetched) => fetched,
                Err(report) => return at_page(index, SourceAnswer { report, body: None }),
            };
            let link = heard::list(&fetched.headers, &http::header::LINK);
            let answer = judge(asked.source, fetched, self.clock.now());
            let Some(body) = answer.body.as_deref() else { return at_page(index, answer) };
            let Some(items) = paging.items(body) else {
                let status = answer.report.http_status;
                return at_page(index, failed(SourceStatus::Error, status, "there is no array where `items` says"));
            };
            for item in &items {
                if text.len() > 1 {
                    text.push(',');
                }
                text.push_str(item.get());
            }
            let page = Page { index, url: &url, body, items: items.len(), link: link.as_deref() };
            let next = match paging.next(&asked.call.url, page) {
                Ok(next) => next,
                Err(why) => return at_page(index, failed(SourceStatus::Error, answer.report.http_status, why)),
            };
            let mut so_far = answer.report;
            if let Some(earlier) = report {
                so_far.freshness = so_far.freshness.and(earlier.freshness);
            }
            seen.insert(std::mem::take(&mut url));
            let pages = index + 1;
            match next {
                // A page that leads back would go on for ever.
                Some(next) if pages < paging.max_pages && !seen.contains(&next) => url = next,
                next => {
                    so_far.pages = Some(Pages { pages, cut: next.is_some() });
                    report = Some(so_far);
                    break;
                }
            }
            report = Some(so_far);
        }
        text.push(']');
        let body = RawValue::from_string(text).expect("an array of JSON texts");
        SourceAnswer { report: report.unwrap_or_else(|| SourceReport::ok(None)), body: Some(body.into()) }
    }
}

fn at_page(index: usize, mut answer: SourceAnswer) -> SourceAnswer {
    let why = answer.report.detail.take().unwrap_or_default();
    answer.report.detail = Some(if index == 0 { why } else { format!("page {}: {why}", index + 1) });
    answer
}
