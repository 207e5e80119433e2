//! What is made of an answer.

use base::Timestamp;
use serde_json::{Value as Json, json};

use super::{Act, Answer, Ask, Errand, Kind, Known, What};
use crate::databricks::{id_of, run, text_of};
use crate::modules::{Class, ModuleError};

impl Errand {
    /// Adds what was answered.
    pub(crate) fn take(
        &self,
        known: &mut Known,
        ask: &Ask,
        answer: &Answer<'_>,
        now: Timestamp,
    ) -> Result<(), ModuleError> {
        let json = || -> Result<Json, ModuleError> {
            serde_json::from_slice(answer.body).map_err(|_| {
                let said: String = String::from_utf8_lossy(answer.body).trim().chars().take(100).collect();
                data_error(format!(
                    "the answer is not that of a workspace, because it is not JSON (\"{said}\"): is the connection's \
                     address that of a workspace?"
                ))
            })
        };
        match &ask.what {
            What::Start if matches!(self.act, Act::Repair { .. }) => {
                let answer = json()?;
                let id = id_of(&answer["repair_id"]).ok_or_else(|| data_error("the repair has no \"repair_id\""))?;
                known.noted["repair"] = id.into();
                known.since = Some(now.as_micros());
            }
            What::Start if matches!(self.act, Act::Sql(_) | Act::Write { .. }) => {
                let answer = json()?;
                let id = text_of(&answer, "statement_id").to_owned();
                known.since = Some(now.as_micros());
                known.statement = Some(id);
                if Kind::Statement.is_over(&answer) {
                    known.ended = Some(answer);
                }
            }
            What::Start => {
                let answer = json()?;
                let id = id_of(&answer["run_id"]).ok_or_else(|| {
                    data_error(
                        "the workspace took the request and named no run: a job that runs continuously has no runs of \
                         its own to start",
                    )
                })?;
                known.run = Some(id);
                known.since = Some(now.as_micros());
            }
            What::Look => {
                let answer = json()?;
                if let Act::Repair { run: repaired, body, .. } = &self.act
                    && known.noted["repair"].is_null()
                {
                    let latest = run::repair_of(&answer);
                    if known.noted.is_null() {
                        if !run::is_over(&answer) {
                            return Err(data_error(format!(
                                "run {repaired} has not ended, so it cannot be repaired yet"
                            )));
                        }
                        let mut given = run::parameters_to_repeat(&answer);
                        given.extend(body.clone());
                        known.noted = json!({"latest": latest, "body": given});
                    } else if id_of(&known.noted["latest"]) != Some(latest) {
                        // It was asked for before, and did happen.
                        known.noted["repair"] = latest.into();
                        known.since = Some(now.as_micros());
                    }
                    known.is_fresh = true;
                    return Ok(());
                }
                known.ended = Some(answer);
            }
            What::Tasks => {
                let answer = json()?;
                if let Some(ended) = &mut known.ended {
                    let more = answer["tasks"].as_array().cloned().unwrap_or_default();
                    match ended["tasks"].as_array_mut() {
                        Some(tasks) => tasks.extend(more),
                        None => ended["tasks"] = more.into(),
                    }
                    ended["next_page_token"] = answer["next_page_token"].clone();
                }
            }
            What::Output(task) => {
                let output = json()?;
                known.outputs.insert(*task, output);
            }
            What::Cancel => {
                known.cancelled = true;
                known.done = Some(Json::Null);
            }
            What::Jobs => {
                let answer = json()?;
                known.listed.extend(answer["jobs"].as_array().cloned().unwrap_or_default());
                known.page = Some(text_of(&answer, "next_page_token").to_owned());
            }
            What::Answer => {
                let mut answered = json()?;
                if let (Some(fields), Some(model)) = (answered.as_object_mut(), &answer.model) {
                    fields.insert("served_model_name".into(), model.clone().into());
                }
                known.done = Some(answered);
            }
            What::Chunk => {
                let answer = json()?;
                known.take_result(&answer);
            }
            What::Link => {
                let rows: Vec<Json> = serde_json::from_slice(answer.body)
                    .map_err(|_| data_error("a part of the result is not rows in JSON"))?;
                known.take_rows(&rows);
                if !known.links.is_empty() {
                    known.links.remove(0);
                }
            }
            What::Put => match &self.act {
                Act::Write { .. } => known.noted = json!({"uploaded": true}),
                _ => known.done = Some(Json::Null),
            },
            What::Remove => known.done = Some(Json::Null),
        }
        Ok(())
    }

    /// Takes a refusal that does not matter; tells whether it was one.
    pub(crate) fn overlooks(&self, known: &mut Known, ask: &Ask, status: u16, said: &str) -> bool {
        match &ask.what {
            // A task of some kinds has no output, and its run counts all the same.
            What::Output(task) => {
                known.outputs.insert(*task, json!({"output_missing": said}));
                true
            }
            // The file is gone, or stays; the rows are in the table.
            What::Remove => {
                known.done = Some(json!({"left": status != 404}));
                true
            }
            // What is over cannot be cancelled.
            What::Cancel if !matches!(self.act, Act::Cancel { .. }) => {
                known.cancelled = true;
                true
            }
            _ => false,
        }
    }
}

fn data_error(message: impl Into<String>) -> ModuleError {
    ModuleError::new(Class::DataError, message)
}
