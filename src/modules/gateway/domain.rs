//! The rules of the front door, free of IO and frameworks.

pub(super) mod host;
pub(super) mod path;
pub(super) mod window;
