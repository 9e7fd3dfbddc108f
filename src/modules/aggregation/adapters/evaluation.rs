//! Programs from requests run in processes of their own: this binary, started as a hidden command, with its own limits
//! and nothing to reach.

mod frames;
mod pool;
mod process;
mod programs;
mod worker;

pub(crate) use pool::WorkerPool;
pub use process::WorkerCommand;
pub(crate) use programs::Remembering;
pub use worker::evaluation_worker;
