//! Rows as CSV in the one form that needs no options: every value in quotes,
//! nothing where there is none.

/// Adds a row.
pub(crate) fn add<'v>(out: &mut Vec<u8>, values: impl ExactSizeIterator<Item = Option<&'v str>>) {
    // A line with nothing on it would be no row.
    let alone = values.len() == 1;
    for (place, value) in values.enumerate() {
        if place > 0 {
            out.push(b',');
        }
        match value {
            None if alone => out.extend_from_slice(b"\"\""),
            None => {}
            Some(text) => {
                out.push(b'"');
                out.extend_from_slice(text.replace('"', "\"\"").as_bytes());
                out.push(b'"');
            }
        }
    }
    out.push(b'\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_holds_whatever_its_values_are() {
        for (values, expected) in [
            (vec![Some("a"), None, Some("")], "\"a\",,\"\"\n"),
            (vec![Some("say \"so\""), Some("1,5\n2")], "\"say \"\"so\"\"\",\"1,5\n2\"\n"),
            (vec![None], "\"\"\n"),
        ] {
            let mut out = Vec::new();
            add(&mut out, values.into_iter());
            assert_eq!(String::from_utf8(out).expect("text"), expected);
        }
    }
}
