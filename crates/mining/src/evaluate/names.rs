//! Names in a query that no event bears.
//!
//! Such a name is no mistake: tomorrow's event may bear it. It is most often a
//! slip all the same, so whoever asks or publishes is told.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::Evaluator;
use super::operand::Operand;
use crate::log::EventLog;
use crate::pql::operators::hint;
use crate::pql::plan::{Boundary, Grain, Node, Op, Process, Program};
use crate::pql::regex::{Name, Regex, Symbol};

/// Says of each activity name in these nodes that no event bears that it is
/// so, and which name could be meant; each name once.
pub fn unheard<'a>(
    log: &Arc<EventLog>,
    program: &Arc<Program>,
    nodes: impl IntoIterator<Item = &'a Node>,
    now: i64,
) -> Vec<String> {
    let mut asked: Vec<(&Node, Vec<Name>)> = Vec::new();
    for node in nodes {
        node.walk(&mut |node| {
            if let Op::Process(process) = &node.op
                && let Some((value, names)) = names_of(process)
            {
                asked.push((value, names));
            }
        });
    }
    let evaluator = Evaluator::new(log.clone(), program.clone(), now);
    let events = Grain::Table(log.catalog().roles.activity_table);
    let mut told = Vec::new();
    let mut seen = HashSet::new();
    for (value, names) in asked {
        let words = evaluator.everything(|scope| words(&scope.operand(value, events), scope.length(events)));
        for name in names {
            let symbol = Symbol { names: vec![name.clone()], negated: false };
            if words.iter().any(|word| symbol.takes(word)) || !seen.insert(name.clone()) {
                continue;
            }
            told.push(match &name {
                Name::Is(name) => {
                    format!("no event bears the name '{name}'{}", hint(name, words.iter().map(String::as_str)))
                }
                Name::Like(pattern) => format!("no event bears a name like '{pattern}'"),
            });
        }
    }
    told
}

/// Returns the different texts, in the order of the alphabet.
fn words(value: &Operand, rows: usize) -> Vec<String> {
    let mut known: HashMap<u32, &str> = HashMap::new();
    for row in 0..rows {
        if let Some(code) = value.code(row) {
            known.entry(code).or_insert_with(|| value.text(row).unwrap_or_default());
        }
    }
    let mut words: Vec<String> = known.into_values().map(str::to_owned).collect();
    words.sort_unstable();
    words
}

fn names_of(process: &Process) -> Option<(&Node, Vec<Name>)> {
    let exact = |names: &[&String]| names.iter().map(|name| Name::Is((*name).clone())).collect();
    match process {
        Process::Match { value, conditions } => {
            Some((value, exact(&conditions.iter().flat_map(|(_, names)| names).collect::<Vec<_>>())))
        }
        Process::Pattern { value, pattern, .. } => {
            let mut names = Vec::new();
            collect(pattern, &mut names);
            Some((value, names))
        }
        Process::Throughput { value, from, to, .. } | Process::Crop { value, from, to, .. } => {
            let name = |boundary| match boundary {
                Boundary::First(name) | Boundary::Last(name) => Some(Name::Is(name)),
                Boundary::CaseStart | Boundary::CaseEnd => None,
            };
            Some((value, [from, to].into_iter().cloned().filter_map(name).collect()))
        }
        Process::Conformance { value, net, .. } | Process::Conforms { value, net } => {
            Some((value, exact(&net.activities.iter().map(|(name, _)| name).collect::<Vec<_>>())))
        }
        Process::Neighbour { .. }
        | Process::Position { .. }
        | Process::Variant { .. }
        | Process::Rework { .. }
        | Process::EdgeEnd { .. } => None,
    }
}

fn collect(pattern: &Regex, names: &mut Vec<Name>) {
    match pattern {
        Regex::Symbol(symbol) => names.extend(symbol.names.iter().cloned()),
        Regex::Start | Regex::End => {}
        Regex::Sequence(parts) | Regex::Either(parts) => parts.iter().for_each(|part| collect(part, names)),
        Regex::Repeat { inner, .. } => collect(inner, names),
    }
}
