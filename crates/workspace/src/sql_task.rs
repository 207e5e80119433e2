//! A task that sends the SQL statements of a file, or of a saved query.
//!
//! Each statement has a key of its own, made of the task run and its place in
//! the file. Under one key it commits once: so the file can be sent again from
//! the beginning by a server that takes the task up.

use std::collections::BTreeMap;
use std::io::Write;

use base::Actor;
use serde_json::Value as Json;
use sha2::{Digest, Sha256};
use tokio_util::sync::CancellationToken;

use crate::RunId;
use crate::decide::{Ending, Execution, How};
use crate::error::Error;
use crate::folder::{Stream, TaskFolder};
use crate::run::TaskRun;
use crate::settings::SqlTask;
use crate::sql::{Asked, ChunkSize, Form, Parameter, Used};
use crate::workspace::Workspace;

/// Rows of a statement that are written to the log.
const ROWS_SHOWN: u64 = 1_000;
const BYTES_SHOWN: u64 = 4 << 20;

impl Workspace {
    /// Sends the statements of a file, one after the other.
    pub(crate) async fn conduct_sql(
        &self,
        execution: &Execution,
        attempt: &TaskRun,
        task: &SqlTask,
        parameters: BTreeMap<String, String>,
    ) -> Ending {
        let stop = CancellationToken::new();
        let _stops_when_dropped = stop.clone().drop_guard();
        let sent = tokio::select! {
            sent = self.send_all(execution, attempt, task, parameters, &stop) => sent,
            () = self.until_stopped(execution.run.id, attempt.id) => Err("it was stopped".to_owned()),
        };
        Ending::plain(match sent {
            Ok(()) => How::Done(None),
            Err(why) => How::Refused(why),
        })
    }

    async fn send_all(
        &self,
        execution: &Execution,
        attempt: &TaskRun,
        task: &SqlTask,
        parameters: BTreeMap<String, String>,
        stop: &CancellationToken,
    ) -> Result<(), String> {
        let said = |error: Error| error.to_string();
        let run = &execution.run;
        let actor = run.run_as.clone().ok_or(Error::NobodyToActFor(run.id)).map_err(said)?;
        self.wake_warehouse(&task.warehouse_id).await.map_err(|error| error.to_string())?;
        let source = self.sql_source(task).await?;
        let parameters = source.defaults.into_iter().chain(parameters).collect::<BTreeMap<_, _>>();
        let parameters: Vec<Parameter> = parameters
            .into_iter()
            .map(|(name, value)| Parameter { name, value: Some(value), kind: "STRING".into() })
            .collect();
        let folder = self.task_folder(run.id, attempt.id);
        begin_log(&folder).map_err(|error| error.to_string())?;
        let mut used = source.used;
        for (number, statement) in statements(&source.text).into_iter().enumerate() {
            let asked = Asked {
                actor: Actor::clone(&actor),
                statement: statement.to_owned(),
                catalog: used.catalog.clone(),
                schema: used.schema.clone(),
                parameters: parameters.clone(),
                form: Form::JsonArray,
                rows_max: Some(ROWS_SHOWN),
                bytes_max: Some(BYTES_SHOWN),
                chunk: ChunkSize { rows: ROWS_SHOWN, bytes: BYTES_SHOWN },
                key: key(attempt.id, number),
                stop: stop.clone(),
            };
            let failed = |why: String| format!("statement {}: {why}", number + 1);
            let answered = self.statements().map_err(said)?.run(asked).await;
            let mut answered = answered.map_err(|error| failed(error.to_string()))?;
            if let Some(now) = answered.used.take() {
                used = now;
            }
            let mut shown = String::new();
            let names: Vec<&str> = answered.columns.iter().map(|column| column.name.as_str()).collect();
            if !names.is_empty() {
                shown = format!("{}\n", names.join("\t"));
            }
            while let Some(piece) = answered.pieces.recv().await {
                let piece = piece.map_err(|error| failed(error.to_string()))?;
                shown.push_str(&lines(&piece.bytes));
            }
            write_log(&folder, &shown).map_err(|error| error.to_string())?;
        }
        Ok(())
    }

    /// Reads the file or the query of such a task.
    pub(crate) async fn sql_source(&self, task: &SqlTask) -> Result<Source, String> {
        if let Some(query) = &task.query {
            let saved = self.query(&query.query_id).await.map_err(|error| error.to_string())?;
            let word = |name: &str| saved.word(name).map(str::to_owned);
            let used = Used { catalog: word("catalog"), schema: word("schema") };
            return Ok(Source { text: saved.text().to_owned(), used, defaults: defaults(&saved.document) });
        }
        let path = task.file.as_ref().map_or("", |file| file.path.as_str());
        let bytes = self.export_file(path).await.map_err(|error| error.to_string())?;
        let text = String::from_utf8(bytes).map_err(|_| format!("\"{path}\" is not UTF-8"))?;
        Ok(Source { text, used: Used::default(), defaults: BTreeMap::new() })
    }
}

/// Where statements come from.
pub(crate) struct Source {
    pub(crate) text: String,
    /// Where names are looked up at the beginning.
    used: Used,
    /// Values of markers for which the task has none.
    defaults: BTreeMap<String, String>,
}

/// Returns the values that a saved query gives to its own parameters.
fn defaults(document: &serde_json::Map<String, Json>) -> BTreeMap<String, String> {
    let parameters = document.get("parameters").and_then(Json::as_array);
    let value = |one: &Json| {
        let value = ["text_value", "numeric_value"].iter().find_map(|sort| one.get(sort)?.get("value"))?;
        Some((one.get("name")?.as_str()?.to_owned(), crate::inputs::text_of(value)))
    };
    parameters.into_iter().flatten().filter_map(value).collect()
}

fn key(attempt: RunId, number: usize) -> [u8; 16] {
    let digest = Sha256::digest(format!("task run {attempt} statement {number}"));
    let mut key = [0; 16];
    key.copy_from_slice(&digest[..16]);
    key
}

/// Names a statement towards clients.
pub(crate) fn lookup_keys(attempt: RunId, text: &str) -> Vec<String> {
    (0..statements(text).len()).map(|number| hex::encode(key(attempt, number))).collect()
}

fn begin_log(folder: &TaskFolder) -> std::io::Result<()> {
    std::fs::create_dir_all(&folder.path)?;
    // A server before this one may have written a part of it.
    folder.open_log(Stream::Stdout)?.set_len(0)
}

fn write_log(folder: &TaskFolder, text: &str) -> std::io::Result<()> {
    folder.open_log(Stream::Stdout)?.write_all(text.as_bytes())
}

/// Writes rows as lines, their values apart by tabs.
fn lines(rows: &[u8]) -> String {
    let rows: Vec<Vec<Option<Json>>> = serde_json::from_slice(rows).unwrap_or_default();
    let value = |value: &Option<Json>| value.as_ref().map_or_else(|| "NULL".to_owned(), crate::inputs::text_of);
    rows.iter().map(|row| row.iter().map(value).collect::<Vec<_>>().join("\t") + "\n").collect()
}

/// Splits a text at its semicolons, but not at those in texts, names and
/// comments. What holds nothing but blanks and comments is no statement.
pub(crate) fn statements(text: &str) -> Vec<&str> {
    let (mut all, mut begin, mut says_something, mut at) = (Vec::new(), 0, false, 0);
    let bytes = text.as_bytes();
    while at < bytes.len() {
        let rest = &text[at..];
        let skipped = match bytes[at] {
            b'-' if rest.starts_with("--") => rest.find('\n').unwrap_or(rest.len()),
            b'/' if rest.starts_with("/*") => rest.find("*/").map_or(rest.len(), |end| end + 2),
            quote @ (b'\'' | b'"' | b'`') => {
                says_something = true;
                quoted(rest.as_bytes(), quote)
            }
            b';' => {
                if says_something {
                    all.push(text[begin..at].trim());
                }
                (begin, says_something) = (at + 1, false);
                1
            }
            byte => {
                says_something |= !byte.is_ascii_whitespace();
                // On to the next letter, which may have several bytes.
                rest.chars().next().map_or(1, char::len_utf8)
            }
        };
        at += skipped;
    }
    if says_something {
        all.push(text[begin..].trim());
    }
    all
}

/// Returns how many bytes a quoted text has, quotes included.
fn quoted(text: &[u8], quote: u8) -> usize {
    let mut at = 1;
    while at < text.len() {
        match text[at] {
            b'\\' if quote != b'`' => at += 2,
            byte if byte == quote => return at + 1,
            _ => at += 1,
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_split_at_its_semicolons() {
        for (text, expected) in [
            ("SELECT 1", vec!["SELECT 1"]),
            ("SELECT 1;\nSELECT 2;\n", vec!["SELECT 1", "SELECT 2"]),
            ("SELECT ';', \";\", `;`; x", vec!["SELECT ';', \";\", `;`", "x"]),
            (r"SELECT 'it\'s; ok'; y", vec![r"SELECT 'it\'s; ok'", "y"]),
            ("SELECT 'it''s;'; y", vec!["SELECT 'it''s;'", "y"]),
            ("-- only; a comment\n", vec![]),
            ("/* a; b */ ; SELECT 1 -- c; d\n + 2", vec!["SELECT 1 -- c; d\n + 2"]),
            ("SELECT 'ä;ö'; ü", vec!["SELECT 'ä;ö'", "ü"]),
            ("SELECT 'open; end", vec!["SELECT 'open; end"]),
            ("", vec![]),
        ] {
            assert_eq!(statements(text), expected, "{text}");
        }
    }
}
