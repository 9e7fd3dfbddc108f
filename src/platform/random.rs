//! The random port's adapter.

use aws_lc_rs::rand;

use crate::kernel::Random;

/// The generator of aws-lc, seeded by the operating system.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemRandom;

impl Random for SystemRandom {
    fn fill(&self, bytes: &mut [u8]) {
        // aws-lc aborts rather than return weak bytes; its `Result` is there for other implementations.
        rand::fill(bytes).expect("the operating system gives no randomness");
    }
}
