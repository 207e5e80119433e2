//! How a connection stands: when it ends, and which flows name it.

use std::time::Duration;

use base::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

/// A place in a flow that names a connection.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ConnectionUse {
    /// Key of the flow.
    pub flow: String,
    /// Id of the module.
    pub module: u32,
    /// It stands in the published version, and not only in the draft.
    pub published: bool,
}

/// Says that a connection has ended, or will within `warning`; nothing where
/// all is well.
pub(crate) fn warning(name: &str, expires_at: Option<Timestamp>, now: Timestamp, warning: Duration) -> Option<String> {
    const DAY: Duration = Duration::from_hours(24);
    let expires_at = expires_at?;
    if expires_at <= now {
        return Some(format!("connection \"{name}\" expired on {expires_at}: put a new secret into it"));
    }
    let left = expires_at.since(now);
    if left > warning {
        return None;
    }
    let days = left.as_secs() / DAY.as_secs();
    let when = match days {
        0 => "today or tomorrow".to_owned(),
        1 => "in 1 day".to_owned(),
        days => format!("in {days} days"),
    };
    Some(format!("connection \"{name}\" expires {when}, on {expires_at}: put a new secret into it before"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_is_told_before_it_comes() {
        let now = Timestamp::EPOCH;
        let days = |days: u64| Duration::from_hours(24 * days);
        let told = |left| warning("dbx", left, now, days(14));
        assert_eq!(told(None), None);
        assert_eq!(told(Some(now.plus(days(15)))), None);
        for (left, expected) in [
            (days(14), "connection \"dbx\" expires in 14 days, on 1970-01-15T00:00:00.000Z"),
            (days(1), "connection \"dbx\" expires in 1 day, on 1970-01-02"),
            (Duration::from_hours(3), "connection \"dbx\" expires today or tomorrow, on 1970-01-01T03"),
            (Duration::ZERO, "connection \"dbx\" expired on 1970-01-01"),
        ] {
            let text = told(Some(now.plus(left))).expect("a warning");
            assert!(text.starts_with(expected), "{text}");
        }
    }
}
