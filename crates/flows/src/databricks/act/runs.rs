//! Runs and jobs: starting, waiting, telling, repairing, listing.

use std::time::Duration;

use base::Timestamp;
use serde_json::{Map, Value as Json, json};

use super::ask::of_run;
use super::files::in_path;
use super::{Ask, Kind, Known, Next, Wait, Watched, What};
use crate::databricks::problem::Subject;
use crate::databricks::{id_of, run, text_of};
use crate::modules::{Class, ModuleError};
use crate::value::Value;

/// Jobs whose outputs are asked for are long; more tasks than these are told
/// without theirs.
const OUTPUTS_MAX: usize = 100;

pub(super) fn start(path: &str, body: &Json, job: Option<i64>, key: &str) -> Ask {
    let mut body = body.clone();
    let token = body["idempotency_token"].as_str().map_or_else(|| key.to_owned(), str::to_owned);
    body["idempotency_token"] = token.clone().into();
    let subject = job.map_or_else(
        || Subject {
            what: "a run of its own".into(),
            right: "the right to submit runs",
            find: "look at what its tasks name",
        },
        |job| Subject {
            what: format!("job {job}"),
            right: "CAN MANAGE RUN",
            find: "look at the id in the address of the job's page (#job/ID)",
        },
    );
    Ask { token: Some(token), ..Ask::post(What::Start, path, &body).about(subject) }
}

pub(super) fn cancel(run: i64) -> Ask {
    let subject = Subject { right: "CAN MANAGE RUN", ..of_run(run) };
    Ask::post(What::Cancel, "/api/2.2/jobs/runs/cancel", &json!({ "run_id": run })).about(subject)
}

/// Waits for the end of a run, and tells of it.
pub(super) fn waits(id: i64, wait: &Wait, known: &Known, now: Timestamp) -> Next {
    let since = known.since(now);
    let deadline = wait.deadline.map(|deadline| since.plus(deadline));
    let Some(ended) = &known.ended else {
        let is_late = deadline.is_some_and(|deadline| deadline <= now);
        return match (is_late, wait.cancels, known.cancelled) {
            (true, true, false) => Next::Ask(cancel(id)),
            (true, true, true) => Next::Done(Err(ModuleError::new(
                Class::RuntimeError,
                format!("run {id} was cancelled, because it took longer than {}", span(wait.deadline)),
            ))),
            // It goes on, so whoever tries again waits for the same run.
            (true, false, _) => Next::Done(Err(ModuleError::new(
                Class::ModuleTimeoutError,
                format!("run {id} has not ended within {}; it goes on", span(wait.deadline)),
            ))),
            (false, ..) => Next::Watch(Watched { kind: Kind::Run, id: id.to_string(), since, deadline }),
        };
    };
    let bundle = match told(ended, wait.outputs, known) {
        Ok(bundle) => bundle,
        Err(ask) => return Next::Ask(*ask),
    };
    let succeeded = run::is_success(&run::result_of(ended));
    if wait.fails && !succeeded {
        return Next::Done(Err(run::failure(&bundle.to_json())));
    }
    Next::Done(Ok(vec![bundle]))
}

pub(super) fn span(deadline: Option<Duration>) -> String {
    let seconds = deadline.unwrap_or_default().as_secs();
    match seconds {
        1 => "1 second".to_owned(),
        _ if seconds >= 120 && seconds.is_multiple_of(60) => format!("{} minutes", seconds / 60),
        _ => format!("{seconds} seconds"),
    }
}

/// Makes the bundle of a run, or the question that is still to be asked for it.
pub(super) fn told(seen: &Json, outputs: bool, known: &Known) -> Result<Value, Box<Ask>> {
    let page = text_of(seen, "next_page_token");
    let id = id_of(&seen["run_id"]).unwrap_or_default();
    if !page.is_empty() {
        let path = format!("/api/2.2/jobs/runs/get?run_id={id}&page_token={}", in_path(page));
        return Err(Box::new(Ask::get(What::Tasks, path).about(of_run(id))));
    }
    let wanted = match outputs {
        true => run::outputs_to_ask(seen).into_iter().take(OUTPUTS_MAX).collect(),
        false => Vec::from_iter(run::output_that_explains(seen)),
    };
    if let Some(task) = wanted.into_iter().find(|task| !known.outputs.contains_key(task)) {
        let path = format!("/api/2.2/jobs/runs/get-output?run_id={task}");
        return Err(Box::new(Ask::get(What::Output(task), path).about(of_run(task))));
    }
    Ok(Value::from_json(run::bundle(seen, &known.outputs)))
}

/// Repairs a run: looks how often it was repaired, keeps that, and asks. A
/// repair bears no token; who finds one more than before has asked already.
pub(super) fn repairs(id: i64, body: &Map<String, Json>, wait: Option<&Wait>, known: &Known, now: Timestamp) -> Next {
    if known.noted.is_null() || known.noted["repair"].is_null() && !known.is_fresh {
        return Next::Ask(Kind::Run.look(&id.to_string()));
    }
    if known.noted["repair"].is_null() {
        if known.noted["kept"].is_null() {
            return Next::Keep;
        }
        let mut sent = known.noted["body"].as_object().cloned().unwrap_or_else(|| body.clone());
        sent.insert("run_id".into(), id.into());
        if let Some(latest) = id_of(&known.noted["latest"]).filter(|latest| *latest != 0) {
            sent.insert("latest_repair_id".into(), latest.into());
        }
        let subject = Subject { right: "CAN MANAGE RUN", ..of_run(id) };
        let ask = Ask::post(What::Start, "/api/2.2/jobs/runs/repair", &Json::Object(sent)).about(subject);
        // Not before somebody has looked again.
        return Next::Ask(ask);
    }
    match wait {
        None => {
            let bundle = json!({"run_id": id, "repair_id": known.noted["repair"]});
            Next::Done(Ok(vec![Value::from_json(bundle)]))
        }
        Some(wait) => waits(id, wait, known, now),
    }
}

pub(super) fn lists(name: Option<&str>, limit: usize, known: &Known) -> Next {
    let is_through = known.page.as_ref().is_some_and(String::is_empty) || known.listed.len() >= limit;
    if !is_through {
        let mut path = format!("/api/2.2/jobs/list?limit={}", limit.clamp(1, 100));
        if let Some(name) = name {
            path.push_str(&format!("&name={}", in_path(name)));
        }
        if let Some(page) = &known.page {
            path.push_str(&format!("&page_token={}", in_path(page)));
        }
        return Next::Ask(Ask::get(What::Jobs, path));
    }
    let job = |job: &Json| {
        Value::from_json(json!({
            "job_id": job["job_id"], "name": job["settings"]["name"], "creator_user_name": job["creator_user_name"],
            "created_time": job["created_time"], "settings": job["settings"],
        }))
    };
    Next::Done(Ok(known.listed.iter().take(limit).map(job).collect()))
}
