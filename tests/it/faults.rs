//! Faults: processes that die, processes that are asked to end, peers that are gone.

mod clock;
mod crash;
mod large_bodies;
mod mails;
mod postgres;
mod refresh;
mod resources;
mod shutdown;
mod workers;
