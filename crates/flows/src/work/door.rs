//! The door: what arrives for a flow while there is room starts its run at
//! once.
//!
//! An item could always be stored on its hook, found there by the engine's
//! loop, made a run, and loaded; that is four commits until the first effect.
//! Where nothing waits and the engine has room, the machine walks to its first
//! effect before anything is written, and one transaction holds all of it: the
//! run with its start bundle and its intent. That transaction looks whether
//! things are as they were thought to be; if not, the item waits on its hook
//! like any other. Order is kept, because nothing overtakes what waits.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use base::Causes;
use parking_lot::Mutex;
use serde_json::Value as Json;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::advance::Held;
use crate::error::Error;
use crate::flows::{Flows, hook_of};
use crate::hook::Accepted;
use crate::program::Program;
use crate::tables::{self, FlowRow};

/// Flows that are known by their hook.
const KNOWN_MAX: usize = 1_024;

/// Where runs go in that start at once.
#[derive(Default)]
pub(crate) struct Door {
    open: Mutex<Option<UnboundedSender<Held>>>,
    /// Runs in the engine's hands.
    in_hand: AtomicUsize,
    known: Mutex<HashMap<String, Arc<Known>>>,
}

/// A flow as it was last seen, by its hook.
struct Known {
    flow: FlowRow,
    program: Arc<Program>,
}

/// Closes the door when the loop ends, however it ends.
pub(super) struct Open<'a>(&'a Door);

impl Drop for Open<'_> {
    fn drop(&mut self) {
        self.0.close();
    }
}

impl Door {
    /// Opens the door to a loop.
    pub(super) fn open(&self) -> (Open<'_>, UnboundedReceiver<Held>) {
        let (sender, receiver) = unbounded_channel();
        *self.open.lock() = Some(sender);
        (Open(self), receiver)
    }

    pub(super) fn close(&self) {
        *self.open.lock() = None;
    }

    /// Notes how many runs the loop has in hand.
    pub(super) fn set_in_hand(&self, runs: usize) {
        self.in_hand.store(runs, Ordering::Relaxed);
    }
}

impl Flows {
    /// Brings an item to a hook, and starts its run at once if nothing is in
    /// its way. Nothing is answered if something is. A key that the bringer has
    /// not named will not come again, so it is not written down.
    pub(crate) async fn accept_at_once(
        &self,
        hook: &str,
        key: &str,
        is_named: bool,
        payload: &Json,
        causes: &Causes,
    ) -> Result<Option<Accepted>, Error> {
        let Some(sender) = self.door.open.lock().clone() else { return Ok(None) };
        // A flow that comes back to itself is for the loop to judge.
        if self.door.in_hand.load(Ordering::Relaxed) >= self.options.concurrency || causes.returned().is_some() {
            return Ok(None);
        }
        let Some(known) = self.known(hook).await? else { return Ok(None) };
        let Some(begun) = self.begin(&known.flow, &known.program, std::slice::from_ref(payload)) else {
            return Ok(None);
        };
        let causes = vec![causes.clone()];
        let row = begun.row(format!("[{payload}]"), causes.clone());
        // What may come back to its hook needs an item there.
        let is_kept = is_named || known.program.rules.returns_items;
        let (hook, key, now) = (hook.to_owned(), key.to_owned(), begun.run().now);
        let (seen, callers) = (known.clone(), self.callers.clone());
        let accepted = self.db.write("flows.accept_at_once", move |tx| {
            if is_named && tables::has_item(tx, &hook, &key)? {
                return Ok(Some(Accepted::Known));
            }
            if tables::waiting_as_seen(tx, &hook, &seen.flow)? != Some(0) {
                return Ok(None);
            }
            if is_kept {
                tables::add_taken_item(tx, &hook, &key, row.id(), now)?;
            }
            callers.took(row.id(), &hook, [key.as_str()]);
            row.insert(tx)?;
            Ok::<_, Error>(Some(Accepted::Stored))
        });
        let accepted = accepted.await?;
        match accepted {
            None => {
                self.door.known.lock().remove(&known.hook());
            }
            Some(Accepted::Stored) => {
                if let Some(held) = self.has_begun(begun, causes)
                    && let Err(refused) = sender.send(held)
                {
                    // The loop has ended meanwhile; the run is found at the next start.
                    tracing::debug!(run = %refused.0.run(), "a run that was accepted waits for the next start");
                }
            }
            Some(_) => {}
        }
        Ok(accepted)
    }

    /// Returns the flow of a hook, if it starts a run for each item.
    async fn known(&self, hook: &str) -> Result<Option<Arc<Known>>, Error> {
        if let Some(known) = self.door.known.lock().get(hook) {
            return Ok(Some(known.clone()));
        }
        let asked = hook.to_owned();
        let flow = self.db.read("flows.of_hook", move |tx| tables::flow_of_hook(tx, &asked)).await?;
        let Some(flow) = flow.filter(FlowRow::takes_items) else { return Ok(None) };
        let Some(program) = self.published(&flow).await? else { return Ok(None) };
        let starts = program.takes_at_once() && hook_of(&flow.key, &program).as_deref() == Some(hook);
        // Of a confidential run the operations are stored with its end.
        if !starts || program.is_sequential || program.is_confidential {
            return Ok(None);
        }
        let known = Arc::new(Known { flow, program });
        let mut all = self.door.known.lock();
        if all.len() >= KNOWN_MAX {
            all.clear();
        }
        all.insert(hook.to_owned(), known.clone());
        Ok(Some(known))
    }
}

impl Known {
    fn hook(&self) -> String {
        hook_of(&self.flow.key, &self.program).unwrap_or_default()
    }
}
