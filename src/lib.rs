//! Vestibule: login, one front door and one call per screen, in one binary.
//!
//! The map. `kernel` is what every module speaks; `platform` is technical parts without business; `modules` are the roles,
//! each a hexagon; `config` loads settings; `bootstrap` is the composition root, which alone decides what runs in this
//! process and what is reached over HTTP; `cli` is the command line. `docs/ARCHITECTURE.md` says where to put new things,
//! and `tests/architecture.rs` holds the rules.

pub mod bootstrap;
pub mod cli;
pub mod config;
pub mod kernel;
pub mod modules;
pub mod platform;
