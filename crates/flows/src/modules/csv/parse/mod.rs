//! Parse CSV.

use csv::ReaderBuilder;
use serde_json::Value as Json;

use crate::modules::builtin::iterator::numbered;
use crate::modules::csv::delimiter;
use crate::modules::{Behaviour, Call, Class, Module, ModuleError};
use crate::value::Value;

/// Makes a bundle of each row, with `col1`, `col2` and so on.
pub const PARSE: Module = module!("csv:ParseCSV", versions[1], Behaviour::Loop(parse));

fn invalid(message: String) -> ModuleError {
    ModuleError::new(Class::BundleValidationError, message)
}

fn parse(call: &mut Call<'_>) -> Result<Vec<Value>, ModuleError> {
    // The original has some of them as static settings.
    let field = |name: &str| match call.input.field(name) {
        Value::Absent => call.parameters.get(name).cloned().map_or(Value::Absent, |json: Json| Value::from_json(json)),
        mapped => mapped,
    };
    let columns_max = match field("columns") {
        value if value.is_empty() => None,
        value => value.to_i64().and_then(|number| usize::try_from(number).ok()).filter(|number| *number > 0),
    };
    let source = field("csv");
    if !source.exists() {
        return Err(invalid("missing value of required parameter \"csv\"".into()));
    }
    let bytes = source.to_bytes();
    let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
    let delimiter = delimiter(&field("delimiter").to_text(), &field("otherDelimiter").to_text())?;
    if !field("preserveQuotes").truth()
        && let Some(line) = line_with_stray_quote(text, delimiter)
    {
        return Err(invalid(format!(
            "source is not valid CSV: line {line} has a quote inside a field without quotes; \"preserveQuotes\" keeps it"
        )));
    }
    let mut reader = ReaderBuilder::new()
        .delimiter(delimiter)
        .has_headers(field("containsHeaders").truth())
        .flexible(true)
        .from_reader(text);
    let mut rows = Vec::new();
    for record in reader.byte_records() {
        let record = record.map_err(|problem| invalid(format!("source is not valid CSV: {problem}")))?;
        let cells = record.iter().take(columns_max.unwrap_or(usize::MAX)).enumerate();
        let cell =
            |(place, cell): (usize, &[u8])| (format!("col{}", place + 1), Value::text(String::from_utf8_lossy(cell)));
        rows.push(Value::collection(cells.map(cell)));
    }
    Ok(numbered(rows))
}

/// Finds a quote that neither opens nor closes a field: most often the sign of
/// another delimiter, so it is not guessed what it means.
fn line_with_stray_quote(text: &[u8], delimiter: u8) -> Option<usize> {
    enum At {
        Begin,
        Plain,
        Quoted,
        /// Behind a quote in a quoted field: its end, or the first of two.
        Closing,
    }
    let (mut at, mut line) = (At::Begin, 1);
    for byte in text {
        let ends = *byte == delimiter || *byte == b'\n' || *byte == b'\r';
        at = match (at, *byte) {
            (At::Plain, b'"') => return Some(line),
            (At::Quoted, b'"') => At::Closing,
            (At::Begin | At::Closing, b'"') | (At::Quoted, _) => At::Quoted,
            _ if ends => At::Begin,
            _ => At::Plain,
        };
        line += usize::from(*byte == b'\n');
    }
    None
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};
    use serde_json::json;

    use super::*;
    use crate::engine::Variables;
    use crate::semantics::Semantics;

    fn check(parameters: Json, mapper: Json, expected: Expect) {
        let input = Value::from_json(mapper);
        let parameters = parameters.as_object().cloned().unwrap_or_default();
        let mut variables = Variables::default();
        let semantics = Semantics::default();
        let mut call = Call {
            module: 1,
            parameters: &parameters,
            input: &input,
            variables: &mut variables,
            semantics: &semantics,
        };
        let shown = match parse(&mut call) {
            Ok(rows) => rows.iter().map(|row| format!("{}\n", row.to_json())).collect(),
            Err(error) => format!("{error}\n"),
        };
        expected.assert_eq(&shown);
    }

    #[test]
    fn rows_become_bundles() {
        check(
            json!({}),
            json!({"csv": "\u{feff}id,state\r\n1,\"late, \"\"very\"\"\"\r\n2\r\n", "containsHeaders": true}),
            expect![[r#"
                {"col1":"1","col2":"late, \"very\"","__IMTINDEX__":1,"__IMTLENGTH__":2}
                {"col1":"2","__IMTINDEX__":2,"__IMTLENGTH__":2}
            "#]],
        );
        check(
            json!({"columns": 1, "delimiter": "tab"}),
            json!({"csv": "a\tb\nc\td"}),
            expect![[r#"
            {"col1":"a","__IMTINDEX__":1,"__IMTLENGTH__":2}
            {"col1":"c","__IMTINDEX__":2,"__IMTLENGTH__":2}
        "#]],
        );
        check(
            json!({}),
            json!({"csv": "a;b", "delimiter": "other", "otherDelimiter": ";"}),
            expect![[r#"
            {"col1":"a","col2":"b","__IMTINDEX__":1,"__IMTLENGTH__":1}
        "#]],
        );
        check(
            json!({}),
            json!({"csv": "\"two\nlines\",b"}),
            expect![[r#"
            {"col1":"two\nlines","col2":"b","__IMTINDEX__":1,"__IMTLENGTH__":1}
        "#]],
        );
        check(json!({}), json!({"csv": ""}), expect![""]);
        check(
            json!({}),
            json!({}),
            expect![[r#"
            BundleValidationError: missing value of required parameter "csv"
        "#]],
        );
    }

    #[test]
    fn a_quote_inside_a_field_is_kept_if_that_is_asked_for() {
        check(
            json!({}),
            json!({"csv": "a,b\n5\" disk,x"}),
            expect![[r#"
            BundleValidationError: source is not valid CSV: line 2 has a quote inside a field without quotes; "preserveQuotes" keeps it
        "#]],
        );
        check(
            json!({}),
            json!({"csv": "a,b\n5\" disk,x", "preserveQuotes": true}),
            expect![[r#"
            {"col1":"a","col2":"b","__IMTINDEX__":1,"__IMTLENGTH__":2}
            {"col1":"5\" disk","col2":"x","__IMTINDEX__":2,"__IMTLENGTH__":2}
        "#]],
        );
    }
}
