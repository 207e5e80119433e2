//! The load of `cargo xtask bench flows`.
//!
//! ```text
//! bench-flows load SINK_PORT               callers and sink, told by lines of JSON what to do
//! bench-flows bare PORT SINK_PORT FOLDER   the flow by hand, without an engine
//! bench-flows engine PORT RUNS FOLDER      our engine, so many runs at once, without the program around it
//! ```
//!
//! Callers and sink are one process, so that both read the same clock. Who
//! measures tells it on its input what to do next and reads one line for each;
//! starting, stopping and sampling of the engines is left to
//! `tests/bench_flows.py`.

mod message;
mod sink;
mod drive;
mod bare;
mod engine;

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use serde::Deserialize;
use serde_json::{Value, json};

use drive::Drive;
use sink::Sink;

/// The one that the program has.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["load", port] => load(port.parse()?),
        ["bare", port, sink, folder] => bare::serve(port.parse()?, sink.parse()?, Path::new(folder)),
        ["engine", port, runs, folder] => engine::serve(port.parse()?, runs.parse()?, Path::new(folder)),
        _ => bail!(
            "usage: bench-flows load SINK_PORT | bench-flows bare PORT SINK_PORT FOLDER \
             | bench-flows engine PORT RUNS FOLDER"
        ),
    }
}

/// What can be asked, one line each.
#[derive(Deserialize)]
#[serde(tag = "do", rename_all = "kebab-case")]
enum Order {
    /// Calls an engine and tells how it answered.
    Drive(Drive),
    /// Forgets what the sink has seen; from now on it answers this late.
    Sink {
        #[serde(default)]
        delay_ms: u64,
    },
    /// Tells what the sink has seen.
    Seen,
    /// Waits until the sink has been called so often, in all ways together.
    Await { calls: u64, seconds: f64 },
    /// Measures how long a flush of the disk takes that holds this folder.
    Flush { folder: String },
}

/// Serves a sink at `port` and follows orders until the input ends.
fn load(port: u16) -> Result<()> {
    let sink = Arc::new(Sink::new());
    let listener = std::net::TcpListener::bind(("127.0.0.1", port)).context("the sink's port is taken")?;
    listener.set_nonblocking(true)?;
    let served = sink.clone();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(sink::serve(served, listener));
    });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        // Nothing else is to be done here between two orders.
        for line in std::io::stdin().lines() {
            let line = line?;
            let order = serde_json::from_str(&line).with_context(|| format!("not an order: {line}"))?;
            tell(&follow(order, &sink).await?);
        }
        Ok(())
    })
}

async fn follow(order: Order, sink: &Arc<Sink>) -> Result<Value> {
    match order {
        Order::Drive(drive) => drive.run(sink).await,
        Order::Sink { delay_ms } => {
            sink.forget(Duration::from_millis(delay_ms));
            Ok(json!({}))
        }
        Order::Seen => Ok(sink.seen()),
        Order::Await { calls, seconds } => {
            let begun = Instant::now();
            let reached = sink.wait_for(calls, Duration::from_secs_f64(seconds)).await;
            let mut seen = sink.seen();
            seen["reached"] = json!(reached);
            seen["waited_s"] = json!(begun.elapsed().as_secs_f64());
            Ok(seen)
        }
        Order::Flush { folder } => flush_ms(&folder),
    }
}

#[expect(clippy::print_stdout, reason = "answers are what this program is for")]
fn tell(answer: &Value) {
    println!("{answer}");
}

/// Writes 8 KiB two hundred times, each flushed.
fn flush_ms(folder: &str) -> Result<Value> {
    use std::io::Write as _;
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    let mut taken = Vec::with_capacity(200);
    for _ in 0..200 {
        let begun = Instant::now();
        file.write_all(&[7; 8 << 10])?;
        file.as_file().sync_data()?;
        taken.push(begun.elapsed().as_micros() as u32);
    }
    taken.sort_unstable();
    if taken.is_empty() {
        bail!("nothing was written");
    }
    Ok(json!({ "p50_ms": share_ms(&taken, 0.5), "p99_ms": share_ms(&taken, 0.99) }))
}

/// The value below which a share of some sorted microseconds lies, in
/// milliseconds; nothing of nothing.
fn share_ms(sorted: &[u32], part: f64) -> Option<f64> {
    let place = ((sorted.len() as f64 * part) as usize).min(sorted.len().checked_sub(1)?);
    Some(f64::from(sorted[place]) / 1_000.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_of_sorted_values() {
        let hundred: Vec<u32> = (1..=100).map(|value| value * 1_000).collect();
        assert_eq!(share_ms(&hundred, 0.5), Some(51.0));
        assert_eq!(share_ms(&hundred, 0.99), Some(100.0));
        assert_eq!(share_ms(&[], 0.5), None);
    }

    #[test]
    fn a_drive_finds_every_call_at_the_sink() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let sink = Arc::new(Sink::new());
            let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
            listener.set_nonblocking(true).unwrap();
            let port = listener.local_addr().unwrap().port();
            tokio::spawn(sink::serve(sink.clone(), listener));
            let order = json!({
                "do": "drive", "port": port, "path": "/", "connections": 4, "count": 100, "settle_calls": 1,
            });
            let told = follow(serde_json::from_value(order).unwrap(), &sink).await.unwrap();
            assert_eq!((told["answered"].as_u64(), told["failed"].as_u64()), (Some(100), Some(0)), "{told}");
            let seen = sink.seen();
            assert_eq!((seen["calls"].as_u64(), seen["distinct"].as_u64()), (Some(100), Some(100)), "{seen}");
        });
    }
}
