//! Keys as sixteen bytes each, for jobs that bring millions of them.
//!
//! A key of up to fifteen bytes (most are: an integer, a short text) is its
//! own *print*, with its length behind it, so that two prints are equal only
//! if the keys are. A longer key is printed as 127 bits of its SHA-256: among
//! ten million such keys two are equal by accident once in 10^24 jobs, and
//! nobody can make two that are, short of 2^63 attempts. Everything is
//! scrambled in a way that can be undone, which keeps apart what is apart and
//! spreads it evenly: sorted prints are found by their leading bits.

use std::sync::Arc;

use arrow::array::{BooleanArray, RecordBatch};
use arrow::error::ArrowError;
use sha2::{Digest as _, Sha256};

use crate::keys::Coder;

/// A key, short.
pub(crate) type Print = u128;

/// Keys longer than this are printed by their digest.
const VERBATIM_BYTES_MAX: usize = 15;

/// Prints that share their leading bits, about.
const BUCKET_PRINTS: usize = 8;

/// Returns the print of a key's bytes.
pub(crate) fn print_of(key: &[u8]) -> Print {
    let mut bytes = [0; 16];
    if key.len() <= VERBATIM_BYTES_MAX {
        bytes[..key.len()].copy_from_slice(key);
        bytes[VERBATIM_BYTES_MAX] = key.len() as u8;
    } else {
        bytes.copy_from_slice(&Sha256::digest(key)[..16]);
        bytes[VERBATIM_BYTES_MAX] |= 0x80;
    }
    scrambled(u128::from_le_bytes(bytes))
}

/// Spreads prints evenly. Each of the steps has an inverse, so none of them
/// makes two different ones equal.
fn scrambled(mut print: u128) -> u128 {
    const ODD: u128 = 0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C835;
    for _ in 0..2 {
        print ^= print >> 64;
        print = print.wrapping_mul(ODD);
    }
    print ^ print >> 64
}

/// Different prints, to be looked up.
#[derive(Debug, Default)]
pub(crate) struct Prints {
    sorted: Vec<Print>,
    /// Where each run of equal leading bits begins.
    starts: Vec<u32>,
    leading_bits: u32,
}

impl Prints {
    /// Makes the set of prints that may stand there several times.
    pub(crate) fn new(mut prints: Vec<Print>) -> Self {
        prints.sort_unstable();
        Prints::of_sorted(prints)
    }

    /// Makes the set of sorted prints.
    pub(crate) fn of_sorted(mut sorted: Vec<Print>) -> Self {
        sorted.dedup();
        sorted.shrink_to_fit();
        let leading_bits = (sorted.len() / BUCKET_PRINTS).max(2).ilog2();
        let mut starts = Vec::with_capacity((1 << leading_bits) + 1);
        for (place, print) in sorted.iter().enumerate() {
            let bucket = (print >> (128 - leading_bits)) as usize;
            starts.resize(starts.len().max(bucket + 1), place as u32);
        }
        starts.resize((1 << leading_bits) + 1, sorted.len() as u32);
        Prints { sorted, starts, leading_bits }
    }

    /// Returns how many there are.
    pub(crate) fn len(&self) -> usize {
        self.sorted.len()
    }

    /// Returns how much memory they take.
    pub(crate) fn bytes(&self) -> usize {
        self.sorted.capacity() * size_of::<Print>() + self.starts.capacity() * size_of::<u32>()
    }

    /// Returns the place of a print among them.
    pub(crate) fn place(&self, print: Print) -> Option<usize> {
        let bucket = (print >> (128 - self.leading_bits)) as usize;
        let start = self.starts[bucket] as usize;
        let bucket = &self.sorted[start..self.starts[bucket + 1] as usize];
        bucket.binary_search(&print).ok().map(|place| start + place)
    }
}

/// Keys that hide older rows, as prints; see [`crate::keys::KeySet`].
#[derive(Debug)]
pub(crate) struct PrintSet {
    coder: Arc<Coder>,
    prints: Prints,
}

impl PrintSet {
    /// Makes a set from prints of keys that the coder made.
    pub(crate) fn new(coder: Arc<Coder>, prints: Prints) -> Self {
        PrintSet { coder, prints }
    }

    /// Returns how much memory they take.
    pub(crate) fn bytes(&self) -> usize {
        self.prints.bytes()
    }

    /// Returns the names of the key columns.
    pub(crate) fn columns(&self) -> &[String] {
        self.coder.columns()
    }

    /// Tells which rows of an older batch, raised to the set's types, are not
    /// hidden.
    pub(crate) fn survivors(&self, older: &RecordBatch) -> Result<BooleanArray, ArrowError> {
        let keys = self.coder.keys(older)?;
        Ok(keys.iter().map(|key| Some(self.prints.place(print_of(key.data())).is_none())).collect())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_print_is_found_where_it_stands_and_no_other() {
        for count in [0u32, 1, 2, 7, 100, 10_000] {
            let of = |number: u32| print_of(&number.to_be_bytes());
            let prints = Prints::new((0..count).chain(0..count / 2).map(of).collect());
            assert_eq!(prints.len(), count as usize);
            let mut places: Vec<_> = (0..count).map(|number| prints.place(of(number)).expect("it is there")).collect();
            places.sort_unstable();
            assert!(places.iter().copied().eq(0..count as usize));
            assert!((count..count + 1_000).all(|number| prints.place(of(number)).is_none()));
        }
    }

    #[test]
    fn ten_million_keys_take_less_than_two_hundred_megabytes() {
        let prints = Prints::new((0..100_000u32).map(|number| print_of(&number.to_be_bytes())).collect());
        assert!(prints.bytes() < 100_000 * 20, "{} bytes for a hundredth of them", prints.bytes());
    }

    proptest! {
        #[test]
        fn different_keys_have_different_prints(
            one in prop::collection::vec(0..3u8, 0..20),
            other in prop::collection::vec(0..3u8, 0..20),
        ) {
            prop_assert_eq!(one == other, print_of(&one) == print_of(&other));
        }
    }
}
