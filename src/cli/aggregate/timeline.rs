//! When each step ran, for people.

use std::time::Duration;

use serde_json::{Value, json};

use super::super::list::{Format, many};
use crate::modules::aggregation::api::RunStep;

/// The width of the drawing, in characters.
const WIDTH: usize = 24;

/// A table with a bar for each step.
pub(super) fn draw(steps: &[RunStep]) -> String {
    let whole = steps.iter().map(|step| step.started + step.took).max().unwrap_or_default();
    let millis = |time: Duration| format!("{:.1} ms", time.as_secs_f64() * 1000.0);
    let items: Vec<Value> = steps
        .iter()
        .map(|step| {
            let mut item = json!(step);
            item["started"] = millis(step.started).into();
            item["took"] = millis(step.took).into();
            item["timeline"] = bar(step, whole).into();
            item
        })
        .collect();
    many(
        &items,
        &["step", "source", "status", "http_status", "calls", "started", "took", "timeline", "detail"],
        Format::Table,
    )
}

/// A line for each step that failed.
pub(super) fn failed(steps: &[RunStep]) -> Vec<String> {
    let failed = steps.iter().filter(|step| step.status != "ok");
    failed.map(|step| format!("{}: {}: {}", step.step, step.status, step.detail.as_deref().unwrap_or("-"))).collect()
}

fn bar(step: &RunStep, whole: Duration) -> String {
    if whole.is_zero() || step.calls == 0 {
        return String::new();
    }
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a share of a short line"
    )]
    let column = |time: Duration| ((time.as_secs_f64() / whole.as_secs_f64()) * WIDTH as f64) as usize;
    let start = column(step.started).min(WIDTH - 1);
    let length = column(step.took).clamp(1, WIDTH - start);
    format!("{}{}", ".".repeat(start), "#".repeat(length))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_show_what_ran_when() {
        let step = |started, took| RunStep {
            step: "a".to_owned(),
            source: "s".to_owned(),
            status: "ok",
            http_status: Some(200),
            calls: 1,
            detail: None,
            started: Duration::from_millis(started),
            took: Duration::from_millis(took),
        };
        let drawn = draw(&[step(0, 10), step(10, 20), step(30, 0)]);
        let bars: Vec<&str> = drawn.lines().skip(1).filter_map(|line| line.split_whitespace().last()).collect();
        assert_eq!(bars, ["########", "........################", ".......................#"]);
    }
}
