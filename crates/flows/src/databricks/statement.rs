//! Results of SQL: columns with their types, and rows that come in chunks.
//!
//! Every value travels as a text. Whole numbers stay whole; decimals stay
//! texts, because a double would round them.

use serde_json::{Value as Json, json};

use super::text_of;
use crate::modules::{Class, ModuleError};
use crate::value::Value;

/// How a statement stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    Open,
    Succeeded,
    /// It failed, was cancelled, or its result is gone.
    Failed,
}

pub(crate) fn standing(answer: &Json) -> Standing {
    match text_of(&answer["status"], "state") {
        "SUCCEEDED" => Standing::Succeeded,
        "FAILED" | "CANCELED" | "CLOSED" => Standing::Failed,
        _ => Standing::Open,
    }
}

/// Makes the failure of a statement; the answer that tells of it has the status 200.
pub(crate) fn failure(answer: &Json) -> ModuleError {
    let status = &answer["status"];
    let (code, message) = (text_of(&status["error"], "error_code"), text_of(&status["error"], "message"));
    let id = text_of(answer, "statement_id");
    let state = text_of(status, "state");
    let told = match (code, message) {
        ("", "") => String::new(),
        (code, message) => format!(": {code} {message}"),
    };
    let detail = json!({
        "statement_id": id, "state": state, "error_code": code, "error": message, "sql_state": status["sql_state"],
    });
    ModuleError::new(Class::DataError, format!("statement {id} ended as {state}{told}"))
        .with_detail(Value::from_json(detail))
}

/// Returns the chunk that comes behind a result, by its number.
pub(crate) fn next_chunk(result: &Json) -> Option<i64> {
    let of = |json: &Json| json["next_chunk_index"].as_i64();
    of(result).or_else(|| result["external_links"].as_array()?.last().and_then(of))
}

/// Returns the links of a result, in their order.
pub(crate) fn links(result: &Json) -> Vec<(String, Vec<(String, String)>)> {
    let link = |link: &Json| {
        let headers = link["http_headers"].as_object().into_iter().flatten();
        let headers = headers.filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned()))).collect();
        Some((link["external_link"].as_str()?.to_owned(), headers))
    };
    result["external_links"].as_array().into_iter().flatten().filter_map(link).collect()
}

/// Makes a row of named values with the types of the manifest.
pub(crate) fn row(manifest: &Json, values: &Json) -> Value {
    let columns = manifest["schema"]["columns"].as_array().map_or(&[][..], Vec::as_slice);
    let values = values.as_array().map_or(&[][..], Vec::as_slice);
    Value::collection(columns.iter().zip(values).map(|(column, value)| {
        let typed = value
            .as_str()
            .map_or_else(|| Value::from_json(value.clone()), |text| typed(text_of(column, "type_name"), text));
        (text_of(column, "name"), typed)
    }))
}

fn typed(type_name: &str, text: &str) -> Value {
    let read = match type_name {
        "BYTE" | "SHORT" | "INT" | "LONG" => text.parse().ok().map(Value::Int),
        "FLOAT" | "DOUBLE" => text.parse().ok().map(Value::Float),
        "BOOLEAN" => text.parse().ok().map(Value::Bool),
        _ => None,
    };
    read.unwrap_or_else(|| Value::text(text))
}

/// Returns the columns of a manifest: name and type as SQL writes it.
pub(crate) fn columns(manifest: &Json) -> Json {
    let column = |column: &Json| json!({"name": column["name"], "type": column["type_text"]});
    manifest["schema"]["columns"].as_array().into_iter().flatten().map(column).collect()
}

/// Tells whether a statement only reads, by its first word, so that repeating
/// it does no harm.
pub(crate) fn only_reads(sql: &str) -> bool {
    let mut rest = sql.trim_start_matches(|letter: char| letter.is_whitespace() || letter == '(');
    while let Some(comment) = rest.strip_prefix("--") {
        rest = comment.split_once('\n').map_or("", |(_, after)| after).trim_start();
    }
    let word: String = rest.chars().take_while(char::is_ascii_alphabetic).collect::<String>().to_ascii_uppercase();
    // WITH may lead to an INSERT.
    matches!(word.as_str(), "SELECT" | "SHOW" | "DESCRIBE" | "DESC" | "EXPLAIN" | "VALUES" | "TABLE" | "LIST")
        || word == "WITH"
            && !["INSERT", "MERGE", "UPDATE", "DELETE"].iter().any(|verb| sql.to_ascii_uppercase().contains(verb))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_have_the_types_of_their_columns_and_lose_no_digit() {
        let manifest = json!({"schema": {"columns": [
            {"name": "id", "type_name": "LONG"}, {"name": "price", "type_name": "DECIMAL"},
            {"name": "ok", "type_name": "BOOLEAN"}, {"name": "x", "type_name": "DOUBLE"}, {"name": "none", "type_name": "STRING"},
        ]}});
        let row = row(&manifest, &json!(["812345678901234567", "0.10", "true", "1.5", null]));
        let expected = r#"{"id":812345678901234567,"price":"0.10","ok":true,"x":1.5,"none":null}"#;
        assert_eq!(row.to_json().to_string(), expected);
    }

    #[test]
    fn what_only_reads_is_known_by_its_first_word() {
        for sql in
            ["SELECT 1", " -- note\n select 1", "(select 1)", "WITH a AS (SELECT 1) SELECT * FROM a", "show tables"]
        {
            assert!(only_reads(sql), "{sql}");
        }
        for sql in ["INSERT INTO t VALUES (1)", "WITH a AS (SELECT 1) INSERT INTO t SELECT * FROM a", "CALL p()", ""] {
            assert!(!only_reads(sql), "{sql}");
        }
    }
}
