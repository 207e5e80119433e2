//! A trigger as a person writes it. What is left out has the meaning that
//! surprises least: nothing fires for what was there before.

use serde::Deserialize;
use serde_saphyr::Spanned;

use crate::detect::Detector;

/// A trigger.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TriggerText {
    /// Its id.
    pub id: Spanned<String>,
    /// What people read.
    pub display_name: Option<String>,
    /// The record whose instances it watches.
    pub record: Spanned<String>,
    /// All of these have to hold.
    #[serde(default)]
    pub filter_ids: Vec<Spanned<String>>,
    /// Attributes that the event shows.
    #[serde(default)]
    pub outputs: Vec<Spanned<String>>,
    /// At most so many instances match at once.
    #[serde(default = "item_limit")]
    pub item_limit: u64,
    /// What happens beyond that.
    #[serde(default)]
    pub when_full: WhenFull,
    /// Whether what matches already at the first publication fires.
    #[serde(default)]
    pub fire_existing: bool,
    /// Which changes of the matched set fire.
    #[serde(default)]
    pub fire_on: FireOn,
    /// When an instance may fire once more.
    #[serde(default)]
    pub rearm: Rearm,
    /// On which occasions it is evaluated.
    #[serde(default)]
    pub evaluate: Occasions,
    /// Whether what newly matches after a change of the logic fires.
    #[serde(default)]
    pub on_logic_change: OnLogicChange,
    /// Whether signals are recorded instead of sent.
    #[serde(default)]
    pub shadow: bool,
    /// How many signals are sent at most; more are held and sent later.
    #[serde(default)]
    pub caps: Caps,
    /// What finds the instances of the record MODEL, in place of filters.
    #[serde(default)]
    pub detector: Option<Detector>,
}

/// The record that every model has: the model itself, or what a detector finds.
pub const MODEL: &str = "MODEL";

/// Which changes of the matched set fire.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum FireOn {
    /// An instance starts to match.
    #[default]
    Enter,
    /// It stops.
    Leave,
    /// Either.
    Both,
}

/// When an instance may fire once more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Rearm {
    /// After it has left the set; there is no other way.
    pub after: RearmAfter,
    /// And not before so many minutes have passed on the process clock since it
    /// fired. One that comes back earlier is in the set without a signal.
    #[serde(alias = "cooldown")]
    pub cooldown_minutes: u32,
}

/// What an instance must have done before it may fire once more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum RearmAfter {
    /// It has left the set.
    #[default]
    OnLeave,
}

/// On which occasions a trigger is evaluated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Occasions {
    /// At commits, and when time alone changes an answer.
    #[default]
    Continuous,
    /// When rows arrive, and never because time passes.
    OnLoad,
}

/// What newly matches because the logic of a trigger changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum OnLogicChange {
    /// Is known and does not fire.
    #[default]
    #[serde(alias = "silent")]
    Silent,
    /// Fires.
    #[serde(alias = "fire")]
    Fire,
}

/// How many signals are sent at most; `null` lifts a cap.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Caps {
    /// At one commit or deadline.
    pub per_commit: Option<u64>,
    /// In one minute of the wall clock.
    pub per_minute: Option<u64>,
}

/// A trigger that nobody has thought about must not flood those who listen: a
/// backfill of ten thousand comes in portions, and a loop that feeds itself is
/// seen before it has done much.
impl Default for Caps {
    fn default() -> Self {
        Caps { per_commit: Some(1_000), per_minute: Some(10_000) }
    }
}

fn item_limit() -> u64 {
    10_000
}

/// What happens to instances beyond the item limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum WhenFull {
    /// New ones wait until there is room.
    #[default]
    KeepExisting,
    /// The oldest make room.
    ReplaceExisting,
}
