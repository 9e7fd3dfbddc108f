//! Faults: processes that die, processes that are asked to end, peers that are gone.

mod crash;
mod mails;
mod postgres;
mod refresh;
mod shutdown;
mod workers;
