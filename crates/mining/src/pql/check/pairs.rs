//! Pairs of events: SOURCE and TARGET, and what says who is paired with whom.

use super::super::Mistake;
use super::super::plan::{Edges, Grain, Node, Op, Pairing, Process, Yield};
use super::super::syntax::{Call, Expr, ExprKind, Span};
use super::values::constant_value;
use super::{Checked, Checker};
use crate::value::Value;

const PAIRINGS: &str = "expected an edge configuration such as ANY_OCCURRENCE[] TO ANY_OCCURRENCE[]";

/// What stands behind the value in a call of SOURCE or TARGET.
struct Configuration {
    pairing: Pairing,
    /// Which events are left out, and the same as it was written.
    filter: Option<(Node, String)>,
    /// What WITH START or WITH END has in its parentheses, if it is there.
    filler: Option<Vec<Expr>>,
}

impl Checker<'_> {
    pub(super) fn edge_end(&mut self, call: &Call, is_source: bool, span: Span) -> Checked<Node> {
        let (value, rest) = self.event_value(call)?;
        let Configuration { pairing, filter, filler } = self.configuration(rest, is_source)?;
        let has_extra = filler.is_some();
        let (value, filler) = match filler.as_deref() {
            Some([filler]) => self.with_filler(value, filler, span)?,
            _ => (value, Value::Null),
        };
        let filter = self.agreed(
            Edges {
                pairing,
                filter_text: filter.as_ref().map(|(_, text)| text.clone()),
                filter: filter.map(|(node, _)| node),
                with_start: is_source && has_extra,
                with_end: !is_source && has_extra,
                text: Expr { kind: ExprKind::Call(call.clone()), span }.to_string(),
            },
            span,
        )?;
        let yields = value.yields;
        let process = Process::EdgeEnd { value, filter, is_source, filler };
        Ok(self.node(Op::Process(Box::new(process)), yields, Grain::Edges, span))
    }

    fn configuration(&mut self, arguments: &[Expr], is_source: bool) -> Checked<Configuration> {
        let mut found = Configuration { pairing: Pairing::Neighbours, filter: None, filler: None };
        for (place, argument) in arguments.iter().enumerate() {
            let is_last = place + 1 == arguments.len();
            match &argument.kind {
                ExprKind::Range(from, to) if is_last => found.pairing = pairing_of(from, to)?,
                ExprKind::Edges { path, start, end } if is_last => {
                    match path.as_ref().map(|path| (&path.kind, path.span)) {
                        None => {}
                        Some((ExprKind::Range(from, to), _)) => found.pairing = pairing_of(from, to)?,
                        Some((_, span)) => return Err(Mistake::new(span, PAIRINGS)),
                    }
                    let (own, other) = if is_source { (start, end) } else { (end, start) };
                    if other.is_some() {
                        let detail = "WITH START belongs into SOURCE, WITH END into TARGET";
                        return Err(Mistake::new(argument.span, detail));
                    }
                    found.filler.clone_from(own);
                }
                _ if place == 0 => {
                    let node = self.value_of(argument)?;
                    self.on_events(&node)?;
                    if node.is_clocked() {
                        let detail = "the column that says which events are left out cannot look at the clock";
                        return Err(Mistake::new(argument.span, detail));
                    }
                    found.filter = Some((node, argument.to_string()));
                }
                _ => return Err(Mistake::new(argument.span, PAIRINGS)),
            }
        }
        Ok(found)
    }

    /// Brings a value and what stands for a missing event to one type.
    fn with_filler(&mut self, value: Node, filler: &Expr, span: Span) -> Checked<(Node, Value)> {
        let node = self.value_of(filler)?;
        let (nodes, own) = self.alike(vec![value, node], span)?;
        let [value, node] = <[Node; 2]>::try_from(nodes).expect("two went in");
        let Some(constant) = constant_value(&node) else {
            return Err(Mistake::new(filler.span, "expected a constant, as in 'Start'"));
        };
        Ok((Node { yields: Yield::Of(own), ..value }, constant))
    }

    /// Makes sure that all SOURCE and TARGET of a query mean the same pairs;
    /// returns which events are left out of them.
    fn agreed(&mut self, own: Edges, span: Span) -> Checked<Option<Node>> {
        let Some(known) = &mut self.program.edges else {
            let filter = own.filter.clone();
            self.program.edges = Some(own);
            return Ok(filter);
        };
        if known.pairing != own.pairing || known.filter_text != own.filter_text {
            let detail = format!(
                "{} pairs other events than {}; all SOURCE and TARGET of a query need the same filter column and the \
                 same edge configuration",
                own.text, known.text
            );
            return Err(Mistake::new(span, detail));
        }
        known.with_start |= own.with_start;
        known.with_end |= own.with_end;
        Ok(known.filter.clone())
    }
}

fn pairing_of(from: &Expr, to: &Expr) -> Checked<Pairing> {
    let word = |end: &Expr| match &end.kind {
        ExprKind::Bracket { word, items } if items.is_empty() => word.clone(),
        _ => String::new(),
    };
    Ok(match (&*word(from), &*word(to)) {
        ("ANY_OCCURRENCE", "ANY_OCCURRENCE") => Pairing::Neighbours,
        ("FIRST_OCCURRENCE", "ANY_OCCURRENCE") => Pairing::FirstToAny,
        ("FIRST_OCCURRENCE", "ANY_OCCURRENCE_WITH_SELF") => Pairing::FirstToAnyWithSelf,
        ("ANY_OCCURRENCE", "LAST_OCCURRENCE") => Pairing::AnyToLast,
        ("FIRST_OCCURRENCE", "LAST_OCCURRENCE") => Pairing::FirstToLast,
        _ => {
            let known = "ANY_OCCURRENCE[] TO ANY_OCCURRENCE[], FIRST_OCCURRENCE[] TO ANY_OCCURRENCE[], \
                         FIRST_OCCURRENCE[] TO ANY_OCCURRENCE_WITH_SELF[], ANY_OCCURRENCE[] TO LAST_OCCURRENCE[] or \
                         FIRST_OCCURRENCE[] TO LAST_OCCURRENCE[]";
            return Err(Mistake::new(from.span.to(to.span), format!("expected {known}")));
        }
    })
}
