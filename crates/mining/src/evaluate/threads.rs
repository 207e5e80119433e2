//! Sharing work between threads, so that what comes out does not depend on it.
//!
//! Rows are cut into ranges that follow each other; each thread has one, and
//! the results stand in the order of the ranges. Few rows stay on one thread.

use std::ops::Range;

use crate::log::{PARALLEL_MIN, threads};

/// How many rows are read at once: what kind of array it is that they stand in
/// is asked once per run, not once per row. Tests have short runs, so that they
/// see what happens at their ends.
pub(super) const RUN: usize = if cfg!(test) { 4 } else { 512 };

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

/// Returns how many parts `length` rows are worth: in tests three, as soon as
/// there is something to cut.
pub(super) fn parts(length: usize) -> usize {
    match length {
        _ if cfg!(test) => length.div_ceil(16).clamp(1, 3),
        _ if length < PARALLEL_MIN => 1,
        _ => threads(),
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_filled_once() {
        for length in [0, 1, 15, 16, 17, 33, 100] {
            let filled = fill_runs(length, |rows, into: &mut [usize]| {
                into.iter_mut().zip(rows).for_each(|(into, row)| *into += row + 1);
            });
            assert_eq!(filled, (1..=length).collect::<Vec<_>>());
        }
    }
}
