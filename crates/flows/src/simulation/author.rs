//! Flows that nobody would draw: any modules in any order, as long as the
//! check of a flow finds no error in them.

use base::Chance;
use base::chance::SeededChance;
use serde_json::{Value as Json, json};

/// Modules of one flow at most, more or less.
const MODULES: u32 = 14;
/// Routes, branches and bodies inside one another.
const DEPTH: u32 = 3;

/// Chance, in the words of somebody who draws.
pub(super) struct Lots(pub(super) SeededChance);

impl Lots {
    pub(super) fn new(seed: u64) -> Self {
        Lots(SeededChance::new(seed))
    }

    pub(super) fn below(&self, end: u64) -> u64 {
        self.0.number() % end
    }

    pub(super) fn one_in(&self, count: u64) -> bool {
        self.below(count) == 0
    }

    pub(super) fn pick<'a, T>(&self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len() as u64) as usize]
    }
}

/// What starts a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Starts {
    Signal {
        results_max: u32,
    },
    Schedule {
        seconds: u64,
    },
    /// Another flow calls it.
    Call,
}

/// What stays the same in all versions of a flow.
#[derive(Clone, Copy, Debug)]
pub(super) struct Manner {
    pub(super) starts: Starts,
    pub(super) sequential: bool,
    pub(super) retries: u64,
    /// Failed bundles are stored.
    pub(super) stores: bool,
    /// What began a run that failed goes back to its hook.
    pub(super) returns: bool,
}

impl Manner {
    pub(super) fn draw(lots: &Lots) -> Self {
        let starts = match lots.below(6) {
            0 => Starts::Schedule { seconds: 900 },
            draw => Starts::Signal { results_max: draw as u32 % 3 + 1 },
        };
        Manner::of(starts, lots)
    }

    /// Draws a flow that other flows call.
    pub(super) fn of_called(lots: &Lots) -> Self {
        Manner::of(Starts::Call, lots)
    }

    fn of(starts: Starts, lots: &Lots) -> Self {
        let returns = matches!(starts, Starts::Signal { .. }) && lots.one_in(4);
        Manner { starts, sequential: lots.one_in(3), retries: lots.below(4), stores: !lots.one_in(3), returns }
    }
}

/// Writes a version of a flow, which may call others by their keys.
pub(super) fn write(lots: &Lots, manner: Manner, callable: &[String]) -> Json {
    let mut author = Author { lots, manner, callable, last_id: 1, left: 3 + lots.below(u64::from(MODULES)) as u32 };
    let first = match manner.starts {
        Starts::Signal { results_max } => json!({
            "id": 1, "module": "loopwright:Signal",
            "parameters": {"knowledgeModel": "p.k", "trigger": "T", "maxResults": results_max},
        }),
        Starts::Schedule { .. } => json!({"id": 1, "module": "loopwright:Manual"}),
        Starts::Call => json!({"id": 1, "module": "scenario-service:StartSubscenario"}),
    };
    let mut view = View { seen: vec!["1.n".into()], feeders: vec![1], depth: 0 };
    let mut flow = vec![first];
    if manner.stores {
        // So that no two bundles that are set aside are the same.
        let id = author.id();
        flow.push(json!({"id": id, "module": "util:ComposeTransformer", "mapper": {"value": "{{executionId}}"}}));
        if matches!(manner.starts, Starts::Schedule { .. }) {
            view.feeders.clear();
        }
    }
    flow.extend(author.sequence(&mut view, true));
    let mut document = json!({
        "name": "made by chance",
        "flow": flow,
        "metadata": {
            "version": 1,
            "scenario": {"sequential": manner.sequential, "maxErrors": 1_000_000, "dlq": manner.stores},
            "loopwright": {
                "retries": manner.retries,
                // What fails for ever must not go round for ever.
                "instantErrorsMax": if manner.returns { 3 } else { 1_000_000 },
                "returnsItems": manner.returns,
            },
        },
    });
    if let Starts::Schedule { seconds } = manner.starts {
        document["scheduling"] = json!({"type": "indefinitely", "interval": seconds});
    }
    document
}

/// Writes the version that in the end mends a flow whose items go round.
pub(super) fn write_mended(manner: Manner) -> Json {
    let Starts::Signal { results_max } = manner.starts else { unreachable!("only items go back") };
    json!({
        "name": "mended",
        "flow": [
            {"id": 1, "module": "loopwright:Signal",
                "parameters": {"knowledgeModel": "p.k", "trigger": "T", "maxResults": results_max}},
            {"id": 2, "module": "http:ActionSendData",
                "mapper": {"url": "https://peer/{{executionId}}/2/{{1.n}}", "method": "put", "parseResponse": true}},
        ],
        "metadata": {
            "version": 1,
            "scenario": {"sequential": manner.sequential},
            "loopwright": {"retries": manner.retries, "instantErrorsMax": 3, "returnsItems": true},
        },
    })
}

struct Author<'a> {
    lots: &'a Lots,
    manner: Manner,
    callable: &'a [String],
    last_id: u32,
    left: u32,
}

/// What can be used at a place.
#[derive(Clone)]
struct View {
    /// Expressions that come to something, more often than not.
    seen: Vec<String>,
    /// Modules whose operation is still open, outermost first.
    feeders: Vec<u32>,
    depth: u32,
}

impl View {
    /// Returns what can be seen inside a route, branch or body.
    fn inside(&self) -> View {
        View { depth: self.depth + 1, ..self.clone() }
    }
}

impl Author<'_> {
    fn id(&mut self) -> u32 {
        self.last_id += 1;
        self.left = self.left.saturating_sub(1);
        self.last_id
    }

    fn value(&self, view: &View) -> String {
        match self.lots.below(4) {
            0 => self.lots.below(4).to_string(),
            _ => format!("{{{{{}}}}}", self.lots.pick(&view.seen)),
        }
    }

    fn conditions(&self, view: &View) -> Json {
        let operators = ["number:equal", "number:notequal", "number:less", "number:greaterorequal"];
        let condition = || {
            let left = format!("{{{{{}}}}}", self.lots.pick(&view.seen));
            json!({"a": left, "o": self.lots.pick(&operators), "b": self.lots.below(4).to_string()})
        };
        match self.lots.below(4) {
            0 => json!([[condition(), condition()]]),
            1 => json!([[condition()], [condition()]]),
            _ => json!([[condition()]]),
        }
    }

    fn sequence(&mut self, view: &mut View, is_long: bool) -> Vec<Json> {
        let mut nodes = Vec::new();
        let length = 1 + self.lots.below(if is_long { 6 } else { 3 });
        for place in 0..length {
            let ends = self.step(view, &mut nodes);
            // A filter where the check of a flow has nothing against it.
            let last = nodes.len() - 1;
            let is_plain = !nodes[last]["module"].as_str().is_some_and(|name| name.contains("Merge"));
            if is_plain && self.lots.one_in(6) && (place > 0 || view.depth > 0) && nodes.len() == place as usize + 1 {
                let before = View { seen: view.seen.clone(), ..view.clone() };
                nodes[last]["filter"] = json!({"name": "by chance", "conditions": self.conditions(&before)});
            }
            if ends || self.left == 0 {
                break;
            }
        }
        nodes
    }

    /// Adds a module, or two that belong together; tells whether nothing can
    /// stand behind.
    fn step(&mut self, view: &mut View, nodes: &mut Vec<Json>) -> bool {
        let may_nest = view.depth < DEPTH && self.left > 2;
        if !self.callable.is_empty() && self.lots.one_in(8) {
            let node = self.call(view);
            nodes.push(node);
            return false;
        }
        if matches!(self.manner.starts, Starts::Signal { .. }) && self.lots.one_in(10) {
            let id = self.id();
            let body = format!("{{{{executionId}}}} {} {}", self.value(view), self.value(view));
            let mapper = json!({"status": (200 + self.lots.below(5)).to_string(), "body": body});
            nodes.push(json!({"id": id, "module": "gateway:WebhookRespond", "mapper": mapper}));
            return false;
        }
        if self.manner.starts == Starts::Call && self.lots.one_in(6) {
            let id = self.id();
            let mapper = json!({"n": self.value(view)});
            nodes.push(json!({"id": id, "module": "scenario-service:ReturnData", "mapper": mapper}));
            view.seen.push(format!("{id}.n"));
            return false;
        }
        match self.lots.below(if self.manner.stores { 26 } else { 20 }) {
            0 => {
                let id = self.id();
                nodes.push(json!({
                    "id": id, "module": "util:SetVariable2", "mapper": {"name": format!("v{id}"), "value": self.value(view)},
                }));
                view.seen.push(format!("{id}.v{id}"));
            }
            1 => {
                let id = self.id();
                nodes.push(json!({"id": id, "module": "util:FunctionIncrement"}));
                view.seen.push(format!("{id}.i"));
            }
            2 => {
                let id = self.id();
                let text = format!("{}-{}", self.value(view), self.value(view));
                nodes.push(json!({"id": id, "module": "util:ComposeTransformer", "mapper": {"value": text}}));
                view.seen.push(format!("{id}.value"));
            }
            3 => {
                let id = self.id();
                let rows: Vec<Json> = (0..self.lots.below(3)).map(|row| json!({"v": row})).collect();
                let text = Json::from(rows).to_string();
                nodes.push(json!({"id": id, "module": "json:ParseJSON", "mapper": {"json": text}}));
                view.seen.push(format!("{id}.v"));
            }
            4 | 5 => {
                let id = self.id();
                let repeats = self.lots.below(4).to_string();
                nodes.push(json!({"id": id, "module": "builtin:BasicRepeater", "mapper": {"repeats": repeats}}));
                view.seen.push(format!("{id}.i"));
                view.feeders.push(id);
            }
            6 => {
                let id = self.id();
                let array = self.lots.pick(&["{{1.list}}", "{{split(\"2,0,1\"; \",\")}}", "{{emptyarray}}"]);
                nodes.push(json!({"id": id, "module": "builtin:BasicFeeder", "mapper": {"array": array}}));
                view.seen.push(format!("{id}.value"));
                view.feeders.push(id);
            }
            7 | 8 if !view.feeders.is_empty() => self.aggregator(view, nodes),
            9 => {
                let id = self.id();
                let seconds = self.lots.pick(&[1, 1, 30, 250]);
                nodes.push(json!({"id": id, "module": "util:FunctionSleep", "mapper": {"duration": seconds}}));
            }
            10 if may_nest => {
                self.router(view, nodes);
                return true;
            }
            11 if may_nest => self.repeat_until(view, nodes),
            12 if may_nest => return self.if_else(view, nodes),
            13 if self.manner.stores || self.lots.one_in(2) => {
                let id = self.id();
                let mut node = json!({"id": id, "module": "loopwright:Fail", "mapper": {"message": "by chance"}});
                if self.manner.stores {
                    let classes = ["RuntimeError", "DataError", "ConnectionError", "InvalidConfigurationError"];
                    node["mapper"]["type"] = json!(self.lots.pick(&classes));
                }
                node["filter"] = json!({"conditions": self.conditions(view)});
                self.error_route(view, &mut node);
                nodes.push(node);
            }
            _ => {
                let node = self.request(view);
                nodes.push(node);
            }
        }
        false
    }

    fn aggregator(&mut self, view: &mut View, nodes: &mut Vec<Json>) {
        let id = self.id();
        let place = self.lots.below(view.feeders.len() as u64) as usize;
        let feeder = view.feeders[place];
        view.feeders.truncate(place);
        let mut node = json!({"id": id, "parameters": {"feeder": feeder}});
        if self.lots.one_in(3) {
            node["module"] = json!("util:FunctionAggregator2");
            node["parameters"]["fn"] = json!("count");
            node["mapper"] = json!({"value": self.value(view)});
            view.seen = vec![format!("{id}.result"), "1.n".into()];
        } else {
            node["module"] = json!("builtin:BasicAggregator");
            node["mapper"] = json!({"x": self.value(view), "y": self.value(view)});
            view.seen = vec![format!("length({id}.array)"), format!("{id}.array[1].x"), format!("{id}.key")];
        }
        node["flags"] = json!({"stopIfEmpty": self.lots.one_in(3)});
        if self.lots.one_in(3) {
            node["flags"]["groupBy"] = json!(format!("{{{{{}}}}}", self.lots.pick(&view.seen.clone())));
        }
        nodes.push(node);
    }

    fn router(&mut self, view: &View, nodes: &mut Vec<Json>) {
        let id = self.id();
        let count = 1 + self.lots.below(3);
        let routes: Vec<Json> = (0..count)
            .map(|_| {
                let mut inside = view.inside();
                let mut flow = self.sequence(&mut inside, false);
                if self.lots.one_in(2) {
                    flow[0]["filter"] = json!({"conditions": self.conditions(view)});
                }
                json!({"flow": flow})
            })
            .collect();
        let mut node = json!({"id": id, "module": "builtin:BasicRouter", "routes": routes});
        if self.lots.one_in(3) {
            node["parameters"] = json!({"else": self.lots.below(count)});
        }
        nodes.push(node);
    }

    fn repeat_until(&mut self, view: &mut View, nodes: &mut Vec<Json>) {
        let id = self.id();
        let mut inside = View { feeders: Vec::new(), ..view.inside() };
        inside.seen.push(format!("{id}.i"));
        let mut body = match self.lots.one_in(2) {
            true => self.sequence(&mut inside, false),
            false => Vec::new(),
        };
        // A router has no end, so no round would come to one.
        let ends = body.last().is_some_and(|last| matches!(last["module"].as_str(), Some("builtin:BasicRouter")));
        if !ends {
            let poll = self.request(&mut inside);
            let poll_id = poll["id"].clone();
            body.push(poll);
            inside.seen = vec![format!("{poll_id}.data.n")];
        }
        let mut node = json!({
            "id": id, "module": "loopwright:RepeatUntil", "mapper": {"repeats": (1 + self.lots.below(3)).to_string()},
            "flow": body, "until": {"conditions": self.conditions(&inside)},
        });
        if self.lots.one_in(2) {
            node["parameters"] = json!({"whenExhausted": "continue"});
        } else {
            self.error_route(view, &mut node);
        }
        nodes.push(node);
        view.seen.push(format!("{id}.data.n"));
    }

    /// Adds an if-else, perhaps with a merge; tells whether it has none.
    fn if_else(&mut self, view: &mut View, nodes: &mut Vec<Json>) -> bool {
        let id = self.id();
        let merges = self.lots.below(3) > 0;
        let mut mappings = Vec::new();
        let mut branches = Vec::new();
        let count = 1 + self.lots.below(2);
        for number in 0..=count {
            let mut inside = View { feeders: Vec::new(), ..view.inside() };
            let flow = if self.lots.one_in(3) { Vec::new() } else { self.sequence(&mut inside, false) };
            let mut branch = match number == count {
                true => json!({"type": "else", "flow": flow}),
                false => json!({"type": "condition", "flow": flow, "conditions": self.conditions(view)}),
            };
            if merges && self.lots.below(4) > 0 {
                branch["merge"] = json!(true);
                mappings.push(self.value(&inside));
            }
            branches.push(branch);
        }
        nodes.push(json!({"id": id, "module": "builtin:BasicIfElse", "branches": branches}));
        if mappings.is_empty() {
            return true;
        }
        let id = self.id();
        nodes.push(json!({
            "id": id, "module": "builtin:BasicMerge", "outputs": [{"name": "m", "mappings": mappings}],
        }));
        view.seen.push(format!("{id}.m"));
        false
    }

    /// Writes a request: of a safe method, of one that is not, or with the key
    /// of its operation. Two values that no reference can know travel along: a
    /// repeated request must have the same.
    fn request(&mut self, view: &mut View) -> Json {
        let id = self.id();
        let url = format!("https://peer/{{{{executionId}}}}/{id}/{}/{}", self.value(view), self.value(view));
        let method = *self.lots.pick(&["get", "put", "post", "post", "POST"]);
        let mut headers = vec![json!({"name": "x-luck", "value": "{{random}} {{timestamp}}"})];
        if method == "POST" {
            headers.push(json!({"name": "x-key", "value": "{{operationKey}}"}));
        }
        let mut mapper = json!({"url": url, "method": method, "headers": headers, "parseResponse": true});
        if method != "get" {
            mapper["bodyType"] = json!("raw");
            mapper["data"] = json!(format!("{}|{}", self.value(view), self.value(view)));
        }
        let mut node = json!({
            "id": id, "module": "http:ActionSendData", "mapper": mapper,
            "parameters": {"handleErrors": self.lots.one_in(2)},
        });
        self.error_route(view, &mut node);
        view.seen.push(format!("{id}.data.n"));
        if self.lots.one_in(3) {
            view.seen.push(format!("{id}.statusCode"));
        }
        node
    }

    /// Writes a call of another flow, which is waited for or not.
    fn call(&mut self, view: &mut View) -> Json {
        let id = self.id();
        let waits = !self.lots.one_in(4);
        let mut node = json!({
            "id": id, "module": "loopwright:CallFlow",
            "parameters": {"flow": self.lots.pick(self.callable), "wait": waits},
            "mapper": {"input": {"n": (1 + self.lots.below(3)).to_string(), "list": [1, 0, self.lots.below(3)]}},
        });
        self.error_route(view, &mut node);
        if waits {
            view.seen.push(format!("{id}.n"));
        }
        node
    }

    fn error_route(&mut self, view: &View, node: &mut Json) {
        if self.lots.one_in(if self.manner.stores { 3 } else { 2 }) {
            return;
        }
        let mut inside = View { feeders: Vec::new(), ..view.inside() };
        let mut route = Vec::new();
        if self.left > 0 && self.lots.one_in(3) {
            let mut request = self.request(&mut inside);
            request.as_object_mut().expect("it is an object").remove("onerror");
            route.push(request);
        }
        let id = self.id();
        match self.lots.below(if self.manner.stores { 14 } else { 8 }) {
            8.. => {
                let mut mapper = json!({"retry": self.lots.below(4) > 0});
                if self.lots.one_in(2) {
                    mapper["count"] = json!(1 + self.lots.below(3));
                    mapper["interval"] = json!(1 + self.lots.below(4));
                }
                route.push(json!({"id": id, "module": "builtin:Break", "mapper": mapper}));
            }
            0..3 => route.push(json!({"id": id, "module": "builtin:Ignore"})),
            3..6 => route.push(json!({"id": id, "module": "builtin:Resume", "mapper": {"data": {"n": "2"}}})),
            6 => route.push(json!({"id": id, "module": "builtin:Commit"})),
            7 => route.push(json!({"id": id, "module": "builtin:Rollback"})),
        }
        node["onerror"] = Json::from(route);
    }
}
