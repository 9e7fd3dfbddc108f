//! The request metrics of one worker. A handle is looked up by what was seen before, so that a request builds no labels.

use std::{cell::RefCell, collections::HashMap, sync::Arc, time::Duration};

use actix_web::http::Method;
use metrics::{Counter, Gauge, Histogram, counter, gauge, histogram};

/// Handles by route, method and status. Routes are patterns and methods a closed set, so there are few.
pub(super) struct RequestMetrics {
    service: &'static str,
    pub(super) active: Gauge,
    request_bytes: Histogram,
    response_bytes: Histogram,
    seen: RefCell<HashMap<Arc<str>, Vec<Answered>>>,
}

/// One label set's handles.
struct Answered {
    method: &'static str,
    status: u16,
    total: Counter,
    seconds: Histogram,
}

impl Answered {
    fn count(&self, duration: Duration) {
        self.total.increment(1);
        self.seconds.record(duration.as_secs_f64());
    }
}

impl RequestMetrics {
    pub(super) fn new(service: &'static str) -> Self {
        Self {
            service,
            active: gauge!("http_server_active_requests", "service" => service),
            request_bytes: histogram!("http_request_size_bytes", "service" => service),
            response_bytes: histogram!("http_response_size_bytes", "service" => service),
            seen: RefCell::default(),
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "histograms take floats; sizes past 2^52 do not occur")]
    pub(super) fn record(
        &self,
        method: &Method,
        route: &Arc<str>,
        status: u16,
        duration: Duration,
        sent: u64,
        answered: u64,
    ) {
        let method = known(method);
        self.request_bytes.record(sent as f64);
        self.response_bytes.record(answered as f64);
        let mut seen = self.seen.borrow_mut();
        let is_it = |known: &&Answered| known.method == method && known.status == status;
        if let Some(known) = seen.get(route).and_then(|of_route| of_route.iter().find(is_it)) {
            return known.count(duration);
        }
        let first = self.answered(method, route, status);
        first.count(duration);
        seen.entry(route.clone()).or_default().push(first);
    }

    fn answered(&self, method: &'static str, route: &Arc<str>, status: u16) -> Answered {
        let route = route.to_string();
        let total = counter!("http_requests_total", "service" => self.service, "method" => method, "route" => route.clone(), "status" => status.to_string());
        let seconds = histogram!("http_request_duration_seconds", "service" => self.service, "method" => method, "route" => route);
        Answered { method, status, total, seconds }
    }
}

/// The method's name; a client's own inventions share one label.
fn known(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}
