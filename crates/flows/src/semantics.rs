//! What the documentation of the original leaves open, as settings.
//!
//! Each has the default that its users most likely mean. The engine's defaults
//! can be changed for all flows, and a flow can have its own in
//! `metadata.loopwright.semantics`, by the same names in camel case. They shape
//! what a run does: a change of the engine's holds for runs under way too, and
//! one that would go another way than it went is parked.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};

use crate::value::Value;

/// How the open points are read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Semantics {
    /// `exist` holds for an empty text.
    pub empty_exists: bool,
    /// `boolean:equal` with false holds where there is nothing.
    pub absent_is_false: bool,
    /// An aggregator without bundles gives one with nothing in it; else it
    /// gives none.
    pub empty_aggregates: bool,
    /// Signals per run, where the flow says nothing.
    pub results_per_run: u32,
    /// Requests to a webhook per run, where a flow of our own says nothing; a
    /// blueprint of the original that says nothing means 1.
    pub requests_per_run: u32,
    /// A status of 429 is a `RateLimitError` where bad statuses are errors;
    /// else a `RuntimeError`, as any other.
    pub patience_is_rate_limit: bool,
    /// 0 counts as true in conditions of mappings.
    pub zero_is_true: bool,
    /// Empty arrays and collections count as true in conditions of mappings.
    pub empty_lists_are_true: bool,
    /// A status of 400 and above is an error, where the module says nothing.
    pub bad_status_is_error: bool,
}

/// The defaults.
pub(crate) static DEFAULTS: Semantics = Semantics {
    empty_exists: true,
    absent_is_false: false,
    empty_aggregates: true,
    results_per_run: 1,
    requests_per_run: 2,
    patience_is_rate_limit: true,
    zero_is_true: false,
    empty_lists_are_true: true,
    bad_status_is_error: false,
};

impl Default for Semantics {
    fn default() -> Self {
        DEFAULTS.clone()
    }
}

impl Semantics {
    /// Tells whether a condition of a mapping that comes to this value holds.
    pub(crate) fn truth(&self, value: &Value) -> bool {
        match value {
            Value::Int(0) => self.zero_is_true,
            Value::Float(number) if *number == 0.0 => self.zero_is_true,
            Value::Array(values) if values.is_empty() => self.empty_lists_are_true,
            Value::Collection(fields) if fields.is_empty() => self.empty_lists_are_true,
            value => value.truth(),
        }
    }

    /// Returns the left side of a condition of a filter as it is meant.
    pub(crate) fn left_side(&self, operator: &str, value: Value) -> Value {
        match operator {
            "exist" | "notexist" if !self.empty_exists && value.is_empty() => Value::Absent,
            "boolean:equal" | "boolean:notequal" if self.absent_is_false && !value.exists() => Value::Bool(false),
            _ => value,
        }
    }

    /// Reads settings that are not as usual, such as `emptyExists=false`. The
    /// error names what cannot be set.
    pub fn with_deviations(settings: &[String]) -> Result<Self, String> {
        let mut own = Map::new();
        for setting in settings {
            let (name, value) = setting.split_once('=').unwrap_or((setting, ""));
            let value = serde_json::from_str(value.trim()).map_err(|_| format!("\"{setting}\" is not NAME=VALUE"))?;
            own.insert(name.trim().to_owned(), value);
        }
        Semantics::default().overlaid(&own)
    }

    /// Writes the settings that are not as usual.
    pub fn deviations(&self) -> Vec<String> {
        let fields = |semantics: &Semantics| match serde_json::to_value(semantics) {
            Ok(Json::Object(fields)) => fields,
            _ => Map::new(),
        };
        let usual = fields(&DEFAULTS);
        let other = |(name, value): &(String, Json)| usual.get(name) != Some(value);
        fields(self).into_iter().filter(other).map(|(name, value)| format!("{name}={value}")).collect()
    }

    /// Returns these with what a flow sets for itself. The error names what
    /// cannot be set.
    pub(crate) fn overlaid(&self, own: &Map<String, Json>) -> Result<Self, String> {
        let Ok(Json::Object(mut all)) = serde_json::to_value(self) else { return Ok(self.clone()) };
        all.extend(own.clone());
        serde_json::from_value(Json::Object(all)).map_err(|error| error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_point_can_be_read_the_other_way() {
        let usual = Semantics::default();
        let other = Semantics {
            empty_exists: false,
            absent_is_false: true,
            zero_is_true: true,
            empty_lists_are_true: false,
            ..Semantics::default()
        };
        for (value, usually, otherwise) in [
            (Value::Int(0), false, true),
            (Value::Float(-0.0), false, true),
            (Value::text("0"), true, true),
            (Value::text(""), false, false),
            (Value::array(Vec::new()), true, false),
            (Value::array(vec![Value::Null]), true, true),
            (Value::collection::<String>([]), true, false),
        ] {
            assert_eq!((usual.truth(&value), other.truth(&value)), (usually, otherwise), "{value:?}");
        }
        assert_eq!(usual.left_side("exist", Value::text("")), Value::text(""));
        assert_eq!(other.left_side("exist", Value::text("")), Value::Absent);
        assert_eq!(usual.left_side("boolean:equal", Value::Absent), Value::Absent);
        assert_eq!(other.left_side("boolean:equal", Value::Absent), Value::Bool(false));
    }

    #[test]
    fn a_flow_sets_single_points_and_no_others() {
        let own = |json: Json| json.as_object().cloned().unwrap_or_default();
        let overlaid = Semantics::default().overlaid(&own(json!({"emptyExists": false}))).expect("a setting");
        assert_eq!(overlaid, Semantics { empty_exists: false, ..Semantics::default() });
        let problem = Semantics::default().overlaid(&own(json!({"emptyExist": false}))).expect_err("no setting");
        let words = ["emptyExists=false".to_owned(), "resultsPerRun=2".to_owned()];
        let other = Semantics::with_deviations(&words).expect("settings");
        assert_eq!((other.results_per_run, other.deviations()), (2, words.to_vec()));
        assert!(Semantics::with_deviations(&["emptyExists".to_owned()]).is_err());
        assert!(problem.starts_with("unknown field `emptyExist`, expected one of `emptyExists`"), "{problem}");
    }
}
