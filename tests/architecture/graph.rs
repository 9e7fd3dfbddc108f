//! The graph of the modules, drawn from the imports.

use std::{collections::BTreeSet, fmt::Write as _};

use crate::{
    rules::Layer,
    source::{Source, module_of},
};

/// A Mermaid graph of who names whom, with what only tests name left out.
pub(crate) fn draw(sources: &[Source]) -> String {
    let mut edges = BTreeSet::new();
    for source in sources {
        let from = node(&Layer::of(&module_of(&source.file)));
        for mention in source.mentions.iter().filter(|mention| mention.path[0] == "crate" && !mention.in_tests) {
            let to = node(&Layer::of(&mention.path));
            if let (Some(from), Some(to)) = (&from, to)
                && *from != to
            {
                edges.insert((from.clone(), to));
            }
        }
    }
    let mut text =
        "# The graph of the modules\n\nWho names whom in `src/`, drawn by `tests/architecture.rs` from the sources \
                    (`UPDATE_GRAPH=1 cargo test --test architecture` rewrites this file).\n\n```mermaid\ngraph TD\n"
            .to_owned();
    for (from, to) in edges {
        let _ = writeln!(text, "    {from} --> {to}");
    }
    text + "```\n"
}

fn node(layer: &Layer) -> Option<String> {
    Some(match layer {
        Layer::Kernel => "kernel".to_owned(),
        Layer::Platform => "platform".to_owned(),
        Layer::Config => "config".to_owned(),
        Layer::Bootstrap => "bootstrap".to_owned(),
        Layer::Edge => "cli".to_owned(),
        Layer::Modules => return None,
        Layer::Face(module) => module.clone(),
        Layer::Api(module) => format!("{module}.api"),
        Layer::ModuleConfig(module) => format!("{module}.config"),
        Layer::Domain(module) => format!("{module}.domain"),
        Layer::Application(module) => format!("{module}.application"),
        Layer::Adapters(module) => format!("{module}.adapters"),
    })
}
