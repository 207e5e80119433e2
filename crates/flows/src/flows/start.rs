//! The verbs that start runs because a person says so.

use base::{Actor, Causes, audit};
use serde_json::{Value as Json, json};

use super::{Flows, hook_of};
use crate::alone::{self, Trial};
use crate::cases::{self, Report};
use crate::error::Error;
use crate::flow::Notice;
use crate::program::{Program, hash_of};
use crate::run::RunId;
use crate::tables::{self, FlowRow, NewRun};
use crate::value::Value;

/// Which text of a flow is meant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Which {
    /// The published version, or the draft if there is none yet.
    #[default]
    Usual,
    /// The draft.
    Draft,
    /// The published version.
    Published,
}

impl FlowRow {
    /// Returns the hash of the text that is meant.
    pub(super) fn text(&self, which: Which) -> Result<&String, Error> {
        match which {
            Which::Usual => Ok(self.published.as_ref().unwrap_or(&self.draft)),
            Which::Draft => Ok(&self.draft),
            Which::Published => self.published.as_ref().ok_or_else(|| Error::NotPublished { key: self.key.clone() }),
        }
    }
}

impl Flows {
    /// Returns the form of a flow's declared inputs as JSON Schema.
    pub async fn form(&self, key: &str, which: Which) -> Result<Json, Error> {
        let flow = self.flow(key).await?;
        let program = self.program(flow.text(which)?).await?;
        Ok(program.form.schema(if program.name.is_empty() { key } else { &program.name }))
    }

    /// Plays the cases that stand in a flow's text, with the structures that it
    /// has.
    pub async fn play_cases(&self, key: &str, which: Which) -> Result<Report, Error> {
        let flow = self.flow(key).await?;
        let hash = flow.text(which)?.clone();
        let program = self.program(&hash).await?;
        let text = self.db.read("flows.text", move |tx| tables::text(tx, &hash)).await?.unwrap_or_default();
        let played = cases::play(&text, None, &program.structures, &self.options.semantics).await;
        played.map_err(|detail| Error::BadDocument { key: key.to_owned(), detail })
    }

    /// Starts one run now with `input` as its start bundle, of the published
    /// version, or of the draft if there is none yet.
    pub async fn run_once(&self, actor: &Actor, key: &str, input: Json) -> Result<RunId, Error> {
        self.start(actor, key, Which::Usual, input).await
    }

    /// Starts one run now. `input` is what was filled into the form of the
    /// flow's inputs: it is converted to their types, and completed with their
    /// defaults.
    pub async fn start(&self, actor: &Actor, key: &str, which: Which, input: Json) -> Result<RunId, Error> {
        if !input.is_object() {
            return Err(Error::BadInput);
        }
        let flow = self.flow(key).await?;
        let program = self.program(flow.text(which)?).await?;
        must_run(key, &program)?;
        let input = filled(key, &program, input)?;
        let run = self.new_run(&flow, &program, "manual");
        let causes = vec![actor.causes.clone()];
        let after = json!({"run": run.id, "version": run.version});
        self.insert(actor, run, json!([input]).to_string(), causes, None, "run", after).await
    }

    /// Starts one run now with what waits on the flow's hook, as many items as a
    /// run takes: what its schedule would do, when a person says so.
    pub async fn start_waiting(&self, actor: &Actor, key: &str, which: Which) -> Result<RunId, Error> {
        let flow = self.flow(key).await?;
        let program = self.program(flow.text(which)?).await?;
        must_run(key, &program)?;
        let nothing = |detail: &str| Error::NothingWaits { key: key.to_owned(), detail: detail.to_owned() };
        let queue = hook_of(key, &program).zip(program.start.results_max());
        let (hook, items_max) = queue.ok_or_else(|| nothing("it does not start on a hook"))?;
        let run = self.new_run(&flow, &program, "manual");
        let (id, actor, is_sequential) = (run.id, actor.clone(), program.is_sequential);
        let (callers, flow) = (self.callers.clone(), key.to_owned());
        self.db
            .write("flows.start_waiting", move |tx| {
                let nothing = |detail: String| Error::NothingWaits { key: flow.clone(), detail };
                if is_sequential && tables::has_open_run(tx, &flow)? {
                    return Err(nothing("it runs one at a time, and a run of it has not ended".into()));
                }
                let items = tables::waiting_items(tx, &hook, items_max)?;
                if items.is_empty() {
                    return Err(nothing(format!("hook \"{hook}\" has no item")));
                }
                let numbers: Vec<u64> = items.iter().map(|item| item.number).collect();
                let bytes = items.iter().map(|item| item.payload.len()).sum();
                tables::take_items(tx, &hook, run.id, &numbers, bytes)?;
                callers.took(run.id, &hook, items.iter().map(|item| item.key.as_str()));
                let after = json!({"run": run.id, "version": run.version, "items": items.len()});
                let (payloads, causes): (Vec<_>, Vec<_>) =
                    items.into_iter().map(|item| (item.payload, item.causes)).unzip();
                tables::insert_run(tx, &run, &format!("[{}]", payloads.join(",")), &causes)?;
                audit::record(tx, &actor, "run", "flow", &run.flow, None, Some(&after), run.now)?;
                Ok::<_, Error>(())
            })
            .await?;
        self.nudge.notify_one();
        Ok(id)
    }

    /// Runs one module of a flow alone, with what was typed in or with given
    /// bundles. The flow itself is not touched; the run stands among its runs.
    pub async fn run_module(
        &self,
        actor: &Actor,
        key: &str,
        which: Which,
        module: u32,
        trial: &Trial,
    ) -> Result<RunId, Error> {
        let flow = self.flow(key).await?;
        let hash = flow.text(which)?.clone();
        let text = self.db.read("flows.text", move |tx| tables::text(tx, &hash)).await?.unwrap_or_default();
        let (text, start) =
            alone::text_of(&text, module, trial).map_err(|detail| Error::NotAlone { key: key.to_owned(), detail })?;
        let program = Program::compile(&text).map_err(|detail| Error::BadDocument { key: key.to_owned(), detail })?;
        must_run(key, &program)?;
        let run = self.new_run(&flow, &program, "module");
        let causes = vec![actor.causes.clone()];
        let after = json!({"run": run.id, "module": module});
        self.insert(actor, run, json!([start]).to_string(), causes, Some(text), "run-module", after).await
    }

    /// Stores a run, and its text if that is new.
    #[expect(clippy::too_many_arguments, reason = "they are the parts of one row and its audit")]
    pub(super) async fn insert(
        &self,
        actor: &Actor,
        run: NewRun,
        input: String,
        causes: Vec<Causes>,
        text: Option<String>,
        verb: &'static str,
        after: Json,
    ) -> Result<RunId, Error> {
        let (id, actor, now) = (run.id, actor.clone(), run.now);
        self.db
            .write("flows.start", move |tx| {
                if let Some(text) = &text {
                    tables::put_text(tx, &hash_of(text), text)?;
                    tables::set_author(tx, &run.flow, &run.version, &actor.id, false)?;
                }
                tables::insert_run(tx, &run, &input, &causes)?;
                audit::record(tx, &actor, verb, "flow", &run.flow, None, Some(&after), now)?;
                Ok::<_, Error>(())
            })
            .await?;
        self.nudge.notify_one();
        Ok(id)
    }
}

pub(super) fn must_run(key: &str, program: &Program) -> Result<(), Error> {
    let errors: Vec<&Notice> = program.errors().collect();
    match errors.first() {
        None => Ok(()),
        Some(first) => Err(Error::NotRunnable { key: key.to_owned(), first: first.to_string(), count: errors.len() }),
    }
}

/// Checks and completes what was filled in, if the flow declares inputs.
pub(super) fn filled(key: &str, program: &Program, input: Json) -> Result<Json, Error> {
    if program.form.is_empty() {
        return Ok(input);
    }
    let filled = program.form.fill(&Value::from_json(input), &program.zone);
    filled.map(|input| input.to_json()).map_err(|misfits| Error::Misfits { key: key.to_owned(), misfits })
}
