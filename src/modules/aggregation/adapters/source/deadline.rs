//! A source's time is over when it is over, whatever it is told to try: on a clock that moves only when all wait.

use std::{net::TcpListener, sync::Arc, time::Duration};

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::{Beside, Databases, HttpSources};
use crate::{
    kernel::Clock,
    modules::aggregation::{
        adapters::{compile::compile, jaq::Jaq},
        application::ports::{Call, RequestHeaders, SourceCaller as _},
        config::AggregationConfig,
        domain::outcome::SourceStatus,
    },
};

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

fn config(source: &Value) -> AggregationConfig {
    serde_json::from_value(json!({
        "source_body_limit": "1MiB",
        "cache_size": "1MiB",
        "evaluation": {"workers": 1, "timeout": "250ms", "memory": "64MiB", "output_limit": "1MiB", "queue": 1},
        "sources": [source],
    }))
    .expect("a configuration")
}

#[tokio::test(start_paused = true)]
async fn a_source_that_never_answers_takes_its_time_and_no_more() {
    // Connections are made and nobody looks at them.
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}/", silent.local_addr().expect("an address"));
    for more in [
        json!({}),
        json!({"retry": {"attempts": 5, "backoff": "10ms"}}),
        json!({"paginate": {"by": "link"}}),
        json!({"redirects": {}}),
        json!({"cache": {"ttl": "1m", "stale_if_error": "1m", "stale_while_revalidate": "1m"}}),
    ] {
        let mut source = json!({"name": "s", "url": url, "timeout": "1234ms"});
        source.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        let config = config(&source);
        let catalogue = compile(&config, &Jaq).expect("a good configuration");
        let sources = HttpSources::new(&config, Arc::new(Virtual), &Databases::new(), Beside::default(), None);
        let call = Call { url: url.clone(), ..Call::default() };
        let started = Instant::now();
        let answer = sources.call(&catalogue.sources[0], &call, &RequestHeaders::default()).await;
        assert_eq!(started.elapsed(), Duration::from_millis(1234), "{more}");
        assert_eq!((answer.report.status, answer.body.is_none()), (SourceStatus::Timeout, true), "{more}");
        assert_eq!(answer.report.duration, Duration::from_millis(1234), "{more}");
    }
}
