//! No deadline is overrun: endpoints made at random over sources that take their time, on a clock that moves only when all
//! wait. What must come of each is worked out beside, from when its steps can start and how long their calls take.

use std::{collections::HashMap, time::Duration};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use proptest::prelude::*;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::{super::jaq::Jaq, *};
use crate::{
    kernel::Clock,
    modules::aggregation::{
        application::{
            error::AggregationError,
            ports::{Call, RequestHeaders, SourceAnswer, SourceCaller},
            run_endpoint::{RunEndpoint, texts},
        },
        domain::{
            data::take,
            outcome::{SourceReport, SourceStatus},
        },
    },
};

/// Between two tries, in milliseconds.
const BACKOFF: u64 = 4;

/// Time as the runtime has it.
struct Virtual;

impl Clock for Virtual {
    fn now(&self) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH
    }

    fn monotonic(&self) -> std::time::Instant {
        Instant::now().into_std()
    }
}

/// A step made at random, and its source. Times are in milliseconds: of tries by four, of sources even, of the endpoint
/// odd, so that nothing happens at the very moment of a deadline.
#[derive(Debug, Clone)]
struct Made {
    /// A bit for each earlier step.
    after: u8,
    /// How many calls `for_each` makes, and how many at a time.
    each: Option<(u8, u8)>,
    required: bool,
    fallback: bool,
    /// How long each try takes, and whether it goes well.
    tries: Vec<(u8, bool)>,
    timeout: u8,
}

impl Made {
    fn source_timeout(&self) -> u64 {
        u64::from(self.timeout) * 4 + 2
    }

    /// How long a call takes, and how it ends.
    fn call(&self) -> (u64, SourceStatus) {
        let (mut took, mut status) = (0, SourceStatus::Error);
        for (index, (delay, is_good)) in self.tries.iter().enumerate() {
            took += u64::from(*delay) * 4 + if index > 0 { BACKOFF } else { 0 };
            if *is_good {
                status = SourceStatus::Ok;
                break;
            }
        }
        if took < self.source_timeout() { (took, status) } else { (self.source_timeout(), SourceStatus::Timeout) }
    }

    /// How long the step takes, how it ends, and whether there is a result.
    fn step(&self) -> (u64, SourceStatus, bool) {
        let (took, status) = self.call();
        match self.each {
            None => (took, status, status == SourceStatus::Ok || self.fallback),
            Some((0, _)) => (0, SourceStatus::Ok, true),
            Some((calls, at_a_time)) => {
                let is_there = status == SourceStatus::Ok || !self.required || self.fallback;
                (took * u64::from(calls.div_ceil(at_a_time)), status, is_there)
            }
        }
    }
}

/// Sources that keep to their timeout, over all tries.
struct Fake(HashMap<String, Made>);

#[async_trait]
impl SourceCaller for Fake {
    async fn call(&self, source: &Arc<Source>, _: &Call, _: &RequestHeaders) -> SourceAnswer {
        let made = &self.0[&source.name];
        let tries = async {
            for (index, (delay, is_good)) in made.tries.iter().enumerate() {
                if index > 0 {
                    sleep(Duration::from_millis(BACKOFF)).await;
                }
                sleep(Duration::from_millis(u64::from(*delay) * 4)).await;
                if *is_good {
                    return true;
                }
            }
            false
        };
        match tokio::time::timeout(source.timeout, tries).await {
            Ok(true) => SourceAnswer { report: SourceReport::ok(Some(200)), body: take(b"1".to_vec()).ok() },
            Ok(false) => SourceAnswer { report: SourceReport::failed(SourceStatus::Error, "failed"), body: None },
            Err(_) => SourceAnswer { report: SourceReport::failed(SourceStatus::Timeout, "late"), body: None },
        }
    }
}

fn catalogue(steps: &[Made], timeout: u64) -> Catalogue {
    let step = |(index, made): (usize, &Made)| {
        let after: Vec<String> =
            (0..index).filter(|other| made.after >> other & 1 == 1).map(|other| format!("s{other}")).collect();
        let mut step = json!({
            "source": format!("s{index}"), "after": after, "required": made.required, "with": {"a": ".item | tojson"},
        });
        if let Some((calls, at_a_time)) = made.each {
            step["for_each"] = format!("range({calls})").into();
            step["concurrency"] = at_a_time.into();
        }
        if made.fallback {
            step["fallback"] = "instead".into();
        }
        step
    };
    let source = |(index, made): (usize, &Made)| {
        let timeout = format!("{}ms", made.source_timeout());
        json!({"name": format!("s{index}"), "url": format!("http://fake/{index}/{{a}}"), "timeout": timeout})
    };
    let config = json!({
        "source_body_limit": "1MiB",
        "cache_size": "1MiB",
        "evaluation": {"workers": 1, "timeout": "250ms", "memory": "64MiB", "output_limit": "1MiB", "queue": 1},
        "sources": steps.iter().enumerate().map(source).collect::<Vec<Value>>(),
        "endpoints": [{
            "path": "/e",
            "timeout": format!("{timeout}ms"),
            "steps": steps.iter().enumerate().map(step).collect::<Vec<Value>>(),
        }],
    });
    compile(&serde_json::from_value(config).unwrap(), &Jaq).expect("a good configuration")
}

/// What must come of it.
#[derive(Debug)]
struct Expected {
    /// When it ends.
    ends: u64,
    /// How each step ends; `None`: it ends at the very moment when another one ends everything.
    statuses: Vec<Option<SourceStatus>>,
    /// Whether a required result is missing.
    fails: bool,
}

fn expected(steps: &[Made], timeout: u64) -> Expected {
    let mut times: Vec<(u64, u64)> = Vec::new();
    for (index, made) in steps.iter().enumerate() {
        let earlier = (0..index).filter(|other| made.after >> other & 1 == 1).map(|other| times[other].1);
        let starts = earlier.max().unwrap_or(0);
        times.push((starts, starts + made.step().0));
    }
    let is_lost = |index: usize| steps[index].required && !steps[index].step().2;
    let lost = (0..steps.len()).filter(|index| is_lost(*index)).map(|index| times[index].1).min();
    let all = times.iter().map(|(_, ends)| *ends).max().unwrap_or(0);
    let ends = all.min(timeout).min(lost.unwrap_or(u64::MAX));
    let is_early = lost == Some(ends);
    let status = |index: usize| {
        let (starts, done) = times[index];
        match steps[index].step().1 {
            status if done < ends || (done == ends && !is_early) => Some(status),
            _ if done == ends => None,
            _ if is_early => Some(SourceStatus::Skipped),
            _ if starts < ends => Some(SourceStatus::Timeout),
            _ => Some(SourceStatus::Skipped),
        }
    };
    let cut = |index: usize| times[index].1 > ends && steps[index].required && !steps[index].fallback;
    let fails = is_early || (0..steps.len()).any(cut);
    Expected { ends, statuses: (0..steps.len()).map(status).collect(), fails }
}

fn steps() -> impl Strategy<Value = Vec<Made>> {
    let tries = prop::collection::vec((1_u8..30, prop::bool::weighted(0.7)), 1..4);
    let each = prop::option::weighted(0.4, (0_u8..6, 1_u8..4));
    let flags = (prop::bool::weighted(0.25), prop::bool::weighted(0.3));
    let made = (any::<u8>(), each, flags, tries, 1_u8..40);
    let made = made.prop_map(|(after, each, (required, fallback), tries, timeout)| Made {
        after,
        each,
        required,
        fallback,
        tries,
        timeout,
    });
    prop::collection::vec(made, 1..7)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn no_deadline_is_overrun(steps in steps(), timeout in 1_u64..200) {
        let timeout = timeout * 2 + 1;
        let catalogue = catalogue(&steps, timeout);
        let sources = steps.iter().enumerate().map(|(index, made)| (format!("s{index}"), made.clone()));
        let use_case = RunEndpoint { caller: Arc::new(Fake(sources.collect())), clock: Arc::new(Virtual) };
        let scope = [("path", texts([])), ("query", texts([])), ("headers", texts([]))];
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        let (answer, took) = runtime.block_on(async {
            let started = Instant::now();
            let answer = use_case.run(&catalogue.endpoints[0], &scope, &RequestHeaders::default()).await;
            (answer, started.elapsed())
        });
        let expected = expected(&steps, timeout);
        prop_assert_eq!(took, Duration::from_millis(expected.ends), "{:?}", &expected);
        prop_assert_eq!(answer.is_err(), expected.fails, "{:?}", &answer);
        let told: Vec<SourceReport> = match &answer {
            Ok(answer) => answer.timeline.iter().map(|step| step.report.clone()).collect(),
            Err(AggregationError::RequiredSource { reports, .. }) => reports.iter().map(|(_, report)| report.clone()).collect(),
            Err(fault) => panic!("{fault}"),
        };
        for (index, (report, expected)) in told.iter().zip(&expected.statuses).enumerate() {
            if let Some(expected) = expected {
                prop_assert_eq!(report.status, *expected, "step {}: {:?}", index, report);
            }
            prop_assert!(report.duration <= took);
        }
        if let Ok(answer) = &answer {
            let results: Value = serde_json::from_str(answer.response.get()).unwrap();
            for (index, made) in steps.iter().enumerate().filter(|(_, made)| made.each.is_none()) {
                let result = match told[index].status {
                    SourceStatus::Ok => json!(1),
                    _ if made.fallback => json!("instead"),
                    _ => Value::Null,
                };
                prop_assert_eq!(&results[format!("s{index}")], &result);
            }
            prop_assert_eq!(answer.complete, told.iter().all(|report| report.status == SourceStatus::Ok));
        }
    }
}
