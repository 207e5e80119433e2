//! Fuzzy search: how much of a term is found in a text.

/// Precision of a search if nothing is said, in percent.
pub(crate) const PRECISION_USUAL: u8 = 80;

/// Tells how well a term fits the part of a text that it fits best, in
/// percent: 100 if it is in there, less for each letter that has to be
/// inserted, dropped or changed. Case does not count.
pub(crate) fn fit(term: &str, text: &str) -> u8 {
    let term: Vec<char> = term.to_lowercase().chars().collect();
    if term.is_empty() {
        return 100;
    }
    // The distance to any part of the text: it may begin and end anywhere.
    let mut column: Vec<usize> = (0..=term.len()).collect();
    let mut best = term.len();
    for letter in text.to_lowercase().chars() {
        let mut diagonal = column[0];
        for (place, wanted) in term.iter().enumerate() {
            let changed = diagonal + usize::from(letter != *wanted);
            diagonal = column[place + 1];
            column[place + 1] = changed.min(diagonal + 1).min(column[place] + 1);
        }
        best = best.min(column[term.len()]);
    }
    (100 - 100 * best / term.len()) as u8
}

#[cfg(test)]
mod tests {
    use super::fit;

    #[test]
    fn a_term_fits_the_part_that_is_most_like_it() {
        for (term, text, expected) in [
            ("miller", "Miller & Sons", 100),
            ("miler", "Miller", 80),
            ("mxller", "Miller", 84),
            ("", "anything", 100),
            ("abc", "", 0),
            ("abc", "xyz", 0),
            ("ÄRA", "bär", 67),
        ] {
            assert_eq!(fit(term, text), expected, "{term} in {text}");
        }
    }
}
