//! Metrics in Prometheus' text format, under the names that dashboards are written against; all there from the start.

use std::time::Duration;

use metrics::{counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

/// Upper bounds of duration buckets, in seconds.
const SECONDS: &[f64] = &[0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];
/// Upper bounds of size buckets, in bytes.
const BYTES: &[f64] = &[256.0, 1_024.0, 4_096.0, 16_384.0, 65_536.0, 262_144.0, 1_048_576.0, 10_485_760.0];

/// Renders the process's metrics.
#[derive(Clone)]
pub struct Metrics {
    prometheus: PrometheusHandle,
    process: metrics_process::Collector,
}

impl std::fmt::Debug for Metrics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Metrics")
    }
}

impl Metrics {
    /// Installs the recorder. Fails when there is one already.
    pub fn install() -> Result<Self, String> {
        let builder = PrometheusBuilder::new()
            .set_buckets_for_metric(Matcher::Suffix("_seconds".into()), SECONDS)
            .and_then(|builder| builder.set_buckets_for_metric(Matcher::Suffix("_bytes".into()), BYTES))
            .map_err(|error| error.to_string())?;
        let prometheus = builder.install_recorder().map_err(|error| error.to_string())?;
        let process = metrics_process::Collector::default();
        process.describe();
        describe();
        Ok(Self { prometheus, process })
    }

    /// The metrics as text.
    pub fn render(&self) -> String {
        self.process.collect();
        self.prometheus.render()
    }

    /// Empties the histograms' intake now and then; without it they grow until the next scrape.
    pub async fn upkeep(self) {
        let mut tick = tokio::time::interval(Duration::from_secs(5));
        loop {
            tick.tick().await;
            self.prometheus.run_upkeep();
        }
    }
}

/// Says what each metric means, and shows those that nothing has moved yet at zero.
fn describe() {
    describe_counter!("http_requests_total", "Requests answered, by service, method, route pattern and status");
    describe_histogram!("http_request_duration_seconds", "Time from the request's head to the end of its answer");
    describe_gauge!("http_server_active_requests", "Requests being answered now");
    describe_histogram!("http_request_size_bytes", "Announced size of request bodies");
    describe_histogram!("http_response_size_bytes", "Size of response bodies");
    describe_histogram!("database_query_duration_seconds", "Time of database queries, by operation");
    describe_counter!("cache_operations_total", "Cache look-ups, by cache and result");
    describe_counter!("cache_evictions_total", "Entries that left a cache for want of room");
    describe_gauge!("cache_hit_ratio", "Share of look-ups that hit, since the start");
    describe_counter!("business_operations_total", "What users do, by operation and outcome");
    describe_counter!("rate_limit_decisions_total", "Limiter decisions, by policy and decision");
    describe_gauge!("circuit_breaker_state", "0 closed, 1 half open, 2 open");
    describe_counter!("upstream_requests_total", "Requests sent to upstreams, by upstream and outcome");
    describe_histogram!("upstream_request_duration_seconds", "Time to an upstream's response head");
    describe_counter!("events_published_total", "Events handed to the bus, by topic");
    describe_counter!("events_consumed_total", "Events handled, by topic and outcome");
    describe_counter!("config_reloads_total", "Times the configuration was read again, by outcome");
    describe_gauge!("outbox_pending", "Mails and events written and not yet delivered, by outbox");
    describe_counter!(
        "mails_total",
        "Mails sent, postponed, given up, and dropped because too many waited, by outcome"
    );
    describe_counter!("log_lines_dropped_total", "Log lines dropped because nobody read them");

    let labels = [("service", "vestibule"), ("method", "GET"), ("route", "/health/live"), ("status", "200")];
    counter!("http_requests_total", &labels).increment(0);
    gauge!("http_server_active_requests").set(0.0);
    for name in [
        "http_request_duration_seconds",
        "http_request_size_bytes",
        "http_response_size_bytes",
        "database_query_duration_seconds",
        "upstream_request_duration_seconds",
    ] {
        // A histogram exists once its handle does.
        drop(histogram!(name));
    }
    for name in [
        "cache_operations_total",
        "cache_evictions_total",
        "business_operations_total",
        "rate_limit_decisions_total",
        "upstream_requests_total",
        "events_published_total",
        "events_consumed_total",
        "mails_total",
        "log_lines_dropped_total",
    ] {
        counter!(name).increment(0);
    }
    for name in ["cache_hit_ratio", "circuit_breaker_state", "outbox_pending"] {
        gauge!(name).set(0.0);
    }
}
