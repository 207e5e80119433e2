//! Callers who wait for the answer of a run.
//!
//! A caller waits on an item that it has brought: on a hook, under a key. The
//! transaction that gives the item to a run says so here ([`Callers::took`]),
//! and from then on the run's responses find their callers. That may be said
//! before the commit, and again for another run if there was none: the last
//! word counts.
//!
//! All of it is memory. After a crash nobody waits any more, so a run that is
//! replayed answers nobody; and whoever has an answer is forgotten, so nobody
//! is answered twice.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::oneshot;

use crate::hook::{Answer, Response};
use crate::run::RunId;

/// A hook and the key of an item on it.
type ItemKey = (String, String);

/// The callers who wait.
#[derive(Default)]
pub(crate) struct Callers(Mutex<Book>);

#[derive(Default)]
struct Book {
    by_item: HashMap<ItemKey, Caller>,
    /// Items that a run began with and for which somebody waits: the place
    /// among its start bundles, from 0 on, and the item.
    by_run: HashMap<RunId, Vec<(usize, ItemKey)>>,
    /// The program is to end: nobody shall wait any longer.
    is_closed: bool,
}

struct Caller {
    answer: oneshot::Sender<Answer>,
    run: Option<RunId>,
}

/// The place of one caller. Dropping it gives the place up.
pub struct Ticket {
    callers: Arc<Callers>,
    item: ItemKey,
    answer: oneshot::Receiver<Answer>,
    wait_max: Duration,
}

impl Callers {
    /// Lets somebody wait for what becomes of an item; it is to be said before
    /// the item is brought. Nothing if somebody waits for it already.
    pub(crate) fn wait(self: &Arc<Self>, hook: &str, key: &str, wait_max: Duration) -> Option<Ticket> {
        let item = (hook.to_owned(), key.to_owned());
        let mut book = self.0.lock();
        if book.is_closed || book.by_item.contains_key(&item) {
            return None;
        }
        let (sender, answer) = oneshot::channel();
        book.by_item.insert(item.clone(), Caller { answer: sender, run: None });
        Some(Ticket { callers: self.clone(), item, answer, wait_max })
    }

    /// Says that a run begins with these items of a hook, in this order.
    pub(crate) fn took<'a>(&self, run: RunId, hook: &str, keys: impl IntoIterator<Item = &'a str>) {
        let mut book = self.0.lock();
        if book.by_item.is_empty() {
            return;
        }
        for (place, key) in keys.into_iter().enumerate() {
            let item = (hook.to_owned(), key.to_owned());
            let Some(caller) = book.by_item.get_mut(&item) else { continue };
            if let Some(before) = caller.run.replace(run) {
                book.forget(before, &item);
            }
            book.by_run.entry(run).or_default().push((place, item));
        }
    }

    /// Hands a run's responses to those who brought its start bundles, and,
    /// if it has ended, tells the others how: `Ok` if all went well, else why
    /// not. To be called after the commit of what led there.
    pub(crate) fn tell(
        &self,
        run: RunId,
        responses: Vec<(Option<usize>, Response)>,
        ended: Option<Result<(), String>>,
    ) {
        if responses.is_empty() && ended.is_none() {
            return;
        }
        let mut book = self.0.lock();
        let Some(waiting) = book.by_run.remove(&run) else { return };
        let mut left = waiting;
        for (bundle, response) in responses {
            let (meant, others): (Vec<_>, Vec<_>) =
                left.into_iter().partition(|(place, _)| bundle.is_none_or(|bundle| bundle == *place));
            for (_, item) in meant {
                book.answer(&item, Answer::Response(response.clone()));
            }
            left = others;
        }
        match ended {
            None if left.is_empty() => {}
            None => drop(book.by_run.insert(run, left)),
            Some(ended) => {
                for (_, item) in left {
                    let answer = match &ended {
                        Ok(()) => Answer::Accepted,
                        Err(reason) => Answer::Failed { reason: reason.clone() },
                    };
                    book.answer(&item, answer);
                }
            }
        }
    }

    /// Tells everybody that their items are accepted, and lets nobody wait
    /// from now on.
    pub(crate) fn close(&self) {
        let mut book = self.0.lock();
        book.is_closed = true;
        book.by_run.clear();
        for (_, caller) in book.by_item.drain() {
            let _ = caller.answer.send(Answer::Accepted);
        }
    }
}

impl Book {
    fn answer(&mut self, item: &ItemKey, answer: Answer) {
        if let Some(caller) = self.by_item.remove(item) {
            // Whoever has hung up is not told.
            let _ = caller.answer.send(answer);
        }
    }

    fn forget(&mut self, run: RunId, item: &ItemKey) {
        if let Some(items) = self.by_run.get_mut(&run) {
            items.retain(|(_, other)| other != item);
            if items.is_empty() {
                self.by_run.remove(&run);
            }
        }
    }
}

impl Ticket {
    /// Waits for the answer, for a while.
    pub(crate) async fn answer(mut self) -> Answer {
        match tokio::time::timeout(self.wait_max, &mut self.answer).await {
            Ok(Ok(answer)) => answer,
            // It took too long, or nobody is left who would answer.
            Ok(Err(_)) | Err(_) => Answer::Accepted,
        }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let mut book = self.callers.0.lock();
        if let Some(caller) = book.by_item.remove(&self.item)
            && let Some(run) = caller.run
        {
            book.forget(run, &self.item);
        }
    }
}

#[cfg(test)]
mod tests {
    use base::Timestamp;
    use base::chance::SeededChance;

    use super::*;
    use crate::value::Value;

    const LONG: Duration = Duration::from_mins(3);

    fn run(seed: u64) -> RunId {
        RunId::new(Timestamp::EPOCH, &SeededChance::new(seed))
    }

    fn response(status: u16) -> Response {
        Response { status, headers: Vec::new(), body: Value::Absent }
    }

    fn is_empty(callers: &Callers) -> bool {
        let book = callers.0.lock();
        book.by_item.is_empty() && book.by_run.is_empty()
    }

    #[tokio::test]
    async fn each_caller_has_the_first_response_of_its_own_bundle() {
        let callers = Arc::new(Callers::default());
        let [a, b, c] = ["a", "b", "c"].map(|key| callers.wait("h", key, LONG).expect("nobody waits"));
        callers.took(run(1), "h", ["a", "x", "b", "c"]);
        callers.tell(run(1), vec![(Some(0), response(201)), (Some(0), response(202)), (Some(1), response(203))], None);
        assert_eq!(a.answer().await, Answer::Response(response(201)));
        callers.tell(run(1), vec![(Some(2), response(204))], Some(Err("it broke".into())));
        assert_eq!(b.answer().await, Answer::Response(response(204)));
        assert_eq!(c.answer().await, Answer::Failed { reason: "it broke".into() });
        assert!(is_empty(&callers));
    }

    #[tokio::test]
    async fn a_response_below_no_single_bundle_is_for_all() {
        let callers = Arc::new(Callers::default());
        let [a, b] = ["a", "b"].map(|key| callers.wait("h", key, LONG).expect("nobody waits"));
        callers.took(run(1), "h", ["a", "b"]);
        callers.tell(run(1), vec![(None, response(201))], Some(Ok(())));
        assert_eq!(a.answer().await, b.answer().await);
        assert!(is_empty(&callers));
    }

    #[tokio::test]
    async fn the_last_run_that_took_an_item_answers() {
        let callers = Arc::new(Callers::default());
        let a = callers.wait("h", "a", LONG).expect("nobody waits");
        assert!(callers.wait("h", "a", LONG).is_none(), "one caller per item");
        // The first transaction was rolled back.
        callers.took(run(1), "h", ["a"]);
        callers.took(run(2), "h", ["a"]);
        callers.tell(run(1), vec![(Some(0), response(500))], Some(Ok(())));
        callers.tell(run(2), vec![(Some(0), response(200))], None);
        assert_eq!(a.answer().await, Answer::Response(response(200)));
        assert!(is_empty(&callers));
    }

    #[tokio::test]
    async fn nobody_waits_for_ever() {
        let callers = Arc::new(Callers::default());
        let a = callers.wait("h", "a", Duration::ZERO).expect("nobody waits");
        callers.took(run(1), "h", ["a"]);
        assert_eq!(a.answer().await, Answer::Accepted);
        assert!(is_empty(&callers), "whoever gave up is forgotten");
        let b = callers.wait("h", "b", LONG).expect("nobody waits");
        callers.close();
        assert_eq!(b.answer().await, Answer::Accepted);
        assert!(callers.wait("h", "c", LONG).is_none());
    }
}
