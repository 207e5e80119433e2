//! Runs that end, as starts of flows.

use std::time::Duration;

use serde_json::{Map, Value as Json};

use super::{id_of, run};

/// Which ends start a flow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// The connection to the workspace.
    pub connection: String,
    /// Runs of this job only.
    pub job: Option<i64>,
    /// Runs with these results.
    pub results: Results,
    /// A run that takes longer starts the flow too, while it is still going.
    pub exceeds: Option<Duration>,
    /// The outputs of its tasks are asked for.
    pub outputs: bool,
}

/// Results of runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Results {
    /// All.
    Any,
    /// Those that succeeded.
    Success,
    /// Those that did not.
    Failure,
}

impl Wanted {
    /// Reads the settings of the start; the error is a sentence.
    pub(crate) fn read(parameters: &Map<String, Json>, connection: Option<String>) -> Result<Self, String> {
        let connection = connection.ok_or("\"connection\" must name a connection to a workspace")?;
        let job = match parameters.get("job") {
            None | Some(Json::Null) => None,
            Some(Json::String(text)) if text.trim().is_empty() => None,
            Some(value) => {
                Some(id_of(value).ok_or_else(|| format!("job: {value} is not an id, which is a whole number"))?)
            }
        };
        let results = match parameters.get("results").and_then(Json::as_str) {
            None | Some("" | "any") => Results::Any,
            Some("success") => Results::Success,
            Some("failure") => Results::Failure,
            Some(other) => return Err(format!("results: \"{other}\" is not any, success or failure")),
        };
        let exceeds = match parameters.get("exceeds") {
            None | Some(Json::Null) => None,
            Some(Json::String(text)) if text.trim().is_empty() => None,
            Some(value) => {
                let minutes = value.as_f64().or_else(|| value.as_str()?.trim().parse().ok());
                let minutes = minutes.filter(|minutes| *minutes > 0.0 && *minutes <= 60.0 * 24.0 * 60.0);
                Some(Duration::from_secs_f64(
                    minutes.ok_or_else(|| format!("exceeds: {value} is not a number of minutes"))? * 60.0,
                ))
            }
        };
        let outputs = parameters.get("outputs").and_then(Json::as_bool).unwrap_or(false);
        Ok(Wanted { connection, job, results, exceeds, outputs })
    }

    /// Tells whether a run is of a job that is meant.
    pub(crate) fn is_of_job(&self, run: &Json) -> bool {
        self.job.is_none_or(|job| id_of(&run["job_id"]) == Some(job))
    }

    /// Tells whether a run that is over ended as it should to start the flow.
    pub(crate) fn takes(&self, seen: &Json) -> bool {
        let succeeded = run::is_success(&run::result_of(seen));
        match self.results {
            Results::Any => true,
            Results::Success => succeeded,
            Results::Failure => !succeeded,
        }
    }
}
