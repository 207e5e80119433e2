//! Order among what lies at rest.
//!
//! Every flush leaves files behind: small ones with what came lately, and
//! those that no longer count. When nothing else is to be done at a table,
//! several small files are joined into one, and files that nobody can need any
//! more are removed. Joining moves rows and changes none: the Delta log says
//! so, and readers that follow it see no change.

use std::collections::HashMap;
use std::fs;
use std::sync::Arc;

use pools::{PoolId, TablesError};
use tokio::sync::mpsc;
use tracing::{info, warn};

use crate::flusher::{AtRest, Room};
use crate::rest::{Held, Rest, RestFile, Step};
use crate::writer::{Shared, Task};

/// Files are joined at most so many at a time, of at most so many bytes
/// together.
const JOINED_MAX: usize = 64;
const JOINED_BYTES_MAX: u64 = 256 * MIB;

/// Files are of about one size if they are in one of these classes. So a row
/// is moved a few times, however small the files were in which it came.
const SIZES: [u64; 3] = [256 * 1024, 2 * MIB, 16 * MIB];

const MIB: u64 = 1024 * 1024;

/// What was done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tidied {
    /// Files whose rows moved to another.
    pub(crate) joined: usize,
    /// Files that were removed.
    pub(crate) removed: usize,
}

/// Puts a table at rest in order, as far as one step goes.
pub(crate) async fn tidy(
    shared: Arc<Shared>,
    tasks: mpsc::Sender<Task>,
    pool: PoolId,
    table: String,
) -> Result<Tidied, TablesError> {
    let pool = shared.pool(pool);
    let Some(known) = pool.table(&table) else { return Ok(Tidied::default()) };
    let desk = pool.desk(&table);
    let work = AtRest::begin(&shared, &tasks, &pool, &known.name, &desk, false).await?;
    let rest = work.table().map(|table| table.rest.clone());
    let Some(rest) = rest.filter(|rest| rest.version.is_some()) else {
        work.end();
        return Ok(Tidied::default());
    };
    let removed = remove(&shared, &work, &rest).await?;
    let files = to_join(&rest, shared.options.small_files_max);
    if files.is_empty() {
        work.end();
        return Ok(Tidied { joined: 0, removed });
    }
    let (name, joined) = (known.name.clone(), files.len());
    let step = work.on_a_thread(move |room| join(room, name, &rest, files)).await?;
    let version = work.commit(step).await?;
    info!(pool = %pool.id, table = %known.name, version, files = joined, "small files were joined");
    Ok(Tidied { joined, removed })
}

/// Returns the small files that are to be joined next; none if it is not worth
/// it yet.
pub(crate) fn to_join(rest: &Rest, small_files_max: usize) -> Vec<RestFile> {
    let mut from = 0;
    for to in SIZES {
        let of_a_size: Vec<_> = rest.files.iter().filter(|file| (from..to).contains(&file.bytes)).collect();
        if of_a_size.len() > small_files_max.max(1) {
            let mut bytes = 0;
            let some = of_a_size.into_iter().take(JOINED_MAX).take_while(|file| {
                bytes += file.bytes;
                bytes <= JOINED_BYTES_MAX
            });
            return some.cloned().collect();
        }
        from = to;
    }
    Vec::new()
}

fn join(room: &Room, name: String, rest: &Rest, joined: Vec<RestFile>) -> Result<Step, TablesError> {
    let written = room.write(rest.through, &rest.shape, &joined, None)?;
    let (shape, through) = (rest.shape.clone(), rest.through);
    Ok(Step { name, shape, through, gone: joined, written, now_ms: room.now_ms, moves_rows: true })
}

/// Removes files that no longer count, and what crashed flushes left behind,
/// once the retention is over and nobody of ours reads them.
async fn remove(shared: &Shared, work: &AtRest<'_>, rest: &Arc<Rest>) -> Result<usize, TablesError> {
    let let_go = work.delta.let_go().await?;
    let (rest, held) = (rest.clone(), work.held());
    let before_ms = shared.clock.now().as_millis() - shared.options.retention.as_millis() as i64;
    work.on_a_thread(move |room| {
        let mut removed = 0;
        for name in not_needed(room, &rest, &let_go, &held, before_ms).map_err(crate::files::of_disk)? {
            room.disk.remove(&room.folder.join(name)).map_err(crate::files::of_disk)?;
            removed += 1;
        }
        if removed > 0 {
            info!(folder = %room.folder.display(), files = removed, "files that nobody needs were removed");
        }
        Ok(removed)
    })
    .await
}

fn not_needed(
    room: &Room,
    rest: &Rest,
    let_go: &HashMap<String, i64>,
    held: &Held,
    before_ms: i64,
) -> std::io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(&room.folder)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let counts = || rest.files.iter().any(|file| file.name == name);
        if !name.ends_with(".parquet") || counts() || held.is_held(&name) {
            continue;
        }
        let since_ms = match let_go.get(&name) {
            Some(at) => *at,
            // The log does not know it, or no longer: only what a flush has
            // written is judged by its age, for other files may wait to be
            // named by a commit.
            None if is_of_a_flush(&name) => written_at(&entry.metadata()?),
            None => continue,
        };
        if since_ms <= before_ms {
            names.push(name);
        }
    }
    Ok(names)
}

fn is_of_a_flush(name: &str) -> bool {
    let parts = name.strip_suffix(".parquet").and_then(|stem| stem.split_once('-'));
    let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    parts.is_some_and(|(commit, place)| commit.len() == 20 && is_number(commit) && is_number(place))
}

fn written_at(metadata: &fs::Metadata) -> i64 {
    let since_epoch = metadata.modified().ok().and_then(|time| time.duration_since(std::time::UNIX_EPOCH).ok());
    since_epoch.map_or(i64::MAX, |since| since.as_millis() as i64)
}

/// Reports an attempt that failed; nothing is lost by it.
pub(crate) fn complain(pool: PoolId, table: &str, error: &TablesError) {
    warn!(pool = %pool, table, error = %error, "a table could not be put in order; it will be tried again");
}
