//! Feedback: a flow that starts itself.
//!
//! A flow acts because of a signal, its rows make the same trigger fire for
//! the same record, and it acts again, for ever. Nothing tells this apart from
//! useful work but the chain of causes ([`base::causes`]), which travels from
//! the item through the run and its calls to ourselves to the rows and back.
//! An item whose chain has been at its own link before is a *return*.
//!
//! A few returns may be meant: a case may be looked at again after it was
//! worked on. Of the same link more than so many within an hour are a loop:
//! then the flow is *paused*. Its items stay on their hook, people are told,
//! and it goes on, counting anew, when somebody activates it.

use std::time::Duration;

use base::causes::Link;
use base::db::Tx;
use base::{BoxFuture, Timestamp};

use crate::error::Error;
use crate::tables::{self, Item};

/// Returns are counted over so long a time.
pub(crate) const WINDOW: Duration = Duration::from_hours(1);

/// Tells people about a flow. The program wires it to where its other notices
/// go.
pub trait Notices: Send + Sync {
    /// Takes a notice; `false` if it is to be brought again. The same one may
    /// come twice.
    fn tell(&self, notice: PauseNotice) -> BoxFuture<'_, bool>;
}

/// Says that a flow was paused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PauseNotice {
    /// Key of the flow.
    pub flow: String,
    /// When.
    pub at: Timestamp,
    /// Why, and how to resume it, in whole sentences.
    pub text: String,
}

/// A flow that comes back to where it was too often.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Loop {
    link: Link,
    /// How many times within the window, this one included.
    times: u64,
    returns_max: u64,
}

impl Loop {
    /// Says what happened and what is to be done, in whole sentences.
    pub(crate) fn text(&self, flow: &str, waiting: u64) -> String {
        let [model, trigger, record] = self.link.names();
        let waits = if waiting == 1 { "1 signal waits" } else { &format!("{waiting} signals wait") };
        format!(
            "The flow \"{flow}\" was paused because it feeds itself: what it did made the trigger {model}/{trigger} fire \
             for the record \"{record}\" again, {} times within an hour, and at most {} are allowed \
             (the setting flow_returns_per_hour_max). Nothing is lost: {waits} on its hook. See to it that the rows that \
             it writes no longer make the trigger fire for the same record; then resume it with \
             POST /api/v1/flows/{flow}/activate.",
            self.times, self.returns_max,
        )
    }
}

/// Decides which of the oldest items of a hook a run of the flow begins with,
/// and counts those that return. Before an item that makes it a loop it stops.
pub(crate) fn starting(
    tx: &mut dyn Tx,
    flow: &str,
    hook: &str,
    items_max: u32,
    returns_max: u64,
    now: Timestamp,
) -> Result<(Vec<Item>, Option<Loop>), Error> {
    let since = Timestamp::from_micros(now.as_micros() - WINDOW.as_micros() as i64);
    let mut items = Vec::new();
    for item in tables::waiting_items(tx, hook, items_max)? {
        if let Some(link) = item.causes.returned() {
            let returns = tables::returns(tx, flow, link, since)?;
            if returns >= returns_max {
                return Ok((items, Some(Loop { link: link.clone(), times: returns + 1, returns_max })));
            }
            tables::add_return(tx, flow, link, now, since)?;
        }
        items.push(item);
    }
    Ok((items, None))
}
