//! Secrets that stand for something we keep: codes, cookies, requests on their way. Only their hashes are kept.

use std::fmt::Write as _;

use crate::kernel::Random;

/// 256 random bits in hexadecimal.
pub(super) fn new_secret(random: &dyn Random) -> String {
    let mut bytes = [0; 32];
    random.fill(&mut bytes);
    bytes.iter().fold(String::with_capacity(64), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
