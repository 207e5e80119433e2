//! Patterns over the events of a case: all three grammars become one regex.

use super::super::Mistake;
use super::super::operators::hint;
use super::super::pattern::{ActivityName, MatchProcess, MatchRegex, NodeKind, Pattern, ProcessEquals, Step};
use super::super::plan::{Node, Process, Yield};
use super::super::regex::{Name, Regex, SYMBOLS_MAX, Symbol};
use super::super::syntax::Span;
use super::{Checked, Checker};
use crate::value::Type;

/// In how many orders the nodes of MATCH_PROCESS may stand.
const ORDERS_MAX: usize = 1_000;

impl Checker<'_> {
    pub(super) fn process_equals(&mut self, process: &ProcessEquals, span: Span) -> Checked<Node> {
        let value = self.event_texts(process.column.as_deref(), span)?;
        let mut parts = Vec::new();
        parts.extend(process.from_start.then_some(Regex::Start));
        for step in &process.steps {
            parts.push(match step {
                Step::Any => Regex::any(),
                Step::OneOf(names) => Regex::Symbol(self.symbol(names, false)?),
            });
        }
        parts.extend(process.to_end.then_some(Regex::End));
        let process = Process::Pattern { value, pattern: Regex::Sequence(parts), negated: process.negated };
        self.per_case(process, Yield::Truth, span)
    }

    fn symbol(&mut self, names: &[ActivityName], negated: bool) -> Checked<Symbol> {
        let mut known = Vec::new();
        for ActivityName { like, name } in names {
            for name in &self.spliced(std::slice::from_ref(name))? {
                let text = self.activity_name(name)?;
                known.push(if *like { Name::Like(text) } else { Name::Is(text) });
            }
        }
        Ok(Symbol { names: known, negated })
    }

    pub(super) fn match_regex(&mut self, pattern: &MatchRegex, span: Span) -> Checked<Node> {
        let value = self.event_texts(pattern.column.as_deref(), span)?;
        let mut known: Vec<(&str, Regex)> = Vec::new();
        for (name, definition) in &pattern.definitions {
            let regex = self.regex(definition, &known)?;
            if regex.size() > SYMBOLS_MAX {
                return Err(Mistake::new(span, format!("the pattern \"{name}\" {}", too_large(&regex))));
            }
            known.push((name, regex));
        }
        let pattern = self.regex(&pattern.pattern, &known)?;
        self.pattern(value, pattern, span)
    }

    fn pattern(&mut self, value: Node, pattern: Regex, span: Span) -> Checked<Node> {
        if pattern.size() > SYMBOLS_MAX {
            return Err(Mistake::new(span, format!("the pattern {}", too_large(&pattern))));
        }
        self.per_case(Process::Pattern { value, pattern, negated: false }, Yield::Of(Type::Int), span)
    }

    fn regex(&mut self, pattern: &Pattern, known: &[(&str, Regex)]) -> Checked<Regex> {
        let mut all = |parts: &[Pattern]| -> Checked<Vec<Regex>> {
            let mut regexes = Vec::new();
            for part in parts {
                regexes.push(self.regex(part, known)?);
            }
            Ok(regexes)
        };
        Ok(match pattern {
            Pattern::Any => Regex::any(),
            Pattern::Start => Regex::Start,
            Pattern::End => Regex::End,
            Pattern::Sequence(parts) => Regex::Sequence(all(parts)?),
            Pattern::Either(parts) => Regex::Either(all(parts)?),
            Pattern::OneOf { names, negated } => Regex::Symbol(self.symbol(names, *negated)?),
            Pattern::Repeat { pattern, least, most } => self.regex(pattern, known)?.repeated(*least, *most),
            Pattern::Named { name, span } => {
                let found = known.iter().rev().find(|(own, _)| own.eq_ignore_ascii_case(name));
                let Some((_, regex)) = found else {
                    let hint = hint(name, known.iter().map(|(name, _)| *name));
                    let detail = format!(
                        "no pattern before this one is called \"{name}\"{hint}; an activity stands in single quotes"
                    );
                    return Err(Mistake::new(*span, detail));
                };
                if regex.size() > SYMBOLS_MAX {
                    return Err(Mistake::new(*span, format!("the pattern \"{name}\" {}", too_large(regex))));
                }
                regex.clone()
            }
        })
    }

    /// Nodes become a pattern by standing in a row. Edges that leave open which
    /// of two nodes comes first allow several rows; one of them has to match.
    pub(super) fn match_process(&mut self, pattern: &MatchProcess, span: Span) -> Checked<Node> {
        let value = self.event_texts(pattern.column.as_deref(), span)?;
        let mut symbols = Vec::new();
        for (place, node) in pattern.nodes.iter().enumerate() {
            if pattern.nodes[..place].iter().any(|other| other.name.eq_ignore_ascii_case(&node.name)) {
                return Err(Mistake::new(node.span, format!("there are two nodes \"{}\"", node.name)));
            }
            let symbol = Regex::Symbol(self.symbol(&node.names, false)?);
            symbols.push(match node.kind {
                NodeKind::Node | NodeKind::Starting | NodeKind::Ending => symbol,
                NodeKind::Optional => symbol.repeated(0, Some(1)),
                NodeKind::Loop => symbol.repeated(1, None),
                NodeKind::OptionalLoop => symbol.repeated(0, None),
            });
        }
        let mut edges = Vec::new();
        for edge in &pattern.edges {
            let find = |name: &String| {
                let place = pattern.nodes.iter().position(|node| node.name.eq_ignore_ascii_case(name));
                place.ok_or_else(|| {
                    let hint = hint(name, pattern.nodes.iter().map(|node| node.name.as_str()));
                    Mistake::new(edge.span, format!("there is no node \"{name}\"{hint}"))
                })
            };
            edges.push((find(&edge.from)?, find(&edge.to)?, edge.direct));
        }
        let kinds: Vec<NodeKind> = pattern.nodes.iter().map(|node| node.kind).collect();
        let orders = orders(&kinds, &edges);
        if orders.is_empty() {
            let detail = "the nodes can stand in no order that satisfies all edges: an edge leads back, two nodes \
                          stand directly beside the same one, or a STARTING or ENDING node stands in the middle";
            return Err(Mistake::new(span, detail));
        }
        if orders.len() > ORDERS_MAX {
            let detail = format!("the nodes can stand in more than {ORDERS_MAX} orders; connect more of them");
            return Err(Mistake::new(span, detail));
        }
        let row = |order: &Vec<usize>| {
            let mut parts = Vec::new();
            for (at, node) in order.iter().enumerate() {
                let is_direct = at > 0 && edges.contains(&(order[at - 1], *node, true));
                match kinds[*node] {
                    NodeKind::Starting => parts.push(Regex::Start),
                    _ if at > 0 && !is_direct => parts.push(Regex::gap()),
                    _ => {}
                }
                parts.push(symbols[*node].clone());
                parts.extend((kinds[*node] == NodeKind::Ending).then_some(Regex::End));
            }
            Regex::Sequence(parts)
        };
        let mut rows: Vec<Regex> = orders.iter().map(row).collect();
        let regex = if rows.len() == 1 { rows.remove(0) } else { Regex::Either(rows) };
        self.pattern(value, regex, span)
    }
}

fn too_large(regex: &Regex) -> String {
    format!("has {} parts once repetitions are written out, and at most {SYMBOLS_MAX} are possible", regex.size())
}

/// Lists the orders in which nodes can stand: along the edges, direct ones
/// side by side, STARTING first and ENDING last; a few more than the most that
/// are wanted is enough.
fn orders(kinds: &[NodeKind], edges: &[(usize, usize, bool)]) -> Vec<Vec<usize>> {
    let mut found = Vec::new();
    extend(kinds, edges, &mut Vec::new(), &mut found);
    found
}

fn extend(kinds: &[NodeKind], edges: &[(usize, usize, bool)], order: &mut Vec<usize>, found: &mut Vec<Vec<usize>>) {
    if found.len() > ORDERS_MAX {
        return;
    }
    if order.len() == kinds.len() {
        found.push(order.clone());
        return;
    }
    let last = order.last().copied();
    let must_follow: Vec<usize> =
        edges.iter().filter(|(from, _, direct)| *direct && Some(*from) == last).map(|(_, to, _)| *to).collect();
    for node in 0..kinds.len() {
        let is_due = |(from, to, direct): &(usize, usize, bool)| {
            *to != node || (order.contains(from) && (!*direct || last == Some(*from)))
        };
        let fits = !order.contains(&node)
            && edges.iter().all(is_due)
            && must_follow.iter().all(|next| *next == node)
            && (kinds[node] != NodeKind::Starting || order.is_empty())
            && (kinds[node] != NodeKind::Ending || order.len() + 1 == kinds.len());
        if fits {
            order.push(node);
            extend(kinds, edges, order, found);
            order.pop();
        }
    }
}
