//! Chance as a value.
//!
//! Ids, tokens and jitter draw from a [`Chance`] that is handed in. The
//! program makes one from the operating system; a test makes one from a seed,
//! so that every id in a golden file stays the same.

use parking_lot::Mutex;
use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore, SeedableRng};

/// A source of random bytes.
pub trait Chance: Send + Sync {
    /// Fills `bytes` with chance.
    fn fill(&self, bytes: &mut [u8]);

    /// Returns a random 64-bit number.
    fn number(&self) -> u64 {
        let mut bytes = [0; 8];
        self.fill(&mut bytes);
        u64::from_le_bytes(bytes)
    }

    /// Returns a fraction in `0.0..1.0`, for jitter.
    fn fraction(&self) -> f64 {
        // 53 bits fill the mantissa of a double exactly.
        (self.number() >> 11) as f64 / (1u64 << 53) as f64
    }
}

/// The operating system's source. Made once, by the program.
#[derive(Debug, Default)]
pub struct SystemChance;

impl Chance for SystemChance {
    fn fill(&self, bytes: &mut [u8]) {
        getrandom::fill(bytes).expect("the operating system always has random bytes after boot");
    }
}

/// A source that repeats itself for the same seed.
pub struct SeededChance(Mutex<ChaCha20Rng>);

impl SeededChance {
    /// Makes the source that belongs to `seed`.
    pub fn new(seed: u64) -> Self {
        SeededChance(Mutex::new(ChaCha20Rng::seed_from_u64(seed)))
    }
}

impl Chance for SeededChance {
    fn fill(&self, bytes: &mut [u8]) {
        self.0.lock().fill_bytes(bytes);
    }
}
