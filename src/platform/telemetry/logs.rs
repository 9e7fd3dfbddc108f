//! Log lines: one JSON object an event, or one line for people. They go to standard error through a bounded queue; when
//! nobody reads the pipe, lines are dropped and counted, and requests go on.

use std::{
    cell::RefCell,
    fmt::{self, Write as _},
    io::IsTerminal as _,
};

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Map, Value};
use tracing::{Event, Level, Subscriber, field::Field};
use tracing_subscriber::{
    EnvFilter, Layer,
    field::Visit,
    layer::{Context, SubscriberExt as _},
    util::SubscriberInitExt as _,
};

use super::{
    json_line::JsonLine,
    log_writer::{LogThread, LogWriter},
};
use crate::{kernel::Clock, platform::http::context::CURRENT};

/// How lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// One JSON object a line.
    Json,
    /// For people.
    Pretty,
}

impl Format {
    /// Pretty on a terminal, JSON elsewhere.
    pub fn automatic() -> Self {
        if std::io::stderr().is_terminal() { Self::Pretty } else { Self::Json }
    }
}

/// Keeps the log's writer alive; dropping it writes what is queued.
pub struct LogGuard(LogThread);

impl fmt::Debug for LogGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LogGuard")
    }
}

impl LogGuard {
    /// Writes what is queued, and nothing after it.
    pub fn finish(&self) {
        self.0.finish();
    }

    /// How many lines were dropped because nobody read them.
    pub fn dropped_lines(&self) -> u64 {
        self.0.dropped_lines()
    }
}

/// Starts logging. `directives` is a level or the form of `RUST_LOG`; `service` names the process in every line.
pub fn start(format: Format, directives: &str, service: &'static str, clock: impl Clock) -> Result<LogGuard, String> {
    let filter = filter(directives)?;
    let (writer, thread) = LogWriter::start(std::io::stderr()).map_err(|error| error.to_string())?;
    let lines = Lines { format, service, clock: Box::new(clock), writer };
    tracing_subscriber::registry().with(lines).with(filter).try_init().map_err(|error| error.to_string())?;
    Ok(LogGuard(thread))
}

/// A bare level is about Vestibule's own events; libraries then tell warnings and errors only.
fn filter(directives: &str) -> Result<EnvFilter, String> {
    let is_bare_level = directives.parse::<Level>().is_ok();
    let directives = if is_bare_level { format!("warn,vestibule={directives}") } else { directives.to_owned() };
    EnvFilter::try_new(directives).map_err(|error| format!("log.level: {error}"))
}

/// Writes events as lines.
struct Lines {
    format: Format,
    service: &'static str,
    clock: Box<dyn Clock>,
    writer: LogWriter,
}

impl<S: Subscriber> Layer<S> for Lines {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        match self.format {
            Format::Json => self.json(event),
            Format::Pretty => {
                let mut fields = Fields::default();
                event.record(&mut fields);
                self.writer.push(pretty(&self.line(event, fields.0)).as_bytes());
            }
        }
    }
}

/// What a thread writes its lines with.
#[derive(Default)]
struct Pen {
    line: Vec<u8>,
    timestamp: Timestamp,
}

/// A time as text (RFC 3339, microseconds). Only the last digits differ from one line to the next.
#[derive(Default)]
struct Timestamp {
    second: Option<i64>,
    text: String,
}

impl Timestamp {
    fn write(&mut self, now: DateTime<Utc>) -> &str {
        let second = now.timestamp();
        if self.second != Some(second) {
            self.text = now.to_rfc3339_opts(SecondsFormat::Micros, true);
            self.second = Some(second);
            return &self.text;
        }
        // `.dddddd` and `Z` are the end of it.
        self.text.truncate(self.text.len() - "dddddd".len() - 1);
        let mut rest = now.timestamp_subsec_micros();
        for power in [100_000, 10_000, 1_000, 100, 10, 1] {
            self.text.push(char::from_digit(rest / power, 10).unwrap_or('9'));
            rest %= power;
        }
        self.text.push('Z');
        &self.text
    }
}

thread_local! {
    static PEN: RefCell<Pen> = RefCell::default();
}

impl Lines {
    fn json(&self, event: &Event<'_>) {
        PEN.with(|pen| {
            // Formatting a field may itself log; such an event is left out rather than written into this one.
            let Ok(mut pen) = pen.try_borrow_mut() else { return };
            let Pen { line: written, timestamp } = &mut *pen;
            let timestamp = timestamp.write(self.clock.now());
            let mut line = JsonLine::begin(written, timestamp, level(*event.metadata().level()), self.service);
            let _ = CURRENT.try_with(|context| line.request(context));
            line.event(event);
            self.writer.push(written);
        });
    }

    fn timestamp(&self) -> String {
        self.clock.now().to_rfc3339_opts(SecondsFormat::Micros, true)
    }

    /// The same as a map, for people's eyes only.
    fn line(&self, event: &Event<'_>, mut fields: Map<String, Value>) -> Map<String, Value> {
        let mut line = Map::new();
        line.insert("timestamp".into(), self.timestamp().into());
        line.insert("level".into(), level(*event.metadata().level()).into());
        line.insert("service".into(), self.service.into());
        // Libraries' events have no name of their own: where they come from is the best there is.
        let name = fields.shift_remove("event").unwrap_or_else(|| event.metadata().target().into());
        line.insert("event".into(), name);
        let _ = CURRENT.try_with(|context| {
            line.insert("request_id".into(), (&*context.request_id).into());
            line.insert("trace_id".into(), format!("{:032x}", context.trace.trace_id).into());
            line.insert("span_id".into(), format!("{:016x}", context.trace.span_id).into());
        });
        for (name, value) in fields {
            line.entry(name).or_insert(value);
        }
        line
    }
}

const fn level(level: Level) -> &'static str {
    match level {
        Level::ERROR => "error",
        Level::WARN => "warn",
        Level::INFO => "info",
        Level::DEBUG => "debug",
        Level::TRACE => "trace",
    }
}

/// `12:00:00.000 INFO  request method=GET path=/ …`; control characters stay escaped, so a line is a line.
fn pretty(line: &Map<String, Value>) -> String {
    let text = |name: &str| line.get(name).and_then(Value::as_str).unwrap_or_default();
    let time = text("timestamp").get(11..23).unwrap_or_default();
    let mut written = format!("{time} {:<5} {}", text("level").to_uppercase(), text("event"));
    for (name, value) in line {
        // Writing to a string does not fail.
        let _ = match (name.as_str(), value) {
            ("timestamp" | "level" | "service" | "event" | "trace_id" | "span_id", _) => Ok(()),
            ("message", Value::String(message)) => write!(written, " {}", message.escape_debug()),
            (name, Value::String(text)) if is_plain(text) => write!(written, " {name}={text}"),
            (name, value) => write!(written, " {name}={value}"),
        };
    }
    written.push('\n');
    written
}

fn is_plain(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| !c.is_whitespace() && !c.is_control() && c != '"')
}

/// An event's own fields.
#[derive(Default)]
struct Fields(Map<String, Value>);

impl Visit for Fields {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.0.insert(field.name().into(), value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.0.insert(field.name().into(), value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.0.insert(field.name().into(), value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.0.insert(field.name().into(), value.into());
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name().into(), value.into());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.0.insert(field.name().into(), format!("{value:?}").into());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bare_level_is_about_our_own_events() {
        assert_eq!(filter("debug").unwrap().to_string(), "vestibule=debug,warn");
        assert_eq!(filter("info,hyper=debug").unwrap().to_string(), "hyper=debug,info");
        assert!(filter("vestibule=loud").is_err());
    }

    #[test]
    fn a_timestamp_is_what_the_library_writes() {
        let mut timestamp = Timestamp::default();
        for micros in [1_795_252_834_000_000, 1_795_252_834_000_007, 1_795_252_834_999_999, 1_795_252_835_120_000, 7] {
            let now = DateTime::from_timestamp_micros(micros).unwrap();
            assert_eq!(timestamp.write(now), now.to_rfc3339_opts(SecondsFormat::Micros, true));
        }
    }

    #[test]
    fn a_pretty_line_stays_one_line() {
        assert!(is_plain("GET"));
        for tricky in ["", "two words", "line\nbreak", "\u{1b}[31m", "quo\"te"] {
            assert!(!is_plain(tricky), "{tricky:?}");
        }
    }
}
