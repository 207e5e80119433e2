//! What was simulated, in numbers.

use std::collections::BTreeMap;
use std::fmt;

/// A promise that a life must not break; the paragraph of the module tells each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Property {
    Conservation,
    Once,
    Doubt,
    Order,
    Timers,
    Story,
    Versions,
    Liveness,
    Keys,
    Ending,
    SetAside,
    Told,
}

impl fmt::Display for Property {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = match self {
            Property::Conservation => "P1 conservation",
            Property::Once => "P2 once",
            Property::Doubt => "P3 doubt",
            Property::Order => "P4 order",
            Property::Timers => "P5 timers",
            Property::Story => "P6 story",
            Property::Versions => "P7 versions",
            Property::Liveness => "P8 liveness",
            Property::Keys => "P9 keys",
            Property::Ending => "P10 ending",
            Property::SetAside => "P11 set aside",
            Property::Told => "P12 told",
        };
        f.write_str(words)
    }
}

/// Ends a life in which a promise was broken. What this panics with is read by
/// `cargo xtask sim flows --planted`.
pub(super) fn broken(property: Property, what: impl fmt::Display) -> ! {
    panic!("broken {property}: {what}")
}

/// Counts of one life, or of many.
#[derive(Clone, Debug, Default)]
pub(super) struct Report(BTreeMap<(&'static str, &'static str), u64>);

impl Report {
    pub(super) fn count(&mut self, group: &'static str, name: &'static str, by: u64) {
        *self.0.entry((group, name)).or_default() += by;
    }

    pub(super) fn of(&self, group: &'static str, name: &'static str) -> u64 {
        self.0.get(&(group, name)).copied().unwrap_or(0)
    }

    pub(super) fn add(&mut self, other: &Report) {
        for ((group, name), by) in &other.0 {
            self.count(group, name, *by);
        }
    }
}

impl fmt::Display for Report {
    /// A line for each group, in the order in which one would tell it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const GROUPS: [&str; 12] = [
            "lives",
            "runs",
            "incomplete",
            "called",
            "callers",
            "items",
            "effects",
            "crashes",
            "disk",
            "verbs",
            "answers",
            "clock",
        ];
        for group in GROUPS {
            let of_group = self.0.iter().filter(|((of, _), _)| *of == group);
            let parts: Vec<String> = of_group.map(|((_, name), count)| format!("{name} {count}")).collect();
            if !parts.is_empty() {
                writeln!(f, "  {group:<10} {}", parts.join(" · "))?;
            }
        }
        Ok(())
    }
}
