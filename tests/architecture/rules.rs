//! The rules, each with its reason.

use crate::source::{Mention, Source, module_of};

/// Foreign crates that carry values and no effects; domain and api may name them beside `std`.
const VALUES: &[&str] = &[
    "std",
    "core",
    "serde",
    "serde_json",
    "chrono",
    "uuid",
    "thiserror",
    "async_trait",
    "secrecy",
    "url",
    "zeroize",
    "unicode_normalization",
];

/// What use cases may name besides: waiting and telling and pure data structures, but no IO.
const USE_CASES: &[&str] = &["tracing", "tokio", "futures_util", "bytes", "matchit"];

/// Where a file stands in the architecture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Layer {
    Kernel,
    Platform,
    Config,
    Bootstrap,
    /// `main`, `lib`, `cli`.
    Edge,
    /// `src/modules.rs`.
    Modules,
    Face(String),
    Api(String),
    ModuleConfig(String),
    Domain(String),
    Application(String),
    Adapters(String),
}

impl Layer {
    /// The layer of a path from the crate's root.
    pub(crate) fn of(path: &[String]) -> Self {
        let part = |index: usize| path.get(index).map_or("", String::as_str);
        let module = part(2).to_owned();
        match (part(1), part(2), part(3)) {
            ("kernel", ..) => Self::Kernel,
            ("platform", ..) => Self::Platform,
            ("config", ..) => Self::Config,
            ("bootstrap", ..) => Self::Bootstrap,
            ("modules", "", _) => Self::Modules,
            ("modules", _, "api") => Self::Api(module),
            ("modules", _, "config") => Self::ModuleConfig(module),
            ("modules", _, "domain") => Self::Domain(module),
            ("modules", _, "application") => Self::Application(module),
            ("modules", _, "adapters" | "remote") => Self::Adapters(module),
            ("modules", ..) => Self::Face(module),
            _ => Self::Edge,
        }
    }

    fn module(&self) -> Option<&str> {
        match self {
            Self::Face(module)
            | Self::Api(module)
            | Self::ModuleConfig(module)
            | Self::Domain(module)
            | Self::Application(module)
            | Self::Adapters(module) => Some(module),
            _ => None,
        }
    }
}

/// Imports follow the table of `docs/ARCHITECTURE.md`.
pub(crate) fn imports(source: &Source) -> Vec<String> {
    let from = Layer::of(&module_of(&source.file));
    let faults = source.mentions.iter().filter_map(|mention| {
        let reason = match (mention.path[0].as_str(), mention.in_tests) {
            ("crate", _) => inner(&from, mention),
            (_, false) => foreign(&from, mention),
            (_, true) => None,
        }?;
        Some(format!("{}:{}: `{}`: {reason}", source.file, mention.line, mention.path.join("::")))
    });
    faults.collect()
}

fn foreign(from: &Layer, mention: &Mention) -> Option<&'static str> {
    let name = mention.path[0].as_str();
    let value = VALUES.contains(&name);
    match from {
        Layer::Kernel if !value => {
            Some("the kernel names std, serde, id and time crates only, so that all can rest on it")
        }
        Layer::Domain(_) | Layer::Api(_) if !value => Some(
            "domain and api are rules and values: no framework, no effects, so that they can be read and tested alone",
        ),
        Layer::Application(_) if !value && !USE_CASES.contains(&name) => {
            Some("use cases reach the outside through ports, so that an adapter can be exchanged without touching them")
        }
        Layer::Application(_)
            if name == "tokio" && !matches!(second(mention), "sync" | "time" | "select" | "join" | "task") =>
        {
            Some("use cases take only waiting and synchronising from tokio")
        }
        _ => None,
    }
}

fn second(mention: &Mention) -> &str {
    mention.path.get(1).map_or("", String::as_str)
}

fn inner(from: &Layer, mention: &Mention) -> Option<&'static str> {
    let to = Layer::of(&mention.path);
    if let (Some(here), Some(there)) = (from.module(), to.module())
        && here != there
        && !matches!(to, Layer::Api(_))
    {
        return Some("a module reaches another through its `api` alone; where that runs is decided in bootstrap");
    }
    // A test may put its module together as it likes.
    let allowed = mention.in_tests
        || match from {
            Layer::Kernel => matches!(to, Layer::Kernel),
            Layer::Platform => matches!(to, Layer::Kernel | Layer::Platform | Layer::Config),
            Layer::Domain(_) => matches!(to, Layer::Kernel | Layer::Domain(_)),
            Layer::Api(_) => matches!(to, Layer::Kernel | Layer::Api(_)),
            Layer::ModuleConfig(_) => {
                matches!(to, Layer::Kernel | Layer::ModuleConfig(_) | Layer::Config) || is_value_of_platform(mention)
            }
            Layer::Application(_) => {
                matches!(
                    to,
                    Layer::Kernel | Layer::Domain(_) | Layer::Api(_) | Layer::Application(_) | Layer::ModuleConfig(_)
                )
            }
            Layer::Adapters(_) | Layer::Face(_) => !matches!(to, Layer::Bootstrap | Layer::Edge | Layer::Modules),
            Layer::Config => matches!(to, Layer::Kernel | Layer::Config | Layer::ModuleConfig(_) | Layer::Face(_)),
            Layer::Edge => !matches!(to, Layer::Domain(_) | Layer::Application(_) | Layer::Adapters(_)),
            Layer::Bootstrap | Layer::Modules => true,
        };
    (!allowed).then(|| reason(from))
}

/// Settings may be written in the platform's own value types.
fn is_value_of_platform(mention: &Mention) -> bool {
    mention.path[1] == "platform" && mention.path.last().is_some_and(|name| name.starts_with(char::is_uppercase))
}

fn reason(from: &Layer) -> &'static str {
    match from {
        Layer::Kernel => "the kernel rests on nothing of the product",
        Layer::Platform => "the platform is technical and knows no module",
        Layer::Domain(_) => "the domain rests on the kernel alone",
        Layer::Api(_) => "what others may ask rests on the kernel alone, so that it can be served from anywhere",
        Layer::ModuleConfig(_) => "settings are plain data",
        Layer::Application(_) => {
            "use cases rest on domain, api, settings and kernel; the outside comes to them through ports"
        }
        Layer::Adapters(_) | Layer::Face(_) => "a module does not know who composes it",
        Layer::Config => "the loader knows sections, not behaviour",
        Layer::Edge | Layer::Bootstrap | Layer::Modules => {
            "the edge speaks with config, bootstrap and the modules' api"
        }
    }
}

/// `cfg(feature)` stands in module faces and in bootstrap only.
pub(crate) fn features(source: &Source) -> Vec<String> {
    let layer = Layer::of(&module_of(&source.file));
    // `platform.rs` is a face too: a technical part that only some roles need comes with them.
    if matches!(layer, Layer::Face(_) | Layer::Bootstrap | Layer::Modules) || source.file == "src/platform.rs" {
        return Vec::new();
    }
    let gates = source
        .marks
        .iter()
        .filter(|mark| matches!(mark.name.as_str(), "cfg" | "cfg_attr") && mark.tokens.contains("feature"));
    let why = "what is compiled in is decided in module faces and in bootstrap, so that a role is one line";
    gates.map(|mark| format!("{}:{}: `cfg(feature)`: {why}", source.file, mark.line)).collect()
}

/// Every file opens with what it is for, and no file is called `mod.rs`.
pub(crate) fn header(source: &Source) -> Vec<String> {
    let mut faults = Vec::new();
    if !source.text.starts_with("//! ") {
        faults.push(format!(
            "{}:1: the file does not open with `//!`: a reader learns first what it is for",
            source.file
        ));
    }
    if source.file.ends_with("/mod.rs") {
        faults.push(format!("{}:1: `mod.rs`: a module's face is named like the module", source.file));
    }
    faults
}

/// No lint is allowed; an expected one has a reason.
pub(crate) fn lints(source: &Source) -> Vec<String> {
    let bad = source.marks.iter().filter_map(|mark| match mark.name.as_str() {
        "allow" => Some((mark, "use `#[expect(…, reason = \"…\")]`, which ends with its cause")),
        "expect" if !mark.tokens.contains("reason") => Some((mark, "an exception says its reason")),
        _ => None,
    });
    bad.map(|(mark, why)| format!("{}:{}: `{}`: {why}", source.file, mark.line, mark.name)).collect()
}
