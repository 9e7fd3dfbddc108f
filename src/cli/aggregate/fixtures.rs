//! Canned answers of sources, from a folder or a file.

use std::{collections::BTreeMap, fs, path::Path};

use serde_json::value::RawValue;

/// JSON texts by source. The error names the file.
pub(super) fn read(path: &Path) -> Result<BTreeMap<String, String>, String> {
    let wrong = |path: &Path, fault: &dyn std::fmt::Display| format!("{}: {fault}", path.display());
    if !path.is_dir() {
        let text = fs::read_to_string(path).map_err(|fault| wrong(path, &fault))?;
        let answers: BTreeMap<String, Box<RawValue>> =
            serde_json::from_str(&text).map_err(|fault| wrong(path, &fault))?;
        return Ok(answers.into_iter().map(|(name, answer)| (name, answer.get().to_owned())).collect());
    }
    let mut answers = BTreeMap::new();
    for entry in fs::read_dir(path).map_err(|fault| wrong(path, &fault))? {
        let file = entry.map_err(|fault| wrong(path, &fault))?.path();
        let Some(name) = file.file_stem().and_then(|name| name.to_str()) else { continue };
        if file.extension().is_some_and(|extension| extension == "json") {
            let text = fs::read_to_string(&file).map_err(|fault| wrong(&file, &fault))?;
            answers.insert(name.to_owned(), text);
        }
    }
    Ok(answers)
}
