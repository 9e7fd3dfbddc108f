//! The list on disk: one file of whole hashes in their order, searched by halves in constant memory, or a folder with a file
//! of suffixes for each range.

use std::{
    cmp::Ordering,
    fs::File,
    io::{self, Read as _, Seek as _, SeekFrom},
    path::{Path, PathBuf},
};

use async_trait::async_trait;

use super::{PREFIX, has_suffix, sha1};
use crate::modules::auth::{
    application::{BreachList, PortError},
    domain::PlainPassword,
};

/// Digits of a whole hash.
const DIGITS: usize = 40;
/// No line is longer: a hash, a colon, a count.
const LONGEST_LINE: usize = 128;
/// A stretch that is read to its end rather than halved.
const STRETCH: u64 = 4 * 1024;
/// No range is larger.
const LARGEST_RANGE: u64 = 4 * 1024 * 1024;

/// A list on disk.
pub(super) struct HashFile {
    path: PathBuf,
}

impl HashFile {
    /// Looks at the file or folder.
    pub(super) fn open(path: PathBuf) -> Result<Self, String> {
        let unusable = |why: &dyn std::fmt::Display| format!("cannot use {}: {why}", path.display());
        if !std::fs::metadata(&path).map_err(|error| unusable(&error))?.is_dir() {
            let first = File::open(&path).and_then(|mut file| line_at(&mut file, 0));
            first.map_err(|error| unusable(&error))?;
        }
        Ok(Self { path })
    }
}

#[async_trait]
impl BreachList for HashFile {
    async fn is_breached(&self, password: &PlainPassword) -> Result<bool, PortError> {
        let (path, hash) = (self.path.clone(), sha1(password.expose()));
        let search = tokio::task::spawn_blocking(move || search(&path, &hash)).await;
        let found = search.map_err(|error| PortError::Internal(error.to_string()))?;
        found.map_err(|error| PortError::Unavailable(format!("the list of breaches cannot be read: {error}")))
    }
}

fn search(path: &Path, hash: &str) -> io::Result<bool> {
    if path.is_dir() {
        return search_folder(path, hash);
    }
    search_file(&mut File::open(path)?, hash.as_bytes())
}

/// A range that has no file has no entries.
fn search_folder(folder: &Path, hash: &str) -> io::Result<bool> {
    let (prefix, suffix) = hash.split_at(PREFIX);
    for name in [format!("{prefix}.txt"), prefix.to_owned()] {
        match File::open(folder.join(name)) {
            Ok(file) => {
                let mut range = String::new();
                file.take(LARGEST_RANGE).read_to_string(&mut range)?;
                return Ok(has_suffix(&range, suffix));
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(false)
}

/// Halves the file until a stretch is left. `begin` is always the start of a line; the hash, if it is there, stands in a
/// line that starts from `begin` and before `end`.
fn search_file(file: &mut File, hash: &[u8]) -> io::Result<bool> {
    let (mut begin, mut end) = (0, file.metadata()?.len());
    while end - begin > STRETCH {
        let middle = begin + (end - begin) / 2;
        let start = match next_line(file, middle)? {
            Some(start) if start < end => start,
            _ => {
                end = middle + 1;
                continue;
            }
        };
        match line_at(file, start)?.as_slice().cmp(hash) {
            Ordering::Equal => return Ok(true),
            Ordering::Less => begin = start,
            Ordering::Greater => end = start,
        }
    }
    while begin < end {
        if line_at(file, begin)? == hash {
            return Ok(true);
        }
        let Some(next) = next_line(file, begin)? else { break };
        begin = next;
    }
    Ok(false)
}

/// Where the first line after `place` starts; `None` when none does.
fn next_line(file: &mut File, place: u64) -> io::Result<Option<u64>> {
    let text = read_at(file, place)?;
    let Some(at) = text.iter().position(|byte| *byte == b'\n') else {
        return if text.len() < LONGEST_LINE { Ok(None) } else { Err(wrong()) };
    };
    let next = place + at as u64 + 1;
    Ok((next < file.metadata()?.len()).then_some(next))
}

/// The hash that the line at `start` begins with.
fn line_at(file: &mut File, start: u64) -> io::Result<Vec<u8>> {
    let text = read_at(file, start)?;
    let hash = text.get(..DIGITS).ok_or_else(wrong)?;
    let is_ended = text.get(DIGITS).is_none_or(|byte| b":\r\n".contains(byte));
    if !is_ended || !hash.iter().all(u8::is_ascii_hexdigit) {
        return Err(wrong());
    }
    Ok(hash.to_ascii_uppercase())
}

fn read_at(file: &mut File, place: u64) -> io::Result<Vec<u8>> {
    file.seek(SeekFrom::Start(place))?;
    let mut text = Vec::with_capacity(LONGEST_LINE);
    file.take(LONGEST_LINE as u64).read_to_end(&mut text)?;
    Ok(text)
}

fn wrong() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "expected lines of SHA-1 hashes in their order, `HASH:COUNT`")
}
