//! The structural rules of the original, and ways that nothing takes.

use serde_json::{Map, Value as Json};

use super::{id_of, name_of, warning};
use crate::blueprint::{List, Placed, Spot};
use crate::filter::Filter;
use crate::flow::Notice;
use crate::mapping::{Expression, Form, Root, Segment, Template};
use crate::modules::{self, Behaviour};
use crate::program::Program;
use crate::value::Value;

const ROUTER: &str = "builtin:BasicRouter";
const IF_ELSE: &str = "builtin:BasicIfElse";

/// Checks what a module is called and numbered by, of texts that cannot be
/// compiled too.
pub(super) fn identity(modules: &[Placed<'_>]) -> Vec<Notice> {
    let mut notices = Vec::new();
    for (spot, node) in modules {
        let at = place_of(spot);
        match node.get("id") {
            None => notices.push(warning(None, None, format!("{at} has no id: give it a number that no other has"))),
            Some(id) if id.as_u64().is_none_or(|id| id == 0) => {
                notices.push(warning(
                    None,
                    None,
                    format!("{at} has the id {id}, which is not a whole number from 1 on"),
                ));
            }
            Some(_) => {}
        }
        let name = name_of(node);
        if !is_module_name(name) {
            let text = format!("\"{name}\" is not the name of a module: it is written app:Name");
            notices.push(warning(id_of(node), Some("module"), text));
        }
        if node.get("version").is_some_and(|version| !version.is_null() && version.as_u64().is_none()) {
            let text = format!("the version {} is not a whole number", node["version"]);
            notices.push(warning(id_of(node), Some("version"), text));
        }
    }
    notices
}

/// Checks how modules stand to one another.
pub(super) fn check(modules: &[Placed<'_>], program: &Program) -> Vec<Notice> {
    let mut notices = Vec::new();
    for (place, (spot, node)) in modules.iter().enumerate() {
        let id = id_of(node);
        let behaviour = behaviour_of(node);
        let is_directive = matches!(behaviour, Some(Behaviour::Directive(_)));
        let handled = node.get("onerror").and_then(Json::as_array).is_some_and(|route| !route.is_empty());
        if handled && is_directive {
            notices.push(warning(id, Some("onerror"), "a directive cannot fail, so its error route is never taken"));
        }
        if name_of(node) == ROUTER {
            if handled {
                let text = "Make refuses an error route on a router; it does here what it does elsewhere";
                notices.push(warning(id, Some("onerror"), text));
            }
            if node.get("mapper").is_some_and(|mapper| !is_empty(mapper)) {
                notices.push(warning(id, Some("mapper"), "a router has no fields: what is mapped here has no effect"));
            }
        }
        if spot.in_branch && matches!(name_of(node), ROUTER | IF_ELSE) && !matches!(spot.list, List::OnError(_)) {
            let text = "the editor of the original takes no router or if-else inside a branch; it runs here";
            notices.push(warning(id, None, text));
        }
        if ends_the_path(behaviour)
            && let Some(next) = behind(modules, place)
        {
            let (next, name) = (id_of(next).unwrap_or_default(), name_of(node));
            let text = format!("module {next} is never reached: nothing goes on behind \"{name}\"");
            notices.push(warning(id, None, text));
        }
        if let Some(Behaviour::IfElse) = behaviour {
            notices.extend(branches(node));
        }
        expressions(node, &mut notices);
        filters(node, modules, &mut notices);
    }
    notices.extend(feeders(modules));
    notices.extend(signals(modules, program));
    notices
}

fn behaviour_of(node: &Map<String, Json>) -> Option<Behaviour> {
    modules::find(name_of(node)).map(|module| module.behaviour)
}

/// Tells whether nothing goes on behind a module in the same list.
fn ends_the_path(behaviour: Option<Behaviour>) -> bool {
    matches!(behaviour, Some(Behaviour::Router | Behaviour::Directive(_)))
}

/// Returns the module that follows in the same list.
fn behind<'a>(modules: &[Placed<'a>], place: usize) -> Option<&'a Map<String, Json>> {
    let spot = &modules[place].0;
    let (list, _) = spot.pointer.rsplit_once('/')?;
    let next = format!("{list}/{}", spot.position + 1);
    modules[place..].iter().find(|(spot, _)| spot.pointer == next).map(|(_, node)| *node)
}

/// Finds branches that are never taken, because an earlier one takes the same.
fn branches(node: &Map<String, Json>) -> Vec<Notice> {
    let mut seen: Vec<&Json> = Vec::new();
    let mut notices = Vec::new();
    for (place, branch) in node.get("branches").and_then(Json::as_array).into_iter().flatten().enumerate() {
        let conditions = &branch["conditions"];
        if branch["disabled"] == true || branch["type"] == "else" || conditions.is_null() {
            continue;
        }
        if seen.contains(&conditions) {
            let text = "it is never taken: a branch before it has the same conditions";
            notices.push(warning(id_of(node), Some(&format!("branches[{}]", place + 1)), text));
        }
        seen.push(conditions);
    }
    notices
}

/// Looks at every mapping of a module.
fn expressions(node: &Map<String, Json>, notices: &mut Vec<Notice>) {
    let null = Json::Null;
    let parts = ["mapper", "filter", "outputs", "branches"];
    for part in parts {
        // What is inside a branch is a module of its own.
        let own: Json = match (part, node.get(part)) {
            ("branches", Some(Json::Array(branches))) => {
                branches.iter().map(|branch| branch["conditions"].clone()).collect()
            }
            (_, found) => found.unwrap_or(&null).clone(),
        };
        crate::blueprint::texts(&own, part, &mut |path, text| {
            if let Ok(template) = Template::parse(text) {
                for expression in template.expressions() {
                    if has_index_zero(expression) {
                        let text = "elements are counted from 1: [0] is always empty";
                        notices.push(warning(id_of(node), Some(path), text));
                    }
                }
            }
            let is_document = text.trim_start().starts_with(['{', '[']) && !text.trim_start().starts_with("{{");
            if is_document && text.contains(['\u{201c}', '\u{201d}', '\u{201e}']) {
                let text = "it has typographic quotes, which JSON does not know: use \"";
                notices.push(warning(id_of(node), Some(path), text));
            }
        });
    }
}

fn has_index_zero(expression: &Expression) -> bool {
    let mut found = false;
    expression.references(&mut |_, path, _| {
        let is_zero = |segment: &Segment| {
            matches!(segment, Segment::Index(index) if matches!(index.form, Form::Literal(Value::Int(0))))
        };
        found |= path.iter().any(is_zero);
    });
    found
}

/// Finds filters that read a status which never comes: a module that evaluates
/// bad ones as errors fails before.
fn filters(node: &Map<String, Json>, modules: &[Placed<'_>], notices: &mut Vec<Notice>) {
    let Some(document) = node.get("filter").filter(|filter| !filter.is_null()) else { return };
    let Ok(filter) = Filter::read(document, &mut |_| {}) else { return };
    for expression in filter.templates().flat_map(Template::expressions) {
        expression.references(&mut |root, path, _| {
            let (Root::Module(id), Some(Segment::Name(name))) = (root, path.first()) else { return };
            let read = modules.iter().find(|(_, node)| id_of(node) == Some(*id)).filter(|_| name == "statusCode");
            let Some((_, read)) = read else { return };
            let is_on = |part: &str, setting: &str| {
                read.get(part).and_then(|part| part.get(setting)).and_then(Json::as_bool) == Some(true)
            };
            let setting = match () {
                () if is_on("parameters", "handleErrors") => "Evaluate all states as errors",
                () if is_on("mapper", "stopOnHttpError") => "Return error if HTTP request fails",
                () => return,
            };
            let text = format!(
                "module {id} evaluates 4xx and 5xx as errors, so it fails before this filter sees them: switch \
                 \"{setting}\" off there, or give it an error route"
            );
            notices.push(warning(id_of(node), Some("filter"), text));
        });
    }
}

/// Finds aggregators whose source module is not on their path.
fn feeders(modules: &[Placed<'_>]) -> Vec<Notice> {
    let mut notices = Vec::new();
    for (spot, node) in modules {
        let Some(feeder) = node.get("parameters").and_then(|parameters| parameters.get("feeder")?.as_u64()) else {
            continue;
        };
        let source = modules.iter().find(|(_, node)| node.get("id").and_then(Json::as_u64) == Some(feeder));
        let Some((source, _)) = source else { continue };
        // A path comes into a list from the module before it, or from the one
        // that the list belongs to.
        let list = source.pointer.rsplit_once('/').map_or("", |(list, _)| list);
        let is_above = spot.pointer.starts_with(&format!("{list}/"));
        if !is_above {
            let text = format!("the source module {feeder} is on another path: nothing of it comes here");
            notices.push(warning(id_of(node), Some("parameters.feeder"), text));
        }
    }
    notices
}

/// Finds `{{celonis.…}}` in flows that nothing starts with data.
fn signals(modules: &[Placed<'_>], program: &Program) -> Vec<Notice> {
    let mut notices = Vec::new();
    if program.start.results_max().is_some() || program.start_step().is_some() {
        return notices;
    }
    for (_, node) in modules {
        let Some(mapper) = node.get("mapper") else { continue };
        crate::blueprint::texts(mapper, "mapper", &mut |path, text| {
            let Ok(template) = Template::parse(text) else { return };
            for expression in template.expressions() {
                expression.references(&mut |root, segments, _| {
                    let is_signal = matches!(root, Root::Name(name) if name == "celonis");
                    let Some(Segment::Name(field)) = segments.first().filter(|_| is_signal) else { return };
                    if program.form.has(field) {
                        return;
                    }
                    let text = format!(
                        "\"celonis.{field}\" is a field of the signal that starts the flow, and no signal starts it: \
                         begin with loopwright:Signal, or declare the input \"{field}\""
                    );
                    notices.push(warning(id_of(node), Some(path), text));
                });
            }
        });
    }
    notices
}

/// Says where a module without an id stands.
fn place_of(spot: &Spot) -> String {
    let place = spot.position + 1;
    match &spot.list {
        List::Flow => format!("module number {place} of the flow"),
        List::Route(id, route) => format!("module number {place} of route {} of module {id}", route + 1),
        List::Branch(id, branch) => format!("module number {place} of branch {} of module {id}", branch + 1),
        List::OnError(id) => format!("module number {place} of the error route of module {id}"),
        List::Body(id) => format!("module number {place} inside module {id}"),
        List::Orphans(piece) => format!("module number {place} of piece {} beside the flow", piece + 1),
    }
}

fn is_empty(value: &Json) -> bool {
    match value {
        Json::Null => true,
        Json::Object(fields) => fields.is_empty(),
        Json::Array(items) => items.is_empty(),
        _ => false,
    }
}

/// Tells whether a text is `app:Name`; private apps are `app#suffix:Name`.
fn is_module_name(name: &str) -> bool {
    let Some((app, name)) = name.split_once(':') else { return false };
    let (app, suffix) = app.split_once('#').unwrap_or((app, "x"));
    let is_app = app.starts_with(|letter: char| letter.is_ascii_lowercase())
        && app.bytes().all(|letter| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == b'-');
    let is_plain = |text: &str| !text.is_empty() && text.bytes().all(|letter| letter.is_ascii_alphanumeric());
    is_app && is_plain(&suffix.replace('-', "")) && is_plain(name)
}
