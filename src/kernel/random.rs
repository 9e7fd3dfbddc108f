//! Randomness as a port. The adapter is `platform::random::SystemRandom`.

/// The source of all randomness.
pub trait Random: Send + Sync + 'static {
    /// Fills `bytes` from a cryptographically secure generator.
    fn fill(&self, bytes: &mut [u8]);
}
