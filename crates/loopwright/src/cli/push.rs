//! `push`: CSV files into a table, with a progress bar.
//!
//! Files are read once, record by record, and sent in chunks of a few
//! megabytes, so that memory does not grow with the file. One job holds them
//! all: either every row becomes visible, or none.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context, Result, bail};
use clap::Args;
use flate2::read::MultiGzDecoder;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;

use super::{ClientFlags, say};
use crate::client::Client;
use crate::push::{Push, PushPlan};

/// Size of a chunk before it is sent.
const CHUNK_BYTES: usize = 4 << 20;

#[derive(Args)]
pub(crate) struct PushFlags {
    /// The pool, by name or id.
    pool: String,
    /// The table; it is made if it does not exist.
    table: String,
    /// CSV files with a header, also packed as .gz.
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
    /// What separates fields.
    #[arg(long, default_value = ",")]
    separator: char,
    #[command(flatten)]
    client: ClientFlags,
}

pub(super) async fn run(flags: PushFlags) -> Result<()> {
    let client = flags.client.client();
    let pool = match pool_id(&client, &flags.pool).await {
        Err(_) if flags.create_pool => new_pool(&client, &flags.pool).await?,
        found => found?,
    };
    let plan = PushPlan {
        pool,
        table: flags.table.clone(),
        keys: flags.keys.clone(),
        replace: flags.replace,
        types: Vec::new(),
    };
    let Ok(separator) = u8::try_from(flags.separator) else {
        bail!("the separator must be a single ASCII character");
    };
    let total = flags.files.iter().map(|file| length(file)).sum::<Result<u64>>()?;
    let bar = progress(total);
    let push = Push::create(&client, &plan).await?;
    let mut rows = 0;
    for file in &flags.files {
        rows += send_file(&push, file, separator, &bar).await?;
    }
    bar.set_message(format!("{rows} rows, executing"));
    let job = push.execute().await?;
    bar.finish_and_clear();
    for line in job["logs"].as_array().into_iter().flatten() {
        say(line.as_str().unwrap_or_default());
    }
    say(&format!("{rows} rows are in \"{}\"", flags.table));
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

async fn send_file(push: &Push<'_>, file: &Path, separator: u8, bar: &ProgressBar) -> Result<u64> {
    let opened = File::open(file).with_context(|| format!("{} cannot be opened", file.display()))?;
    let read = Arc::new(AtomicU64::new(0));
    let counted = Counted { inner: opened, read: read.clone() };
    let bytes: Box<dyn Read + Send> = if file.extension().is_some_and(|ending| ending == "gz") {
        Box::new(MultiGzDecoder::new(counted))
    } else {
        Box::new(counted)
    };
    let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
    // Records of another width go to the server, which names line and column.
    let mut records =
        csv::ReaderBuilder::new().has_headers(false).flexible(true).delimiter(separator).from_reader(bytes);
    let mut record = csv::ByteRecord::new();
    let mut header = csv::ByteRecord::new();
    let mut chunk = new_chunk(&header)?;
    let (mut rows, mut rows_in_chunk, before) = (0u64, 0u64, bar.position());
    while records.read_byte_record(&mut record).with_context(|| format!("{} cannot be read", file.display()))? {
        if header.is_empty() {
            header = record.clone();
            chunk = new_chunk(&header)?;
            continue;
        }
        chunk.write_byte_record(&record)?;
        rows += 1;
        rows_in_chunk += 1;
        if rows_in_chunk.is_multiple_of(1_024) {
            chunk.flush()?;
            if chunk.get_ref().len() >= CHUNK_BYTES {
                push.chunk(&name, chunk.get_ref()).await?;
                chunk = new_chunk(&header)?;
                rows_in_chunk = 0;
            }
            bar.set_position(before + read.load(Ordering::Relaxed));
            bar.set_message(format!("{rows} rows, {:.0} rows/s", bar_rate(rows, bar)));
        }
    }
    if header.is_empty() {
        bail!("{} is empty: a CSV file has at least a header", file.display());
    }
    chunk.flush()?;
    push.chunk(&name, chunk.get_ref()).await?;
    bar.set_position(before + read.load(Ordering::Relaxed));
    Ok(rows)
}

fn bar_rate(rows: u64, bar: &ProgressBar) -> f64 {
    rows as f64 / bar.elapsed().as_secs_f64().max(0.001)
}

/// The server reads commas, whatever the file had.
fn new_chunk(header: &csv::ByteRecord) -> Result<csv::Writer<Vec<u8>>> {
    let mut writer = csv::WriterBuilder::new().flexible(true).from_writer(Vec::new());
    if !header.is_empty() {
        writer.write_byte_record(header)?;
    }
    Ok(writer)
}

fn length(file: &Path) -> Result<u64> {
    let about = std::fs::metadata(file).with_context(|| format!("{} cannot be opened", file.display()))?;
    Ok(about.len())
}

/// A bar that shows rows, rate and the time left.
pub(crate) fn progress(total: u64) -> ProgressBar {
    let style = ProgressStyle::with_template("{bar:32} {percent:>3} %  {msg}  {eta} left")
        .expect("the template is well-formed");
    ProgressBar::new(total).with_style(style)
}

/// Counts the bytes that were read of a file, packed or not.
struct Counted {
    inner: File,
    read: Arc<AtomicU64>,
}

impl Read for Counted {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        let length = self.inner.read(into)?;
        self.read.fetch_add(length as u64, Ordering::Relaxed);
        Ok(length)
    }
}
