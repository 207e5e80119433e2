//! Vectors and maps that two roots share: what has arrived since the base was
//! made.
//!
//! Both are trees of small blocks. A clone copies a few pointers, a change
//! copies the blocks on the way to it, and neither grows with the base.

use std::sync::Arc;

/// Blocks per branch.
const BRANCH: usize = 64;

/// A vector in blocks of `LEAF` values; a clone shares all of them, a change
/// copies one.
#[derive(Clone, Debug)]
pub struct Chunked<T, const LEAF: usize = 256> {
    branches: Vec<Arc<Vec<Arc<Vec<T>>>>>,
    length: usize,
}

impl<T, const LEAF: usize> Default for Chunked<T, LEAF> {
    fn default() -> Self {
        Chunked { branches: Vec::new(), length: 0 }
    }
}

impl<T: Clone, const LEAF: usize> Chunked<T, LEAF> {
    /// Returns how many values there are.
    pub fn len(&self) -> usize {
        self.length
    }

    /// Tells whether there are none.
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// Adds a value.
    pub fn push(&mut self, value: T) {
        if self.length.is_multiple_of(LEAF * BRANCH) {
            self.branches.push(Arc::default());
        }
        let branch = Arc::make_mut(self.branches.last_mut().expect("a branch was added if there was none"));
        if self.length.is_multiple_of(LEAF) {
            branch.push(Arc::default());
        }
        Arc::make_mut(branch.last_mut().expect("a leaf was added if there was none")).push(value);
        self.length += 1;
    }

    /// Returns the value at a 0-based place.
    pub fn get(&self, place: usize) -> &T {
        &self.branches[place / (LEAF * BRANCH)][place / LEAF % BRANCH][place % LEAF]
    }

    /// Returns the value at a 0-based place, to be changed.
    pub fn get_mut(&mut self, place: usize) -> &mut T {
        let branch = Arc::make_mut(&mut self.branches[place / (LEAF * BRANCH)]);
        &mut Arc::make_mut(&mut branch[place / LEAF % BRANCH])[place % LEAF]
    }

    /// Takes the last value away.
    pub fn pop(&mut self) -> Option<T> {
        let branch = Arc::make_mut(self.branches.last_mut()?);
        let leaf = Arc::make_mut(branch.last_mut()?);
        let value = leaf.pop()?;
        self.length -= 1;
        if self.length.is_multiple_of(LEAF) {
            branch.pop();
        }
        if self.length.is_multiple_of(LEAF * BRANCH) {
            self.branches.pop();
        }
        Some(value)
    }

    /// Goes through the values in order.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &T> {
        self.branches.iter().flat_map(|branch| branch.iter()).flat_map(|leaf| leaf.iter())
    }
}

impl<T: Clone, const LEAF: usize> FromIterator<T> for Chunked<T, LEAF> {
    fn from_iter<I: IntoIterator<Item = T>>(values: I) -> Self {
        let mut all = Chunked::default();
        for value in values {
            all.push(value);
        }
        all
    }
}

/// Entries per bucket, on average, before another bucket is made.
const BUCKET: usize = 8;

/// A map from numbers; a clone shares all buckets, a change copies one.
///
/// Buckets are split one at a time as the map grows (linear hashing), so that
/// no single change pays for the growth. One number may have several values,
/// so that it can be a hash.
#[derive(Clone, Debug)]
pub(crate) struct Map<V> {
    buckets: Chunked<Arc<Vec<(u64, V)>>, 32>,
    count: usize,
}

impl<V> Default for Map<V> {
    fn default() -> Self {
        Map { buckets: Chunked::default(), count: 0 }
    }
}

impl<V: Clone> Map<V> {
    /// Returns how many entries there are.
    pub(crate) fn len(&self) -> usize {
        self.count
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.count == 0
    }

    fn bucket_of(&self, key: u64) -> usize {
        let (hash, count) = (mix(key) as usize, self.buckets.len());
        // Buckets beyond the last power of two are those that were split.
        let whole = (1 << count.ilog2()) - 1;
        let finer = hash & (whole << 1 | 1);
        if finer < count { finer } else { hash & whole }
    }

    /// Returns a value of a number.
    pub(crate) fn get(&self, key: u64) -> Option<&V> {
        self.all(key).next()
    }

    /// Goes through the values of a number.
    pub(crate) fn all(&self, key: u64) -> impl Iterator<Item = &V> {
        let bucket = if self.count == 0 { &[][..] } else { self.buckets.get(self.bucket_of(key)).as_slice() };
        bucket.iter().filter(move |(known, _)| *known == key).map(|(_, value)| value)
    }

    /// Adds a value to those of a number.
    pub(crate) fn add(&mut self, key: u64, value: V) {
        if self.buckets.is_empty() {
            self.buckets.push(Arc::default());
        }
        let bucket = self.bucket_of(key);
        Arc::make_mut(self.buckets.get_mut(bucket)).push((key, value));
        self.count += 1;
        if self.count > self.buckets.len() * BUCKET {
            self.split();
        }
    }

    /// Puts a value in place of the one of a number.
    pub(crate) fn put(&mut self, key: u64, value: V) {
        match self.change(key) {
            Some(known) => *known = value,
            None => self.add(key, value),
        }
    }

    /// Returns a value of a number, to be changed.
    pub(crate) fn change(&mut self, key: u64) -> Option<&mut V> {
        // Looking first, because a bucket without it need not be copied.
        self.get(key)?;
        let bucket = self.bucket_of(key);
        let bucket = Arc::make_mut(self.buckets.get_mut(bucket));
        bucket.iter_mut().find(|(known, _)| *known == key).map(|(_, value)| value)
    }

    /// Takes a number out.
    pub(crate) fn remove(&mut self, key: u64) {
        self.remove_where(key, |_| true);
    }

    /// Takes some values of a number out.
    pub(crate) fn remove_where(&mut self, key: u64, which: impl Fn(&V) -> bool) {
        if self.all(key).any(&which) {
            let bucket = self.bucket_of(key);
            let bucket = Arc::make_mut(self.buckets.get_mut(bucket));
            let before = bucket.len();
            bucket.retain(|(known, value)| *known != key || !which(value));
            self.count -= before - bucket.len();
        }
    }

    /// Goes through numbers and values, in no order that means anything.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u64, &V)> {
        self.buckets.iter().flat_map(|bucket| bucket.iter().map(|(key, value)| (*key, value)))
    }

    fn split(&mut self) {
        let fresh = self.buckets.len();
        let whole = 1 << fresh.ilog2();
        let bucket = Arc::make_mut(self.buckets.get_mut(fresh - whole));
        let all = std::mem::take(bucket);
        let (moves, stays) = all.into_iter().partition(|(key, _)| mix(*key) as usize & ((whole << 1) - 1) == fresh);
        *bucket = stays;
        self.buckets.push(Arc::new(moves));
    }
}

/// Spreads numbers over all 64 bits.
pub(crate) fn mix(number: u64) -> u64 {
    let number = (number ^ (number >> 32)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let number = (number ^ (number >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    number ^ (number >> 32)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn a_clone_does_not_see_later_changes() {
        let mut one: Chunked<usize> = (0..40_000).collect();
        let other = one.clone();
        *one.get_mut(700) = 0;
        one.push(1);
        assert_eq!((*one.get(700), one.len()), (0, 40_001));
        assert_eq!((*other.get(700), other.len()), (700, 40_000));
        assert!(Arc::ptr_eq(&one.branches[1], &other.branches[1]), "an untouched branch is shared");
        while one.pop().is_some() {}
        assert_eq!((one.len(), one.branches.len(), other.iter().sum::<usize>()), (0, 0, 40_000 * 39_999 / 2));
    }

    #[test]
    fn a_map_holds_what_was_put_in() {
        let (mut map, mut plain) = (Map::default(), BTreeMap::new());
        for number in 0..5_000_u64 {
            map.put(number * 7 % 3_001, number);
            plain.insert(number * 7 % 3_001, number);
            if number % 3 == 0 {
                map.remove(number);
                plain.remove(&number);
            }
        }
        let before = map.clone();
        map.put(1, 0);
        let sorted: BTreeMap<_, _> = before.iter().map(|(key, value)| (key, *value)).collect();
        assert_eq!((sorted, before.len()), (plain.clone(), plain.len()));
        assert!(plain.iter().all(|(key, value)| before.get(*key) == Some(value)));
        map.add(1, 5);
        assert_eq!(map.all(1).copied().collect::<Vec<_>>(), [0, 5]);
    }
}
