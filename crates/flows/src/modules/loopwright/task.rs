//! Questions to people: what the modules plan that make a task and wait for
//! its answer.

use base::Timestamp;

use crate::modules::{Call, Class, ModuleError};
use crate::value::{FieldType, Value, convert};

/// What a person is asked.
#[derive(Clone, Debug, PartialEq)]
pub enum Question {
    /// A task is made.
    New {
        /// What it says.
        task: Asked,
        /// The run goes on when somebody has answered, not at once.
        waits: bool,
    },
    /// The answer to a task that is there is waited for.
    Known {
        /// Its id.
        id: String,
    },
}

/// What a task says.
#[derive(Clone, Debug, PartialEq)]
pub struct Asked {
    /// One line.
    pub title: String,
    /// What there is to know.
    pub text: String,
    /// Names and values that are shown below the text.
    pub fields: Vec<(String, String)>,
    /// Who should answer, as people call him or her.
    pub assignee: String,
    /// When nobody needs to answer any more.
    pub until: Until,
    /// What counts as the answer then.
    pub otherwise: Otherwise,
}

/// When nobody needs to answer any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Until {
    /// There is no such time.
    Never,
    /// At this time.
    At(Timestamp),
    /// So many seconds after the task was made.
    After(u64),
}

/// What counts as the answer when nobody has given one in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Otherwise {
    /// None: the decision is `expired`.
    Expired,
    /// It is approved.
    Approved,
    /// It is rejected.
    Rejected,
    /// The module fails.
    Fail,
}

impl Otherwise {
    /// Returns the word for it, as in flows and in the database.
    pub fn word(self) -> &'static str {
        match self {
            Otherwise::Expired => "continue",
            Otherwise::Approved => "approve",
            Otherwise::Rejected => "reject",
            Otherwise::Fail => "fail",
        }
    }

    /// Finds it by its word.
    pub fn named(word: &str) -> Option<Self> {
        let all = [Otherwise::Expired, Otherwise::Approved, Otherwise::Rejected, Otherwise::Fail];
        all.into_iter().find(|otherwise| otherwise.word() == word)
    }
}

/// Reads the fields of a module that makes a task.
pub(super) fn asked(call: &Call<'_>) -> Result<Asked, ModuleError> {
    let input = call.input;
    let invalid = |message: String| ModuleError::new(Class::BundleValidationError, message);
    let title = input.field("title").to_text();
    if title.trim().is_empty() {
        return Err(invalid("missing value of required parameter \"title\"".into()));
    }
    let fields = match input.field("fields") {
        Value::Array(fields) => {
            fields.iter().map(|field| (field.field("name").to_text(), field.field("value").to_text())).collect()
        }
        Value::Collection(fields) => fields.iter().map(|(name, value)| (name.clone(), value.to_text())).collect(),
        _ => Vec::new(),
    };
    let (deadline, hours) = (input.field("deadline"), input.field("hours"));
    let until = match (deadline.is_empty(), hours.is_empty()) {
        (true, true) => Until::Never,
        (false, _) => {
            let date = convert(deadline.clone(), FieldType::Date, &jiff::tz::TimeZone::UTC);
            match date {
                Ok(Value::Date(at)) => Until::At(at),
                _ => return Err(invalid(format!("deadline: \"{}\" is not a time", deadline.to_text()))),
            }
        }
        (true, false) => match hours.to_f64().filter(|hours| *hours > 0.0 && *hours <= 24.0 * 366.0) {
            Some(hours) => Until::After((hours * 3_600.0).ceil() as u64),
            None => {
                return Err(invalid(format!("hours: \"{}\" is not a number of hours up to a year", hours.to_text())));
            }
        },
    };
    let otherwise = match input.field("otherwise").to_text().as_str() {
        "" => Otherwise::Expired,
        word => Otherwise::named(word)
            .ok_or_else(|| invalid(format!("otherwise: \"{word}\" is not continue, approve, reject or fail")))?,
    };
    Ok(Asked {
        title: title.trim().to_owned(),
        text: input.field("text").to_text(),
        fields,
        assignee: input.field("assignee").to_text(),
        until,
        otherwise,
    })
}
