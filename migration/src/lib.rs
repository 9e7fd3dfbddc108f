//! Schema migrations, one folder a module. A module's migrations have a table of their own, so that modules can share a
//! database or not.

pub mod auth;

pub use sea_orm_migration;
