//! The activities of a case in one text.
//!
//! Many cases take the same way, so a way is looked up by its codes and its
//! text is made once.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use super::per_case;
use crate::evaluate::evaluator::InScope;
use crate::evaluate::vector::{Operand, Texts, Vector};
use crate::pql::plan::Grain;

/// Mixes whole numbers: the standard hash takes several times as long for the
/// short sequences of numbers that we have many of.
#[derive(Default)]
struct Mixing(u64);

impl Hasher for Mixing {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for part in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..part.len()].copy_from_slice(part);
            let mixed = (self.0 ^ u64::from_le_bytes(word)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
            self.0 = mixed ^ (mixed >> 29);
        }
    }

    fn write_usize(&mut self, number: usize) {
        self.write(&number.to_le_bytes());
    }
}

/// Joins the values of each case; runs of one value that are longer than
/// `run_max` are cut.
pub(super) fn variants(scope: &InScope<'_>, value: &Operand, run_max: Option<u32>, grain: Grain) -> Vector {
    let mut known: HashMap<Box<[u32]>, u32, BuildHasherDefault<Mixing>> = HashMap::default();
    let mut texts = Texts::default();
    let mut codes: Vec<u32> = Vec::new();
    let mut rows: Vec<usize> = Vec::new();
    let variants = per_case(scope, grain, None, |segment| {
        codes.clear();
        rows.clear();
        let mut run = 0;
        for row in segment {
            let Some(code) = value.code(row) else { continue };
            run = if codes.last() == Some(&code) { run + 1 } else { 1 };
            if run_max.is_none_or(|most| run <= most) {
                codes.push(code);
                rows.push(row);
            }
        }
        if codes.is_empty() {
            return None;
        }
        if let Some(variant) = known.get(&codes[..]) {
            return Some(*variant);
        }
        let words: Vec<&str> = rows.iter().filter_map(|row| value.text(*row)).collect();
        let variant = texts.intern(&words.join(", "));
        known.insert(codes.clone().into(), variant);
        Some(variant)
    });
    for variant in variants {
        texts.push_code(variant);
    }
    texts.finish()
}
