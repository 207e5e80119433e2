//! `push`: files into a table, with a look before and a progress bar.
//!
//! The files go to the server as they are, which tells what it makes of them:
//! format, separator, types, and which columns are case, activity and time. A
//! person at a terminal is asked before anything is committed; a script is not.
//! One import holds all files: either every row becomes visible, or none.

use std::io::{IsTerminal, Write as _};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value as Json, json};

use super::table::Table;
use super::{ClientFlags, say, short};
use crate::client::{Client, segment};
use crate::upload::{self, Source};

/// First and longest pause between two looks at an import on its way.
const POLL_FIRST: Duration = Duration::from_millis(2);
const POLL_LONGEST: Duration = Duration::from_millis(250);
/// Rows, columns and letters of the preview.
const ROWS_SHOWN: usize = 5;
const COLUMNS_SHOWN: usize = 8;
const CELL_LETTERS: usize = 28;

#[derive(Args)]
pub(crate) struct PushFlags {
    /// The pool, by name or id.
    pool: String,
    /// The table; it is made if it does not exist. Of an object-centric log,
    /// what stands in front of the names of its tables.
    table: String,
    /// CSV, Parquet, XES or OCEL 2.0 (JSON) files, also packed as .gz; `-` is
    /// standard input.
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// A key column: rows with equal keys are replaced. May be given often.
    #[arg(long = "key")]
    keys: Vec<String>,
    /// Replace the table instead of adding to it.
    #[arg(long)]
    replace: bool,
    /// Make the pool if it does not exist.
    #[arg(long)]
    create_pool: bool,
    /// Do not ask before the commit.
    #[arg(long, short)]
    yes: bool,
    /// Show what would be done, and commit nothing.
    #[arg(long)]
    dry_run: bool,
    /// What separates the fields of CSV; guessed if left out.
    #[arg(long)]
    separator: Option<String>,
    /// The column that names the case.
    #[arg(long)]
    case: Option<String>,
    /// The column that names the activity.
    #[arg(long)]
    activity: Option<String>,
    /// The column that tells the time.
    #[arg(long)]
    time: Option<String>,
    #[command(flatten)]
    client: ClientFlags,
}

pub(super) async fn run(flags: PushFlags) -> Result<()> {
    let client = flags.client.client();
    let sources = upload::sources(&flags.files)?;
    let pool = match pool_id(&client, &flags.pool).await {
        Err(_) if flags.create_pool => new_pool(&client, &flags.pool).await?,
        found => found?,
    };
    let imports = format!("/api/v1/pools/{}/imports", segment(&pool));
    let began = Instant::now();
    let staged = stage(&client, &imports, &flags, &sources).await?;
    let id = staged["id"].as_str().context("the server did not name the import")?;
    let import = format!("{imports}/{id}");
    let wanted = match choose(&client, &import, &flags, staged).await {
        Ok(chosen) => confirmed(&chosen, &flags, &sources),
        Err(error) => Err(error),
    };
    if !matches!(wanted, Ok(true)) {
        // Else the server would keep the files for a day.
        client.json(http::Method::DELETE, &import, None).await?;
        wanted?;
        say("nothing was committed");
        return Ok(());
    }
    client.post(&format!("{import}/commit"), &Json::Null).await?;
    let done = follow(&client, &import).await?;
    conclude(&done, &flags, began.elapsed());
    Ok(())
}

/// Finds a pool by name or id.
pub(super) async fn pool_id(client: &Client, pool: &str) -> Result<String> {
    let pools = client.get("/api/v1/pools").await?;
    let mut all = pools.as_array().into_iter().flatten();
    let found = all.find(|known| known["name"] == pool || known["id"] == pool);
    match found.and_then(|pool| pool["id"].as_str()) {
        Some(id) => Ok(id.to_owned()),
        None => bail!("there is no pool \"{pool}\"; `loopwright push --create-pool` makes one"),
    }
}

async fn new_pool(client: &Client, name: &str) -> Result<String> {
    let made = client.post("/api/v1/pools", &json!({ "name": name })).await?;
    made["id"].as_str().map(str::to_owned).context("the server did not name the pool")
}

/// Sends the files; the server looks at them.
async fn stage(client: &Client, imports: &str, flags: &PushFlags, sources: &[Source]) -> Result<Json> {
    let bar = progress(sources.iter().map(|source| source.bytes).sum());
    bar.set_message("sending");
    let mut address = format!("{imports}?table={}", segment(&flags.table));
    if let Some(separator) = &flags.separator {
        address.push_str(&format!("&separator={}", segment(separator)));
    }
    if flags.replace {
        address.push_str("&replace=true");
    }
    let staged = upload::send(client, &address, sources, &bar).await;
    bar.finish_and_clear();
    staged
}

/// Says what cannot be said with the files.
async fn choose(client: &Client, import: &str, flags: &PushFlags, staged: Json) -> Result<Json> {
    let says_more = !flags.keys.is_empty() || flags.case.is_some() || flags.activity.is_some() || flags.time.is_some();
    if !says_more {
        return Ok(staged);
    }
    let mut options = staged["options"].clone();
    options["keys"] = json!(flags.keys);
    options["case"] = json!(flags.case);
    options["activity"] = json!(flags.activity);
    options["time"] = json!(flags.time);
    client.json(http::Method::PUT, import, Some(&options)).await
}

/// Shows the preview and asks, where somebody is there to answer.
fn confirmed(staged: &Json, flags: &PushFlags, sources: &[Source]) -> Result<bool> {
    for line in preview(staged) {
        say(&line);
    }
    if flags.dry_run {
        return Ok(false);
    }
    let from_input = sources.iter().any(Source::is_input);
    let somebody = std::io::stdin().is_terminal() && std::io::stderr().is_terminal() && !from_input;
    if flags.yes || !somebody {
        return Ok(true);
    }
    let verb = if flags.replace { "replace the table with these rows" } else { "load these rows" };
    let mut terminal = std::io::stderr();
    write!(terminal, "{verb}? [Y/n] ")?;
    terminal.flush()?;
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer)?;
    Ok(matches!(answer.trim().to_lowercase().as_str(), "" | "y" | "yes"))
}

/// Lays out what the server makes of the files.
fn preview(staged: &Json) -> Vec<String> {
    let mut lines = vec![headline(staged)];
    let tables: Vec<&Json> = staged["tables"].as_array().into_iter().flatten().collect();
    if let [only] = tables.as_slice() {
        lines.extend(columns(only));
        lines.extend(first_rows(only));
    } else {
        lines.extend(several(&tables));
    }
    let warnings = staged["warnings"].as_array().into_iter().flatten().filter_map(Json::as_str);
    lines.extend(warnings.map(|warning| format!("note: {warning}")));
    lines
}

fn headline(staged: &Json) -> String {
    let files: Vec<&str> = staged["files"].as_array().into_iter().flatten().filter_map(Json::as_str).collect();
    let files = match files.as_slice() {
        [only] => (*only).to_owned(),
        all => format!("{} files", all.len()),
    };
    let format = staged["format"].as_str().unwrap_or_default().to_uppercase();
    let mut about = vec![format];
    if let Some(separator) = staged["dialect"]["separator"].as_str() {
        about.push(format!("separator {separator:?}"));
    }
    if let Some(charset) = staged["dialect"]["charset"].as_str() {
        about.push(charset.to_owned());
    }
    if let [only] = staged["tables"].as_array().map(Vec::as_slice).unwrap_or_default() {
        about.extend(rows_of(only));
    }
    format!("{files}: {}", about.join(", "))
}

fn rows_of(table: &Json) -> Option<String> {
    let rows = table["rows"].as_u64()?;
    let about = if table["exact"] == true { "" } else { "about " };
    Some(format!("{about}{rows} rows"))
}

fn columns(table: &Json) -> Vec<String> {
    let columns: Vec<&Json> = table["columns"].as_array().into_iter().flatten().collect();
    if columns.is_empty() {
        return Vec::new();
    }
    let cells: Vec<Vec<String>> = columns
        .iter()
        .map(|column| {
            let text = |value: &Json| value.as_str().unwrap_or_default().to_owned();
            let name = match (column["name"].as_str(), column["target"].as_str()) {
                (Some(name), Some(target)) if name == target => name.to_owned(),
                (Some(name), Some(target)) => format!("{name} → {target}"),
                (name, _) => format!("{} (left out)", name.unwrap_or_default()),
            };
            let role = &column["role"];
            let sure = role["confidence"].as_f64().map(|sure| format!("{} {:.0} %", text(&role["role"]), sure * 100.0));
            // That a text is a text needs no reason.
            let of_type = column["reason"].as_str().filter(|_| role.is_null() || column["type"] != "text");
            let why: Vec<&str> = role["reason"].as_str().into_iter().chain(of_type).collect();
            let why = why.join("; ");
            vec![name, text(&column["type"]), sure.unwrap_or_default(), why]
        })
        .collect();
    laid_out(&["column", "type", "says", "because"], &cells)
}

fn first_rows(table: &Json) -> Vec<String> {
    let names: Vec<&str> =
        table["columns"].as_array().into_iter().flatten().filter_map(|column| column["name"].as_str()).collect();
    let rows: Vec<&Json> = table["first"].as_array().into_iter().flatten().take(ROWS_SHOWN).collect();
    if rows.is_empty() || names.is_empty() {
        return Vec::new();
    }
    let cells: Vec<Vec<String>> = rows
        .iter()
        .map(|row| {
            let cells = row.as_array().into_iter().flatten().take(COLUMNS_SHOWN);
            cells.map(|cell| short(cell.as_str().unwrap_or_default(), CELL_LETTERS)).collect()
        })
        .collect();
    let shown: Vec<String> = names.iter().take(COLUMNS_SHOWN).map(|name| short(name, CELL_LETTERS)).collect();
    let shown: Vec<&str> = shown.iter().map(String::as_str).collect();
    let mut lines = vec![String::new()];
    lines.extend(laid_out(&shown, &cells));
    if names.len() > COLUMNS_SHOWN {
        lines.push(format!("… and {} more columns", names.len() - COLUMNS_SHOWN));
    }
    lines.push(String::new());
    lines
}

fn several(tables: &[&Json]) -> Vec<String> {
    let cells: Vec<Vec<String>> = tables
        .iter()
        .map(|table| {
            let columns: Vec<&str> = table["columns"]
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(|column| column["name"].as_str())
                .collect();
            let name = table["table"].as_str().unwrap_or_default().to_owned();
            vec![name, rows_of(table).unwrap_or_default(), short(&columns.join(", "), 80)]
        })
        .collect();
    laid_out(&["table", "rows", "columns"], &cells)
}

fn laid_out(names: &[&str], cells: &[Vec<String>]) -> Vec<String> {
    let mut table = Table::new(names.iter().map(|name| (*name, false)));
    table.widen(cells);
    let mut lines = table.head().to_vec();
    lines.extend(cells.iter().map(|row| table.line(row)));
    lines
}

/// Looks on until the rows are there.
async fn follow(client: &Client, import: &str) -> Result<Json> {
    let mut pause = POLL_FIRST;
    let mut bar = None;
    loop {
        let known = client.get(import).await?;
        let bytes = known["bytes"].as_u64().unwrap_or_default();
        let bar = bar.get_or_insert_with(|| progress(bytes));
        bar.set_position(known["bytesRead"].as_u64().unwrap_or_default());
        bar.set_message(format!("{} rows", known["rowsRead"]));
        match known["state"].as_str() {
            Some("done") => {
                bar.finish_and_clear();
                return Ok(known);
            }
            Some("failed") => {
                bar.finish_and_clear();
                let jobs = known["jobs"].as_array().into_iter().flatten().filter(|job| job["status"] != "DONE");
                let logs: Vec<&str> = jobs.flat_map(logs_of).collect();
                bail!("nothing was loaded: {}", logs.join("; "));
            }
            Some(_) => {}
            None => bail!("the server did not tell how far the import is"),
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(POLL_LONGEST);
    }
}

fn logs_of(job: &Json) -> Vec<&str> {
    job["logs"].as_array().into_iter().flatten().filter_map(Json::as_str).collect()
}

/// Says what came of it, and what one may do next.
fn conclude(done: &Json, flags: &PushFlags, took: Duration) {
    let jobs: Vec<&Json> = done["jobs"].as_array().into_iter().flatten().collect();
    let mut rows = 0;
    for job in &jobs {
        for line in logs_of(job) {
            say(line);
        }
        rows += job["rows"].as_u64().unwrap_or_default();
    }
    let seconds = took.as_secs_f64();
    let rate = rows as f64 / seconds.max(0.001);
    say(&format!("{seconds:.1} s, {rate:.0} rows/s"));
    let quoted = |table: &str| if plain(table) { table.to_owned() } else { format!("\"{table}\"") };
    if let Some(table) = jobs.first().and_then(|job| job["table"].as_str()) {
        let pool = if plain(&flags.pool) { flags.pool.clone() } else { format!("\"{}\"", flags.pool) };
        say(&format!("next: loopwright sql {pool} 'SELECT * FROM {} LIMIT 10'", quoted(table)));
    }
    for job in &jobs {
        let (rows, table) = (&job["rows"], job["table"].as_str().unwrap_or_default());
        say(&format!("{rows} rows are in \"{table}\""));
    }
}

fn plain(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|letter| letter.is_ascii_alphanumeric() || matches!(letter, '_' | '-'))
}

/// A bar that shows rows, rate and the time left.
pub(crate) fn progress(total: u64) -> ProgressBar {
    let style = ProgressStyle::with_template("{bar:32} {percent:>3} %  {msg}  {bytes}/{total_bytes}  {eta} left")
        .expect("the template is well-formed");
    ProgressBar::new(total).with_style(style)
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    #[test]
    fn a_preview_is_a_table_that_says_why() {
        let staged = json!({
            "files": ["orders.csv"], "format": "csv", "dialect": {"separator": ";", "charset": "UTF-8"},
            "tables": [{
                "table": "Orders", "rows": 1200, "exact": false,
                "columns": [
                    {"name": "Fall", "target": "Fall", "type": "text", "reason": "letters",
                     "role": {"role": "case", "confidence": 0.9, "reason": "it is called \"Fall\""}},
                    {"name": "n", "target": "amount", "type": "integer", "reason": "all 2 values seen are whole numbers", "role": null},
                    {"name": "x", "target": null, "type": "text", "reason": "", "role": null},
                ],
                "first": [["NA", "1", null]],
            }],
            "warnings": ["it is odd"],
        });
        expect![[r#"
            orders.csv: CSV, separator ";", UTF-8, about 1200 rows
            column        type     says       because
            ────────────  ───────  ─────────  ───────────────────────────────────
            Fall          text     case 90 %  it is called "Fall"
            n → amount    integer             all 2 values seen are whole numbers
            x (left out)  text

            Fall  n  x
            ────  ─  ─
            NA    1

            note: it is odd"#]]
        .assert_eq(&preview(&staged).join("\n"));
    }
}
