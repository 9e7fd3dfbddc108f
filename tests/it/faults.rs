//! Faults: processes that die, processes that are asked to end, peers that are gone.

mod crash;
mod shutdown;
mod workers;
