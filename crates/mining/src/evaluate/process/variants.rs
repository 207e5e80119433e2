//! The activities of a case in one text.
//!
//! Many cases take the same way, so a way is looked up by its codes and its
//! text is made once.

use std::hash::{BuildHasher, RandomState};
use std::ops::Range;

use super::by_part;
use crate::evaluate::evaluator::InScope;
use crate::evaluate::operand::Operand;
use crate::evaluate::vector::{Texts, Vector};
use crate::log::NO_CODE;
use crate::pql::plan::Grain;

/// Joins the values of each case; runs of one value that are longer than
/// `run_max` are cut.
pub(super) fn variants(scope: &InScope<'_>, value: &Operand, run_max: Option<u32>, grain: Grain) -> Vector {
    let seed = RandomState::new().hash_one(0);
    let parts = by_part(scope, grain, |cases| {
        let (mut ways, mut codes) = (Ways::new(seed), Vec::new());
        let mut way = |segment| {
            read(value, segment, run_max, &mut codes);
            if codes.is_empty() { NO_WAY } else { ways.number(&codes) }
        };
        let taken: Vec<(u32, u32)> = cases.map(|(place, segment)| (place, way(segment))).collect();
        (ways, taken)
    });
    let mut all = Ways::new(seed);
    let mut texts = Texts::default();
    // By way the code of its text: two ways may read the same.
    let mut text_of_way: Vec<u32> = Vec::new();
    let mut variants: Vec<Option<u32>> = vec![None; scope.length(grain)];
    for (ways, taken) in parts {
        let mut number = |codes: &[u32]| {
            let way = all.number(codes);
            if way as usize == text_of_way.len() {
                let words: Vec<&str> = codes.iter().map(|code| value.word(*code)).collect();
                text_of_way.push(texts.intern(&words.join(", ")));
            }
            text_of_way[way as usize]
        };
        let numbers: Vec<u32> = (0..ways.len()).map(|way| number(ways.codes(way))).collect();
        for (place, way) in taken {
            variants[place as usize] = numbers.get(way as usize).copied();
        }
    }
    for variant in variants {
        texts.push_code(variant);
    }
    texts.finish()
}

/// Reads the codes of a case; what is missing is left out.
fn read(value: &Operand, segment: Range<usize>, run_max: Option<u32>, codes: &mut Vec<u32>) {
    codes.clear();
    codes.resize(segment.len(), NO_CODE);
    value.read_codes(segment, codes);
    codes.retain(|code| *code != NO_CODE);
    if let Some(most) = run_max {
        let (mut last, mut run) = (NO_CODE, 0);
        codes.retain(|code| {
            run = if *code == last { run + 1 } else { 1 };
            last = *code;
            run <= most
        });
    }
}

/// No way: there are no events.
const NO_WAY: u32 = u32::MAX;

/// Sequences of codes that are all different, numbered as they are met.
struct Ways {
    seed: u64,
    /// All sequences, one after the other.
    codes: Vec<u32>,
    /// Where each ends, and its hash.
    ends: Vec<(usize, u64)>,
    /// Numbers by hash, else [`NO_WAY`]; the length is a power of two.
    slots: Vec<u32>,
}

impl Ways {
    fn new(seed: u64) -> Self {
        Ways { seed, codes: Vec::new(), ends: Vec::new(), slots: vec![NO_WAY; 1024] }
    }

    fn len(&self) -> usize {
        self.ends.len()
    }

    fn codes(&self, way: usize) -> &[u32] {
        let start = way.checked_sub(1).map_or(0, |before| self.ends[before].0);
        &self.codes[start..self.ends[way].0]
    }

    /// Returns the number of a sequence, which is added if it is new.
    fn number(&mut self, codes: &[u32]) -> u32 {
        let hash = self.hash(codes);
        let mut slot = hash as usize & (self.slots.len() - 1);
        loop {
            match self.slots[slot] {
                NO_WAY => break,
                way if self.ends[way as usize].1 == hash && self.codes(way as usize) == codes => return way,
                _ => slot = (slot + 1) & (self.slots.len() - 1),
            }
        }
        let way = self.ends.len() as u32;
        self.codes.extend_from_slice(codes);
        self.ends.push((self.codes.len(), hash));
        self.slots[slot] = way;
        if self.ends.len() * 2 > self.slots.len() {
            self.widen();
        }
        way
    }

    fn widen(&mut self) {
        let last = self.slots.len() * 4 - 1;
        self.slots = vec![NO_WAY; last + 1];
        for (way, (_, hash)) in self.ends.iter().enumerate() {
            let mut slot = *hash as usize & last;
            while self.slots[slot] != NO_WAY {
                slot = (slot + 1) & last;
            }
            self.slots[slot] = way as u32;
        }
    }

    fn hash(&self, codes: &[u32]) -> u64 {
        let mixed = codes.iter().fold(self.seed ^ codes.len() as u64, |hash, code| {
            let product = u128::from(hash ^ u64::from(*code)) * 0x9E37_79B9_7F4A_7C15;
            product as u64 ^ (product >> 64) as u64
        });
        mixed ^ (mixed >> 32)
    }
}
