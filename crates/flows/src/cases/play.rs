//! Playing a case: the machine is led to its end by the script.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use base::Timestamp;
use serde_json::{Map, Value as Json, json};

use super::script::{Once, Reply, Script};
use super::{BEGINS, Case, Verdict};
use crate::databricks::Errand;
use crate::databricks::aloud::{Said, hold};
use crate::engine::{Ending, Facts, Intent, Machine, Stop};
use crate::hook::Response;
use crate::modules::http::{self, HttpCall};
use crate::modules::util::increment::counted;
use crate::modules::{Behaviour, Class, Plan, Settled};
use crate::program::Program;
use crate::run::{Operation, RunId};
use crate::store::{InMemory, perform_in_memory};
use crate::value::Value;

/// Steps that the machine takes at once.
const STEPS: usize = 1_000;

/// Times so many steps after which a case has no end.
const ROUNDS_MAX: usize = 1_000;

/// What happened.
pub(super) struct Played {
    pub(super) ending: Ending,
    pub(super) operations: Vec<Operation>,
    /// What was sent, by module.
    pub(super) requests: BTreeMap<u32, Vec<Json>>,
    /// Records of data stores in the end.
    pub(super) stores: Json,
    /// What callers of the webhook heard.
    pub(super) responses: Vec<Json>,
    /// Time in which the run slept.
    pub(super) waited: Duration,
    /// Why bundles were set aside.
    pub(super) incomplete: Vec<String>,
}

/// Tells whether a module of this behaviour is seen among the operations.
pub(super) fn tells(behaviour: &Behaviour) -> bool {
    !matches!(
        behaviour,
        Behaviour::Router | Behaviour::IfElse | Behaviour::RepeatUntil | Behaviour::Directive(_) | Behaviour::Merge
    )
}

/// Plays a case and judges it.
pub(super) async fn play(program: &Arc<Program>, case: &Case) -> Verdict {
    if let Err(why) = check(program, case) {
        return Verdict::unplayed(&case.name, why);
    }
    let start = match start_of(program, case) {
        Ok(start) => start,
        Err(why) => return Verdict::unplayed(&case.name, why),
    };
    let mut stage = Stage::new(case);
    let mut machine = machine(program, case, start);
    machine.ask_for_unknown();
    let led = stage.lead(program, &mut machine).await;
    let operations = machine.take_operations();
    let ending = match led {
        Ok(ending) => ending,
        Err(why) => return Verdict { operations, ..Verdict::unplayed(&case.name, why) },
    };
    let (outcome, reason) = (Some(ending.outcome), ending.reason.clone());
    let unused = stage.script.unused();
    let played = Played {
        ending,
        operations,
        requests: stage.requests,
        stores: stage.stores.iter().map(|(name, shelf)| (name.clone(), records(shelf))).collect::<Map<_, _>>().into(),
        responses: stage.responses,
        waited: stage.waited,
        incomplete: stage.incomplete,
    };
    let mut differences = case.expect.differences(&played);
    differences.extend(unused);
    Verdict { case: case.name.clone(), differences, outcome, reason, operations: played.operations }
}

/// Says what keeps the flow from running, but for modules that do not exist
/// here: those need an answer when a bundle gets there. Says too if the case
/// speaks of modules that are none.
fn check(program: &Program, case: &Case) -> Result<(), String> {
    let is_unknown = |id: u32| program.steps.iter().any(|step| step.id == id && step.module.is_none());
    let error = program.errors().find(|notice| notice.module.is_none_or(|id| !is_unknown(id)));
    if let Some(notice) = error {
        return Err(format!("the flow would not run: {notice}"));
    }
    let ids: BTreeSet<u32> = program.steps.iter().map(|step| step.id).collect();
    match case.answers.keys().copied().chain(case.expect.modules()).find(|id| !ids.contains(id)) {
        Some(id) => Err(format!("the case speaks of module {id}, and the flow has none of that id")),
        None => Ok(()),
    }
}

fn start_of(program: &Program, case: &Case) -> Result<Vec<Value>, String> {
    let bundles = match case.start.clone() {
        Json::Null => vec![json!({})],
        Json::Array(bundles) => bundles,
        bundle => vec![bundle],
    };
    let bundle = |bundle: Json| {
        if !bundle.is_object() {
            return Err(format!("start: {bundle} is no collection"));
        }
        if program.form.is_empty() {
            return Ok(Value::from_json(bundle));
        }
        let filled = program.form.fill(&Value::from_json(bundle), &program.zone);
        filled.map_err(|misfits| {
            let misfits: Vec<_> =
                misfits.iter().map(|misfit| format!("start.{} {}", misfit.field, misfit.problem)).collect();
            misfits.join("; ")
        })
    };
    bundles.into_iter().map(bundle).collect()
}

fn machine(program: &Arc<Program>, case: &Case, start: Vec<Value>) -> Machine {
    let mut variables: Map<String, Json> = program.variables.clone();
    variables.extend(case.variables.clone());
    let facts = Facts {
        run: RunId::from_bytes(1u128.to_be_bytes()),
        flow: "test".into(),
        name: program.name.clone(),
        variables: Value::from_json(Json::Object(variables)),
        seed: 1,
    };
    Machine::new(program.clone(), facts, start, case.at.unwrap_or(BEGINS))
}

/// Writes what a caller hears as a case does.
fn told(response: &Response) -> Json {
    let headers: Map<String, Json> =
        response.headers.iter().map(|(name, value)| (name.to_lowercase(), value.clone().into())).collect();
    json!({"status": response.status, "headers": headers, "body": response.body.to_json()})
}

fn shelf(records: &BTreeMap<String, Json>) -> InMemory {
    records.iter().map(|(key, data)| (key.clone(), Value::from_json(data.clone()))).collect()
}

fn records(shelf: &InMemory) -> Json {
    shelf.iter().map(|(key, data)| (key.clone(), data.to_json())).collect::<Map<_, _>>().into()
}

/// What a case plays on.
struct Stage {
    script: Script,
    now: Timestamp,
    counters: BTreeMap<u32, i64>,
    stores: BTreeMap<String, InMemory>,
    requests: BTreeMap<u32, Vec<Json>>,
    responses: Vec<Json>,
    waited: Duration,
    incomplete: Vec<String>,
}

impl Stage {
    fn new(case: &Case) -> Self {
        Stage {
            script: Script::new(&case.answers),
            now: case.at.unwrap_or(BEGINS),
            counters: BTreeMap::new(),
            stores: case.stores.iter().map(|(name, records)| (name.clone(), shelf(records))).collect(),
            requests: BTreeMap::new(),
            responses: Vec::new(),
            waited: Duration::ZERO,
            incomplete: Vec::new(),
        }
    }

    async fn lead(&mut self, program: &Program, machine: &mut Machine) -> Result<Ending, String> {
        for _ in 0..ROUNDS_MAX {
            let stop = machine.walk(STEPS);
            for (_, response) in machine.take_responses() {
                self.responses.push(told(&response));
            }
            self.incomplete.extend(machine.take_incomplete().iter().map(|aside| aside.error.to_string()));
            match stop {
                Stop::Pause => {}
                Stop::End(ending) => return Ok(ending),
                Stop::Effect(intent) => {
                    let settled = self.perform(program, &intent).await?;
                    machine.settle(settled, self.now);
                }
            }
        }
        Err(format!("the run has no end: it was stopped after {} steps or effects", STEPS * ROUNDS_MAX))
    }

    async fn perform(&mut self, program: &Program, intent: &Intent) -> Result<Settled, String> {
        let step = program.steps.iter().find(|step| step.id == intent.module);
        let named = step.map_or(String::new(), |step| format!("module {} ({})", step.id, step.module_name));
        match &intent.plan {
            Plan::Wait(span) if !self.script.knows(intent.module) => {
                self.waited += *span;
                self.now = self.now.plus(*span);
                Ok(Settled::new(Ok(vec![Value::collection::<String>([])])))
            }
            Plan::Count if !self.script.knows(intent.module) => {
                let counter = self.counters.entry(intent.module).or_default();
                *counter += 1;
                Ok(Settled::new(Ok(vec![counted(*counter)])))
            }
            Plan::Store(call) if !self.script.knows(intent.module) => {
                let shelf = self.stores.entry(call.store.clone()).or_default();
                Ok(Settled::new(perform_in_memory(shelf, call, &intent.key)))
            }
            Plan::Http(call) => self.call(program, intent, call, &named).await,
            Plan::Databricks(errand) => self.converse(intent, errand, &named),
            Plan::Flow(call) => self.answer(intent, &format!("{named} calls flow \"{}\"", call.flow)),
            Plan::Nothing(_) => self.answer(intent, &format!("{named} does not exist here")),
            _ => self.answer(intent, &format!("{named} acts outside")),
        }
    }

    /// Holds a conversation with a workspace, whose answers come in turn.
    fn converse(&mut self, intent: &Intent, errand: &Errand, named: &str) -> Result<Settled, String> {
        let mut now = self.now;
        let (script, requests) = (&mut self.script, &mut self.requests);
        let held = hold(errand, &intent.key, &mut now, |ask, is_repeated, now| {
            if is_repeated && !script.has_another(intent.module) {
                return Ok(Said::NothingMore);
            }
            let asked = format!("{named} calls {} {}", ask.method, ask.path);
            let answer = script.take(intent.module, &asked)?;
            *now = now.plus(answer.takes());
            let reply = answer.reply(&ask.path).map_err(|why| format!("answers.{}: {why}", intent.module))?;
            let is_module = matches!(reply, Reply::Module(_));
            let text = String::from_utf8_lossy(&ask.body);
            let body = if text.is_empty() { Json::Null } else { serde_json::from_str(&text).unwrap_or(text.into()) };
            let mut told = json!({"method": ask.method.as_str(), "path": ask.path, "connection": errand.connection});
            if !body.is_null() {
                told["body"] = body;
            }
            if !is_module {
                requests.entry(intent.module).or_default().push(told);
            }
            Ok::<_, String>(match reply {
                Reply::Http(Ok(response)) => Said::Response(response),
                Reply::Http(Err(error)) => Said::Nobody(error),
                Reply::Module(result) => Said::Module(result),
            })
        });
        self.waited += now.since(self.now);
        self.now = now;
        held
    }

    /// Answers an effect that is no request.
    fn answer(&mut self, intent: &Intent, asked: &str) -> Result<Settled, String> {
        let answer = self.script.take(intent.module, asked)?;
        self.now = self.now.plus(answer.takes());
        match answer.reply(asked).map_err(|why| format!("answers.{}: {why}", intent.module))? {
            Reply::Module(result) => Ok(Settled::new(result)),
            Reply::Http(_) => {
                Err(format!("answers.{}: it sends no request of its own: say bundles or error", intent.module))
            }
        }
    }

    /// Answers a request, again and again as long as the engine would repeat it.
    async fn call(
        &mut self,
        program: &Program,
        intent: &Intent,
        call: &HttpCall,
        named: &str,
    ) -> Result<Settled, String> {
        let asked = format!("{named} calls {} {}", call.method, call.url);
        for attempt in 1.. {
            let answer = self.script.take(intent.module, &asked)?;
            self.now = self.now.plus(answer.takes());
            let reply = answer.reply(&call.url).map_err(|why| format!("answers.{}: {why}", intent.module))?;
            let (once, said) = match reply {
                Reply::Http(reply) => (Once::new(reply), None),
                Reply::Module(result) => (
                    Once::new(Err(base::http::HttpError::Broken {
                        target: call.url.clone(),
                        detail: "the case says what comes of it".into(),
                    })),
                    Some(result),
                ),
            };
            let (mut settled, mut may_help) = http::send(call, &once, &[], &intent.key, None, self.now).await;
            self.requests.entry(intent.module).or_default().push(once.asked(call));
            if let Some(result) = said {
                let class = result.as_ref().err().map(|error| error.class);
                may_help = matches!(class, Some(Class::ConnectionError | Class::ModuleTimeoutError));
                settled = Settled::new(result);
            }
            let is_repeated = may_help && intent.is_safe && attempt <= program.retries;
            // Who always answers the same fails in the end; who answers in turn
            // may do better the next time.
            if !is_repeated || !self.script.has_another(intent.module) {
                return Ok(settled);
            }
        }
        unreachable!("the loop ends where nothing is repeated")
    }
}
