//! Faults: processes that die, processes that are asked to end, peers that are gone.

mod crash;
mod mails;
mod refresh;
mod shutdown;
mod workers;
