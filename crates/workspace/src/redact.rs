//! Taking secrets out of what a task prints.
//!
//! Output arrives in pieces, and a secret may lie across two of them. So the
//! end of a piece is held back while it could be the beginning of a secret,
//! and only then: a line that ends is passed on at once, because somebody may
//! be waiting for it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// What stands in the place of a secret.
const MARK: &[u8] = b"[REDACTED]";

/// Takes secrets out of a stream of bytes.
pub(crate) struct Redactor {
    /// Longest first, so that a secret within a secret does not hide the rest of it.
    patterns: Vec<Vec<u8>>,
    held: Vec<u8>,
}

impl Redactor {
    /// Makes one that knows these secrets, as they are and in base64 (the form
    /// in which credentials stand in a header).
    pub(crate) fn new(secrets: &[String]) -> Self {
        let mut patterns: Vec<Vec<u8>> = secrets
            .iter()
            .filter(|secret| !secret.trim().is_empty())
            .flat_map(|secret| [secret.clone().into_bytes(), STANDARD.encode(secret).into_bytes()])
            .collect();
        patterns.sort_by_key(|pattern| std::cmp::Reverse(pattern.len()));
        Redactor { patterns, held: Vec::new() }
    }

    /// Takes in a piece and returns what can be shown of it.
    pub(crate) fn push(&mut self, piece: &[u8]) -> Vec<u8> {
        self.held.extend_from_slice(piece);
        self.release(false)
    }

    /// Returns what was held back, at the end of the stream.
    pub(crate) fn finish(&mut self) -> Vec<u8> {
        self.release(true)
    }

    fn release(&mut self, is_end: bool) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.held.len());
        let mut at = 0;
        while at < self.held.len() {
            let rest = &self.held[at..];
            let may_grow = |pattern: &Vec<u8>| pattern.len() > rest.len() && pattern.starts_with(rest);
            if !is_end && self.patterns.iter().any(may_grow) {
                break;
            }
            if let Some(pattern) = self.patterns.iter().find(|pattern| rest.starts_with(pattern)) {
                out.extend_from_slice(MARK);
                at += pattern.len();
            } else {
                out.push(rest[0]);
                at += 1;
            }
        }
        self.held.drain(..at);
        out
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(secrets: &[&str], pieces: &[&str], expected: &str) {
        let mut redactor = Redactor::new(&secrets.iter().map(ToString::to_string).collect::<Vec<_>>());
        let mut shown: Vec<u8> = pieces.iter().flat_map(|piece| redactor.push(piece.as_bytes())).collect();
        shown.extend(redactor.finish());
        assert_eq!(String::from_utf8_lossy(&shown), expected);
    }

    #[test]
    fn secrets_are_found_wherever_they_lie() {
        check(&["key:geheim"], &["the key is key:geheim\n"], "the key is [REDACTED]\n");
        check(
            &["key:geheim"],
            &["key:g", "ehe", "im, twice: key:geheimkey:geheim"],
            "[REDACTED], twice: [REDACTED][REDACTED]",
        );
        check(&["key:geheim"], &["Authorization: AppKey a2V5OmdlaGVpbQ=="], "Authorization: AppKey [REDACTED]");
        check(&["ab", "abcd"], &["ab", "cd ab", "x"], "[REDACTED] [REDACTED]x");
        check(&["", "  "], &["nothing to hide"], "nothing to hide");
        check(&["geheim"], &["gehe"], "gehe");
    }

    #[test]
    fn a_line_that_holds_no_secret_is_shown_at_once() {
        let mut redactor = Redactor::new(&["geheim".into()]);
        assert_eq!(redactor.push(b"started\n"), b"started\n");
    }

    proptest! {
        #[test]
        fn how_the_output_is_cut_into_pieces_does_not_matter(
            secrets in proptest::collection::vec("[ab]{1,4}", 0..3),
            pieces in proptest::collection::vec("[abc\n]{0,6}", 0..8),
        ) {
            let (mut cut, mut whole) = (Redactor::new(&secrets), Redactor::new(&secrets));
            let mut in_pieces: Vec<u8> = pieces.iter().flat_map(|piece| cut.push(piece.as_bytes())).collect();
            in_pieces.extend(cut.finish());
            let mut at_once = whole.push(pieces.concat().as_bytes());
            at_once.extend(whole.finish());
            prop_assert_eq!(in_pieces, at_once);
        }
    }
}
