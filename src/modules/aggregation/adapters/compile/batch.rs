//! Compiles `batch` of a step.

use super::{
    super::super::{application::batch::Batch, config::StepConfig},
    Compiling,
};

/// The most elements of one call.
const MAX_SIZE: usize = 1_000;

impl Compiling<'_> {
    pub(super) fn batch(&mut self, key: &str, step: &StepConfig) -> Option<Batch> {
        let config = step.batch.as_ref()?;
        let key = format!("{key}.batch");
        if step.for_each.is_none() {
            self.fault(key.as_str(), "only `for_each` has elements to put together");
        }
        if !(1..=MAX_SIZE).contains(&config.size) {
            self.fault(format!("{key}.size"), format!("expected 1 to {MAX_SIZE}"));
        }
        let joined = step.arguments.iter().filter(|(_, program)| reads_item(program));
        let joined: Vec<String> = joined.map(|(name, _)| name.clone()).collect();
        if joined.is_empty() && step.body.is_none() {
            self.fault(key.as_str(), "neither an argument nor the body reads `.item`");
        }
        if joined.len() > 1 || (!joined.is_empty() && config.join.is_empty()) {
            self.fault(key.as_str(), "expected one argument that reads `.item`, and something to join with");
        }
        if let Some((name, _)) = step.headers.iter().find(|(_, program)| reads_item(program)) {
            self.fault(format!("{key}.size"), format!("`headers.{name}` reads `.item`, but elements share a call"));
        }
        let id = match &config.key {
            Some(path) => Some(self.plain_path(format!("{key}.key"), path)?),
            None => None,
        };
        let joined = joined.into_iter().next();
        Some(Batch { size: config.size, join: config.join.clone(), key: id, joined, many: false })
    }
}

/// Whether the program's text names `.item`.
fn reads_item(program: &str) -> bool {
    let ends = |rest: &str| !rest.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_');
    [".item", "\"item\"", "{item"]
        .into_iter()
        .any(|name| program.match_indices(name).any(|(at, _)| ends(&program[at + name.len()..])))
}

#[cfg(test)]
mod tests {
    #[test]
    fn what_reads_the_element_is_seen() {
        for reads in [".item", ".item.id | tostring", ".[\"item\"]", "{item}"] {
            assert!(super::reads_item(reads), "{reads}");
        }
        for not in [".results.items", ".path.item_id", "1"] {
            assert!(!super::reads_item(not), "{not}");
        }
    }
}
