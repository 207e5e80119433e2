//! What a run should do, told by another hand.
//!
//! A small interpreter that walks over the document itself, by plain
//! recursion, without compiling, without a stack of its own, without a journal.
//! Asked with the answers that effects were given, it says which requests a run
//! makes in which order, how long it sleeps between them, which operations its
//! history shows, which bundles are set aside, and how it ends. Of the engine it
//! uses templates and values, which have tests of their own, and nothing else.

mod calling;
mod failing;

use std::collections::{HashMap, HashSet};

use base::chance::SeededChance;
use base::{Chance, Timestamp};
use serde_json::Value as Json;

use crate::mapping::{Surroundings, Template};
use crate::run::{OperationStatus, Outcome};
use crate::value::Value;

/// An answer of the peer, or none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reply {
    /// JSON with `n`.
    Number { status: u16, n: u64 },
    /// It says that it is JSON, and is not.
    Garbage { status: u16 },
    /// Longer than anybody reads.
    Endless,
    /// No answer at all.
    Nothing,
}

/// A request that a run makes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Expected {
    pub(super) method: String,
    pub(super) url: String,
    pub(super) body: String,
    /// It may be repeated without asking anybody.
    pub(super) is_safe: bool,
    /// A status that says "later" is an error here.
    pub(super) evaluates: bool,
    /// What the run sleeps before, since the request before.
    pub(super) slept_seconds: u64,
    /// Runs of other flows that it has waited for, since the request before.
    pub(super) waited_for: Vec<Name>,
}

/// What a run begins with.
#[derive(Clone, Copy)]
pub(super) enum Begins<'a> {
    /// With bundles for the first module.
    With(&'a [Json]),
    /// Where an earlier one left off.
    At(&'a Place),
}

/// All that the reference has to say.
pub(super) struct Told {
    pub(super) effects: Vec<Expected>,
    pub(super) operations: Vec<(u32, OperationStatus)>,
    /// Nothing where an answer was missing.
    pub(super) outcome: Option<Outcome>,
    /// What it sleeps after the last request.
    pub(super) slept_seconds: u64,
    /// Failed bundles that are stored, in the order in which they failed.
    pub(super) set_aside: Vec<SetAside>,
    /// Other flows that are called.
    pub(super) calls: Vec<Called>,
    /// What it gives back to whoever called it.
    pub(super) outputs: Option<Value>,
    pub(super) responses: Vec<Response>,
    /// What began it goes back to its hook, if the flow does that.
    pub(super) returns: bool,
}

/// An answer to those who brought the start bundles.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Response {
    /// The place of the start bundle that it is for, or all.
    pub(super) bundle: Option<usize>,
    pub(super) status: u16,
    pub(super) body: String,
}

/// Tells the story of a run of `document`; `children` are the runs of other
/// flows that there are.
pub(super) fn tell(
    document: &Json,
    run: &str,
    begins: Begins<'_>,
    answers: &[Reply],
    children: &HashMap<Name, Child>,
) -> Told {
    let mut teller = Teller { run, answers, ..Teller::over(document, children) };
    let walked = match begins {
        Begins::With(bundles) => teller.begin(document, bundles),
        Begins::At(place) => teller.go_on(place),
    };
    let outcome = match walked {
        Ok(()) => Some(teller.outcome),
        Err(End::Of(outcome)) => Some(outcome),
        Err(End::Unanswered) => None,
    };
    // The same data would fail in the same way for ever, and what is stored
    // goes on from there.
    let returns =
        matches!(outcome, Some(Outcome::Error)) && teller.ended_with != "DataError" && teller.set_aside.is_empty();
    let Teller { effects, operations, slept, set_aside, calls, outputs, responses, .. } = teller;
    Told { effects, operations, outcome, slept_seconds: slept, set_aside, calls, outputs, responses, returns }
}

/// Modules each of whose bundles has a number, even if there is but one.
const LOOPS: [&str; 5] = [
    "loopwright:Signal",
    "loopwright:Manual",
    "scenario-service:StartSubscenario",
    "builtin:BasicRepeater",
    "builtin:BasicFeeder",
];

enum End {
    Of(Outcome),
    Unanswered,
}

type Walk = Result<(), End>;
/// Bundles by the module that gave them, and which of several each one is.
type Scope = Vec<(u32, Value, Option<u64>)>;

pub(super) use calling::{Called, Child, Name, name_of};
pub(super) use failing::{Again, Place, SetAside};

/// What stands behind the last module of a sequence.
#[derive(Clone, Copy)]
enum Onward {
    Nothing,
    Body(u32),
    Merge { choice: u32, place: usize },
}

struct Teller<'a> {
    run: &'a str,
    answers: &'a [Reply],
    places: HashMap<u32, (&'a [Json], usize, Onward)>,
    /// In the order of the document.
    aggregators: Vec<(u64, u32)>,
    text: String,
    collected: Vec<(u32, Vec<(Value, Value)>)>,
    rounds: Vec<(u32, Option<Scope>)>,
    failed: Vec<(u32, Scope, &'static str)>,
    counters: HashMap<u32, i64>,
    effects: Vec<Expected>,
    operations: Vec<(u32, OperationStatus)>,
    outcome: Outcome,
    slept: u64,
    /// Requests and sleeps so far.
    steps: usize,
    chance: SeededChance,
    /// The first of the bundles that it began with.
    start: Value,
    stores: bool,
    first: u32,
    in_error_routes: HashSet<u32>,
    set_aside: Vec<SetAside>,
    /// It goes on from here.
    resumed: Option<&'a Place>,
    /// What was open where it was left, and is open again.
    reopened: Vec<failing::Reopened>,
    children: &'a HashMap<Name, Child>,
    calls: Vec<Called>,
    /// Those waited for since the last request.
    waited_for: Vec<Name>,
    outputs: Option<Value>,
    responses: Vec<Response>,
    /// Class of the failure that ended it.
    ended_with: &'static str,
}

fn id_of(node: &Json) -> u32 {
    node["id"].as_u64().unwrap_or_default() as u32
}

fn list(json: &Json) -> &[Json] {
    json.as_array().map(Vec::as_slice).unwrap_or_default()
}

impl<'a> Teller<'a> {
    fn over(document: &'a Json, children: &'a HashMap<Name, Child>) -> Self {
        let mut teller = Teller {
            run: "",
            answers: &[],
            places: HashMap::new(),
            aggregators: Vec::new(),
            text: document.to_string(),
            collected: Vec::new(),
            rounds: Vec::new(),
            failed: Vec::new(),
            counters: HashMap::new(),
            effects: Vec::new(),
            operations: Vec::new(),
            outcome: Outcome::Success,
            slept: 0,
            steps: 0,
            chance: SeededChance::new(0),
            start: Value::Absent,
            stores: document["metadata"]["scenario"]["dlq"] == true,
            first: id_of(&document["flow"][0]),
            in_error_routes: HashSet::new(),
            set_aside: Vec::new(),
            resumed: None,
            reopened: Vec::new(),
            children,
            calls: Vec::new(),
            waited_for: Vec::new(),
            outputs: None,
            responses: Vec::new(),
            ended_with: "",
        };
        teller.read(list(&document["flow"]), Onward::Nothing, false);
        teller
    }

    fn read(&mut self, nodes: &'a [Json], onward: Onward, in_error_route: bool) {
        for (place, node) in nodes.iter().enumerate() {
            let id = id_of(node);
            if in_error_route {
                self.in_error_routes.insert(id);
            }
            self.places.insert(id, (nodes, place, onward));
            if let Some(feeder) = node["parameters"]["feeder"].as_u64() {
                self.aggregators.push((feeder, id));
            }
            for route in list(&node["routes"]) {
                self.read(list(&route["flow"]), Onward::Nothing, in_error_route);
            }
            let mut merging = 0;
            for branch in list(&node["branches"]) {
                let merges = branch["merge"] == true;
                let onward = if merges { Onward::Merge { choice: id, place: merging } } else { Onward::Nothing };
                merging += usize::from(merges);
                self.read(list(&branch["flow"]), onward, in_error_route);
            }
            self.read(list(&node["flow"]), Onward::Body(id), in_error_route);
            self.read(list(&node["onerror"]), Onward::Nothing, true);
        }
    }

    fn begin(&mut self, document: &'a Json, bundles: &[Json]) -> Walk {
        let first = id_of(&document["flow"][0]);
        self.operations.push((first, OperationStatus::Success));
        let bundles: Vec<Value> = bundles.iter().cloned().map(Value::from_json).collect();
        self.start = bundles.first().cloned().unwrap_or_default();
        self.emit(first, bundles, &Vec::new())
    }

    /// Lets bundles of a module go on one after the other, then closes what it feeds.
    fn emit(&mut self, id: u32, bundles: Vec<Value>, scope: &Scope) -> Walk {
        let fed: Vec<u32> =
            self.aggregators.iter().filter(|(feeder, _)| *feeder == u64::from(id)).map(|(_, id)| *id).collect();
        self.collected.extend(fed.iter().map(|aggregator| (*aggregator, Vec::new())));
        let is_loop = LOOPS.contains(&self.kind(id));
        let is_numbered = is_loop || bundles.len() > 1;
        for (turn, bundle) in (1..).zip(bundles) {
            self.behind(id, &[scope.as_slice(), &[(id, bundle, is_numbered.then_some(turn))]].concat())?;
        }
        for aggregator in fed {
            let open = self.collected.iter().rposition(|(id, _)| *id == aggregator).expect("it was opened");
            let (_, items) = self.collected.remove(open);
            self.close(aggregator, items, scope)?;
        }
        Ok(())
    }

    fn kind(&self, id: u32) -> &'a str {
        let (nodes, place, _) = self.places[&id];
        nodes[place]["module"].as_str().unwrap_or_default()
    }

    fn behind(&mut self, id: u32, scope: &Scope) -> Walk {
        let (nodes, place, onward) = self.places[&id];
        match nodes.get(place + 1) {
            Some(next) => self.enter(next, scope, false),
            None => self.onward(onward, scope),
        }
    }

    fn onward(&mut self, onward: Onward, scope: &Scope) -> Walk {
        match onward {
            Onward::Nothing => {}
            Onward::Body(repeat) => match self.rounds.iter_mut().rev().find(|(id, _)| *id == repeat) {
                Some((_, last)) => *last = Some(scope.clone()),
                None => self.reopen_round(repeat, scope),
            },
            Onward::Merge { choice, place } => {
                let (nodes, at, _) = self.places[&choice];
                let merge = &nodes[at + 1];
                let output = &merge["outputs"][0];
                let value = self.value(&output["mappings"][place], scope);
                self.done(merge, OperationStatus::Success);
                let bundle = Value::collection([(output["name"].as_str().unwrap_or_default(), value)]);
                return self.emit(id_of(merge), vec![bundle], scope);
            }
        }
        Ok(())
    }

    fn done(&mut self, node: &Json, status: OperationStatus) {
        self.operations.push((id_of(node), status));
    }

    fn passes(&mut self, node: &Json, scope: &Scope) -> bool {
        let passes = node["filter"].is_null() || self.holds(&node["filter"]["conditions"], scope);
        if !passes {
            self.done(node, OperationStatus::Filtered);
        }
        passes
    }

    fn holds(&self, any: &Json, scope: &Scope) -> bool {
        let number = |side: &Json| self.value(side, scope).to_f64();
        let one = |condition: &Json| match (number(&condition["a"]), number(&condition["b"])) {
            (Some(left), Some(right)) => match condition["o"].as_str() {
                Some("number:equal") => left.total_cmp(&right).is_eq(),
                Some("number:notequal") => left.total_cmp(&right).is_ne(),
                Some("number:less") => left < right,
                _ => left >= right,
            },
            _ => false,
        };
        list(any).iter().any(|all| list(all).iter().all(one))
    }

    fn value(&self, json: &Json, scope: &Scope) -> Value {
        match json {
            Json::String(text) => {
                let around = Around { run: self.run, scope, chance: &self.chance };
                Template::parse(text).expect("it parses").evaluate(&around).expect("it comes to something")
            }
            Json::Array(values) => Value::array(values.iter().map(|value| self.value(value, scope)).collect()),
            Json::Object(fields) => {
                let value = |(name, value): (&String, &Json)| (name.clone(), self.value(value, scope));
                Value::collection(fields.iter().map(value).filter(|(_, value)| *value != Value::Absent))
            }
            other => Value::from_json(other.clone()),
        }
    }

    fn enter(&mut self, node: &'a Json, scope: &Scope, judged: bool) -> Walk {
        if !judged && !self.passes(node, scope) {
            return Ok(());
        }
        let id = id_of(node);
        let input = self.value(&node["mapper"], scope);
        let field = |name: &str| input.field(name);
        let one = |name: &str, value: Value| vec![Value::collection([(name, value)])];
        let bundles = match node["module"].as_str().unwrap_or_default() {
            "util:SetVariable2" => one(&field("name").to_text(), field("value")),
            "util:FunctionIncrement" => {
                let counter = self.counters.entry(id).or_default();
                *counter += 1;
                one("i", Value::Int(*counter))
            }
            "util:ComposeTransformer" => one("value", Value::text(field("value").to_text())),
            "json:ParseJSON" => {
                let rows: Vec<Json> = serde_json::from_str(&field("json").to_text()).expect("it is a list");
                rows.into_iter().map(Value::from_json).collect()
            }
            "builtin:BasicRepeater" => {
                (1..=field("repeats").to_i64().unwrap_or(0)).flat_map(|turn| one("i", Value::Int(turn))).collect()
            }
            "builtin:BasicFeeder" => match field("array") {
                Value::Array(values) => values.iter().flat_map(|value| one("value", value.clone())).collect(),
                Value::Absent => Vec::new(),
                other => one("value", other),
            },
            "util:FunctionSleep" => {
                self.slept += field("duration").to_i64().unwrap_or(0) as u64;
                self.steps += 1;
                vec![Value::collection::<String>([])]
            }
            "loopwright:Fail" => return self.fail(node, scope, failing::class_named(&field("type").to_text())),
            "http:ActionSendData" => return self.request(node, &input, scope),
            "builtin:BasicRouter" => return self.route(node, scope),
            "builtin:BasicIfElse" => return self.choose(node, scope),
            "loopwright:RepeatUntil" => return self.repeat(node, &input, scope),
            "builtin:BasicAggregator" | "util:FunctionAggregator2" => {
                let key = self.value(&node["flags"]["groupBy"], scope);
                return match self.open_aggregator(id, node, scope) {
                    Some(items) => {
                        items.push((key, input));
                        Ok(())
                    }
                    None => self.fail(node, scope, "InvalidConfigurationError"),
                };
            }
            "builtin:Ignore" => return Ok(()),
            "builtin:Resume" => {
                // In another version a module may stand in an error route now.
                let Some((failed, scope, _)) = self.failed.last().cloned() else { return Ok(()) };
                return self.emit(failed, vec![input], &scope);
            }
            "builtin:Commit" => return Err(End::Of(self.outcome)),
            "builtin:Rollback" => return Err(End::Of(Outcome::Error)),
            "gateway:WebhookRespond" => {
                let first = scope.iter().find_map(|(id, _, turn)| turn.map(|turn| (*id, turn)));
                let bundle = first.filter(|(id, _)| *id == self.first).map(|(_, turn)| turn as usize - 1);
                let status = field("status").to_i64().unwrap_or(0) as u16;
                self.responses.push(Response { bundle, status, body: field("body").to_text() });
                vec![Value::collection::<String>([])]
            }
            "loopwright:CallFlow" => return self.call(node, &input, scope),
            "scenario-service:ReturnData" => {
                self.outputs = Some(input.clone());
                vec![input]
            }
            "builtin:Break" => return self.put_off(&input),
            other => panic!("the reference does not know {other}"),
        };
        self.done(node, OperationStatus::Success);
        self.emit(id, bundles, scope)
    }

    fn request(&mut self, node: &'a Json, input: &Value, scope: &Scope) -> Walk {
        let method = input.field("method").to_text();
        let evaluates = node["parameters"]["handleErrors"] == true;
        self.effects.push(Expected {
            url: input.field("url").to_text(),
            body: input.field("data").to_text(),
            is_safe: method != "post",
            method: method.to_uppercase(),
            evaluates,
            slept_seconds: std::mem::take(&mut self.slept),
            waited_for: std::mem::take(&mut self.waited_for),
        });
        let Some(reply) = self.answers.get(self.effects.len() - 1) else { return Err(End::Unanswered) };
        self.steps += 1;
        let (status, data) = match *reply {
            Reply::Nothing => return self.fail(node, scope, "ConnectionError"),
            Reply::Endless => return self.fail(node, scope, "DataError"),
            Reply::Number { status, .. } | Reply::Garbage { status } if status >= 400 && evaluates => {
                return self.fail(node, scope, "RuntimeError");
            }
            Reply::Garbage { status } if status < 400 => return self.fail(node, scope, "DataError"),
            Reply::Garbage { status } => (status, Value::text("{oh")),
            Reply::Number { status, n } => (status, Value::collection([("n", Value::Int(n as i64))])),
        };
        if status < 400 {
            self.done(node, OperationStatus::Success);
        } else {
            self.done(node, OperationStatus::Warning);
            // A filter that looks at the status has the say.
            if !self.text.contains(&format!("\"a\":\"{{{{{}.statusCode}}}}\"", id_of(node))) {
                self.outcome = self.outcome.max(Outcome::Warning);
            }
        }
        let bundle = Value::collection([("statusCode", Value::Int(status.into())), ("data", data)]);
        self.emit(id_of(node), vec![bundle], scope)
    }

    fn route(&mut self, node: &'a Json, scope: &Scope) -> Walk {
        let routes = list(&node["routes"]);
        let fallback = node["parameters"]["else"].as_u64().map(|place| place as usize);
        let mut taken = false;
        for (_, route) in routes.iter().enumerate().filter(|(place, _)| Some(*place) != fallback) {
            if self.passes(&route["flow"][0], scope) {
                taken = true;
                self.enter(&route["flow"][0], scope, true)?;
            }
        }
        match fallback.map(|place| &routes[place]["flow"][0]) {
            Some(entrance) if !taken && self.passes(entrance, scope) => self.enter(entrance, scope, true),
            _ => Ok(()),
        }
    }

    fn choose(&mut self, node: &'a Json, scope: &Scope) -> Walk {
        let branches = list(&node["branches"]);
        let fits = |branch: &&Json| branch["type"] == "else" || self.holds(&branch["conditions"], scope);
        // The one for all others stands last.
        let Some(branch) = branches.iter().find(fits) else { return Ok(()) };
        if let Some(first) = branch["flow"].get(0) {
            return self.enter(first, scope, false);
        }
        let merging = branches.iter().filter(|branch| branch["merge"] == true);
        match merging.into_iter().position(|other| std::ptr::eq(other, branch)) {
            Some(place) => self.onward(Onward::Merge { choice: id_of(node), place }, scope),
            None => Ok(()),
        }
    }

    fn repeat(&mut self, node: &'a Json, input: &Value, scope: &Scope) -> Walk {
        self.rounds_of(node, None, input.field("repeats").to_i64().unwrap_or(20), scope)
    }

    /// Tells the rounds of a repetition from the first on, or from the end of
    /// one that was `under_way`.
    fn rounds_of(&mut self, node: &'a Json, under_way: Option<(i64, Scope)>, rounds_max: i64, scope: &Scope) -> Walk {
        let id = id_of(node);
        let (mut round, mut ended) = under_way.map_or((0, None), |(round, last)| (round, Some(last)));
        loop {
            let last = match ended.take() {
                Some(last) => Some(last),
                None => {
                    round += 1;
                    self.rounds.push((id, None));
                    let place = Value::collection([("i", Value::Int(round))]);
                    let inside = [scope.as_slice(), &[(id, place, Some(round as u64))]].concat();
                    let aside_before = self.set_aside.len();
                    self.enter(&node["flow"][0], &inside, false)?;
                    let last = self.rounds.pop().expect("it was pushed").1;
                    if last.is_none() && self.set_aside.len() > aside_before {
                        // What was set aside repeats when it goes on.
                        return Ok(());
                    }
                    last
                }
            };
            let is_met = last.as_ref().is_some_and(|last| self.holds(&node["until"]["conditions"], last));
            let gives_up = round >= rounds_max;
            if is_met || gives_up && node["parameters"]["whenExhausted"] == "continue" {
                self.done(node, OperationStatus::Success);
                let bundle = last.and_then(|last| last.last().map(|(_, bundle, _)| bundle.clone()));
                return self.emit(id, vec![bundle.unwrap_or_default()], scope);
            }
            if gives_up {
                return self.fail(node, scope, "DataError");
            }
        }
    }

    fn close(&mut self, id: u32, items: Vec<(Value, Value)>, scope: &Scope) -> Walk {
        let (nodes, place, _) = self.places[&id];
        let node = &nodes[place];
        if items.is_empty() && node["flags"]["stopIfEmpty"] == true {
            return Ok(());
        }
        let mut groups: Vec<(Value, Vec<Value>)> = Vec::new();
        for (key, item) in items {
            match groups.iter_mut().find(|(known, _)| *known == key) {
                Some((_, group)) => group.push(item),
                None => groups.push((key, vec![item])),
            }
        }
        if groups.is_empty() {
            groups.push((Value::Absent, Vec::new()));
        }
        let counts = node["module"] == "util:FunctionAggregator2";
        let is_grouped = node["flags"].get("groupBy").is_some();
        let bundle = |(key, group): (Value, Vec<Value>)| {
            let made = if counts { ("result", Value::Int(group.len() as i64)) } else { ("array", Value::array(group)) };
            Value::collection(is_grouped.then_some(("key", key)).into_iter().chain([made]))
        };
        let bundles = groups.into_iter().map(bundle).collect();
        self.done(node, OperationStatus::Success);
        self.emit(id, bundles, scope)
    }
}

/// What templates see.
struct Around<'a> {
    run: &'a str,
    scope: &'a Scope,
    chance: &'a SeededChance,
}

impl Surroundings for Around<'_> {
    fn bundle(&self, module: u32) -> Option<Value> {
        self.scope.iter().rev().find(|(id, ..)| *id == module).map(|(_, bundle, _)| bundle.clone())
    }

    fn name(&self, name: &str) -> Option<Value> {
        (name == "executionId").then(|| Value::text(self.run))
    }

    fn now(&self) -> Timestamp {
        Timestamp::EPOCH
    }

    fn chance(&self) -> &dyn Chance {
        self.chance
    }
}
