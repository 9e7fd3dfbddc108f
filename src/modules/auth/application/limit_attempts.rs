//! Refuses guesses after too many wrong ones, by account and, wider, by client address. The counters are kept where all
//! instances see them, so that more instances give nobody more guesses.

use std::{net::IpAddr, sync::Arc, time::Duration};

use async_trait::async_trait;
use chrono::TimeDelta;

use super::{AttemptCounters, AttemptLimiter, Held, TokenSigner};
use crate::{
    kernel::Clock,
    modules::auth::domain::{Failures, LockoutRule},
};

/// The limiter of one kind of guesses.
#[derive(Clone)]
pub(crate) struct LimitAttempts {
    /// What is guessed; kinds are counted apart.
    pub(crate) kind: &'static str,
    /// The rule for an account.
    pub(crate) account: LockoutRule,
    /// The wider rule for a client address.
    pub(crate) client: LockoutRule,
    pub(crate) counters: Arc<dyn AttemptCounters>,
    pub(crate) digests: Arc<dyn TokenSigner>,
    pub(crate) clock: Arc<dyn Clock>,
}

impl LimitAttempts {
    /// The account's counter, then the client's: concurrent calls wait for each other in one order. Hashes, since people
    /// type all kinds of things into the field for the address.
    fn counters_of(&self, account: &str, client: IpAddr) -> [(String, LockoutRule); 2] {
        let kind = self.kind;
        [
            (self.digests.digest(&format!("{kind} of {account}")), self.account),
            (self.digests.digest(&format!("{kind} from {}", network_of(client))), self.client),
        ]
    }

    async fn must_not_wait(&self, counters: &[(String, LockoutRule); 2]) -> Result<[Failures; 2], Held> {
        let ids = counters.each_ref().map(|(id, _)| id.clone());
        let mut found = self.counters.failures(&ids).await?.into_iter();
        let found = [(); 2].map(|()| found.next().unwrap_or_default());
        self.longest_wait(counters, &found).map_or(Ok(found), |wait| Err(Held::For(wait)))
    }

    fn longest_wait(&self, counters: &[(String, LockoutRule); 2], found: &[Failures]) -> Option<Duration> {
        let now = self.clock.now();
        let waits = counters.iter().zip(found).filter_map(|((_, rule), failures)| failures.wait(*rule, now));
        waits.max().map(|wait: TimeDelta| wait.to_std().unwrap_or_default())
    }
}

#[async_trait]
impl AttemptLimiter for LimitAttempts {
    async fn check(&self, account: &str, client: IpAddr) -> Result<(), Held> {
        self.must_not_wait(&self.counters_of(account, client)).await.map(drop)
    }

    async fn settle(&self, account: &str, client: IpAddr, right: bool) -> Result<(), Held> {
        let counters = self.counters_of(account, client);
        // Decided while the attempt ran: its outcome must not show.
        let [of_account, _] = self.must_not_wait(&counters).await?;
        let now = self.clock.now();
        if !right {
            let found = self.counters.fail(&counters, now).await?;
            return self.longest_wait(&counters, &found).map_or(Ok(()), |wait| Err(Held::For(wait)));
        }
        if of_account != Failures::default() {
            self.counters.forgive(&counters[0].0, now).await?;
        }
        Ok(())
    }
}

/// An IPv6 client has at least a /64 to itself, and would count as many without this.
fn network_of(client: IpAddr) -> IpAddr {
    match client.to_canonical() {
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::from([a, b, c, d, 0, 0, 0, 0])
        }
        v4 @ IpAddr::V4(_) => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ipv6_network_counts_as_one_client() {
        let network = |text: &str| network_of(text.parse().unwrap());
        assert_eq!(network("2001:db8::1:2:3:4"), network("2001:db8::ffff"));
        assert_ne!(network("2001:db8::1"), network("2001:db8:0:1::1"));
        assert_eq!(network("::ffff:192.0.2.7"), network("192.0.2.7"));
        assert_ne!(network("192.0.2.7"), network("192.0.2.8"));
    }
}
