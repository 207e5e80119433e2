//! Vectors and maps that two roots can share.

use std::borrow::Borrow;
use std::collections::HashMap;
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher, Hash};
use std::sync::Arc;

/// Values per chunk: small enough that copying one for a single change is
/// cheap, large enough that a root is few pointers.
const CHUNK: usize = 512;

/// A vector in chunks; a clone shares all of them, a change copies one.
#[derive(Clone, Debug)]
pub struct Chunked<T> {
    chunks: Vec<Arc<Vec<T>>>,
    length: usize,
}

impl<T> Default for Chunked<T> {
    fn default() -> Self {
        Chunked { chunks: Vec::new(), length: 0 }
    }
}

impl<T: Clone> Chunked<T> {
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
        if self.length.is_multiple_of(CHUNK) {
            self.chunks.push(Arc::new(Vec::new()));
        }
        let last = self.chunks.last_mut().expect("a chunk was added if there was none");
        Arc::make_mut(last).push(value);
        self.length += 1;
    }

    /// Returns the value at a 0-based place.
    pub fn get(&self, place: usize) -> &T {
        &self.chunks[place / CHUNK][place % CHUNK]
    }

    /// Replaces the value at a 0-based place.
    pub fn set(&mut self, place: usize, value: T) {
        Arc::make_mut(&mut self.chunks[place / CHUNK])[place % CHUNK] = value;
    }

    /// Goes through the values in order.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.chunks.iter().flat_map(|chunk| chunk.iter())
    }

    /// Tells whether both are the same chunks, not merely equal.
    pub fn is_same(&self, other: &Self) -> bool {
        self.length == other.length && self.chunks.iter().zip(&other.chunks).all(|(a, b)| Arc::ptr_eq(a, b))
    }
}

impl<T: Clone> FromIterator<T> for Chunked<T> {
    fn from_iter<I: IntoIterator<Item = T>>(values: I) -> Self {
        let mut all = Chunked::default();
        for value in values {
            all.push(value);
        }
        all
    }
}

/// Shards per map.
const SHARDS: usize = 256;

/// The same hash in every process, so that a bug in an order repeats itself.
type Hasher = BuildHasherDefault<DefaultHasher>;

/// A map in shards; a clone shares all of them, a change copies one.
#[derive(Clone, Debug)]
pub(crate) struct Sharded<K, V> {
    shards: Vec<Arc<HashMap<K, V, Hasher>>>,
}

impl<K, V> Default for Sharded<K, V> {
    fn default() -> Self {
        let empty = Arc::new(HashMap::default());
        Sharded { shards: vec![empty; SHARDS] }
    }
}

fn shard_of<Q: Hash + ?Sized>(key: &Q) -> usize {
    (Hasher::default().hash_one(key) >> 56) as usize
}

impl<K: Clone + Hash + Eq, V: Clone> Sharded<K, V> {
    pub(crate) fn get<Q>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        self.shards[shard_of(key)].get(key)
    }

    pub(crate) fn insert(&mut self, key: K, value: V) {
        let shard = shard_of(&key);
        Arc::make_mut(&mut self.shards[shard]).insert(key, value);
    }

    /// Changes the value of a key in place; it starts as the default, and an
    /// entry that `keep` refuses afterwards is taken out.
    pub(crate) fn change<R>(&mut self, key: &K, change: impl FnOnce(&mut V) -> R, keep: impl FnOnce(&V) -> bool) -> R
    where
        V: Default,
    {
        let shard = Arc::make_mut(&mut self.shards[shard_of(key)]);
        let value = shard.entry(key.clone()).or_default();
        let result = change(value);
        if !keep(value) {
            shard.remove(key);
        }
        result
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clone_does_not_see_later_changes() {
        let mut one: Chunked<usize> = (0..2_000).collect();
        let other = one.clone();
        one.set(700, 0);
        one.push(1);
        assert_eq!((*one.get(700), one.len()), (0, 2_001));
        assert_eq!((*other.get(700), other.len()), (700, 2_000));
        assert!(Arc::ptr_eq(&one.chunks[0], &other.chunks[0]), "an untouched chunk is shared");
    }
}
