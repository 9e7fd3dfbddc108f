//! `auth.password.breach_list`: a list of stolen passwords.

use serde::{Deserialize, Serialize};

use crate::kernel::units::Span;

/// Where the list is: a file or folder here, or a service.
#[derive(Debug, Clone, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BreachListConfig {
    /// A service with ranges, as `https://api.pwnedpasswords.com/range`.
    pub url: Option<String>,
    /// A file of SHA-1 hashes in their order, or a folder with a file for each range.
    pub file: Option<String>,
    /// How long the service may take.
    #[serde(default = "timeout")]
    pub timeout: Span,
    /// Whether passwords are accepted while the list cannot be asked; otherwise 503.
    #[serde(default = "yes")]
    pub fail_open: bool,
}

fn timeout() -> Span {
    Span::secs(2)
}

fn yes() -> bool {
    true
}

impl BreachListConfig {
    /// What is wrong with it: key and what was expected.
    pub(super) fn faults(&self) -> Vec<(&'static str, &'static str)> {
        let mut faults = Vec::new();
        if self.url.is_some() == self.file.is_some() {
            faults.push(("password.breach_list", "expected either `url` or `file`"));
        }
        if self.url.as_deref().is_some_and(|url| !super::is_callable(url)) {
            faults.push(("password.breach_list.url", "expected an http or https URL without query and fragment"));
        }
        if self.timeout.get().is_zero() {
            faults.push(("password.breach_list.timeout", "expected more than zero"));
        }
        faults
    }
}
