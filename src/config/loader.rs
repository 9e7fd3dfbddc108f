//! Layers to a configuration: built-in defaults, files, environment, flags; the later wins.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{
    Config, environment,
    fault::{Fault, Place},
    key::Key,
    masking,
    node::{Node, Value},
    parse, reference, shape,
};
use crate::kernel::settings::SettingFault;

/// The defaults and their documentation.
pub const DEFAULTS: &str = include_str!("../../config/default.toml");
/// A configuration file is not longer than this.
const LONGEST_FILE: u64 = 16 * 1024 * 1024;

/// Where settings come from. The environment is handed in, so that loading the same sources gives the same.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    /// TOML files; a later one wins.
    pub files: Vec<PathBuf>,
    /// The environment.
    pub environment: BTreeMap<String, String>,
    /// Settings from flags; they win over everything.
    pub overrides: Vec<Override>,
}

/// A setting from a flag.
#[derive(Debug, Clone)]
pub struct Override {
    /// The full key, such as `server.port`.
    pub key: &'static str,
    /// What was given.
    pub text: String,
    /// The flag, such as `--port`.
    pub flag: &'static str,
}

/// A configuration and where each of its settings was given.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The settings.
    pub config: Config,
    tree: Node,
    warnings: Vec<Fault>,
    sources: Sources,
}

impl Loaded {
    /// Whether a layer above the defaults gives the setting, or any setting in the table, at this full key.
    pub fn was_set(&self, key: &str) -> bool {
        self.tree.find(&Key::read(key)).is_some_and(Node::is_set)
    }

    /// Finds where the faults' settings stand. A setting that stands nowhere is placed where its table does.
    pub fn locate(&self, faults: Vec<SettingFault>) -> Vec<Fault> {
        let mut located: Vec<_> = faults.into_iter().map(|fault| locate(&self.tree, fault)).collect();
        located.sort_by(|one, other| one.place.cmp(&other.place));
        located
    }

    /// Where it came from, to be read again.
    pub fn sources(&self) -> &Sources {
        &self.sources
    }

    /// What was given and has no effect.
    pub fn warnings(&self) -> &[Fault] {
        &self.warnings
    }

    /// The configuration in effect, without its secrets: passwords in URLs and settings named so are masked, and what came
    /// from `file:` or `env:` is shown as that.
    pub fn masked(&self) -> serde_json::Value {
        let mut shown = serde_json::to_value(&self.config).unwrap_or_default();
        masking::mask(&mut shown, &Key::default(), &self.tree);
        shown
    }
}

fn locate(tree: &Node, fault: SettingFault) -> Fault {
    let node = tree.find_nearest(&Key::read(&fault.key));
    Fault { place: node.place.clone(), key: Some(fault.key), detail: fault.detail }
}

/// Loads the configuration. On failure: every fault, in the order of the layers and lines.
pub fn load(sources: &Sources) -> Result<Loaded, Vec<Fault>> {
    load_checked(sources, |_| Vec::new())
}

/// Loads the configuration and lets `check` look at what only the roles know. Both kinds of faults come in one list; where
/// a section cannot be read, what `check` says about it is left out, as it would speak of values that nobody gave.
pub fn load_checked(sources: &Sources, check: impl FnOnce(&Config) -> Vec<SettingFault>) -> Result<Loaded, Vec<Fault>> {
    let environment::Layer { tree: variables, mut faults, warnings } = environment::layer(&sources.environment);
    let mut tree = parse::whole(&Place::Default, DEFAULTS)?;
    let mut readable = true;
    for (layer, path) in sources.files.iter().enumerate() {
        match file(layer, path) {
            Ok(settings) => tree.merge(settings),
            Err(found) => {
                readable = false;
                faults.extend(found);
            }
        }
    }
    tree.merge(variables);
    for setting in &sources.overrides {
        tree.merge(environment::flag(setting.key, &setting.text, setting.flag));
    }
    faults.extend(reference::resolve(&mut tree, &sources.environment));
    let shaped = shape::read::<Config>(&mut tree);
    faults.extend(shaped.faults);
    inherit_breaker(&mut tree);
    let config = shape::read::<Config>(&mut tree).value.or(shaped.value);
    // A file that cannot be read may hold what the checks would miss.
    if let Some(config) = config.as_ref().filter(|_| readable) {
        let known = check(config).into_iter().filter(|fault| !is_mended(&tree, &fault.key));
        faults.extend(known.map(|fault| locate(&tree, fault)));
    }
    match config {
        Some(config) if faults.is_empty() => Ok(Loaded { config, tree, warnings, sources: sources.clone() }),
        _ => {
            faults.sort_by(|one, other| one.place.cmp(&other.place));
            Err(faults)
        }
    }
}

/// One `--config` file.
fn file(layer: usize, path: &Path) -> Result<Node, Vec<Fault>> {
    let name: Arc<Path> = Arc::from(path);
    match reference::read_text(path, LONGEST_FILE) {
        Ok(text) => parse::file(layer, &name, &text),
        Err(why) => {
            let place = Place::File { layer, path: name, line: 0, column: 0 };
            Err(vec![Fault::at(place, format!("cannot be read: {why}"))])
        }
    }
}

/// Whether the section of `key` holds stand-ins.
fn is_mended(tree: &Node, key: &str) -> bool {
    let mut section = Key::read(key);
    section.0.truncate(1);
    let mut mended = false;
    tree.find_nearest(&section).clone().walk_mut(&section, &mut |_, node| mended |= node.stand_in);
    mended
}

/// An upstream's breaker takes what it does not say itself from `[gateway.breaker]`.
fn inherit_breaker(tree: &mut Node) {
    let Some(breaker) = tree.find(&Key::read("gateway.breaker")).cloned() else { return };
    let Some(Node { value: Value::Array(upstreams), .. }) = tree.find_mut(&Key::read("gateway.upstreams")) else {
        return;
    };
    for upstream in upstreams {
        let Value::Table(members) = &mut upstream.value else { continue };
        let mut inherited = breaker.clone();
        if let Some(own) = members.remove("breaker") {
            inherited.merge(own);
        }
        members.insert("breaker".to_owned(), inherited);
    }
}
