//! Opening a data folder: the lock, the tables at rest, the replay.

use std::collections::HashMap;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::path::Path;
use std::sync::Arc;

use base::Timestamp;
use pools::{CommitNumber, PoolId};
use tokio::runtime::Handle;
use tracing::info;

use crate::apply::{apply, shape_after};
use crate::error::Error;
use crate::ledger::Ledger;
use crate::log::Log;
use crate::plan::spilled_again;
use crate::pool::{Desk, News, Pool, View};
use crate::rest::{Delta, Held};
use crate::run::Run;
use crate::table::Table;
use crate::wal::{Record, write_record};
use crate::writer::Shared;

/// Takes the data folder for this process alone.
pub(crate) fn lock(data: &Path) -> Result<File, Error> {
    let path = data.join("lake.lock");
    let refused = |source| Error::Disk { path: path.clone(), source };
    let file = OpenOptions::new().create(true).truncate(false).write(true).open(&path).map_err(refused)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(Error::Locked { folder: data.to_owned() }),
        Err(TryLockError::Error(source)) => Err(refused(source)),
    }
}

/// Opens every pool in the data folder and returns their logs.
pub(crate) fn pools(shared: &Shared, runtime: &Handle) -> Result<HashMap<PoolId, Log>, Error> {
    let mut logs = HashMap::new();
    for (name, path) in folders(&shared.data)? {
        let Ok(id) = name.parse::<PoolId>() else { continue };
        let pool = shared.pool(id);
        let tables = at_rest(shared, runtime, &pool, &path)?;
        let log = replay(shared, &pool, tables)?;
        logs.insert(id, log);
    }
    Ok(logs)
}

fn folders(path: &Path) -> Result<Vec<(String, std::path::PathBuf)>, Error> {
    let refused = |source| Error::Disk { path: path.to_owned(), source };
    let mut folders = Vec::new();
    for entry in fs::read_dir(path).map_err(refused)? {
        let entry = entry.map_err(refused)?;
        if entry.file_type().map_err(refused)?.is_dir() {
            folders.push((entry.file_name().to_string_lossy().into_owned(), entry.path()));
        }
    }
    folders.sort();
    Ok(folders)
}

type Tables = std::collections::BTreeMap<String, Arc<Table>>;

fn at_rest(shared: &Shared, runtime: &Handle, pool: &Pool, path: &Path) -> Result<Tables, Error> {
    let mut tables = Tables::new();
    for (_, folder) in folders(path)?.into_iter().filter(|(name, _)| name != "~log" && name != "~runs") {
        let held = Held::default();
        let load = async {
            let (disk, retention) = (shared.disk.clone(), shared.options.retention);
            let delta = Delta::open(disk, pool.id, &folder, held.clone(), retention).await?;
            let rest = delta.rest().await?;
            Ok::<_, pools::TablesError>(rest.map(|rest| (delta, rest)))
        };
        // On a thread of its own, since the caller may be inside a runtime.
        let loaded = std::thread::scope(|scope| scope.spawn(|| runtime.block_on(load)).join());
        let damaged = |detail: String| Error::DamagedTable { folder: folder.clone(), detail };
        let loaded = loaded.map_err(|_| damaged("reading it came to a sudden end".into()))?;
        let Some((delta, (name, rest))) = loaded.map_err(|error| damaged(error.to_string()))? else { continue };
        let (shape, through) = (rest.shape.clone(), rest.through);
        let table = Table::new(name.clone(), shape, through, Vec::new(), through, Arc::new(rest));
        tables.insert(name.to_ascii_lowercase(), Arc::new(table));
        pool.put_desk(&name, Desk { delta: tokio::sync::Mutex::new(Some(delta)), held, ..Desk::default() });
    }
    Ok(tables)
}

/// Lays the commits of the log upon the tables at rest, where they do not
/// contain them already.
fn replay(shared: &Shared, pool: &Pool, mut tables: Tables) -> Result<Log, Error> {
    let folder = pool.log_folder();
    shared.disk.make_folder(&folder).map_err(|source| Error::Disk { path: folder.clone(), source })?;
    let ledger = Ledger::read(&folder).map_err(|source| Error::Disk { path: folder.join("ledger"), source })?;
    let now = shared.clock.now();
    pool.recall(ledger, now);
    let ceiling = shared.ceiling(pool);
    let yard = shared.yard(pool);
    let mut news = Vec::new();
    let mut problem = None;
    let log = Log::open(shared.disk.clone(), &folder, pool.id, shared.options.segment_bytes_max, |record| {
        let place = record.change.table.to_ascii_lowercase();
        let table = tables.get(&place).map(Arc::as_ref);
        let at_rest = table.is_some_and(|table| table.rest.through >= record.change.number);
        let run = record.run.clone().map(|files| yard.named(files));
        if !at_rest && problem.is_none() {
            match again(table, &record, run.as_ref(), now, ceiling) {
                Ok(table) => {
                    tables.insert(place, Arc::new(table));
                }
                Err(detail) => {
                    let folder = pool.folder.join(crate::rest::folder_name(&record.change.table));
                    problem = Some(Error::DamagedTable { folder, detail });
                }
            }
        }
        let bytes = write_record(&record).len();
        news.push(News { job: record.job, committed: record.committed, change: record.change, run, bytes });
        if news.len() >= 64 {
            pool.remember(std::mem::take(&mut news));
        }
    })?;
    if let Some(problem) = problem {
        return Err(problem);
    }
    let head = log.next() - 1;
    for table in tables.values() {
        if table.rest.through > head {
            let detail = format!("it holds commit {}, but the log ends with {head}", table.rest.through);
            return Err(Error::DamagedTable { folder: pool.folder.clone(), detail });
        }
    }
    info!(pool = %pool.id, head, tables = tables.len(), "a pool is open");
    pool.publish(View { head, tables }, news, log.segments(), now);
    let named = pool.named_files();
    yard.sweep(|name| named.contains(name));
    Ok(log)
}

/// Applies a commit from the log; the error is what is wrong with it.
fn again(
    table: Option<&Table>,
    record: &Record,
    run: Option<&Arc<Run>>,
    now: Timestamp,
    ceiling: CommitNumber,
) -> Result<Table, String> {
    let spilled = match run {
        None => None,
        Some(run) => {
            run.check()?;
            let shape = shape_after(record);
            Some(spilled_again(run.clone(), &shape, &record.change).map_err(|error| error.to_string())?)
        }
    };
    apply(table, record, spilled, now, ceiling).map_err(|error| error.to_string())
}
