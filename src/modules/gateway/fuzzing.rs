//! A door for the fuzz targets in `fuzz/` to what is private; compiled for them alone.

/// The canonical form of a path; `None` when it is refused.
pub fn canonical(path: &str) -> Option<String> {
    super::domain::path::canonical(path).ok().map(std::borrow::Cow::into_owned)
}

/// Whether a client's header may go on to a target, as far as its name decides that.
pub fn may_go_on(name: &str) -> bool {
    super::adapters::may_go_on(name)
}

/// The names that values of `Connection` declare to be of the connection only, among these.
pub fn declared<'a>(values: &[&[u8]], names: &[&'a str]) -> Vec<&'a str> {
    super::adapters::declared(values, names)
}
