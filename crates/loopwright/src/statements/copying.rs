//! `COPY INTO`: files of a volume become rows of a table, each file once.
//!
//! It is a push job like any other, with the files as its chunks: the pool's
//! rules for columns and types hold, and its writer commits them together.

use std::path::{Path, PathBuf};

use access::Permission;
use base::error::chain;
use bytes::Bytes;
use pools::{ChunkKind, FileType, Pool, PushJobSpec, State};
use serde_json::Value as Json;
use tokio::io::AsyncReadExt as _;
use workspace::sql::{Answered, Asked, Copy, StatementError};

use super::{StatementsOfLake, counts, internal, place};

/// Bytes of a JSON file at most: it is read as a whole.
const JSON_BYTES_MAX: u64 = 256 << 20;
/// Bytes that are carried at once.
const PIECE_BYTES: usize = 1 << 20;

/// A file that is to be copied.
struct Source {
    path: String,
    place: PathBuf,
    /// Size and time: another file of this name is another file.
    stamp: String,
}

impl StatementsOfLake {
    /// Copies files into a table.
    pub(super) async fn copy(&self, asked: &Asked, usable: &[Pool], copy: Copy) -> Result<Answered, StatementError> {
        let (pool, table) = place(asked, usable, &copy.table)?;
        self.require(&asked.actor, pool, Permission::DataPush).await?;
        let workspace = self.workspace.upgrade().ok_or_else(|| StatementError::internal("the workspace is closing"))?;
        let tables = self.pools.tables(pool.id).await.map_err(internal)?;
        let known = tables.into_iter().find(|known| known.name.eq_ignore_ascii_case(&table));
        let known = known.ok_or_else(|| super::no_table(&copy.table.to_string()))?;
        let spec = spec_of(&copy, &known)?;
        let is_forced = forced(&copy)?;
        let mut sources = sources(&workspace, &copy).await?;
        let target = format!("{}/{}", pool.id, known.name.to_lowercase());
        if !is_forced {
            let stamps = sources.iter().map(|source| (source.path.clone(), source.stamp.clone())).collect();
            let fresh = workspace.not_copied(&target, stamps).await.map_err(internal)?;
            sources.retain(|source| fresh.contains(&source.path));
        }
        let mut rows = 0;
        if !sources.is_empty() {
            rows = self.push(asked, pool, spec, &copy, &sources).await?;
            let stamps = sources.into_iter().map(|source| (source.path, source.stamp)).collect();
            workspace.note_copied(&target, stamps).await.map_err(internal)?;
        }
        let counted =
            counts(&[("num_affected_rows", rows), ("num_inserted_rows", rows), ("num_skipped_corrupt_files", 0)]);
        self.show(asked, counted).await
    }

    async fn push(
        &self,
        asked: &Asked,
        pool: &Pool,
        spec: PushJobSpec,
        copy: &Copy,
        sources: &[Source],
    ) -> Result<u64, StatementError> {
        let bad = |error: pools::Error| StatementError::bad(chain(&error).to_string());
        let job = self.pools.create_job(&asked.actor, pool.id, spec).await.map_err(bad)?;
        for source in sources {
            let unreadable = |error: std::io::Error| StatementError::bad(format!("\"{}\": {error}", source.path));
            let mut chunk =
                self.pools.add_chunk(pool.id, job.id, ChunkKind::Upsert, &source.path).await.map_err(bad)?;
            if copy.format == "JSON" {
                let table = csv_of_json(&source.place, &source.path).await?;
                chunk.write(table.into()).await.map_err(bad)?;
            } else {
                let mut file = tokio::fs::File::open(&source.place).await.map_err(unreadable)?;
                loop {
                    let mut piece = Vec::with_capacity(PIECE_BYTES);
                    if file.read_buf(&mut piece).await.map_err(unreadable)? == 0 {
                        break;
                    }
                    chunk.write(Bytes::from(piece)).await.map_err(bad)?;
                }
            }
            chunk.finish().await.map_err(bad)?;
        }
        if asked.stop.is_cancelled() {
            self.pools.delete(&asked.actor, pool.id, job.id).await.map_err(bad)?;
            return Err(StatementError::bad("the statement was canceled before its rows were taken"));
        }
        self.pools.execute(&asked.actor, pool.id, job.id).await.map_err(bad)?;
        let ended = self.pools.settled(pool.id, job.id).await.map_err(internal)?;
        match (ended.state, ended.committed) {
            (State::Done, Some(committed)) => Ok(committed.upserted),
            (State::Done, None) => Ok(0),
            _ => Err(StatementError::bad(format!("COPY INTO failed: {}", ended.logs.join("; ")))),
        }
    }
}

fn spec_of(copy: &Copy, known: &pools::TableInfo) -> Result<PushJobSpec, StatementError> {
    let mut spec = PushJobSpec { keys: known.keys.clone(), ..PushJobSpec::csv(known.name.clone()) };
    let refused = |name: &str| {
        Err(StatementError::unsupported(format!(
            "[UNSUPPORTED_FEATURE] the option \"{name}\" of COPY INTO is not known here"
        )))
    };
    let mut has_header = false;
    for (name, value) in &copy.format_options {
        match (copy.format.as_str(), name.as_str()) {
            ("CSV", "header") => has_header = value.eq_ignore_ascii_case("true"),
            ("CSV", "sep" | "delimiter") => spec.csv.separator = Some(value.clone()),
            ("CSV", "quote") => spec.csv.quote = Some(value.clone()),
            ("CSV", "escape") => spec.csv.escape = Some(value.clone()),
            ("CSV", "encoding" | "charset") => spec.csv.charset = Some(value.clone()),
            ("CSV", "timestampformat" | "dateformat") => spec.csv.date_format = Some(value.clone()),
            // What is read is what the columns hold, in any case.
            (_, "inferschema" | "mergeschema") => {}
            (_, other) => return refused(other),
        }
    }
    match copy.format.as_str() {
        "CSV" if !has_header => {
            return Err(StatementError::unsupported(
                "[UNSUPPORTED_FEATURE] CSV without a header: columns are found by name here; write FORMAT_OPTIONS \
                 ('header' = 'true')",
            ));
        }
        "CSV" | "JSON" => {}
        "PARQUET" => spec.file_type = FileType::Parquet,
        other => {
            return Err(StatementError::unsupported(format!(
                "[UNSUPPORTED_FEATURE] FILEFORMAT {other}: COPY INTO reads CSV, JSON and PARQUET here"
            )));
        }
    }
    Ok(spec)
}

fn forced(copy: &Copy) -> Result<bool, StatementError> {
    let mut is_forced = false;
    for (name, value) in &copy.copy_options {
        match name.as_str() {
            "force" => is_forced = value.eq_ignore_ascii_case("true"),
            "mergeschema" => {}
            other => {
                return Err(StatementError::unsupported(format!(
                    "[UNSUPPORTED_FEATURE] the option \"{other}\" of COPY INTO is not known here"
                )));
            }
        }
    }
    Ok(is_forced)
}

/// Lists the files that are meant, in order of their names.
async fn sources(workspace: &workspace::Workspace, copy: &Copy) -> Result<Vec<Source>, StatementError> {
    let bad = |error: workspace::Error| StatementError::bad(error.to_string());
    let begin = workspace.volume_path(&copy.from).map_err(bad)?;
    let from = copy.from.trim_end_matches('/').to_owned();
    let mut found = Vec::new();
    if !copy.files.is_empty() {
        for file in &copy.files {
            let path = format!("{from}/{file}");
            found.push((workspace.volume_path(&path).map_err(bad)?, path));
        }
    } else if begin.is_dir() {
        let mut entries = tokio::fs::read_dir(&begin).await.map_err(internal)?;
        while let Some(entry) = entries.next_entry().await.map_err(internal)? {
            let name = entry.file_name().to_string_lossy().into_owned();
            // Hidden files are other programs' notes, and uploads under way.
            if entry.path().is_file() && !name.starts_with(['.', '_']) {
                found.push((entry.path(), format!("{from}/{name}")));
            }
        }
        found.sort();
    } else {
        found.push((begin, from));
    }
    let mut sources = Vec::new();
    for (place, path) in found {
        let known = tokio::fs::metadata(&place).await;
        let known = known
            .ok()
            .filter(std::fs::Metadata::is_file)
            .ok_or_else(|| StatementError::bad(format!("[PATH_NOT_FOUND] there is no file \"{path}\"")))?;
        let changed = known.modified().ok().and_then(|at| at.duration_since(std::time::UNIX_EPOCH).ok());
        let stamp = format!("{}-{}", known.len(), changed.unwrap_or_default().as_nanos());
        sources.push(Source { path, place, stamp });
    }
    Ok(sources)
}

/// Writes a file of JSON objects, one a line or in an array, as CSV.
async fn csv_of_json(place: &Path, path: &str) -> Result<Vec<u8>, StatementError> {
    let bad = |what: String| StatementError::bad(format!("\"{path}\": {what}"));
    let length = tokio::fs::metadata(place).await.map_err(|error| bad(error.to_string()))?.len();
    if length > JSON_BYTES_MAX {
        return Err(bad(format!("a JSON file may have {JSON_BYTES_MAX} bytes: split it, or write CSV or Parquet")));
    }
    let text = tokio::fs::read(place).await.map_err(|error| bad(error.to_string()))?;
    let mut records = Vec::new();
    for value in serde_json::Deserializer::from_slice(&text).into_iter::<Json>() {
        match value.map_err(|error| bad(error.to_string()))? {
            Json::Array(items) => records.extend(items),
            other => records.push(other),
        }
    }
    let mut names: Vec<String> = Vec::new();
    for record in &records {
        let Json::Object(fields) = record else { return Err(bad("it holds something else than objects".into())) };
        for name in fields.keys() {
            if !names.contains(name) {
                names.push(name.clone());
            }
        }
    }
    let mut out = csv::Writer::from_writer(Vec::new());
    let written = out.write_record(&names);
    written.map_err(|error| bad(error.to_string()))?;
    for record in &records {
        let cells = names.iter().map(|name| match record.get(name) {
            None | Some(Json::Null) => String::new(),
            Some(Json::String(text)) => text.clone(),
            Some(other) => other.to_string(),
        });
        out.write_record(cells).map_err(|error| bad(error.to_string()))?;
    }
    out.into_inner().map_err(|error| bad(error.to_string()))
}
