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
//!
//! The same goes for a flow that calls its own webhook. A signal brings its
//! link along; a request has none, so the first run of the chain that took one
//! from the hook gives it its name ([`of_run`]), and every request to the same
//! hook that this run led to has that link again ([`arriving`]). The chain of a
//! request is believed if it bears our own seal: anybody may know the address.

use std::time::Duration;

use base::causes::{self, Link};
use base::db::Tx;
use base::http::{HeaderMap, HeaderName, HeaderValue};
use base::secret::KeyRing;
use base::{BoxFuture, Causes, Chance, Secret, Timestamp};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use sha2::{Digest, Sha256};

use crate::error::Error;
use crate::program::Start;
use crate::run::RunId;
use crate::tables::{self, Item};

/// Returns are counted over so long a time.
pub(crate) const WINDOW: Duration = Duration::from_hours(1);

/// The header with which we prove to ourselves that a chain is ours.
pub(crate) const SEAL_HEADER: HeaderName = HeaderName::from_static("loopwright-causes-seal");

/// What a seal is made for.
const SEALED_FOR: &str = "causes";

/// In links, what requests to webhooks come from. No knowledge model is called
/// so: their names have a package.
pub(crate) const HOOK: &str = "hook";

/// Tells people about a flow. The program wires it to where its other notices
/// go.
pub trait Notices: Send + Sync {
    /// Takes a notice; `false` if it is to be brought again. The same one may
    /// come twice.
    fn tell(&self, notice: FlowNotice) -> BoxFuture<'_, bool>;
}

/// What a notice about a flow is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoticeKind {
    /// It was paused, because it feeds itself.
    Paused,
    /// It was switched off, because its runs failed.
    SwitchedOff,
    /// A connection has ended, or soon will; the notice names that in place of
    /// a flow.
    ConnectionEnds,
}

/// Says that a flow does not start by itself any more, or that a connection
/// ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FlowNotice {
    /// What happened.
    pub kind: NoticeKind,
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
        let (happened, item, mend) = match self.link.names() {
            [HOOK, hook, run] => (
                format!("what its run {run} began called its own hook \"{hook}\" again"),
                "request",
                "it calls its hook only where that comes to an end",
            ),
            [model, trigger, record] => (
                format!("what it did made the trigger {model}/{trigger} fire for the record \"{record}\" again"),
                "signal",
                "the rows that it writes no longer make the trigger fire for the same record",
            ),
        };
        let waits = if waiting == 1 { format!("1 {item} waits") } else { format!("{waiting} {item}s wait") };
        format!(
            "The flow \"{flow}\" was paused because it feeds itself: {happened}, {} times within an hour, and at most {} \
             are allowed (the setting flow_returns_per_hour_max). Nothing is lost: {waits} on its hook. See to it that \
             {mend}; then resume it with POST /api/v1/flows/{flow}/activate.",
            self.times, self.returns_max,
        )
    }
}

/// Returns the chain of a request to a webhook: if what led to it came from
/// the same hook, it is there again.
pub(crate) fn arriving(causes: Causes, hook: &str) -> Causes {
    match link_of(&causes, hook).cloned() {
        Some(link) => causes.then(link),
        None => causes,
    }
}

/// Returns the chain of what a run does, of that of what it began with. Where
/// it took from a webhook that the chain does not know, it is the run that can
/// be come back to.
pub(crate) fn of_run(causes: Causes, start: &Start, flow: &str, run: RunId) -> Causes {
    let Start::Webhook { hook, .. } = start else { return causes };
    let hook = hook.as_deref().unwrap_or(flow);
    if link_of(&causes, hook).is_some() {
        return causes;
    }
    causes.then(Link::new([HOOK, hook, &run.to_string()]))
}

/// Returns the nearest link of a webhook.
fn link_of<'a>(causes: &'a Causes, hook: &str) -> Option<&'a Link> {
    causes.links().iter().rev().find(|link| matches!(link.names(), [HOOK, name, _] if name == hook))
}

/// Writes a chain, and its seal, into the headers of a call to ourselves. What
/// a flow's author wrote there is not what happened.
pub(crate) fn tell(causes: &Causes, headers: &mut HeaderMap, keys: &KeyRing, chance: &dyn Chance) {
    headers.remove(causes::HEADER);
    headers.remove(SEAL_HEADER);
    if causes.is_empty() {
        return;
    }
    let chain = causes.to_string();
    let seal = BASE64.encode(keys.seal(SEALED_FOR, &Secret::new(hash_of(&chain)), chance));
    let mut seal = HeaderValue::from_str(&seal).expect("base64 is plain");
    // So it does not go along when we are sent elsewhere.
    seal.set_sensitive(true);
    headers.insert(causes::HEADER, HeaderValue::from_str(&chain).expect("a chain is written in plain letters"));
    headers.insert(SEAL_HEADER, seal);
}

/// Reads the chain of a call from anybody: what is not ours is nothing.
pub(crate) fn believed(headers: &HeaderMap, keys: &KeyRing) -> Causes {
    let causes = Causes::of_headers(headers);
    if causes.is_empty() {
        return causes;
    }
    let sealed = headers.get(SEAL_HEADER).and_then(|seal| BASE64.decode(seal.as_bytes()).ok());
    let opened = sealed.and_then(|sealed| keys.open(SEALED_FOR, &sealed).ok());
    if opened.is_some_and(|hash| hash.matches(&hash_of(&causes.to_string()))) { causes } else { Causes::NONE }
}

fn hash_of(chain: &str) -> String {
    hex::encode(Sha256::digest(chain.as_bytes()))
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
