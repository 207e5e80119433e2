//! `sql` and `query`: questions with a table as the answer.

use anyhow::Result;
use clap::Args;
use serde_json::{Value as Json, json};

use super::table::Table;
use super::{ClientFlags, push::pool_id, say};
use crate::client::segment;

#[derive(Args)]
pub(crate) struct SqlFlags {
    /// The pool, by name or id.
    pool: String,
    /// The statement, such as 'SELECT * FROM orders LIMIT 10'.
    statement: String,
    #[command(flatten)]
    form: Form,
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
    print(&client.post(&path, &json!({ "query": flags.statement })).await?, &flags.form)
}

pub(super) async fn run_query(flags: QueryFlags) -> Result<()> {
    let client = flags.client.client();
    let path = format!("/api/v1/models/{}/query", segment(&flags.model));
    print(&client.post(&path, &json!({ "pql": flags.pql })).await?, &flags.form)
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
        let mut writer = csv::Writer::from_writer(std::io::stdout());
        writer.write_record(&columns)?;
        for row in &cells {
            writer.write_record(row)?;
        }
        writer.flush()?;
        return Ok(());
    }
    for line in table(&columns, &cells, &rows) {
        say(&line);
    }
    if answer["truncated"] == true {
        say("… and more: the answer was cut at the row limit");
    }
    Ok(())
}

fn text_of(value: &Json) -> String {
    match value {
        Json::Null => String::new(),
        Json::String(text) => text.clone(),
        other => other.to_string(),
    }
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
