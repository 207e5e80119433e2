//! The distinct texts of a column, or the keys of a join.

use std::sync::{Arc, OnceLock};

use super::blocks::{Chunked, Map, mix};
use super::narrow::fill;
use super::table::NO_CODE;

/// Up to so many words are kept as values too, which are handed out without
/// being made.
const SHARED_MAX: usize = 1 << 14;

/// Words that are hashed at once, on several threads.
const INDEXED_AT_ONCE: usize = 1 << 20;

/// Words that are all different, by code, and the code of each; a clone shares
/// them all.
#[derive(Clone, Debug, Default)]
pub struct Words {
    base: Arc<WordBlock>,
    /// What came later, with codes that go on.
    tail: Chunked<Arc<str>>,
    /// By hash.
    places: Map<u32>,
}

/// Words in one run of bytes.
#[derive(Clone, Debug, Default)]
pub(crate) struct WordBlock {
    text: String,
    /// Where each word ends.
    ends: Vec<u32>,
    /// Codes by hash, else [`NO_CODE`]; the length is a power of two.
    slots: Vec<u32>,
    shared: OnceLock<Vec<Arc<str>>>,
}

impl Words {
    /// Returns how many there are.
    pub fn len(&self) -> usize {
        self.base.len() + self.tail.len()
    }

    /// Tells whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns the word of a code.
    pub fn get(&self, code: u32) -> &str {
        let base = self.base.len();
        if (code as usize) < base { self.base.get(code) } else { self.tail.get(code as usize - base) }
    }

    /// Returns the word of a code to keep.
    pub fn shared(&self, code: u32) -> Arc<str> {
        let base = self.base.len();
        if (code as usize) < base { self.base.shared(code) } else { self.tail.get(code as usize - base).clone() }
    }

    /// Returns the code of a word.
    pub fn find(&self, word: &str) -> Option<u32> {
        self.find_hashed(word, hash(word))
    }

    fn find_hashed(&self, word: &str, hash: u64) -> Option<u32> {
        let in_tail = || self.places.all(hash).copied().find(|code| self.get(*code) == word);
        self.base.find(word, hash).or_else(in_tail)
    }

    /// Returns the code of a word, which is added if it is new.
    pub(crate) fn code(words: &mut Arc<Words>, word: &str) -> u32 {
        let hash = hash(word);
        words.find_hashed(word, hash).unwrap_or_else(|| {
            let words = Arc::make_mut(words);
            let code = words.len() as u32;
            words.tail.push(word.into());
            words.places.add(hash, code);
            code
        })
    }

    /// Puts all words into one block; codes stay.
    pub(crate) fn folded(words: &Arc<Words>) -> Arc<Words> {
        if words.tail.is_empty() {
            return words.clone();
        }
        let mut block = (*words.base).clone();
        block.shared = OnceLock::new();
        for word in words.tail.iter() {
            block.code(word);
        }
        Arc::new(Words::from(block))
    }

    /// Returns the bytes that they take, and the block to tell it from others
    /// by, for several columns may share one.
    pub(crate) fn bytes(&self) -> (*const WordBlock, usize) {
        let tail: usize = self.tail.iter().map(|word| word.len() + 64).sum();
        (Arc::as_ptr(&self.base), self.base.bytes() + tail)
    }
}

impl From<WordBlock> for Words {
    fn from(mut base: WordBlock) -> Self {
        base.text.shrink_to_fit();
        base.ends.shrink_to_fit();
        Words { base: Arc::new(base), tail: Chunked::default(), places: Map::default() }
    }
}

impl WordBlock {
    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }

    pub(crate) fn get(&self, code: u32) -> &str {
        let code = code as usize;
        let start = if code == 0 { 0 } else { self.ends[code - 1] as usize };
        &self.text[start..self.ends[code] as usize]
    }

    fn shared(&self, code: u32) -> Arc<str> {
        if self.len() > SHARED_MAX {
            return self.get(code).into();
        }
        let all = self.shared.get_or_init(|| (0..self.len() as u32).map(|code| self.get(code).into()).collect());
        all[code as usize].clone()
    }

    pub(crate) fn find(&self, word: &str, hash: u64) -> Option<u32> {
        let last = self.slots.len().checked_sub(1)?;
        let mut place = hash as usize & last;
        loop {
            match self.slots[place] {
                NO_CODE => return None,
                code if self.get(code) == word => return Some(code),
                _ => place = (place + 1) & last,
            }
        }
    }

    /// Returns the code of a word, which is added if it is new.
    ///
    /// # Panics
    ///
    /// If all words together have more than 4 GiB.
    pub(crate) fn code(&mut self, word: &str) -> u32 {
        let hash = hash(word);
        if let Some(code) = self.find(word, hash) {
            return code;
        }
        let code = self.push_new(word);
        if self.ends.len() * 3 > self.slots.len() * 2 {
            self.rebuild((self.ends.len() * 2).next_power_of_two());
        } else {
            self.enter(code, hash);
        }
        code
    }

    fn enter(&mut self, code: u32, hash: u64) {
        let last = self.slots.len() - 1;
        let mut place = hash as usize & last;
        while self.slots[place] != NO_CODE {
            place = (place + 1) & last;
        }
        self.slots[place] = code;
    }

    /// Adds a word that is not among them, and is not found before
    /// [`WordBlock::index`].
    pub(crate) fn push_new(&mut self, word: &str) -> u32 {
        let code = self.ends.len() as u32;
        self.text.push_str(word);
        self.ends.push(u32::try_from(self.text.len()).expect("the words of a column have at most 4 GiB"));
        code
    }

    /// Sees to it that all words are found. To enter many at once is much
    /// faster than one by one, for none is looked for.
    pub(crate) fn index(&mut self) {
        if !self.ends.is_empty() {
            self.rebuild((self.ends.len() * 3 / 2 + 1).next_power_of_two());
        }
    }

    fn rebuild(&mut self, slots: usize) {
        self.slots = Vec::new();
        self.slots.resize(slots.max(16), NO_CODE);
        for start in (0..self.ends.len()).step_by(INDEXED_AT_ONCE) {
            let length = (self.ends.len() - start).min(INDEXED_AT_ONCE);
            let hashes = fill(length, |place| hash(self.get((start + place) as u32)));
            for (place, hash) in hashes.into_iter().enumerate() {
                self.enter((start + place) as u32, hash);
            }
        }
    }

    fn bytes(&self) -> usize {
        let shared = self.shared.get().map_or(0, |shared| shared.len() * 32 + self.text.len());
        self.text.capacity() + (self.ends.capacity() + self.slots.len()) * 4 + shared
    }
}

/// Hashes a text. The seed is another one in each process, so that nobody can
/// push texts that collide; nothing depends on the order of hashes.
pub(crate) fn hash(text: &str) -> u64 {
    let fold = |one: u64, other: u64| {
        let product = u128::from(one) * u128::from(other);
        product as u64 ^ (product >> 64) as u64
    };
    let mut hash = seed() ^ text.len() as u64;
    let mut eights = text.as_bytes().chunks_exact(8);
    for eight in &mut eights {
        let eight = u64::from_le_bytes(eight.try_into().expect("eight bytes"));
        hash = fold(hash ^ eight, 0x9e37_79b9_7f4a_7c15);
    }
    let mut last = [0; 8];
    last[..eights.remainder().len()].copy_from_slice(eights.remainder());
    fold(hash ^ u64::from_le_bytes(last), 0xd6e8_feb8_6659_fd93 ^ seed())
}

/// Hashes a number with the process's seed.
pub(crate) fn hash_number(number: u64) -> u64 {
    mix(number ^ seed())
}

fn seed() -> u64 {
    static SEED: OnceLock<u64> = OnceLock::new();
    *SEED.get_or_init(|| std::hash::BuildHasher::hash_one(&std::hash::RandomState::new(), 0_u8))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_that_are_added_at_once_are_found() {
        let mut block = WordBlock::default();
        block.index();
        assert_eq!(block.bytes(), 0, "nothing takes no room");
        for number in 0..1_000 {
            assert_eq!(block.push_new(&format!("word {number}")), number);
        }
        block.index();
        assert_eq!((block.code("word 999"), block.code("word 0"), block.code("another")), (999, 0, 1_000));
        assert_eq!(block.find("nothing", hash("nothing")), None);
    }

    #[test]
    fn words_keep_their_codes() {
        let mut block = WordBlock::default();
        for number in 0..1_000 {
            assert_eq!(block.code(&format!("word {number}")), number);
        }
        let mut words = Arc::new(Words::from(block));
        let before = words.clone();
        for number in 500..1_500 {
            assert_eq!(Words::code(&mut words, &format!("word {number}")), number);
        }
        assert_eq!((before.len(), before.find("word 1200"), before.find("word 12")), (1_000, None, Some(12)));
        let folded = Words::folded(&words);
        for words in [words, folded] {
            assert_eq!((words.len(), words.find("word 1200"), words.get(1_499)), (1_500, Some(1_200), "word 1499"));
            assert_eq!((&*words.shared(3), &*words.shared(1_400)), ("word 3", "word 1400"));
        }
    }
}
