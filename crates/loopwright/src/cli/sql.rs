//! `sql` and `query`: questions with a table as the answer.

use std::io::Write as _;
use std::path::Path;

use anyhow::{Context, Result};
use clap::Args;
use serde_json::{Value as Json, json};

use super::explore::{print_csv, text_of};
use super::table::Table;
use super::{ClientFlags, push::pool_id, remark, say};
use crate::client::segment;

#[derive(Args)]
pub(crate) struct SqlFlags {
    /// The pool, by name or id.
    pool: String,
    /// The statement, such as 'SELECT * FROM orders LIMIT 10'.
    statement: String,
    #[command(flatten)]
    form: Form,
    /// Write all rows into a file, as an Arrow IPC stream.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["json", "csv"])]
    arrow: Option<std::path::PathBuf>,
    #[command(flatten)]
    client: ClientFlags,
}

#[derive(Args)]
pub(crate) struct QueryFlags {
    /// The knowledge model: package.key.
    model: String,
    /// The query in PQL.
    pql: String,
    #[command(flatten)]
    form: Form,
    #[command(flatten)]
    client: ClientFlags,
}

/// How the answer is printed; a table for people if nothing is said.
#[derive(Args)]
struct Form {
    /// One JSON object per row.
    #[arg(long, conflicts_with = "csv")]
    json: bool,
    /// Comma-separated values with a header.
    #[arg(long)]
    csv: bool,
}

pub(super) async fn run_sql(flags: SqlFlags) -> Result<()> {
    let client = flags.client.client();
    let pool = pool_id(&client, &flags.pool).await?;
    let path = format!("/api/v1/pools/{}/sql", segment(&pool));
    // Whoever presses Ctrl-C ends the connection, and with it the statement.
    if let Some(file) = &flags.arrow {
        return download(&client, &path, &flags.statement, file).await;
    }
    if flags.form.csv {
        let mut out = std::io::BufWriter::new(std::io::stdout());
        client.download(&path, &json!({ "query": flags.statement, "format": "csv" }), &mut out).await?;
        return Ok(out.flush()?);
    }
    if flags.form.json {
        let mut question = json!({ "query": flags.statement, "pages": true });
        loop {
            let page = client.post(&path, &question).await?;
            print(&page, &flags.form)?;
            match page["next"].as_str() {
                Some(next) => question = json!({ "cursor": next }),
                None => return Ok(()),
            }
        }
    }
    print(&client.post(&path, &json!({ "query": flags.statement })).await?, &flags.form)
}

/// Writes beside the file first, so that no half of an answer bears its name.
async fn download(client: &crate::client::Client, path: &str, statement: &str, file: &Path) -> Result<()> {
    let mut beside = file.as_os_str().to_owned();
    beside.push(".part");
    let refused = || format!("{} cannot be written", file.display());
    let mut out = std::io::BufWriter::new(std::fs::File::create(&beside).with_context(refused)?);
    let question = json!({ "query": statement, "format": "arrow" });
    let written = client.download(path, &question, &mut out).await.and_then(|()| Ok(out.flush()?));
    if let Err(error) = written {
        let _ = std::fs::remove_file(&beside);
        return Err(error);
    }
    std::fs::rename(&beside, file).with_context(refused)
}

pub(super) async fn run_query(flags: QueryFlags) -> Result<()> {
    let client = flags.client.client();
    let path = format!("/api/v1/models/{}/query", segment(&flags.model));
    let answer = client.post(&path, &json!({ "pql": flags.pql })).await?;
    print(&answer, &flags.form)?;
    for note in answer["notes"].as_array().into_iter().flatten() {
        remark(&format!("note: {}", text_of(note)));
    }
    Ok(())
}

fn print(answer: &Json, form: &Form) -> Result<()> {
    let columns: Vec<&str> =
        answer["columns"].as_array().into_iter().flatten().filter_map(|column| column["name"].as_str()).collect();
    let rows: Vec<&Json> = answer["rows"].as_array().into_iter().flatten().collect();
    if form.json {
        for row in rows {
            say(&row.to_string());
        }
        return Ok(());
    }
    let cells: Vec<Vec<String>> =
        rows.iter().map(|row| columns.iter().map(|column| text_of(&row[*column])).collect()).collect();
    if form.csv {
        return print_csv(&columns, &cells);
    }
    for line in table(&columns, &cells, &rows) {
        say(&line);
    }
    if answer["truncated"] == true {
        remark("note: there is more; the answer was cut at the row limit");
    }
    Ok(())
}

/// Lays the rows out, numbers to the right.
fn table(columns: &[&str], cells: &[Vec<String>], rows: &[&Json]) -> Vec<String> {
    let numeric =
        |column: &str| rows.iter().all(|row| row[column].is_number() || row[column].is_null()) && !rows.is_empty();
    let mut table = Table::new(columns.iter().map(|column| (*column, numeric(column))));
    table.widen(cells);
    let mut lines = table.head().to_vec();
    lines.extend(cells.iter().map(|row| table.line(row)));
    let count = cells.len();
    lines.push(format!("{count} row{}", if count == 1 { "" } else { "s" }));
    lines
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    #[test]
    fn numbers_stand_to_the_right_and_texts_to_the_left() {
        let rows = [json!({"city": "Ulm", "orders": 7}), json!({"city": "Düsseldorf", "orders": 1024})];
        let rows: Vec<&Json> = rows.iter().collect();
        let columns = ["city", "orders"];
        let cells: Vec<Vec<String>> =
            rows.iter().map(|row| columns.iter().map(|column| text_of(&row[*column])).collect()).collect();
        expect![[r"
            city        orders
            ──────────  ──────
            Ulm              7
            Düsseldorf    1024
            2 rows"]]
        .assert_eq(&table(&columns, &cells, &rows).join("\n"));
    }
}
