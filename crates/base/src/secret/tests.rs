//! What sealing promises.

use proptest::prelude::*;

use super::*;
use crate::chance::SeededChance;

fn ring(seed: u64) -> KeyRing {
    KeyRing::generate(&SeededChance::new(seed))
}

fn error_of<T>(result: Result<T, SecretError>) -> String {
    result.err().expect("it does not open").to_string()
}

proptest! {
    #[test]
    fn what_is_sealed_opens_again(text in ".*", purpose in ".*", seed: u64) {
        let sealed = ring(seed).seal(&purpose, &Secret::new(&text), &SeededChance::new(!seed));
        let opened = ring(seed).open(&purpose, &sealed).expect("it opens");
        prop_assert_eq!(opened.expose(), text);
    }

    #[test]
    fn nothing_opens_for_another_purpose(text in ".*", purpose in ".*", other in ".*") {
        prop_assume!(purpose != other);
        let sealed = ring(1).seal(&purpose, &Secret::new(text), &SeededChance::new(2));
        prop_assert!(ring(1).open(&other, &sealed).is_err());
    }

    #[test]
    fn nothing_opens_after_a_bit_flipped(text in ".*", place: prop::sample::Index, bit in 0..8u8) {
        let mut sealed = ring(1).seal("p", &Secret::new(text), &SeededChance::new(2));
        let place = place.index(sealed.len());
        sealed[place] ^= 1 << bit;
        prop_assert!(ring(1).open("p", &sealed).is_err());
    }

    #[test]
    fn nothing_opens_that_was_cut(text in ".*", length: prop::sample::Index) {
        let sealed = ring(1).seal("p", &Secret::new(text), &SeededChance::new(2));
        prop_assert!(ring(1).open("p", &sealed[..length.index(sealed.len())]).is_err());
    }
}

#[test]
fn a_ring_survives_its_text_form() {
    let sealed = ring(7).seal("p", &Secret::new("s"), &SeededChance::new(2));
    let again = KeyRing::parse(&ring(7).text()).expect("its own text");
    assert_eq!(again.open("p", &sealed).expect("the same key").expose(), "s");
}

#[test]
fn an_old_key_opens_and_the_new_one_seals() {
    let chance = SeededChance::new(3);
    let mut rotated = ring(7);
    let old = rotated.seal("p", &Secret::new("old"), &chance);
    rotated.rotate(&chance);
    let new = rotated.seal("p", &Secret::new("new"), &chance);
    assert_eq!(rotated.open("p", &old).expect("the old key is there").expose(), "old");
    assert_eq!(rotated.open("p", &new).expect("the new key is there").expose(), "new");
    let error = error_of(ring(7).open("p", &new));
    assert!(error.contains("which is not on the key ring"), "{error}");
}

#[test]
fn a_bad_ring_is_refused_without_showing_it() {
    let key = "0".repeat(64);
    for (text, error) in [
        (String::new(), "the key ring has no key"),
        ("# a comment\n".into(), "the key ring has no key"),
        (
            format!("00000001 {key}\nhunter2"),
            "line 2 of the key ring is not \"<8 hexadecimal digits> <64 hexadecimal digits>\"",
        ),
        (format!("00000001 {key},00000001 {key}"), "the key ring has two keys with the id 00000001"),
    ] {
        assert_eq!(error_of(KeyRing::parse(&Secret::new(text))), error);
    }
}

#[test]
fn the_file_is_made_once_and_only_its_owner_reads_it() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("keys");
    let made = KeyRing::open_or_create(&path, &SeededChance::new(1)).expect("a new ring");
    assert_eq!(std::fs::metadata(&path).expect("a file").permissions().mode() & 0o777, 0o600);
    let sealed = made.seal("p", &Secret::new("s"), &SeededChance::new(2));
    let found = KeyRing::open_or_create(&path, &SeededChance::new(99)).expect("the ring that is there");
    assert_eq!(found.open("p", &sealed).expect("the same key").expose(), "s");
    assert_eq!(std::fs::read_dir(folder.path()).expect("a folder").count(), 1, "no draft is left behind");
}

#[test]
fn a_secret_is_compared_as_a_whole() {
    let secret = Secret::new("abc");
    assert!(secret.matches("abc"));
    assert!(!secret.matches("abd") && !secret.matches("ab") && !secret.matches(""));
}
