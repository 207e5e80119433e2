//! What the facade hands out: values without behaviour, named as they are
//! spoken of.

use base::Timestamp;

use crate::notices::Notice;
use crate::ports::Signal;
use crate::value::Type;

/// A knowledge model in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelSummary {
    /// `package.key`.
    pub id: String,
    /// The package.
    pub package: String,
    /// The key in the package.
    pub key: String,
    /// What people read.
    pub display_name: String,
    /// The last published version.
    pub published: Option<u64>,
    /// When the draft was last written.
    pub changed_at: Timestamp,
    /// When the last version was published.
    pub published_at: Option<Timestamp>,
}

/// A knowledge model with its texts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelTexts {
    /// What the list shows.
    pub summary: ModelSummary,
    /// The draft, as the user wrote it.
    pub draft: String,
    /// The published text.
    pub published: Option<String>,
}

/// How much work a trigger is at a commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Local: touched cases only.
    L,
    /// Keyed: touched groups.
    K,
    /// Threshold: a local value against a common figure or against the clock.
    T,
    /// Full.
    F,
}

/// A trigger of a published model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TriggerView {
    /// Its id.
    pub id: String,
    /// What people read.
    pub name: String,
    /// The record whose instances it watches.
    pub record: String,
    /// Identifier first, then the outputs.
    pub fields: Vec<FieldView>,
    /// How much work it is.
    pub class: Class,
    /// Over what it is evaluated, in words.
    pub cost: String,
    /// When it is evaluated, in words.
    pub cadence: &'static str,
    /// At most this many instances match at once.
    pub item_limit: u64,
    /// Instances that match now.
    pub matched: u64,
    /// Signals fired since the trigger exists.
    pub fired: u64,
    /// Signals that a cap holds back; they are fired later.
    pub held: u64,
    /// Signals that were recorded and not sent, because of shadow mode.
    pub shadowed: u64,
    /// Whether it is in shadow mode.
    pub shadow: bool,
}

/// How a published model stands to its data.
#[derive(Clone, Debug, PartialEq)]
pub struct ModelStanding {
    /// Its id.
    pub model: String,
    /// The published version.
    pub version: u64,
    /// Whether it is followed.
    pub following: Following,
    /// What its process clock shows.
    pub now: Timestamp,
    /// Every commit up to this number was evaluated.
    pub through: u64,
    /// The instant of the process clock at which it was evaluated last: that of a
    /// commit, or of a deadline. Nothing can have changed since.
    pub evaluated_at: Timestamp,
    /// The last durable commit of the pool; where it is ahead of `through`, the
    /// difference is under way.
    pub head: u64,
    /// When time alone may next change an answer, on the process clock.
    pub next_deadline: Option<Timestamp>,
    /// In the order of the model's text.
    pub triggers: Vec<TriggerStanding>,
    /// What the last publication did to the matched sets; empty once the
    /// program was started anew.
    pub previews: Vec<Preview>,
}

/// Whether a model is followed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Following {
    /// Every commit and every deadline is evaluated.
    Followed,
    /// Its evaluation failed; it catches up later.
    Detached {
        /// What went wrong.
        detail: String,
        /// When it is tried again, on the wall clock.
        again_at: Timestamp,
    },
    /// Its data is not in memory: it is being loaded, it no longer fits its
    /// data model, or nobody has asked yet.
    NotLoaded,
}

/// How a trigger stands to its data.
#[derive(Clone, Debug, PartialEq)]
pub struct TriggerStanding {
    /// What does not change between publications, and how much there is.
    pub trigger: TriggerView,
    /// When time alone may next change its answer, on the process clock.
    pub next_deadline: Option<Timestamp>,
    /// Until when a trigger that is evaluated whole rests, on the wall clock,
    /// if something has changed since it was last looked at.
    pub rests_until: Option<Timestamp>,
    /// Instances that satisfy it and wait, because the matched set is full.
    pub waiting: u64,
    /// When the next signal that is held may be sent, on the wall clock.
    pub sends_at: Option<Timestamp>,
}

/// A signal that a cap holds back.
#[derive(Clone, Debug, PartialEq)]
pub struct Held {
    /// Its place; the lowest is sent first.
    pub place: u64,
    /// What is sent.
    pub signal: Signal,
}

/// What publishing a trigger would do, or did, to its matched set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Preview {
    /// The trigger's id.
    pub trigger: String,
    /// Instances that satisfy it.
    pub matching: u64,
    /// Those among them that did not match before.
    pub new: u64,
    /// Instances that matched before and satisfy it no more.
    pub leaving: u64,
    /// Whether the change fires, or is only taken note of.
    pub fires: bool,
}

/// A field of a trigger or an attribute of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldView {
    /// Its id.
    pub id: String,
    /// What people read.
    pub name: String,
    /// What it holds.
    pub field_type: Type,
    /// Unit, as the model says.
    pub unit: Option<String>,
    /// Format, as the model says.
    pub format: Option<String>,
    /// Whether it is the identifier.
    pub is_identifier: bool,
}

/// A record of a published model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordView {
    /// Its id.
    pub id: String,
    /// What people read.
    pub name: String,
    /// Identifier first, then the attributes.
    pub fields: Vec<FieldView>,
}

/// What publishing did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Publication {
    /// The model's id.
    pub model: String,
    /// The new version.
    pub version: u64,
    /// Its triggers, with class, cost and how many instances match.
    pub triggers: Vec<TriggerView>,
    /// What its text says without effect.
    pub notices: Vec<Notice>,
    /// What publishing did to their matched sets.
    pub previews: Vec<Preview>,
}

/// A process clock.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ClockView {
    /// What it shows.
    pub now: Timestamp,
    /// Seconds per second; `None` for the wall clock.
    pub speed: Option<f64>,
}

/// A record instance that satisfies a trigger.
#[derive(Clone, Debug, PartialEq)]
pub struct Matched {
    /// The record instance as text.
    pub identifier: String,
    /// The instant since which it matches.
    pub since: Timestamp,
    /// 1 for the first time it matched, 2 for the second …
    pub episode: u64,
}

/// Figures for a status page.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Cases that are open, over all data models with a published model.
    pub cases_open: u64,
    /// Signals fired, ever.
    pub signals: u64,
}
