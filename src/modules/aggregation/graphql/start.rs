//! From `[aggregation.graphql]` to a service: the schema is read, checked and compiled once.

use std::{fs, path::Path, sync::Arc, time::Duration};

use arc_swap::ArcSwapOption;
use async_graphql::dynamic;

use super::{
    super::{
        adapters::{compile::compile, jaq::Jaq},
        application::{
            catalogue::{Access, Catalogue},
            ports::SourceCaller,
        },
        config::{AggregationConfig, EndpointAuth, GraphqlConfig},
        domain::vary::Vary,
    },
    bounds::Limits,
    schema::Api,
    sdl::{self, Wrong},
    typed,
};
use crate::kernel::SettingFault;

/// A schema's file is not longer than this; more is some other file.
const LONGEST: u64 = 4 << 20;
/// First segments of paths that something else is served under, by this role or beside it.
const TAKEN: [&str; 16] = [
    "data",
    "auth",
    "oauth",
    ".well-known",
    "users",
    "roles",
    "clients",
    "audit",
    "admin",
    "internal",
    "health",
    "metrics",
    "docs",
    "redoc",
    "openapi.json",
    "problems",
];

/// What serves at the moment; another one takes its place when the configuration is read again.
pub(in super::super) type Live = ArcSwapOption<Service>;

/// GraphQL, ready to be asked.
pub(in super::super) struct Service {
    pub(super) path: String,
    pub(super) access: Access,
    pub(super) timeout: Duration,
    pub(super) limits: Limits,
    pub(super) max_tokens: usize,
    pub(super) max_calls: usize,
    pub(super) max_values: usize,
    pub(super) api: Api,
    /// Validates documents and answers introspection.
    pub(super) typed: dynamic::Schema,
    pub(super) vary: Vary,
    pub(super) caller: Arc<dyn SourceCaller>,
}

impl Service {
    /// Compiles the schema. `None`: there is none, or it has faults, which [`check`] tells.
    pub(in super::super) fn start(
        config: &AggregationConfig,
        catalogue: &Catalogue,
        caller: Arc<dyn SourceCaller>,
    ) -> Option<Arc<Self>> {
        let settings = config.graphql.as_ref()?;
        let (api, typed, mut vary) = read(settings, catalogue).ok()?;
        if settings.auth != EndpointAuth::None {
            vary.on_credentials();
        }
        vary.on("accept");
        let access = match settings.auth {
            EndpointAuth::None => Access::Anybody,
            EndpointAuth::Optional => Access::Optional,
            EndpointAuth::Required => Access::Required,
        };
        let limits = Limits {
            depth: settings.max_depth,
            complexity: settings.max_complexity,
            list_size: settings.list_size,
            aliases: settings.max_aliases,
        };
        Some(Arc::new(Self {
            path: settings.path.clone(),
            access,
            timeout: settings.timeout.get(),
            limits,
            max_tokens: settings.max_tokens,
            max_calls: settings.max_calls,
            max_values: settings.max_values,
            api,
            typed,
            vary,
            caller,
        }))
    }

    /// Where it is served.
    pub(in super::super) fn path(&self) -> &str {
        &self.path
    }
}

/// Every fault of `[aggregation.graphql]`, with its key; those of the schema with file, line and column.
pub(in super::super) fn check(config: &AggregationConfig) -> Vec<SettingFault> {
    let Some(settings) = &config.graphql else { return Vec::new() };
    let mut faults = Vec::new();
    let mut fault =
        |key: &str, detail: &str| faults.push(SettingFault::new(format!("aggregation.graphql.{key}"), detail));
    let first = settings.path.split('/').nth(1).unwrap_or_default();
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'-' | b'_' | b'.');
    let is_path = settings.path.starts_with('/')
        && settings.path.bytes().all(is_plain)
        && settings.path.split('/').skip(1).all(|segment| !matches!(segment, "" | "." | ".."));
    if !is_path {
        fault("path", "expected a path such as \"/graphql\"");
    } else if TAKEN.contains(&first) {
        fault("path", &format!("`/{first}` is built in"));
    }
    if settings.timeout.get().is_zero() {
        fault("timeout", "expected more than nothing");
    }
    let at_least_one = [
        ("max_depth", settings.max_depth as u64),
        ("max_complexity", settings.max_complexity),
        ("list_size", settings.list_size),
        ("max_tokens", settings.max_tokens as u64),
        ("max_calls", settings.max_calls as u64),
        ("max_values", settings.max_values as u64),
    ];
    for (key, _) in at_least_one.into_iter().filter(|(_, value)| *value == 0) {
        fault(key, "expected at least 1");
    }
    // Endpoints have no part in it, and sources at fault are told of already.
    let sources = AggregationConfig { endpoints: Vec::new(), rulesets: Vec::new(), ..config.clone() };
    if let Ok(catalogue) = compile(&sources, &Jaq)
        && let Err(more) = read(settings, &catalogue)
    {
        faults.extend(more);
    }
    faults
}

fn read(settings: &GraphqlConfig, catalogue: &Catalogue) -> Result<(Api, dynamic::Schema, Vary), Vec<SettingFault>> {
    let one = |key: &str, detail: String| vec![SettingFault::new(format!("aggregation.graphql{key}"), detail)];
    let (key, name, text) = match (&settings.schema, &settings.types) {
        (Some(file), None) => {
            let name = file.display().to_string();
            let text = text_of(file).map_err(|fault| one(".schema", format!("{name}: {fault}")))?;
            (".schema", Some(name), text)
        }
        (None, Some(text)) => (".types", None, text.clone()),
        (Some(_), Some(_)) => {
            return Err(one(".types", "there is a `schema` already; expected one of both".to_owned()));
        }
        (None, None) => return Err(one("", "expected `schema`, a file, or `types`, the schema itself".to_owned())),
    };
    let told = |wrong: Wrong| {
        let place = match (&name, wrong.position) {
            (Some(name), Some(position)) => format!("{name}:{}:{}: ", position.line, position.column),
            (Some(name), None) => format!("{name}: "),
            (None, Some(position)) => format!("line {} column {}: ", position.line, position.column),
            (None, None) => String::new(),
        };
        SettingFault::new(format!("aggregation.graphql{key}"), format!("{place}{}", wrong.detail))
    };
    let read = sdl::read(&text, catalogue, &Jaq);
    let read = read.map_err(|faults| faults.into_iter().map(told).collect::<Vec<_>>())?;
    let typed = typed::build(&read, settings.introspection);
    let typed = typed.map_err(|detail| vec![told(Wrong { position: None, detail })])?;
    Ok((read.api, typed, read.vary))
}

fn text_of(file: &Path) -> Result<String, String> {
    let length = fs::metadata(file).map_err(|fault| fault.to_string())?.len();
    if length > LONGEST {
        return Err("the file is longer than 4 MiB".to_owned());
    }
    fs::read_to_string(file).map_err(|fault| fault.to_string())
}
