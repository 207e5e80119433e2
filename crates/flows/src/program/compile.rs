//! From a document to the steps of a program, with everything that can be
//! said about them without running.

use jiff::tz::TimeZone;
use serde_json::Value as Json;

use super::mapper::Form;
use super::{Branch, Mapper, MergeOutput, Next, Start, Step, StepIndex, Structures};
use crate::blueprint::{ModuleNode, Scenario};
use crate::databricks::Wanted;
use crate::filter::Filter;
use crate::flow::{Notice, Severity};
use crate::flows::check_name;
use crate::mapping::{Expression, Root, Segment, Template, is_known};
use crate::modules::{self, Behaviour, Module};
use crate::structure::{Field, Structure, fields_of};
use crate::value::{FieldType, Value};

/// Modules inside one another, in routes and bodies.
const DEPTH_MAX: usize = 32;

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    First,
    Main,
    ErrorRoute,
}

pub(super) struct Compiler<'a> {
    /// Structures that may be named …
    pub(super) structures: &'a Structures,
    /// … and those that are.
    pub(super) used: Structures,
    pub(super) steps: Vec<Step>,
    pub(super) notices: Vec<Notice>,
    pub(super) escape_json: bool,
    pub(super) depth: usize,
}

impl Compiler<'_> {
    fn notice(&mut self, severity: Severity, module: Option<u32>, field: Option<&str>, text: String) {
        self.notices.push(Notice { severity, module, field: field.map(str::to_owned), text });
    }

    pub(super) fn error(&mut self, module: Option<u32>, field: Option<&str>, text: String) {
        self.notice(Severity::Error, module, field, text);
    }

    /// Says what of `metadata.scenario` is not acted on, and what to do instead.
    pub(super) fn check_scenario(&mut self, scenario: &Scenario) {
        let mut disregarded = |field: &str, text: &str| {
            self.notice(Severity::Warning, None, Some(field), text.to_owned());
        };
        if !scenario.slots.is_null() {
            let text = "how many runs there may be at the same time cannot be set: it is as many as the engine takes; \
                        write \"sequential\": true for one after the other";
            disregarded("metadata.scenario.slots", text);
        }
        if scenario.fresh_variables.as_bool() == Some(true) {
            let text = "a run keeps the flow's variables as they were when it began; what changes meanwhile is for \
                        the next one";
            disregarded("metadata.scenario.freshVariables", text);
        }
    }

    fn warning(&mut self, module: u32, field: &str, text: String) {
        self.notice(Severity::Warning, Some(module), Some(field), text);
    }

    /// Compiles modules that follow one another; returns where to enter. What
    /// comes out of the last one goes `onward`. `before` holds the ids of the
    /// modules whose bundles can be seen.
    pub(super) fn sequence(&mut self, nodes: &[ModuleNode], onward: Next, before: &mut Vec<u32>, place: Place) -> Next {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            self.error(None, None, format!("more than {DEPTH_MAX} routes inside one another"));
            self.depth -= 1;
            return Next::End;
        }
        let mut entrance = Next::End;
        let mut last: Option<StepIndex> = None;
        for (position, node) in nodes.iter().enumerate() {
            let place = if place == Place::First && position > 0 { Place::Main } else { place };
            let index = self.step(node, onward, before, place);
            if let Some(Module { behaviour: Behaviour::Merge, .. }) = self.steps[index].module {
                self.merge(node, index, position.checked_sub(1).map(|before| &nodes[before]));
            }
            let next = nodes.get(position + 1).map(|next| next.module.as_str());
            if node.branches.iter().any(|branch| branch.merge) && next != Some(modules::builtin::merge::MERGE.name) {
                let text = "a branch comes back, and no merge stands behind";
                self.error(Some(node.id), Some("branches"), text.into());
            }
            match last {
                None => entrance = Next::Step(index),
                Some(last) => self.steps[last].next = Next::Step(index),
            }
            last = Some(index);
            before.push(node.id);
        }
        if let Some(last) = last {
            self.steps[last].next = onward;
        }
        self.depth -= 1;
        entrance
    }

    fn step(&mut self, node: &ModuleNode, onward: Next, before: &mut Vec<u32>, place: Place) -> StepIndex {
        let id = node.id;
        if self.steps.iter().any(|step| step.id == id) {
            self.error(Some(id), None, format!("the id {id} stands twice"));
        }
        let module = modules::for_node(node);
        match module {
            // It can be looked at and stored; its place may never be reached.
            None => {
                let text = format!("module \"{}\" does not exist here: a run fails when it comes to it", node.module);
                self.notice(Severity::Warning, Some(id), None, text);
            }
            Some(module) => self.check_module(node, module, place),
        }
        let escape_json = self.escape_json;
        let is_json = |field: &str| escape_json && module.is_some_and(|module| (module.is_json)(node, field));
        let mut problems = Vec::new();
        let mapper = Mapper::compile(&node.mapper, &is_json, &mut problems);
        for (field, problem) in problems {
            self.warning(id, &format!("mapper.{field}"), problem.to_string());
        }
        let mapper = mapper.typed(self.form(node, module));
        let filter = self.filter(node, &node.filter, "filter");
        if place == Place::First && filter.is_some() {
            self.warning(id, "filter", "the first module has no filter; it is not looked at".into());
        }
        let until = self.filter(node, &node.until, "until");
        let group_by = node.flags.get("groupBy").and_then(Json::as_str).filter(|text| !text.is_empty());
        let group_by = group_by.and_then(|text| match Template::parse(text) {
            Ok(template) => Some(template),
            Err(problem) => {
                self.error(Some(id), Some("flags.groupBy"), problem.to_string());
                None
            }
        });
        let index = self.steps.len();
        let mut sends_key = false;
        for (field, template) in mapper.templates() {
            for expression in template.expressions() {
                sends_key |= uses_key(expression);
                self.check_expression(id, &format!("mapper.{field}"), expression, before);
            }
        }
        for (field, filter) in [("filter", &filter), ("until", &until)] {
            // The end of a body sees the modules inside.
            let inside: Vec<u32> = node.flow.iter().map(|inner| inner.id).collect();
            let seen = [before.as_slice(), if field == "until" { &inside } else { &[] }].concat();
            self.check_filter(id, field, filter.as_ref(), &seen);
        }
        self.steps.push(Step {
            id,
            label: node.label().map(str::to_owned),
            module,
            module_name: node.module.clone(),
            parameters: node.parameters.clone(),
            mapper,
            filter: if place == Place::First { None } else { filter },
            next: onward,
            on_error: None,
            routes: Vec::new(),
            fallback: None,
            branches: Vec::new(),
            outputs: Vec::new(),
            merge_filters: Vec::new(),
            body: Next::End,
            until,
            feeds: Vec::new(),
            group_by,
            stop_if_empty: node.flags.get("stopIfEmpty").and_then(Json::as_bool).unwrap_or(false),
            is_watched: false,
            sends_key,
            handles: None,
        });
        self.inside(node, index, before, if place == Place::ErrorRoute { place } else { Place::Main });
        index
    }

    /// Finds what is known of the types of a module's fields: the structure
    /// that it names, or else the specification in the document, or else what
    /// the module's schema says.
    fn form(&mut self, node: &ModuleNode, module: Option<&Module>) -> Form {
        let expected = fields_of(&node.metadata["expect"]);
        let named = node.parameters.get("type").map(|name| Value::from_json(name.clone()).to_text());
        if let Some(name) = named.filter(|name| !name.is_empty() && modules::writes_structure(node)) {
            if let Some(structure) = self.structures.get(&name) {
                self.used.insert(name, structure.clone());
                return Form::Structure(for_document(node, structure.clone()));
            }
            if expected.is_empty() {
                let text = format!("there is no structure \"{name}\": its fields are written as they come");
                self.warning(node.id, "parameters.type", text);
            }
        }
        if modules::writes_structure(node) && !expected.is_empty() {
            return Form::Structure(for_document(node, Structure { fields: expected, strict: false }));
        }
        let mut fields = expected;
        for field in module.map(Module::typed_fields).unwrap_or_default() {
            if fields.iter().all(|known| known.name != field.name) {
                fields.push(field);
            }
        }
        Form::Fields(fields)
    }

    /// Compiles what hangs on a step: routes, body, error route.
    fn inside(&mut self, node: &ModuleNode, index: StepIndex, before: &[u32], place: Place) {
        let mut seen = before.to_vec();
        seen.push(node.id);
        let behaviour = self.steps[index].module.map(|module| module.behaviour);
        if let Some(Behaviour::Router) = behaviour {
            let mut routes = Vec::new();
            for route in &node.routes {
                routes.push(self.sequence(&route.flow, Next::End, &mut seen.clone(), place));
            }
            if routes.is_empty() {
                self.error(Some(node.id), Some("routes"), "a router needs at least one route".into());
            }
            let fallback =
                node.parameters.get("else").and_then(Json::as_u64).and_then(|place| usize::try_from(place).ok());
            if fallback.is_some_and(|place| place >= routes.len()) {
                self.error(Some(node.id), Some("parameters.else"), "there is no such route".into());
            }
            self.steps[index].fallback = fallback;
            self.steps[index].routes = routes;
        }
        if let Some(Behaviour::IfElse) = behaviour {
            self.branches(node, index, &seen, place);
        }
        if let Some(Behaviour::RepeatUntil) = behaviour {
            let body = self.sequence(&node.flow, Next::BodyEnd(index), &mut seen.clone(), place);
            if body == Next::End {
                self.error(Some(node.id), Some("flow"), "there is nothing to repeat".into());
            }
            if self.steps[index].until.is_none() {
                self.error(Some(node.id), Some("until"), "a condition that ends the repetition is missing".into());
            }
            self.steps[index].body = body;
        }
        if !node.onerror.is_empty() {
            let first = self.steps.len();
            let entrance = self.sequence(&node.onerror, Next::End, &mut seen, Place::ErrorRoute);
            // Those of an error route inside have theirs already.
            for step in self.steps[first..].iter_mut().filter(|step| step.handles.is_none()) {
                step.handles = Some(index);
            }
            self.steps[index].on_error = Some(entrance);
        }
    }

    /// Compiles the branches of an if-else. What follows it is not known yet.
    fn branches(&mut self, node: &ModuleNode, index: StepIndex, seen: &[u32], place: Place) {
        if node.branches.is_empty() {
            self.error(Some(node.id), Some("branches"), "an if-else needs at least one branch".into());
        }
        if node.branches.iter().filter(|branch| branch.kind == "else").count() > 1 {
            self.error(Some(node.id), Some("branches"), "only one branch can take all others".into());
        }
        let mut branches = Vec::new();
        let mut coming_back = 0;
        for (number, branch) in node.branches.iter().enumerate() {
            let onward = match branch.merge {
                true => Next::Merge { from: index, place: coming_back },
                false => Next::End,
            };
            coming_back += usize::from(branch.merge);
            let field = format!("branches[{}]", number + 1);
            let condition = match branch.kind.as_str() {
                "else" => None,
                _ => self.filter(node, &branch.conditions, &field).or_else(|| {
                    self.error(Some(node.id), Some(&field), "a branch needs conditions, or the type \"else\"".into());
                    None
                }),
            };
            self.check_filter(node.id, &field, condition.as_ref(), seen);
            let entrance = match branch.flow.as_slice() {
                [] => onward,
                flow => self.sequence(flow, onward, &mut seen.to_vec(), place),
            };
            if !branch.disabled {
                branches.push(Branch { place: number, label: branch.label.clone(), condition, entrance });
            }
        }
        // The one for all others is tried last, wherever it stands.
        branches.sort_by_key(|branch| branch.condition.is_none());
        self.steps[index].branches = branches;
    }

    /// Compiles what a merge gives, for the branches of the if-else before it.
    fn merge(&mut self, node: &ModuleNode, index: StepIndex, before: Option<&ModuleNode>) {
        let Some(choice) = before.filter(|before| !before.branches.is_empty()) else {
            self.error(Some(node.id), None, "a merge stands right behind an if-else".into());
            return;
        };
        // What can be seen depends on the branch; all of them count.
        let mut seen = Vec::new();
        choice.branches.iter().for_each(|branch| ids_inside(&branch.flow, &mut seen));
        seen.extend(self.steps.iter().map(|step| step.id));
        let coming_back: Vec<usize> =
            (0..choice.branches.len()).filter(|place| choice.branches[*place].merge).collect();
        let mut outputs = Vec::new();
        for output in &node.outputs {
            if output.mappings.len() != coming_back.len() {
                let (mapped, branches) = (output.mappings.len(), coming_back.len());
                let text = format!("\"{}\" has {mapped} mappings, and {branches} branches come back", output.name);
                self.error(Some(node.id), Some("outputs"), text);
            }
            let field = format!("outputs.{}", output.name);
            let mut problems = Vec::new();
            let mappings: Vec<Mapper> =
                output.mappings.iter().map(|mapping| Mapper::compile_value(mapping, &mut problems)).collect();
            for (_, problem) in problems {
                self.warning(node.id, &field, problem.to_string());
            }
            for (_, template) in mappings.iter().flat_map(Mapper::templates) {
                for expression in template.expressions() {
                    self.check_expression(node.id, &field, expression, &seen);
                }
            }
            outputs.push(MergeOutput { name: output.name.clone(), mappings });
        }
        // There may be one per branch, or one per branch that comes back.
        let is_per_branch = node.filters.len() == choice.branches.len();
        let of = |(place, branch): (usize, &usize)| if is_per_branch { *branch } else { place };
        let documents: Vec<Json> = coming_back
            .iter()
            .enumerate()
            .map(|place| node.filters.get(of(place)).cloned().unwrap_or_default())
            .collect();
        let filters = documents.iter().map(|document| self.filter(node, document, "filters")).collect();
        self.steps[index].outputs = outputs;
        self.steps[index].merge_filters = filters;
    }

    fn check_filter(&mut self, id: u32, field: &str, filter: Option<&Filter>, seen: &[u32]) {
        for template in filter.into_iter().flat_map(Filter::templates) {
            for expression in template.expressions() {
                self.check_expression(id, field, expression, seen);
            }
        }
    }

    fn check_module(&mut self, node: &ModuleNode, module: &Module, place: Place) {
        let starts = matches!(module.behaviour, Behaviour::Start(_));
        if starts && place != Place::First {
            self.error(Some(node.id), None, format!("\"{}\" can only be the first module", node.module));
        }
        if matches!(module.behaviour, Behaviour::Directive(_)) && place != Place::ErrorRoute {
            self.error(Some(node.id), None, format!("\"{}\" can only stand in an error route", node.module));
        }
        if node.parameters.get("saveAfterSent").is_some_and(|saves| *saves == Json::Bool(true)) {
            let text = "the mail is sent, and not saved: a mail server of a connection only sends".to_owned();
            self.warning(node.id, "parameters.saveAfterSent", text);
        }
        if let Some(version) = node.version
            && !module.versions.contains(&version)
        {
            let known = module.versions.iter().max().copied().unwrap_or_default();
            self.warning(node.id, "version", format!("version {version} is not known, it runs as version {known}"));
        }
    }

    fn filter(&mut self, node: &ModuleNode, document: &Json, field: &str) -> Option<Filter> {
        if document.is_null() {
            return None;
        }
        let mut unknown = Vec::new();
        let filter = Filter::read(document, &mut |operator| unknown.push(operator.to_owned()));
        for operator in unknown {
            self.warning(node.id, field, format!("operator \"{operator}\" does not exist: the condition never holds"));
        }
        match filter {
            Ok(filter) => Some(filter),
            Err(problem) => {
                self.error(Some(node.id), Some(field), problem);
                None
            }
        }
    }

    fn check_expression(&mut self, id: u32, field: &str, expression: &Expression, before: &[u32]) {
        let mut texts = Vec::new();
        expression.unknown_calls(&mut |name, _| texts.push(format!("function \"{name}\" does not exist")));
        expression.references(&mut |root, _, _| match root {
            Root::Module(other) if *other == id || before.contains(other) => {}
            Root::Module(other) => {
                texts.push(format!("module {other} does not come before this one: its bundle is absent"));
            }
            Root::Name(name) if is_known(name) => {}
            Root::Name(name) => texts.push(self.missing_name(name, before)),
        });
        for text in texts {
            self.warning(id, field, text);
        }
    }

    /// Says that a name stands for nothing, and which place is likely meant.
    fn missing_name(&self, name: &str, before: &[u32]) -> String {
        let step_of = |id: &u32| self.steps.iter().find(|step| step.id == *id);
        let is_http = |step: &&Step| modules::http::NAMES.contains(&step.module_name.as_str());
        let steps: Vec<&Step> = before.iter().rev().filter_map(step_of).collect();
        match steps.iter().find(|step| is_http(step)).or(steps.first()) {
            Some(step) if is_http(step) => {
                format!("\"{name}\" stands for nothing: write {{{{{}.data.{name}}}}}", step.id)
            }
            Some(step) => format!("\"{name}\" stands for nothing: write {{{{{}.{name}}}}}", step.id),
            None => format!("\"{name}\" stands for nothing"),
        }
    }

    /// Settles what needs all steps: which aggregator closes with which
    /// feeder, and whose status a filter reads.
    pub(super) fn finish(&mut self) {
        for index in 0..self.steps.len() {
            let Some(module) = self.steps[index].module else { continue };
            if !matches!(module.behaviour, Behaviour::Aggregator(_)) {
                continue;
            }
            let id = self.steps[index].id;
            let feeder = self.steps[index].parameters.get("feeder").and_then(Json::as_u64);
            let feeder = feeder.and_then(|feeder| self.steps.iter().position(|step| u64::from(step.id) == feeder));
            match feeder {
                Some(feeder) if feeder < index => self.steps[feeder].feeds.push(index),
                _ => self.error(
                    Some(id),
                    Some("parameters.feeder"),
                    "the source module must come before the aggregator".into(),
                ),
            }
        }
        let mut read = Vec::new();
        let conditions = |step: &'_ Step| -> Vec<Filter> {
            let branches = step.branches.iter().filter_map(|branch| branch.condition.clone());
            let merges = step.merge_filters.iter().flatten().cloned();
            step.filter.iter().chain(&step.until).cloned().chain(branches).chain(merges).collect()
        };
        for filter in self.steps.iter().flat_map(conditions) {
            for expression in filter.templates().flat_map(Template::expressions) {
                expression.references(&mut |root, path, _| {
                    let status = matches!(path.first(), Some(Segment::Name(name)) if name == "statusCode");
                    if let (Root::Module(id), true) = (root, status) {
                        read.push(*id);
                    }
                });
            }
        }
        for step in &mut self.steps {
            step.is_watched |= read.contains(&step.id);
        }
    }

    /// Finds the time zone that a flow names.
    pub(super) fn zone(&mut self, name: Option<&str>) -> TimeZone {
        let Some(name) = name.filter(|name| !name.is_empty()) else { return TimeZone::UTC };
        TimeZone::get(name).unwrap_or_else(|_| {
            let text = format!("\"{name}\" is not a time zone such as Europe/Berlin");
            self.error(None, Some("metadata.loopwright.zone"), text);
            TimeZone::UTC
        })
    }

    /// Finds what begins a run, and how many signals or requests one run takes
    /// where the module does not say.
    pub(super) fn start(&mut self, first: Next, results_usual: u32, webhook_results: u32) -> Start {
        let Next::Step(first) = first else {
            self.error(None, Some("flow"), "the flow has no modules".into());
            return Start::Nothing;
        };
        let step = &self.steps[first];
        if modules::gateway::takes_from_hook(&step.module_name) {
            return self.webhook(first, webhook_results);
        }
        if step.module_name == modules::databricks::run_ended::RUN_ENDED.name {
            let connection = modules::http::named::connection(&step.parameters);
            let results_max = step.parameters.get("maxResults").and_then(Json::as_u64).unwrap_or(1).clamp(1, 1_000);
            return match Wanted::read(&step.parameters, connection) {
                Ok(wanted) => Start::RunEnded { wanted, results_max: results_max as u32 },
                Err(text) => {
                    let id = step.id;
                    self.error(Some(id), Some("parameters"), text);
                    Start::Nothing
                }
            };
        }
        if step.module_name != modules::loopwright::signal::SIGNAL.name {
            return Start::Nothing;
        }
        let id = step.id;
        let text = |name: &str| step.parameters.get(name).and_then(Json::as_str).map(str::to_owned);
        let results_max =
            step.parameters.get("maxResults").and_then(Json::as_u64).unwrap_or(results_usual.into()).clamp(1, 1_000);
        if let (Some(knowledge_model), Some(trigger)) = (text("knowledgeModel"), text("trigger")) {
            return Start::Signal { knowledge_model, trigger, results_max: results_max as u32 };
        }
        self.error(Some(id), Some("parameters"), "\"knowledgeModel\" and \"trigger\" must be named".into());
        Start::Nothing
    }
}

/// In CSV everything has a text, even a collection.
fn for_document(node: &ModuleNode, mut structure: Structure) -> Structure {
    let is_text = |field: &&mut Field| field.kind == FieldType::Text;
    if node.module.starts_with("csv:") {
        structure.fields.iter_mut().filter(is_text).for_each(|field| field.kind = FieldType::Any);
    }
    structure
}

/// Requests to a hook that one run can take.
const WEBHOOK_RESULTS_MAX: u64 = 10_000;

impl Compiler<'_> {
    fn webhook(&mut self, first: StepIndex, results: u32) -> Start {
        let step = &self.steps[first];
        let id = step.id;
        let hook = match step.parameters.get("hook") {
            Some(Json::String(name)) if !name.is_empty() => Some(name.clone()),
            // The number of a hook that stayed behind where the blueprint came
            // from: here the flow has one of its own.
            _ => None,
        };
        let results_max = step.parameters.get("maxResults").and_then(Json::as_u64).unwrap_or(results.into());
        if let Some(name) = hook.as_ref().filter(|name| check_name(name).is_err()) {
            let text = format!("\"{name}\" is not the name of a hook: use letters, digits, \".\", \"_\" and \"-\"");
            self.error(Some(id), Some("parameters.hook"), text);
            return Start::Nothing;
        }
        Start::Webhook { hook, results_max: results_max.clamp(1, WEBHOOK_RESULTS_MAX) as u32 }
    }
}

fn ids_inside(nodes: &[ModuleNode], ids: &mut Vec<u32>) {
    for node in nodes {
        ids.push(node.id);
        node.routes.iter().for_each(|route| ids_inside(&route.flow, ids));
        node.branches.iter().for_each(|branch| ids_inside(&branch.flow, ids));
        ids_inside(&node.flow, ids);
    }
}

fn uses_key(expression: &Expression) -> bool {
    let mut used = false;
    expression.references(&mut |root, _, _| used |= matches!(root, Root::Name(name) if name == "operationKey"));
    used
}
