//! The modules. Each is a hexagon: `api` is what others may ask of it, `domain` its rules, `application` its use cases,
//! `adapters` its edges. A module reaches another through that one's `api` alone.

pub mod aggregation;
pub mod auth;
pub mod gateway;
