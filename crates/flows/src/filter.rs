//! Filters: conditions at the entrance of a step.
//!
//! Conditions are a list of lists: outer *or*, inner *and*. Both operands are
//! converted to the type that the operator names; where that is not possible
//! the condition does not hold, and no error arises. An operator that nobody
//! knows never holds, as it is with those that the editor of the original does
//! not know either; the check of the flow says so.

use std::cmp::Ordering;

use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use utoipa::ToSchema;

use crate::mapping::{Problem, Surroundings, Template, to_date};
use crate::pattern::Pattern;
use crate::value::{Value, read_time_of_day};

/// A filter, compiled.
#[derive(Clone, Debug, PartialEq)]
pub struct Filter {
    /// What people call it.
    pub name: Option<String>,
    /// Any of these, each of which is all of its conditions; no list at all
    /// lets everything pass.
    any: Vec<Vec<Condition>>,
}

#[derive(Clone, Debug, PartialEq)]
struct Condition {
    left: Template,
    operator: String,
    right: Option<Template>,
}

/// What a filter said about a bundle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The bundle goes on.
    Passes,
    /// It does not; the text says which condition was not met with which values.
    Stops(String),
}

/// What a filter said about a bundle, and what it looked at: for the history
/// of a run. Conditions behind the one that decided were not looked at.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Judgement {
    /// What people call the filter.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The bundle went on.
    pub passes: bool,
    /// The lists of conditions, any of which is enough.
    pub any: Vec<Vec<Judged>>,
}

/// A condition with the values that it was asked about. A long value is cut.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Judged {
    /// The left side; left out where it came to nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Value>)]
    pub left: Option<Json>,
    /// As it is written in the flow.
    pub operator: String,
    /// The right side, where there is one and it came to something.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Value>)]
    pub right: Option<Json>,
    /// Whether the condition holds.
    pub holds: bool,
}

/// Characters of a value in a [`Judged`].
const JUDGED_CHARS_MAX: usize = 200;

/// An operator, with the words for people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Operator {
    /// As flows have it.
    pub id: &'static str,
    /// The type that both sides become: `text`, `number`, `date`, `time`,
    /// `array` or `boolean`; `exist` where it is none.
    pub group: &'static str,
    /// What people call it.
    pub words: &'static str,
    /// Whether it has a right side.
    pub sides: Sides,
}

/// What an operator compares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sides {
    /// The left side only.
    One,
    /// Both sides.
    Two,
    /// Both sides; with `:ci` behind its id in whatever case.
    TwoInAnyCase,
}

/// Every operator, without its ending `:ci`.
pub const OPERATORS: [Operator; 46] = [
    operator("exist", "exist", "Exists", Sides::One),
    operator("notexist", "exist", "Does not exist", Sides::One),
    operator("text:equal", "text", "Equal to", Sides::TwoInAnyCase),
    operator("text:notequal", "text", "Not equal to", Sides::TwoInAnyCase),
    operator("text:contain", "text", "Contains", Sides::TwoInAnyCase),
    operator("text:notcontain", "text", "Does not contain", Sides::TwoInAnyCase),
    operator("text:startwith", "text", "Starts with", Sides::TwoInAnyCase),
    operator("text:notstartwith", "text", "Does not start with", Sides::TwoInAnyCase),
    operator("text:endwith", "text", "Ends with", Sides::TwoInAnyCase),
    operator("text:notendwith", "text", "Does not end with", Sides::TwoInAnyCase),
    operator("text:pattern", "text", "Matches the pattern", Sides::TwoInAnyCase),
    operator("text:notpattern", "text", "Does not match the pattern", Sides::TwoInAnyCase),
    operator("text:isempty", "text", "Is empty", Sides::One),
    operator("text:isnotempty", "text", "Is not empty", Sides::One),
    operator("text:less", "text", "Comes before", Sides::Two),
    operator("text:greater", "text", "Comes after", Sides::Two),
    operator("text:lessorequal", "text", "Comes before or is equal to", Sides::Two),
    operator("text:greaterorequal", "text", "Comes after or is equal to", Sides::Two),
    operator("number:equal", "number", "Equal to", Sides::Two),
    operator("number:notequal", "number", "Not equal to", Sides::Two),
    operator("number:greater", "number", "Greater than", Sides::Two),
    operator("number:greaterorequal", "number", "Greater than or equal to", Sides::Two),
    operator("number:less", "number", "Less than", Sides::Two),
    operator("number:lessorequal", "number", "Less than or equal to", Sides::Two),
    operator("date:equal", "date", "Equal to", Sides::Two),
    operator("date:notequal", "date", "Not equal to", Sides::Two),
    operator("date:greater", "date", "Later than", Sides::Two),
    operator("date:greaterorequal", "date", "Later than or equal to", Sides::Two),
    operator("date:less", "date", "Earlier than", Sides::Two),
    operator("date:lessorequal", "date", "Earlier than or equal to", Sides::Two),
    operator("time:equal", "time", "Equal to", Sides::Two),
    operator("time:notequal", "time", "Not equal to", Sides::Two),
    operator("time:greater", "time", "Later than", Sides::Two),
    operator("time:greaterorequal", "time", "Later than or equal to", Sides::Two),
    operator("time:less", "time", "Earlier than", Sides::Two),
    operator("time:lessorequal", "time", "Earlier than or equal to", Sides::Two),
    operator("boolean:equal", "boolean", "Equal to", Sides::Two),
    operator("boolean:notequal", "boolean", "Not equal to", Sides::Two),
    operator("array:contain", "array", "Contains", Sides::TwoInAnyCase),
    operator("array:notcontain", "array", "Does not contain", Sides::TwoInAnyCase),
    operator("array:equal", "array", "Has so many items", Sides::Two),
    operator("array:notequal", "array", "Has not so many items", Sides::Two),
    operator("array:greater", "array", "Has more items than", Sides::Two),
    operator("array:greaterorequal", "array", "Has at least so many items", Sides::Two),
    operator("array:less", "array", "Has fewer items than", Sides::Two),
    operator("array:lessorequal", "array", "Has at most so many items", Sides::Two),
];

const fn operator(id: &'static str, group: &'static str, words: &'static str, sides: Sides) -> Operator {
    Operator { id, group, words, sides }
}

impl Filter {
    /// Reads a filter or a list of conditions as it stands in a blueprint.
    /// `unknown` is called for each operator that nobody knows.
    pub fn read(document: &Json, unknown: &mut dyn FnMut(&str)) -> Result<Self, String> {
        let (name, conditions) = match document {
            Json::Object(fields) => (
                fields.get("name").and_then(Json::as_str).map(str::to_owned),
                fields.get("conditions").unwrap_or(&Json::Null),
            ),
            other => (None, other),
        };
        let mut any = Vec::new();
        for group in conditions.as_array().map(Vec::as_slice).unwrap_or_default() {
            let conditions = group.as_array().ok_or("conditions must be a list of lists")?;
            let all = conditions.iter().map(|each| condition(each, unknown)).collect::<Result<Vec<_>, _>>()?;
            any.push(all);
        }
        Ok(Filter { name, any })
    }

    /// Returns the templates on both sides of all conditions.
    pub fn templates(&self) -> impl Iterator<Item = &Template> {
        self.any.iter().flatten().flat_map(|each| std::iter::once(&each.left).chain(each.right.as_ref()))
    }

    /// Tells whether a bundle may pass.
    pub fn judge(&self, around: &dyn Surroundings) -> Result<Verdict, Problem> {
        self.judge_noting(around, &mut |_, _| {})
    }

    /// The same, and fills in what was looked at.
    pub fn judge_telling(&self, around: &dyn Surroundings, told: &mut Judgement) -> Result<Verdict, Problem> {
        told.name.clone_from(&self.name);
        let verdict = self.judge_noting(around, &mut |group, judged| {
            told.any.resize_with(group + 1, Vec::new);
            told.any[group].push(judged());
        })?;
        told.passes = verdict == Verdict::Passes;
        Ok(verdict)
    }

    /// Judges, and hands each condition that is asked to `note`, with the
    /// number of its list.
    fn judge_noting(
        &self,
        around: &dyn Surroundings,
        note: &mut dyn FnMut(usize, &dyn Fn() -> Judged),
    ) -> Result<Verdict, Problem> {
        let mut stopped_by = Vec::new();
        for (group, all) in self.any.iter().enumerate() {
            let mut failed = None;
            for condition in all {
                let asked = condition.ask(around)?;
                note(group, &|| asked.judged());
                if !asked.holds {
                    failed = Some(asked.why());
                    break;
                }
            }
            match failed {
                None => return Ok(Verdict::Passes),
                Some(text) => stopped_by.push(text),
            }
        }
        Ok(if stopped_by.is_empty() { Verdict::Passes } else { Verdict::Stops(stopped_by.join("; ")) })
    }
}

fn condition(document: &Json, unknown: &mut dyn FnMut(&str)) -> Result<Condition, String> {
    let template = |side: &str| match document.get(side) {
        None | Some(Json::Null) => Ok(None),
        Some(Json::String(text)) => Template::parse(text).map(Some).map_err(|problem| format!("{side}: {problem}")),
        Some(other) => Template::parse(&other.to_string()).map(Some).map_err(|problem| problem.to_string()),
    };
    let operator = document.get("o").and_then(Json::as_str).unwrap_or("exist").to_owned();
    let plain = operator.strip_suffix(":ci").unwrap_or(&operator);
    if !OPERATORS.iter().any(|known| known.id == plain) {
        unknown(&operator);
    }
    let left = template("a")?.ok_or("a condition has no left side \"a\"")?;
    Ok(Condition { left, operator, right: template("b")? })
}

impl Condition {
    fn ask(&self, around: &dyn Surroundings) -> Result<Asked<'_>, Problem> {
        let left = around.semantics().left_side(&self.operator, self.left.evaluate(around)?);
        let right = match &self.right {
            Some(template) => template.evaluate(around)?,
            None => Value::Absent,
        };
        let holds = holds(&self.operator, &left, &right, &around.zone());
        Ok(Asked { condition: self, left, right, holds })
    }
}

/// A condition that was asked, with what its sides came to.
struct Asked<'a> {
    condition: &'a Condition,
    left: Value,
    right: Value,
    holds: bool,
}

impl Asked<'_> {
    /// Says in a sentence with the values what does not hold.
    fn why(&self) -> String {
        let shown = |value: &Value| match value {
            Value::Absent => "nothing".to_owned(),
            value => {
                let text: String = value.to_text().chars().take(100).collect();
                format!("\"{text}\"")
            }
        };
        let operator = &self.condition.operator;
        match self.condition.right {
            Some(_) => format!("{} {operator} {}", shown(&self.left), shown(&self.right)),
            None => format!("{} {operator}", shown(&self.left)),
        }
    }

    fn judged(&self) -> Judged {
        let shown = |value: &Value| {
            if *value == Value::Absent {
                return None;
            }
            let json = value.to_json();
            let text = json.as_str().map_or_else(|| json.to_string(), str::to_owned);
            Some(match text.char_indices().nth(JUDGED_CHARS_MAX) {
                None => json,
                Some((cut, _)) => Json::from(format!("{}…", &text[..cut])),
            })
        };
        Judged {
            left: shown(&self.left),
            operator: self.condition.operator.clone(),
            right: shown(&self.right),
            holds: self.holds,
        }
    }
}

/// Tells whether `left operator right` holds. Dates and times without an
/// offset are those of `zone`.
pub fn holds(operator: &str, left: &Value, right: &Value, zone: &TimeZone) -> bool {
    let (operator, ignore_case) = match operator.strip_suffix(":ci") {
        Some(operator) => (operator, true),
        None => (operator, false),
    };
    let (kind, comparison) = operator.split_once(':').unwrap_or(("", operator));
    match (kind, comparison) {
        // Users find that an empty text exists, and test its length instead.
        ("", "exist") => left.exists(),
        ("", "notexist") => !left.exists(),
        ("text", comparison) => text_holds(comparison, left, right, ignore_case),
        ("number", comparison) => match (left.to_number(), right.to_number()) {
            (Some(Value::Int(left)), Some(Value::Int(right))) => ordered(comparison, left.cmp(&right)),
            (Some(left), Some(right)) => {
                let ordering = left.to_f64().zip(right.to_f64()).and_then(|(left, right)| left.partial_cmp(&right));
                ordering.is_some_and(|ordering| ordered(comparison, ordering))
            }
            _ => false,
        },
        ("date", comparison) => match (to_date(left, zone), to_date(right, zone)) {
            (Some(left), Some(right)) => ordered(comparison, left.cmp(&right)),
            _ => false,
        },
        ("time", comparison) => match (time_of_day(left, zone), time_of_day(right, zone)) {
            (Some(left), Some(right)) => ordered(comparison, left.cmp(&right)),
            _ => false,
        },
        ("boolean", "equal") => truth(left).is_some() && truth(left) == truth(right),
        ("boolean", "notequal") => truth(left) != truth(right),
        ("array", comparison) => array_holds(comparison, left, right, ignore_case),
        _ => false,
    }
}

fn ordered(comparison: &str, ordering: Ordering) -> bool {
    match comparison {
        "equal" => ordering.is_eq(),
        "notequal" => ordering.is_ne(),
        "less" => ordering.is_lt(),
        "greater" => ordering.is_gt(),
        "lessorequal" => ordering.is_le(),
        "greaterorequal" => ordering.is_ge(),
        _ => false,
    }
}

fn text_holds(comparison: &str, left: &Value, right: &Value, ignore_case: bool) -> bool {
    if let "pattern" | "notpattern" = comparison {
        let flags = if ignore_case { "i" } else { "" };
        let found = Pattern::read(&right.to_text(), flags).and_then(|pattern| pattern.is_in(&left.to_text()));
        // A pattern that cannot be read matches neither way.
        return found == Ok(comparison == "pattern");
    }
    let text = |value: &Value| if ignore_case { value.to_text().to_lowercase() } else { value.to_text() };
    let (left, right) = (text(left), text(right));
    match comparison {
        "contain" => left.contains(&right),
        "notcontain" => !left.contains(&right),
        "startwith" => left.starts_with(&right),
        "notstartwith" => !left.starts_with(&right),
        "endwith" => left.ends_with(&right),
        "notendwith" => !left.ends_with(&right),
        "isempty" => left.is_empty(),
        "isnotempty" => !left.is_empty(),
        comparison => ordered(comparison, left.cmp(&right)),
    }
}

fn array_holds(comparison: &str, left: &Value, right: &Value, ignore_case: bool) -> bool {
    let values = match left {
        Value::Array(values) => values.as_slice(),
        Value::Absent | Value::Null => &[],
        _ => return false,
    };
    let contained = || values.iter().any(|value| text_holds("equal", value, right, ignore_case));
    match comparison {
        "contain" => contained(),
        "notcontain" => !contained(),
        // The other comparisons look at the length.
        comparison => right.to_i64().is_some_and(|length| ordered(comparison, (values.len() as i64).cmp(&length))),
    }
}

fn truth(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(truth) => Some(*truth),
        Value::Text(text) if text.eq_ignore_ascii_case("true") => Some(true),
        Value::Text(text) if text.eq_ignore_ascii_case("false") || text.is_empty() => Some(false),
        Value::Int(_) | Value::Float(_) => Some(true),
        _ => None,
    }
}

/// Seconds since midnight of `hours:minutes[:seconds]`, or of a date.
fn time_of_day(value: &Value, zone: &TimeZone) -> Option<i64> {
    if let Some(date) = to_date(value, zone) {
        let time = jiff::Timestamp::from_microsecond(date.as_micros()).ok()?.to_zoned(zone.clone());
        return Some((i64::from(time.hour()) * 60 + i64::from(time.minute())) * 60 + i64::from(time.second()));
    }
    read_time_of_day(&value.to_text())
}

#[cfg(test)]
mod tests;
