//! JSON as rows: an array of objects, or an object a line.
//!
//! A column is a key of any of the objects, in order of appearance. Numbers
//! are numbers and truth values are truth values; a text is a text, also
//! `"4711"`, unless every text of its column is a point in time. What is nested
//! comes as JSON text.

use serde::Deserializer as _;
use serde::de::{SeqAccess, Visitor};
use serde_json::{Deserializer, Map, Value};

use super::lines;
use crate::csv::read_iso;
use crate::{DeclaredColumn, DeclaredType};

type Object = Map<String, Value>;

/// Makes CSV of a document; also says which types its columns have. Where
/// there are no rows, nothing is handed out.
pub(crate) fn to_csv(
    document: &[u8],
    mut take: impl FnMut(Vec<u8>) -> Result<(), String>,
) -> Result<Vec<DeclaredColumn>, String> {
    const BLOCK_BYTES: usize = 1 << 20;
    let mut columns: Vec<Facts> = Vec::new();
    let mut places: std::collections::HashMap<String, usize> = std::collections::HashMap::new();
    each(document, &mut |object| {
        for (name, value) in &object {
            let place = *places.entry(name.clone()).or_insert_with(|| {
                columns.push(Facts { name: name.clone(), ..Facts::default() });
                columns.len() - 1
            });
            columns[place].see(value);
        }
        Ok(())
    })?;
    // An empty answer is an answer: there are no rows today.
    if columns.is_empty() {
        return Ok(Vec::new());
    }
    let mut block = Vec::new();
    lines::add(&mut block, columns.iter().map(|column| Some(column.name.as_str())));
    each(document, &mut |object| {
        let texts: Vec<Option<String>> = columns.iter().map(|column| text_of(object.get(&column.name))).collect();
        lines::add(&mut block, texts.iter().map(Option::as_deref));
        if block.len() >= BLOCK_BYTES {
            take(std::mem::take(&mut block))?;
        }
        Ok(())
    })?;
    take(block)?;
    Ok(columns.iter().filter_map(Facts::declared).collect())
}

fn text_of(value: Option<&Value>) -> Option<String> {
    match value? {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}

/// What was seen of a column.
#[derive(Default)]
struct Facts {
    name: String,
    integers: bool,
    floats: bool,
    truths: bool,
    times: bool,
    texts: bool,
}

impl Facts {
    fn see(&mut self, value: &Value) {
        match value {
            Value::Null => {}
            Value::Bool(_) => self.truths = true,
            Value::Number(number) if number.is_i64() => self.integers = true,
            Value::Number(_) => self.floats = true,
            Value::String(text) if text.is_empty() => {}
            Value::String(text) if !self.texts && read_iso(text).is_some() => self.times = true,
            Value::String(_) | Value::Array(_) | Value::Object(_) => self.texts = true,
        }
    }

    /// Returns the type; `None` leaves it to be guessed, which finds times.
    fn declared(&self) -> Option<DeclaredColumn> {
        let column_type = match (self.integers, self.floats, self.truths, self.times, self.texts) {
            (false, false, false, _, false) => return None,
            (true, false, false, false, false) => DeclaredType::Integer,
            (_, true, false, false, false) => DeclaredType::Float,
            (false, false, true, false, false) => DeclaredType::Boolean,
            _ => DeclaredType::String,
        };
        Some(DeclaredColumn { name: self.name.clone(), column_type, length: None, key: false })
    }
}

/// Hands out the objects of a document one after the other.
fn each(document: &[u8], take: &mut dyn FnMut(Object) -> Result<(), String>) -> Result<(), String> {
    struct Each<'t>(&'t mut dyn FnMut(Object) -> Result<(), String>);

    impl<'de> Visitor<'de> for Each<'_> {
        type Value = ();

        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("an array of objects")
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut objects: A) -> Result<(), A::Error> {
            while let Some(object) = objects.next_element::<Object>()? {
                (self.0)(object).map_err(serde::de::Error::custom)?;
            }
            Ok(())
        }
    }

    let document = document.strip_prefix(b"\xef\xbb\xbf").unwrap_or(document);
    let told = |error: serde_json::Error| format!("it is not JSON with objects as rows: {error}");
    if document.trim_ascii_start().starts_with(b"[") {
        let mut reader = Deserializer::from_slice(document);
        reader.deserialize_seq(Each(take)).map_err(told)?;
        return reader.end().map_err(told);
    }
    for object in Deserializer::from_slice(document).into_iter::<Object>() {
        take(object.map_err(told)?)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    fn check(document: &str, expected: Expect) {
        let mut text = String::new();
        let answer = to_csv(document.as_bytes(), |block| {
            text.push_str(&String::from_utf8(block).expect("text"));
            Ok(())
        });
        match answer {
            Ok(declared) => {
                for column in declared {
                    text.push_str(&format!("{} {:?}; ", column.name, column.column_type));
                }
            }
            Err(sentence) => text = sentence,
        }
        expected.assert_eq(text.trim_end());
    }

    #[test]
    fn objects_are_rows() {
        check(
            r#"[{"id": 1, "name": "4711", "at": "2026-01-01T00:00:00Z", "open": true},
                {"id": 2.5, "lines": [1, {"a": null}], "name": null}]"#,
            expect![[r#"
                "id","name","at","open","lines"
                "1","4711","2026-01-01T00:00:00Z","true",
                "2.5",,,,"[1,{""a"":null}]"
                id Float; name String; open Boolean; lines String;"#]],
        );
        check(
            "{\"a\": 9007199254740993}\n\n{\"a\": -1}\n",
            expect![[r#"
                "a"
                "9007199254740993"
                "-1"
                a Integer;"#]],
        );
    }

    #[test]
    fn what_is_no_row_is_told_with_its_place() {
        check(
            "[1]",
            expect![
                "it is not JSON with objects as rows: invalid type: integer `1`, expected a map at line 1 column 2"
            ],
        );
        check("<html>", expect!["it is not JSON with objects as rows: expected value at line 1 column 1"]);
        check("[]", expect![""]);
        check(
            r#"[{"a": 1}"#,
            expect!["it is not JSON with objects as rows: EOF while parsing a list at line 1 column 9"],
        );
    }
}
