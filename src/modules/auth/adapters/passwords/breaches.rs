//! Lists of stolen passwords, by SHA-1 as "Have I Been Pwned" publishes them: a file, a folder of ranges, or the service
//! itself, which is told the first five of forty digits.

mod file;
mod range_api;
#[cfg(test)]
mod suite;

use std::sync::Arc;

use aws_lc_rs::digest;

use crate::modules::auth::{application::BreachList, config::BreachListConfig};
use file::HashFile;
use range_api::RangeApi;

/// The digits that name a range.
const PREFIX: usize = 5;

/// The list that is configured. A file is looked at, a service is not called yet.
pub(crate) fn breach_list(config: &BreachListConfig) -> Result<Arc<dyn BreachList>, String> {
    match (&config.file, &config.url) {
        (Some(file), _) => Ok(Arc::new(HashFile::open(file.into())?)),
        (None, Some(url)) => Ok(Arc::new(RangeApi::new(url, config.timeout.get()))),
        (None, None) => Err("neither a file nor a URL is given".to_owned()),
    }
}

/// SHA-1 in upper-case hexadecimal. It protects nothing here; it is how the lists are written.
fn sha1(password: &[u8]) -> String {
    use std::fmt::Write as _;
    let digest = digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, password);
    digest.as_ref().iter().fold(String::with_capacity(40), |mut text, byte| {
        let _ = write!(text, "{byte:02X}");
        text
    })
}

/// Whether the lines of a range, `SUFFIX:COUNT`, have the suffix. A count of 0 is padding.
fn has_suffix(range: &str, suffix: &str) -> bool {
    range.lines().any(|line| {
        let (found, count) = line.trim_end().split_once(':').unwrap_or((line.trim_end(), "1"));
        found.eq_ignore_ascii_case(suffix) && count.trim() != "0"
    })
}
