//! The limits of a route: one or several policies that all must let a request through, and what its answer tells of them.

use std::time::Duration;

use actix_web::http::header::HeaderValue;

use super::limiter::{Per, Policy, Tallies, whole_seconds};
use crate::{
    kernel::error::ValueFault,
    modules::gateway::{config::RateLimitConfig, domain::window::Standing},
};

/// More policies than this are not for one route.
pub(super) const MOST_POLICIES: usize = 4;

/// The limits of a route, compiled. Routes without any of their own share the gateway's, and its counts.
#[derive(Debug)]
pub(super) struct Limits {
    pub(super) policies: Vec<Policy>,
    /// Whether one of them goes by who sends the request.
    pub(super) by_caller: bool,
    /// `RateLimit-Policy`, which is the same in every answer.
    pub(super) header: HeaderValue,
}

impl Limits {
    /// Compiles limits that are called `name`. `owner` is the route whose they are, or nothing for the gateway's own. The
    /// error says which limit is wrong.
    pub(super) fn compile(owner: &str, name: &str, limits: &[RateLimitConfig]) -> Result<Self, (usize, ValueFault)> {
        let mut policies = Vec::new();
        for (number, limit) in limits.iter().enumerate() {
            // No route's name has a colon.
            let numbered = |name: &str| if number == 0 { name.to_owned() } else { format!("{name}:{}", number + 1) };
            policies.push(Policy::compile(&numbered(owner), &numbered(name), limit).map_err(|fault| (number, fault))?);
        }
        let told: Vec<String> = policies.iter().map(Policy::told).collect();
        let header = HeaderValue::from_str(&told.join(", "));
        let header = header.map_err(|_| (0, ValueFault::new("invalid-name", "not a plain name")))?;
        let by_caller = policies.iter().any(|policy| matches!(policy.per, Per::Client | Per::User | Per::ApiKey));
        Ok(Self { policies, by_caller, header })
    }

    /// Goes on counting decisions where the same limits of the configuration before are.
    pub(super) fn count_in(&mut self, tallies: &Tallies) {
        for policy in &mut self.policies {
            policy.count_in(tallies);
        }
    }

    /// Counts a decision that was made without the counts of other instances.
    pub(super) fn note_alone(&self) {
        for policy in &self.policies {
            policy.tally.decide_alone();
        }
    }

    /// `RateLimit` for a decision.
    pub(super) fn state_header(&self, decision: &Decision) -> Option<HeaderValue> {
        let mut text = String::with_capacity(32 * self.policies.len());
        for (policy, standing) in self.policies.iter().zip(&decision.standings) {
            let comma = if text.is_empty() { "" } else { ", " };
            for part in [comma, "\"", &policy.name, "\";r="] {
                text.push_str(part);
            }
            push_number(&mut text, standing.remaining.into());
            text.push_str(";t=");
            push_number(&mut text, whole_seconds(standing.reset));
        }
        HeaderValue::from_str(&text).ok()
    }

    /// Counts a decision: a request that is refused counts with those that refuse it.
    pub(super) fn note(&self, decision: &Decision) {
        for (number, policy) in self.policies.iter().enumerate() {
            if decision.passes() {
                policy.allowed.increment(1);
                policy.tally.allow();
            } else if decision.refused_by(number) {
                policy.limited.increment(1);
                policy.tally.refuse();
            }
        }
    }
}

/// Appends a number in decimal digits. Every answer has some, and the formatter takes far longer.
fn push_number(text: &mut String, mut number: u64) {
    let mut digits = ['0'; 20];
    let mut begin = digits.len();
    loop {
        begin -= 1;
        digits[begin] = char::from_digit(u32::try_from(number % 10).unwrap_or_default(), 10).unwrap_or('0');
        number /= 10;
        if number == 0 {
            break;
        }
    }
    text.extend(&digits[begin..]);
}

/// What one policy says of a request.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Verdict {
    pub(super) standing: Standing,
    /// Not the window but the pace is exceeded, for so long.
    pub(super) paced: Option<Duration>,
}

impl Verdict {
    /// Whether the request passes.
    pub(super) fn passes(&self) -> bool {
        self.standing.passes && self.paced.is_none()
    }
}

/// What all policies say of a request.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Decision {
    standings: [Standing; MOST_POLICIES],
    /// Those that refuse, one bit each.
    refusing: u8,
    retry_after: Duration,
}

impl Decision {
    /// Notes what the policy of this number says.
    pub(super) fn tell(&mut self, number: usize, verdict: &Verdict) {
        self.standings[number] = verdict.standing;
        if !verdict.passes() {
            self.refusing |= 1 << number;
            self.retry_after = self.retry_after.max(verdict.paced.unwrap_or(verdict.standing.reset));
        }
    }

    /// The decision that this policy alone makes.
    pub(super) fn of(number: usize, verdict: &Verdict) -> Self {
        let mut decision = Self::default();
        decision.tell(number, verdict);
        decision
    }

    /// Whether the request passes.
    pub(super) fn passes(&self) -> bool {
        self.refusing == 0
    }

    /// Whether the policy of this number refuses it.
    pub(super) fn refused_by(&self, number: usize) -> bool {
        self.refusing & 1 << number != 0
    }

    /// When a refused request is worth another try.
    pub(super) fn retry_after(&self) -> Duration {
        self.retry_after
    }

    /// How the policy of this number stands.
    #[cfg(test)]
    pub(super) fn standing(&self, number: usize) -> Standing {
        self.standings[number]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_as_they_are_read() {
        for number in [0, 7, 10, 99, 100, 4_294_967_295, u64::MAX] {
            let mut text = String::new();
            push_number(&mut text, number);
            assert_eq!(text, number.to_string());
        }
    }
}
