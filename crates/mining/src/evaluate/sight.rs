//! What is in scope on a root, whoever looks: the rows of each table, and where
//! their partners stand. No program has a part in that, so the triggers that
//! look at the same cases after a commit can share it.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;

use super::frame::Frame;
use crate::log::EventLog;

/// From one table to another: per row, or per case, the place of its partner.
type Lifts = Mutex<HashMap<(usize, usize), Arc<Vec<u32>>>>;

/// What is in scope, worked out when somebody asks.
#[derive(Debug, Default)]
pub(crate) struct Sight {
    frames: Mutex<HashMap<usize, Arc<Frame>>>,
    lifts: Lifts,
    cases_to: Lifts,
}

/// Finds a value, or makes it. It is not locked meanwhile: making one may ask
/// for others, and two that make the same make equal ones.
fn found_or_made<K: std::hash::Hash + Eq, V>(
    all: &Mutex<HashMap<K, Arc<V>>>,
    key: K,
    make: impl FnOnce() -> Option<V>,
) -> Option<Arc<V>> {
    if let Some(known) = all.lock().get(&key) {
        return Some(known.clone());
    }
    let made = Arc::new(make()?);
    Some(all.lock().entry(key).or_insert(made).clone())
}

impl Sight {
    /// Returns the rows of a table that take part.
    pub(super) fn frame(&self, table: usize, make: impl FnOnce() -> Frame) -> Arc<Frame> {
        found_or_made(&self.frames, table, || Some(make())).expect("it was made")
    }

    /// Returns for each row of one table the place of its partner in another.
    pub(super) fn lift(&self, from: usize, to: usize, make: impl FnOnce() -> Vec<u32>) -> Arc<Vec<u32>> {
        found_or_made(&self.lifts, (from, to), || Some(make())).expect("it was made")
    }

    /// Returns the same per case, if all events of a case lead to one place.
    pub(super) fn case_lift(
        &self,
        from: usize,
        to: usize,
        make: impl FnOnce() -> Option<Vec<u32>>,
    ) -> Option<Arc<Vec<u32>>> {
        found_or_made(&self.cases_to, (from, to), make)
    }

    /// Forgets what was worked out; it can be worked out again.
    pub(super) fn forget(&self) {
        self.frames.lock().clear();
        self.lifts.lock().clear();
        self.cases_to.lock().clear();
    }
}

/// The sights of one root that were asked for last.
#[derive(Debug)]
pub(crate) struct Sights {
    log: Arc<EventLog>,
    recent: Mutex<Vec<(Vec<u32>, Arc<Sight>)>>,
}

/// Lists of cases whose sight is remembered: those that a commit touched, and
/// a few that figures have passed.
const REMEMBERED_MAX: usize = 8;

impl Sights {
    pub(crate) fn new(log: Arc<EventLog>) -> Self {
        Sights { log, recent: Mutex::default() }
    }

    /// Returns the sight of some cases, if this is their root.
    pub(crate) fn of(&self, log: &Arc<EventLog>, cases: &[u32]) -> Option<Arc<Sight>> {
        if !Arc::ptr_eq(&self.log, log) {
            return None;
        }
        let mut recent = self.recent.lock();
        if let Some((_, sight)) = recent.iter().find(|(known, _)| known == cases) {
            return Some(sight.clone());
        }
        if recent.len() >= REMEMBERED_MAX {
            recent.remove(0);
        }
        let sight = Arc::new(Sight::default());
        recent.push((cases.to_vec(), sight.clone()));
        Some(sight)
    }
}
