//! Arrays as narrow as their values allow.

use std::sync::Arc;

use super::table::NO_CODE;

/// Small numbers with gaps: one, two or four bytes each, the largest of which
/// says that there is none.
#[derive(Clone, Debug)]
pub(crate) enum Narrow {
    /// Below 255.
    Bytes(Arc<Vec<u8>>),
    /// Below 65,535.
    Shorts(Arc<Vec<u16>>),
    /// The others.
    Words(Arc<Vec<u32>>),
}

impl Default for Narrow {
    fn default() -> Self {
        Narrow::Bytes(Arc::default())
    }
}

impl Narrow {
    /// Makes an array of numbers below `end`, or [`NO_CODE`]; `of` is asked for
    /// each of `length` places, on several threads.
    pub(crate) fn new(length: usize, end: usize, of: impl Fn(usize) -> u32 + Sync) -> Self {
        if u8::try_from(end).is_ok() {
            Narrow::Bytes(Arc::new(fill(length, |place| u8::try_from(of(place)).unwrap_or(u8::MAX))))
        } else if u16::try_from(end).is_ok() {
            Narrow::Shorts(Arc::new(fill(length, |place| u16::try_from(of(place)).unwrap_or(u16::MAX))))
        } else {
            Narrow::Words(Arc::new(fill(length, of)))
        }
    }

    pub(crate) fn len(&self) -> usize {
        match self {
            Narrow::Bytes(values) => values.len(),
            Narrow::Shorts(values) => values.len(),
            Narrow::Words(values) => values.len(),
        }
    }

    /// Returns a number, or [`NO_CODE`].
    #[inline]
    pub(crate) fn get(&self, place: usize) -> u32 {
        match self {
            Narrow::Bytes(values) => widen(values[place], u8::MAX),
            Narrow::Shorts(values) => widen(values[place], u16::MAX),
            Narrow::Words(values) => values[place],
        }
    }

    /// Returns the bytes that it takes.
    pub(crate) fn bytes(&self) -> usize {
        match self {
            Narrow::Bytes(values) => values.len(),
            Narrow::Shorts(values) => values.len() * 2,
            Narrow::Words(values) => values.len() * 4,
        }
    }
}

#[inline]
fn widen<T: Into<u32> + PartialEq>(value: T, none: T) -> u32 {
    if value == none { NO_CODE } else { value.into() }
}

/// Bits, one per row.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Bitmap {
    words: Vec<u64>,
}

impl Bitmap {
    /// Makes `length` bits.
    pub(crate) fn new(length: usize, of: impl Fn(usize) -> bool + Sync) -> Self {
        let word = |word: usize| {
            let bits = word * 64..length.min(word * 64 + 64);
            bits.fold(0, |bits, place| bits | u64::from(of(place)) << (place % 64))
        };
        Bitmap { words: fill(length.div_ceil(64), word) }
    }

    #[inline]
    pub(crate) fn get(&self, place: usize) -> bool {
        self.words[place / 64] >> (place % 64) & 1 == 1
    }

    pub(crate) fn set(&mut self, place: usize) {
        self.words[place / 64] |= 1 << (place % 64);
    }

    /// Adds a bit behind `length` others.
    pub(crate) fn push(&mut self, length: usize, bit: bool) {
        if length.is_multiple_of(64) {
            self.words.push(0);
        }
        if bit {
            self.set(length);
        }
    }

    pub(crate) fn bytes(&self) -> usize {
        self.words.len() * 8
    }
}

/// Whole numbers, each a number of steps above the lowest if these are small.
#[derive(Clone, Debug)]
pub(crate) enum Ints {
    /// `low + step * n`.
    Steps { low: i64, step: i64, steps: Narrow },
    /// As they are; where there is none, a zero.
    Wide(Arc<Vec<i64>>, Option<Arc<Bitmap>>),
}

/// Times come in whole minutes, seconds or milliseconds more often than not.
const STEPS: [i64; 3] = [60_000_000, 1_000_000, 1_000];

impl Ints {
    /// Packs `length` numbers; `of` is asked for each of them more than once.
    pub(crate) fn new(length: usize, of: impl Fn(usize) -> Option<i64> + Sync) -> Self {
        Ints::in_order(length, &of, &of)
    }

    /// Packs `length` numbers. `any` tells the same numbers as `of` in another
    /// order, in which it is faster to look them through.
    pub(crate) fn in_order(
        length: usize,
        any: impl Fn(usize) -> Option<i64> + Sync,
        of: impl Fn(usize) -> Option<i64> + Sync,
    ) -> Self {
        let ranges = map_ranges(length, |range| {
            let (mut low, mut high, mut all) = (i64::MAX, i64::MIN, true);
            for place in range {
                match any(place) {
                    Some(value) => (low, high) = (low.min(value), high.max(value)),
                    None => all = false,
                }
            }
            (low, high, all)
        });
        let low = ranges.iter().map(|(low, ..)| *low).min().unwrap_or(0);
        let high = ranges.iter().map(|(_, high, _)| *high).max().unwrap_or(0);
        let all = ranges.iter().all(|(.., all)| *all);
        if low > high {
            return Ints::Steps { low: 0, step: 1, steps: Narrow::new(length, 0, |_| NO_CODE) };
        }
        let span = i128::from(high) - i128::from(low);
        let fits = |step: &i64| span / i128::from(*step) < i128::from(u32::MAX - 1);
        let divides = |step: i64| {
            let whole = |place| any(place).is_none_or(|value| (value - low) % step == 0);
            map_ranges(length, |mut range| range.all(whole)).into_iter().all(|whole| whole)
        };
        let step = if span < i128::from(u16::MAX - 1) {
            Some(1)
        } else if i64::try_from(span).is_err() {
            None
        } else {
            let longer = STEPS.into_iter().filter(fits).find(|step| divides(*step));
            longer.or(Some(1).filter(fits))
        };
        let Some(step) = step else {
            let valid = (!all).then(|| Arc::new(Bitmap::new(length, |place| of(place).is_some())));
            return Ints::Wide(Arc::new(fill(length, |place| of(place).unwrap_or(0))), valid);
        };
        let end = (span / i128::from(step)) as usize + 1;
        let steps = |place| of(place).map_or(NO_CODE, |value| ((value - low) / step) as u32);
        Ints::Steps { low, step, steps: Narrow::new(length, end, steps) }
    }

    #[inline]
    pub(crate) fn get(&self, place: usize) -> Option<i64> {
        match self {
            Ints::Steps { low, step, steps } => match steps.get(place) {
                NO_CODE => None,
                steps => Some(low + i64::from(steps) * step),
            },
            Ints::Wide(values, valid) => valid.as_ref().is_none_or(|valid| valid.get(place)).then(|| values[place]),
        }
    }

    pub(crate) fn len(&self) -> usize {
        match self {
            Ints::Steps { steps, .. } => steps.len(),
            Ints::Wide(values, _) => values.len(),
        }
    }

    pub(crate) fn bytes(&self) -> usize {
        match self {
            Ints::Steps { steps, .. } => steps.bytes(),
            Ints::Wide(values, valid) => values.len() * 8 + valid.as_ref().map_or(0, |valid| valid.bytes()),
        }
    }
}

/// Rows below which a second thread is not worth its start.
pub(crate) const PARALLEL_MIN: usize = 1 << 16;

/// Cuts `0..length` into as many ranges as there are processors and works on
/// them at the same time; the results come in order.
pub(crate) fn map_ranges<T: Send>(length: usize, work: impl Fn(std::ops::Range<usize>) -> T + Sync) -> Vec<T> {
    let threads = if length < PARALLEL_MIN { 1 } else { threads() };
    let cut = |part: usize| (length * part / threads).div_ceil(64) * 64;
    let range =
        |part: usize| cut(part).min(length)..if part + 1 == threads { length } else { cut(part + 1).min(length) };
    if threads == 1 {
        return vec![work(range(0))];
    }
    std::thread::scope(|scope| {
        let work = &work;
        let others: Vec<_> = (1..threads).map(|part| scope.spawn(move || work(range(part)))).collect();
        let mut results = vec![work(range(0))];
        for other in others {
            results.push(other.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        }
        results
    })
}

/// Returns how many threads work on one thing at the same time.
pub(crate) fn threads() -> usize {
    std::thread::available_parallelism().map_or(1, |threads| threads.get().min(8))
}

/// Fills an array on several threads.
pub(crate) fn fill<T: Send + Copy + Default>(length: usize, of: impl Fn(usize) -> T + Sync) -> Vec<T> {
    if length < PARALLEL_MIN {
        return (0..length).map(of).collect();
    }
    let mut all = vec![T::default(); length];
    let part = length.div_ceil(threads());
    std::thread::scope(|scope| {
        for (number, part_of_all) in all.chunks_mut(part).enumerate() {
            let of = &of;
            scope.spawn(move || {
                for (place, value) in part_of_all.iter_mut().enumerate() {
                    *value = of(number * part + place);
                }
            });
        }
    });
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(values: &[Option<i64>], bytes: usize) {
        let packed = Ints::new(values.len(), |place| values[place]);
        let unpacked: Vec<_> = (0..values.len()).map(|place| packed.get(place)).collect();
        assert_eq!((unpacked.as_slice(), packed.bytes()), (values, bytes));
    }

    #[test]
    fn numbers_take_as_little_room_as_they_can() {
        check(&[], 0);
        check(&[None, None], 2);
        check(&[Some(7), Some(7), None], 3);
        check(&[Some(-5), Some(249)], 2);
        check(&[Some(-5), Some(250)], 4);
        check(&[Some(0), Some(1_000_000), Some(3_600_000_000)], 6);
        check(&[Some(0), Some(1_000_001), None], 12);
        check(&[Some(i64::MIN), Some(i64::MAX)], 16);
        check(&[Some(0), None, Some(1 << 40)], 32);
        let many: Vec<_> = (0..200_000).map(|value| Some(value * 1_000)).collect();
        check(&many, 800_000);
    }
}
