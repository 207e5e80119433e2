//! What was simulated, in numbers.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// A promise that a life must not break; the module's paragraph tells each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::tests) enum Property {
    Conservation,
    Order,
    Identity,
    Cursor,
    States,
    Silence,
    Liveness,
    EightHours,
    Signature,
    Bounds,
    Telling,
}

impl fmt::Display for Property {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = match self {
            Property::Conservation => "P1 conservation",
            Property::Order => "P2 order",
            Property::Identity => "P3 identity",
            Property::Cursor => "P4 cursor",
            Property::States => "P5 states",
            Property::Silence => "P6 silence",
            Property::Liveness => "P7 liveness",
            Property::EightHours => "P8 eight hours",
            Property::Signature => "P9 signature",
            Property::Bounds => "P11 bounds",
            Property::Telling => "P14 telling",
        };
        f.write_str(words)
    }
}

/// Ends a life in which a promise was broken. What this panics with is read by
/// `cargo xtask sim events --planted`.
pub(super) fn broken(property: Property, what: impl fmt::Display) -> ! {
    panic!("broken {property}: {what}")
}

/// Counts of one life, or of many.
#[derive(Clone, Debug, Default)]
pub(super) struct Report {
    counts: BTreeMap<(&'static str, &'static str), u64>,
    /// Which verb met which state.
    pub(super) been: BTreeSet<(&'static str, &'static str)>,
}

impl Report {
    pub(super) fn count(&mut self, group: &'static str, name: &'static str, by: u64) {
        *self.counts.entry((group, name)).or_default() += by;
    }

    pub(super) fn of(&self, group: &'static str, name: &'static str) -> u64 {
        self.counts.get(&(group, name)).copied().unwrap_or(0)
    }

    pub(super) fn add(&mut self, other: &Report) {
        for ((group, name), by) in &other.counts {
            self.count(group, name, *by);
        }
        self.been.extend(&other.been);
    }
}

impl fmt::Display for Report {
    /// A line for each group, in the order in which one would tell it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const GROUPS: [&str; 6] = ["lives", "crashes", "disk", "database", "network", "clock"];
        for group in GROUPS {
            let of_group = self.counts.iter().filter(|((of, _), _)| *of == group);
            let parts: Vec<String> = of_group.map(|((_, name), count)| format!("{name} {count}")).collect();
            if !parts.is_empty() {
                writeln!(f, "  {group:<9} {}", parts.join(" · "))?;
            }
        }
        Ok(())
    }
}
