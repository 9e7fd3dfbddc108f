//! The templates: ours, compiled in, and the operator's in place of them. All are tried at start, so that nobody meets a
//! broken page.

use std::path::Path;

use minijinja::{
    AutoEscape, Environment, Error, Output, State, UndefinedBehavior, Value, context, escape_formatter,
    value::{Serde, merge_maps},
};

use super::samples::SAMPLES;
use crate::kernel::SettingFault;

/// Ours. `layout.html`, `style.css` and the parts are not pages, but the operator's too.
const OURS: &[(&str, &str)] = &[
    ("layout.html", include_str!("templates/layout.html")),
    ("style.css", include_str!("templates/style.css")),
    ("error.html", include_str!("templates/error.html")),
    ("hidden.html", include_str!("templates/hidden.html")),
    ("scopes.html", include_str!("templates/scopes.html")),
    ("captcha.html", include_str!("templates/captcha.html")),
    ("login.html", include_str!("templates/login.html")),
    ("code.html", include_str!("templates/code.html")),
    ("consent.html", include_str!("templates/consent.html")),
    ("device.html", include_str!("templates/device.html")),
    ("device_confirm.html", include_str!("templates/device_confirm.html")),
    ("confirm_sign_out.html", include_str!("templates/confirm_sign_out.html")),
    ("signed_out.html", include_str!("templates/signed_out.html")),
    ("verify_email.html", include_str!("templates/verify_email.html")),
    ("verify_code.html", include_str!("templates/verify_code.html")),
    ("reset_password.html", include_str!("templates/reset_password.html")),
    ("reset_code.html", include_str!("templates/reset_code.html")),
    ("forgot_password.html", include_str!("templates/forgot_password.html")),
    ("done.html", include_str!("templates/done.html")),
    ("problem.html", include_str!("templates/problem.html")),
];

/// A template is not longer than this; more is some other file.
const LONGEST: u64 = 256 * 1024;

/// The templates, those of `folder` in place of ours; or everything that is wrong with them. `globals` are known on every
/// page.
pub(super) fn load(folder: Option<&Path>, globals: &Value) -> Result<Environment<'static>, Vec<SettingFault>> {
    let mut templates = Environment::new();
    // What a template misspells is found now.
    templates.set_undefined_behavior(UndefinedBehavior::Strict);
    templates.set_formatter(write);
    let mut faults = Vec::new();
    for (name, text) in OURS {
        if let Err(error) = templates.add_template(name, text) {
            faults.push(fault_of(name, &error));
        }
    }
    if let Some(folder) = folder {
        faults.extend(replace(&mut templates, folder));
    }
    if faults.is_empty() {
        faults.extend(SAMPLES.iter().filter_map(|page| {
            let name = page.template();
            let context = context! { csrf => "c", nonce => "n", request_id => "r", status => 200,
            ..merge_maps([Value::from(Serde(page)), globals.clone()]) };
            let tried = templates.get_template(name).and_then(|template| template.render(context));
            Some(fault_of(name, &tried.err()?))
        }));
        faults.dedup();
    }
    if !faults.is_empty() {
        return Err(faults);
    }
    // What only a rare page misspells leaves a gap there and not an error.
    templates.set_undefined_behavior(UndefinedBehavior::Lenient);
    Ok(templates)
}

/// Escapes text for attributes in quotes and for what stands between tags. The library would escape slashes too, which
/// leaves every address unreadable to people and simple programs.
fn write(out: &mut Output<'_>, state: &mut State<'_, '_>, value: &Value) -> Result<(), Error> {
    let Some(text) = value.as_str().filter(|_| *state.auto_escape() == AutoEscape::Html && !value.is_safe()) else {
        return escape_formatter(out, state, value);
    };
    for part in text.split_inclusive(['&', '<', '>', '"', '\'']) {
        let plain = part.trim_end_matches(['&', '<', '>', '"', '\'']);
        out.write_str(plain)?;
        out.write_str(match &part[plain.len()..] {
            "&" => "&amp;",
            "<" => "&lt;",
            ">" => "&gt;",
            "\"" => "&quot;",
            "'" => "&#39;",
            _ => "",
        })?;
    }
    Ok(())
}

/// Puts the folder's files in place of ours.
fn replace(templates: &mut Environment<'static>, folder: &Path) -> Vec<SettingFault> {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) => return vec![fault(format!("cannot read {}: {error}", folder.display()))],
    };
    let mut faults = Vec::new();
    for entry in entries {
        let path = match entry {
            Ok(entry) => entry.path(),
            Err(error) => {
                faults.push(fault(format!("cannot read {}: {error}", folder.display())));
                continue;
            }
        };
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if name.starts_with('.') {
            continue;
        }
        let replaced = is_ours(&name, &path).and_then(|()| {
            let text = read(&path)?;
            templates.add_template_owned(name.clone(), text).map_err(|error| fault_of(&name, &error))
        });
        faults.extend(replaced.err());
    }
    faults.sort_by(|one, other| one.detail.cmp(&other.detail));
    faults
}

fn is_ours(name: &str, path: &Path) -> Result<(), SettingFault> {
    if OURS.iter().any(|(ours, _)| *ours == name) {
        return Ok(());
    }
    let known: Vec<_> = OURS.iter().map(|(ours, _)| *ours).collect();
    Err(fault(format!("{} replaces nothing; the templates are {}", path.display(), known.join(", "))))
}

fn read(path: &Path) -> Result<String, SettingFault> {
    let size = path.metadata().map_err(|error| fault(format!("cannot read {}: {error}", path.display())))?.len();
    if size > LONGEST {
        return Err(fault(format!("{} is larger than {LONGEST} bytes", path.display())));
    }
    std::fs::read_to_string(path).map_err(|error| fault(format!("cannot read {}: {error}", path.display())))
}

/// File, line and reason. What went wrong in a part is told where it stands there.
fn fault_of(page: &str, error: &Error) -> SettingFault {
    let mut deepest = error;
    while let Some(inner) = std::error::Error::source(deepest).and_then(|source| source.downcast_ref::<Error>()) {
        deepest = inner;
    }
    let name = deepest.name().unwrap_or(page);
    let line = deepest.line().map(|line| format!(":{line}")).unwrap_or_default();
    let reason = deepest.detail().map_or_else(|| deepest.kind().to_string(), str::to_owned);
    fault(format!("{name}{line}: {reason}"))
}

fn fault(detail: String) -> SettingFault {
    SettingFault::new("auth.pages.templates", detail)
}
