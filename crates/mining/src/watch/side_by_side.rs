//! Looking side by side: the triggers of a model share nothing that moves, so
//! that several can look at the same commit at once.

use std::sync::LazyLock;

use parking_lot::Mutex;

use super::Watch;

static PROCESSORS: LazyLock<usize> =
    LazyLock::new(|| std::thread::available_parallelism().map_or(1, std::num::NonZero::get).min(8));

/// Lets each trigger look, on as many threads as there are processors; the
/// results stand in the order of the triggers. Whoever is done takes the next
/// one: some take ten times as long as others. A panic in one is passed on.
pub(crate) fn side_by_side<T: Send>(watches: &mut [Watch], look: impl Fn(&mut Watch) -> T + Sync) -> Vec<T> {
    let threads = (*PROCESSORS).min(watches.len());
    let queue = Mutex::new(watches.iter_mut().enumerate());
    let work = || {
        let mut found = Vec::new();
        loop {
            // The queue is free while this one looks.
            let next = queue.lock().next();
            let Some((place, watch)) = next else { return found };
            found.push((place, look(watch)));
        }
    };
    let mut found = std::thread::scope(|scope| {
        let others: Vec<_> = (1..threads).map(|_| scope.spawn(work)).collect();
        let mut found = work();
        for other in others {
            found.extend(other.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        }
        found
    });
    found.sort_unstable_by_key(|(place, _)| *place);
    found.into_iter().map(|(_, result)| result).collect()
}
