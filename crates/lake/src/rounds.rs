//! What the background does, round after round.
//!
//! A round looks at every table and sets going what is due: first the rows
//! that have to come to rest, then, at tables where nothing is due, the order
//! among what lies there. A table is committed to at most once a second, and
//! a few are worked on at a time, so that one that takes long does not hold up
//! the others.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use base::Timestamp;
use pools::{PoolId, TablesError};
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::flusher::{self, Haste, PAUSE_AFTER_FAILURE, ask, flush, is_pressing};
use crate::table::Table;
use crate::tidy::{self, tidy};
use crate::writer::{Shared, Task};

/// Tables that are worked on at a time.
const WORKED_ON_MAX: usize = 2;

/// Between two commits to a table.
const BETWEEN_COMMITS: Duration = Duration::from_secs(1);

/// Between two searches for files that nobody needs.
const BETWEEN_SEARCHES: Duration = Duration::from_hours(1);

type Place = (PoolId, String);

/// When to look at a table again.
#[derive(Clone, Copy, Debug)]
struct Appointments {
    flush: Timestamp,
    tidy: Timestamp,
    search: Timestamp,
    is_worked_on: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Work {
    Flush,
    Tidy,
}

/// The background.
pub(crate) struct Rounds {
    shared: Arc<Shared>,
    tasks: mpsc::Sender<Task>,
    threads: Handle,
    tables: HashMap<Place, Appointments>,
    working: JoinSet<(Place, Work, Result<(), TablesError>)>,
}

impl Rounds {
    /// Prepares the first round; work is done on the given threads.
    pub(crate) fn new(shared: Arc<Shared>, tasks: mpsc::Sender<Task>, threads: Handle) -> Self {
        Rounds { shared, tasks, threads, tables: HashMap::new(), working: JoinSet::new() }
    }

    /// Goes one round.
    pub(crate) async fn go(&mut self) {
        self.take_in();
        let pools: Vec<_> = self.shared.pools.read().values().cloned().collect();
        for pool in pools {
            let ceiling = self.shared.ceiling(&pool);
            for (name, table) in &pool.view().tables {
                let place = (pool.id, name.clone());
                let Some(work) = self.due(&place, table, ceiling) else { continue };
                self.tables.get_mut(&place).expect("it was just looked at").is_worked_on = true;
                let (shared, tasks, name) = (self.shared.clone(), self.tasks.clone(), name.clone());
                self.working.spawn_on(
                    async move {
                        let (pool, table) = (place.0, name);
                        let done = match work {
                            Work::Flush => flush(shared, tasks, pool, table, ceiling, Haste::None).await.map(|_| ()),
                            Work::Tidy => tidy(shared, tasks, pool, table).await.map(|_| ()),
                        };
                        (place, work, done)
                    },
                    &self.threads,
                );
            }
            // Consumers may have moved on since the last flush.
            let _ = ask(&self.tasks, Task::Cut { pool: pool.id }).await;
        }
    }

    /// Tells what there is to do at a table now.
    fn due(&mut self, place: &Place, table: &Table, ceiling: pools::CommitNumber) -> Option<Work> {
        let now = self.shared.clock.now();
        let first = Appointments { flush: now, tidy: now, search: now, is_worked_on: false };
        let appointments = self.tables.entry(place.clone()).or_insert(first);
        let has_room = self.working.len() < WORKED_ON_MAX || is_pressing(table, &self.shared.options);
        if appointments.is_worked_on || !has_room || now < appointments.flush {
            return None;
        }
        if flusher::is_due(table, ceiling, now, &self.shared.options) {
            return Some(Work::Flush);
        }
        let is_untidy =
            now >= appointments.search || !tidy::to_join(&table.rest, self.shared.options.small_files_max).is_empty();
        (is_untidy && now >= appointments.tidy && table.rest.version.is_some()).then_some(Work::Tidy)
    }

    /// Takes in what has been done.
    fn take_in(&mut self) {
        while let Some(done) = self.working.try_join_next() {
            let Ok((place, work, done)) = done else {
                // Something came to a sudden end; what it was, nobody can say.
                self.tables.values_mut().for_each(|appointments| appointments.is_worked_on = false);
                continue;
            };
            let now = self.shared.clock.now();
            let Some(appointments) = self.tables.get_mut(&place) else { continue };
            appointments.is_worked_on = false;
            match done {
                Ok(()) => {
                    appointments.flush = now.plus(BETWEEN_COMMITS);
                    if work == Work::Tidy {
                        appointments.search = now.plus(BETWEEN_SEARCHES.min(self.shared.options.retention));
                    }
                }
                Err(error) if work == Work::Flush => {
                    flusher::complain(place.0, &place.1, &error);
                    appointments.flush = now.plus(PAUSE_AFTER_FAILURE);
                }
                Err(error) => {
                    tidy::complain(place.0, &place.1, &error);
                    appointments.tidy = now.plus(PAUSE_AFTER_FAILURE);
                }
            }
        }
    }
}
