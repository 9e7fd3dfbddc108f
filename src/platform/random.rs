//! The random port's adapter.

use std::cell::RefCell;

use aws_lc_rs::rand;
use zeroize::Zeroizing;

use crate::kernel::Random;

/// The generator of aws-lc, seeded by the operating system.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemRandom;

/// Random bytes are fetched this many at a time: a request needs a few, and each fetch costs far more than its bytes.
const BLOCK: usize = 1024;

thread_local! {
    /// This thread's unused random bytes, and where they begin.
    static UNUSED: RefCell<(Zeroizing<[u8; BLOCK]>, usize)> =
        RefCell::new((Zeroizing::new([0; BLOCK]), BLOCK));
}

impl Random for SystemRandom {
    fn fill(&self, bytes: &mut [u8]) {
        if bytes.len() > BLOCK {
            return generate(bytes);
        }
        UNUSED.with_borrow_mut(|(block, begin)| {
            if BLOCK - *begin < bytes.len() {
                generate(&mut block[..]);
                *begin = 0;
            }
            let unused = &mut block[*begin..*begin + bytes.len()];
            bytes.copy_from_slice(unused);
            // What was given away is not kept.
            unused.fill(0);
            *begin += bytes.len();
        });
    }
}

fn generate(bytes: &mut [u8]) {
    // aws-lc aborts rather than return weak bytes; its `Result` is there for other implementations.
    rand::fill(bytes).expect("the operating system gives no randomness");
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn no_bytes_are_given_twice() {
        let mut seen = HashSet::new();
        for length in [16, 32, 24, 17].into_iter().cycle().take(1_000) {
            let mut bytes = vec![0; length];
            SystemRandom.fill(&mut bytes);
            assert!(seen.insert(bytes[..16].to_vec()));
        }
        let mut large = vec![0; 3 * BLOCK];
        SystemRandom.fill(&mut large);
        assert!(large.chunks(16).all(|chunk| seen.insert(chunk.to_vec())));
    }
}
