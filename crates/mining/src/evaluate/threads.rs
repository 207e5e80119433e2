//! Sharing work between threads, so that what comes out does not depend on it.
//!
//! Rows are cut into ranges that follow each other; each thread has one, and
//! the results stand in the order of the ranges. Few rows stay on one thread.

use std::ops::Range;

use crate::log::{PARALLEL_MIN, threads};

/// How many rows are read at once: what kind of array it is that they stand in
/// is asked once per run, not once per row.
pub(super) const RUN: usize = 512;

/// Does several jobs at the same time, one of them on this thread.
pub(super) fn at_once<T: Send, J: FnOnce() -> T + Send>(jobs: Vec<J>) -> Vec<T> {
    let mut jobs = jobs.into_iter();
    let Some(first) = jobs.next() else { return Vec::new() };
    std::thread::scope(|scope| {
        let others: Vec<_> = jobs.map(|job| scope.spawn(job)).collect();
        let mut results = vec![first()];
        for other in others {
            results.push(other.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        }
        results
    })
}

/// Returns how many parts `length` rows are worth.
pub(super) fn parts(length: usize) -> usize {
    if length < PARALLEL_MIN { 1 } else { threads() }
}

/// Fills an array run by run; `of` gets the rows of a run and where their
/// values go.
pub(super) fn fill_runs<T: Send + Copy + Default>(length: usize, of: impl Fn(Range<usize>, &mut [T]) + Sync) -> Vec<T> {
    let mut all = vec![T::default(); length];
    let part = length.div_ceil(parts(length)).max(1);
    let work = |first: usize, values: &mut [T]| {
        for (number, run) in values.chunks_mut(RUN).enumerate() {
            let start = first + number * RUN;
            of(start..start + run.len(), run);
        }
    };
    let work = &work;
    let jobs = all.chunks_mut(part).enumerate().map(|(number, values)| move || work(number * part, values));
    at_once(jobs.collect());
    all
}
