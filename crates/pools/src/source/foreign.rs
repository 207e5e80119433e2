//! The answer to a query as rows.
//!
//! The rows come through a cursor on the server and go into the spool as they
//! come, so that a first load of any size takes no memory. How far the source
//! has come moves on only with the push job: what was read and not pushed is
//! read again.

use std::time::Duration;

use base::Timestamp;
use base::foreign::{ForeignColumn, ForeignQuery, ForeignType, Watermark, WatermarkKind};
use bytes::Bytes;

use super::work::{Find, Found};
use super::{Cursor, Outside, Postgres, Source, SourceSecrets, Trouble, WatermarkSpec, lines};
use crate::{CsvOptions, DeclaredColumn, DeclaredType, FileType, Pools, PushType};

/// A chunk is closed when it has so many bytes.
const CHUNK_BYTES: u64 = 256 << 20;

impl Pools {
    /// Asks a database.
    pub(super) async fn look_at_postgres(
        &self,
        source: &Source,
        postgres: &Postgres,
        secrets: &SourceSecrets,
        outside: &Outside,
    ) -> Result<Found, Trouble> {
        let query = query_of(postgres, secrets, &source.cursor)?;
        let (after, rows_max) = (query.watermark.clone().and_then(|watermark| watermark.after), query.rows_max);
        let told = |error: base::foreign::ForeignError| Trouble::new(error.to_string());
        let mut answer = outside.foreign.open(query).await.map_err(told)?;
        let mut header = Vec::new();
        lines::add(&mut header, answer.columns().iter().map(|column| Some(column.name.as_str())));
        let mut push = source.spec.push.clone();
        push.file_type = FileType::Csv;
        push.csv = CsvOptions::default();
        declare(&mut push.declared, answer.columns().iter().map(declared_of));
        let mut chunks = Vec::new();
        let mut filling = self.begin_chunk(format!("{}.csv", source.key));
        filling.write(Bytes::from(header.clone())).await?;
        let (mut rows, mut last) = (0u64, None);
        loop {
            let batch = answer.next().await.map_err(told)?;
            if batch.rows.is_empty() {
                break;
            }
            if filling.bytes() > CHUNK_BYTES.min(self.options.chunk_bytes_max / 2) {
                chunks.push(filling.finish().await?);
                filling = self.begin_chunk(format!("{}-{}.csv", source.key, chunks.len() + 1));
                filling.write(Bytes::from(header.clone())).await?;
            }
            let mut block = Vec::new();
            for row in &batch.rows {
                lines::add(&mut block, row.iter().map(Option::as_deref));
            }
            rows += batch.rows.len() as u64;
            last = batch.watermark.or(last);
            filling.write(block.into()).await?;
        }
        if rows == 0 && push.job_type == PushType::Delta {
            return Ok(Found::Nothing);
        }
        chunks.push(filling.finish().await?);
        let checksums: Vec<&str> = chunks.iter().map(|chunk| chunk.spooled.checksum.as_str()).collect();
        let content = Some(checksums.join(" "));
        let watermark = match &postgres.watermark {
            Some(spec) => later(spec.kind, source.cursor.watermark.clone(), last),
            None => None,
        };
        let moved = watermark != source.cursor.watermark;
        if !moved && content == source.cursor.content {
            return Ok(Found::Nothing);
        }
        let label = match (&after, &watermark) {
            (_, None) => format!("{rows} rows"),
            (None, Some(to)) => format!("{rows} rows up to {to}"),
            (Some(from), Some(to)) => format!("{rows} rows after {from} up to {to}"),
        };
        let more = moved && rows_max.is_some_and(|most| rows >= most);
        let cursor = Cursor { watermark, content, more, ..Cursor::default() };
        Ok(Found::Rows(Box::new(Find { label, push, chunks, cursor, file: None })))
    }
}

/// Decides where to go on. While there is more to catch up with, nothing is
/// looked at again; once there is not, the overlap is, and then whole: a limit
/// in it would hold the watermark where it is.
pub(super) fn query_of(postgres: &Postgres, secrets: &SourceSecrets, cursor: &Cursor) -> Result<ForeignQuery, Trouble> {
    let connection = secrets.connection.clone();
    let connection = connection.ok_or_else(|| Trouble::new("its connection is missing: put it again"))?;
    let mut rows_max = postgres.rows_max;
    let watermark = postgres.watermark.as_ref().map(|spec| {
        let known = cursor.watermark.clone();
        let again = spec.overlap > 0 && known.is_some() && !cursor.more;
        if again {
            rows_max = None;
        }
        let after = if again { known.map(|known| before(&known, spec)) } else { known.or(spec.start.clone()) };
        Watermark { column: spec.column.clone(), kind: spec.kind, after }
    });
    Ok(ForeignQuery {
        connection,
        query: postgres.query.clone(),
        watermark,
        batch_rows: postgres.batch_rows,
        rows_max,
        patience: Duration::from_secs(postgres.timeout_seconds),
    })
}

/// Goes back by the overlap.
fn before(watermark: &str, spec: &WatermarkSpec) -> String {
    match spec.kind {
        WatermarkKind::Integer => {
            let back = i64::try_from(spec.overlap).unwrap_or(i64::MAX);
            watermark.parse::<i64>().map_or_else(|_| watermark.to_owned(), |at| at.saturating_sub(back).to_string())
        }
        WatermarkKind::Timestamp => watermark
            .parse::<Timestamp>()
            .map_or_else(|_| watermark.to_owned(), |at| at.minus(Duration::from_secs(spec.overlap)).to_string()),
        WatermarkKind::Text => watermark.to_owned(),
    }
}

/// A watermark never goes back, even where the rows at it were deleted.
fn later(kind: WatermarkKind, known: Option<String>, last: Option<String>) -> Option<String> {
    match (known, last) {
        (Some(known), Some(last)) => {
            let goes_back = match kind {
                WatermarkKind::Integer => last.parse::<i64>().ok() < known.parse::<i64>().ok(),
                WatermarkKind::Timestamp => last.parse::<Timestamp>().ok() < known.parse::<Timestamp>().ok(),
                // Only the server knows the order of texts, and it was asked
                // for greater ones.
                WatermarkKind::Text => false,
            };
            Some(if goes_back { known } else { last })
        }
        (known, last) => last.or(known),
    }
}

fn declared_of(column: &ForeignColumn) -> DeclaredColumn {
    let column_type = match column.column_type {
        ForeignType::Integer => DeclaredType::Integer,
        ForeignType::Float => DeclaredType::Float,
        ForeignType::Time => DeclaredType::DateTime,
        ForeignType::Day => DeclaredType::Date,
        ForeignType::Boolean => DeclaredType::Boolean,
        ForeignType::Text => DeclaredType::String,
    };
    DeclaredColumn { name: column.name.clone(), column_type, length: None, key: false }
}

/// Adds types that were found; what a person has declared stays.
pub(super) fn declare(declared: &mut Vec<DeclaredColumn>, found: impl Iterator<Item = DeclaredColumn>) {
    for column in found {
        if !declared.iter().any(|known| known.name.eq_ignore_ascii_case(&column.name)) {
            declared.push(column);
        }
    }
}

#[cfg(test)]
mod tests {
    use base::Secret;

    use super::*;

    #[test]
    fn where_a_query_goes_on() {
        let at = "2026-01-01T00:10:00.000000Z";
        for (kind, overlap, known, more, expected) in [
            (WatermarkKind::Integer, 0, None, false, (Some("7"), Some(100))),
            (WatermarkKind::Integer, 0, Some("50"), false, (Some("50"), Some(100))),
            (WatermarkKind::Integer, 10, Some("50"), true, (Some("50"), Some(100))),
            (WatermarkKind::Integer, 10, Some("50"), false, (Some("40"), None)),
            (WatermarkKind::Timestamp, 600, Some(at), false, (Some("2026-01-01T00:00:00.000Z"), None)),
            (WatermarkKind::Text, 0, Some("m"), false, (Some("m"), Some(100))),
        ] {
            let spec = WatermarkSpec { column: "c".into(), kind, start: Some("7".into()), overlap };
            let postgres = Postgres {
                query: String::new(),
                watermark: Some(spec),
                batch_rows: 1,
                rows_max: Some(100),
                timeout_seconds: 1,
            };
            let secrets = SourceSecrets { connection: Some(Secret::new("x")), ..SourceSecrets::default() };
            let cursor = Cursor { watermark: known.map(str::to_owned), more, ..Cursor::default() };
            let query = query_of(&postgres, &secrets, &cursor).expect("a query");
            let after = query.watermark.as_ref().and_then(|watermark| watermark.after.as_deref());
            assert_eq!((after, query.rows_max), expected, "{kind:?} {overlap} {known:?} {more}");
        }
    }

    #[test]
    fn a_watermark_never_goes_back() {
        let some = |text: &str| Some(text.to_owned());
        for (kind, known, last, expected) in [
            (WatermarkKind::Integer, None, None, None),
            (WatermarkKind::Integer, some("9"), some("10"), some("10")),
            (WatermarkKind::Integer, some("10"), some("9"), some("10")),
            (WatermarkKind::Integer, some("10"), None, some("10")),
            (
                WatermarkKind::Timestamp,
                some("2026-01-02T00:00:00Z"),
                some("2026-01-01T00:00:00Z"),
                some("2026-01-02T00:00:00Z"),
            ),
            (WatermarkKind::Text, some("b"), some("a"), some("a")),
        ] {
            assert_eq!(later(kind, known, last), expected);
        }
    }
}
