//! Connections that are always there: *This Loopwright* and *Local workspace*.
//!
//! They reach exactly our own two listeners, by name, and nobody types a
//! secret for them. A call carries a seal that says which flow calls and who
//! stands behind the flow's text; it holds for some minutes, opens with our own
//! keys only, and is sent nowhere else. Whoever is called asks what that person
//! may do ([`Flows::caller_of`](crate::Flows::caller_of)): so a flow can do
//! nothing that its publisher could not, and nothing any more when that one's
//! rights are taken back.
//!
//! A connection of one's own with the same name goes before.

use std::time::Duration;

use base::secret::KeyRing;
use base::{Chance, Secret, Timestamp};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use serde::{Deserialize, Serialize};

/// The scheme of the `Authorization` header.
pub(crate) const SCHEME: &str = "Flow";
/// What a seal is made for.
const SEALED_FOR: &str = "flow caller";
/// How long a seal holds: as long as one operation may take, at most.
const HOLDS: Duration = Duration::from_mins(10);

/// A connection that is always there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BuiltIn {
    /// The main listener.
    ThisLoopwright,
    /// The listener of the local workspace.
    LocalWorkspace,
}

impl BuiltIn {
    /// Both.
    pub const ALL: [BuiltIn; 2] = [BuiltIn::ThisLoopwright, BuiltIn::LocalWorkspace];

    /// Finds one by its name, as flows write it: `this-loopwright`, or
    /// *This Loopwright* as people read it.
    pub fn named(name: &str) -> Option<Self> {
        let plain = name.trim().to_ascii_lowercase().replace(' ', "-");
        BuiltIn::ALL.into_iter().find(|built_in| built_in.name() == plain)
    }

    /// Returns what flows call it.
    pub fn name(self) -> &'static str {
        match self {
            BuiltIn::ThisLoopwright => "this-loopwright",
            BuiltIn::LocalWorkspace => "local-workspace",
        }
    }

    /// Returns where it leads.
    pub fn origin(self) -> &'static str {
        match self {
            BuiltIn::ThisLoopwright => "loopwright://this",
            BuiltIn::LocalWorkspace => "loopwright://workspace",
        }
    }
}

/// Which flow calls, and who stands behind it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FlowCaller {
    /// Key of the flow.
    pub flow: String,
    /// Id of whoever published the text that runs, or put it.
    pub author: String,
}

#[derive(Serialize, Deserialize)]
struct Sealed {
    #[serde(flatten)]
    caller: FlowCaller,
    until: i64,
}

/// Makes a seal.
pub(crate) fn sealed(caller: FlowCaller, keys: &KeyRing, chance: &dyn Chance, now: Timestamp) -> Secret {
    let sealed = Sealed { caller, until: now.plus(HOLDS).as_micros() };
    let text = serde_json::to_string(&sealed).expect("it is plain data");
    Secret::new(BASE64.encode(keys.seal(SEALED_FOR, &Secret::new(text), chance)))
}

/// Reads the value of an `Authorization` header; nothing if it is none of ours.
pub(crate) fn opened(authorization: &str, keys: &KeyRing, now: Timestamp) -> Option<FlowCaller> {
    let (scheme, seal) = authorization.trim().split_once(' ')?;
    if scheme != SCHEME {
        return None;
    }
    let text = keys.open(SEALED_FOR, &BASE64.decode(seal.trim()).ok()?).ok()?;
    let sealed: Sealed = serde_json::from_str(text.expose()).ok()?;
    (sealed.until > now.as_micros()).then_some(sealed.caller)
}

#[cfg(test)]
mod tests {
    use base::chance::SeededChance;

    use super::*;

    #[test]
    fn a_seal_tells_who_calls_for_a_while_and_only_to_us() {
        let chance = SeededChance::new(1);
        let (ours, others) = (KeyRing::generate(&chance), KeyRing::generate(&chance));
        let caller = FlowCaller { flow: "late".into(), author: "key-1".into() };
        let now = Timestamp::EPOCH;
        let seal = sealed(caller.clone(), &ours, &chance, now);
        let header = format!("{SCHEME} {}", seal.expose());
        assert_eq!(opened(&header, &ours, now), Some(caller));
        assert_eq!(opened(&header, &others, now), None);
        assert_eq!(opened(&header, &ours, now.plus(HOLDS)), None, "it is too old");
        assert_eq!(opened(&header.replace("Flow", "Bearer"), &ours, now), None);
        assert_eq!(opened("Flow nonsense", &ours, now), None);
    }

    #[test]
    fn both_have_a_name_for_flows_and_one_for_people() {
        for (name, expected) in [
            ("this-loopwright", Some(BuiltIn::ThisLoopwright)),
            ("This Loopwright", Some(BuiltIn::ThisLoopwright)),
            ("Local workspace", Some(BuiltIn::LocalWorkspace)),
            ("workspace", None),
        ] {
            assert_eq!(BuiltIn::named(name), expected, "{name}");
        }
    }
}
