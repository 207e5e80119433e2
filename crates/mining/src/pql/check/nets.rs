//! Models of a process in CONFORMANCE and BPMN_CONFORMS, checked.

use super::super::Mistake;
use super::super::net::{Net, Transition};
use super::super::operators::{Want, hint};
use super::super::plan::{Node, Op, Process, Yield};
use super::super::syntax::{Call, Expr, ExprKind, Span};
use super::calls::exactly;
use super::values::wanted;
use super::{Checked, Checker};
use crate::value::Type;

/// A vertex of a BPMN model.
struct Vertex {
    id: i64,
    kind: VertexKind,
    span: Span,
    incoming: Vec<usize>,
    outgoing: Vec<usize>,
}

enum VertexKind {
    Start,
    End,
    Exclusive,
    Parallel,
    Task(String),
}

impl Checker<'_> {
    fn model_values(&mut self, column: &Expr) -> Checked<Node> {
        let value = self.value_of(column)?;
        self.on_events(&value)?;
        wanted(value, Want::Text)
    }

    pub(super) fn conformance(&mut self, call: &Call, span: Span) -> Checked<Node> {
        let what = "a column and six lists: places, transitions, edges, mapping, start places and end places";
        let [column, places, transitions, edges, mapping, start, end] = exactly(call, what)?;
        let value = self.model_values(column)?;
        let (places, transitions) = (names(places)?, names(transitions)?);
        let mut net = Net {
            places: places.len(),
            transitions: vec![Transition::default(); transitions.len()],
            activities: Vec::new(),
            start: Vec::new(),
            end: Vec::new(),
        };
        for edge in list(edges)? {
            let [from, to] = pair(edge, "an edge such as [\"PLACE\", \"TRANSITION\"]")?;
            let (from_name, to_name) = (name(from)?, name(to)?);
            let place = |name: &str| places.iter().position(|known| known == name);
            let transition = |name: &str| transitions.iter().position(|known| known == name);
            if let (Some(place), Some(transition)) = (place(from_name), transition(to_name)) {
                net.transitions[transition].takes.push(place);
            } else if let (Some(transition), Some(place)) = (transition(from_name), place(to_name)) {
                net.transitions[transition].gives.push(place);
            } else {
                for (end, name) in [(from, from_name), (to, to_name)] {
                    find(end, name, places.iter().chain(&transitions), "place or transition")?;
                }
                let detail = "an edge leads from a place to a transition, or from a transition to a place";
                return Err(Mistake::new(edge.span, detail));
            }
        }
        for line in list(mapping)? {
            let [activity, transition] = pair(line, "a pair such as ['Ship', \"TRANSITION\"]")?;
            let activity = self.activity_name(activity)?;
            let transition = find(transition, name(transition)?, &transitions, "transition")?;
            net.map(&activity, transition);
        }
        for (given, own) in [(start, &mut net.start), (end, &mut net.end)] {
            for place in list(given)? {
                own.push(find(place, name(place)?, &places, "place")?);
            }
        }
        if net.start.is_empty() || net.end.is_empty() {
            let empty = if net.start.is_empty() { start } else { end };
            return Err(Mistake::new(empty.span, "expected at least one place"));
        }
        let process = Process::Conformance { value, net, readable: false };
        self.per_event(process, Yield::Of(Type::Int), span)
    }

    pub(super) fn readable(&mut self, call: &Call, span: Span) -> Checked<Node> {
        let [inner] = exactly(call, "a CONFORMANCE")?;
        let node = self.value_of(inner)?;
        if let Op::Process(process) = node.op
            && let Process::Conformance { value, net, .. } = *process
        {
            let process = Process::Conformance { value, net, readable: true };
            return self.per_event(process, Yield::Of(Type::String), span);
        }
        Err(Mistake::new(inner.span, "expected CONFORMANCE(…), which it explains"))
    }

    pub(super) fn bpmn_conforms(&mut self, call: &Call, span: Span) -> Checked<Node> {
        if let Some(allowed) = call.arguments.get(3) {
            return Err(Mistake::new(allowed.span, "deviations cannot be allowed; leave this out"));
        }
        let [column, vertices, edges] = exactly(call, "a column, a list of vertices and a list of edges")?;
        let value = self.model_values(column)?;
        let mut known: Vec<Vertex> = Vec::new();
        for line in list(vertices)? {
            let vertex = self.vertex(line)?;
            if known.iter().any(|other| other.id == vertex.id) {
                return Err(Mistake::new(line.span, format!("there are two vertices {}", vertex.id)));
            }
            known.push(vertex);
        }
        let edges = list(edges)?;
        for (place, edge) in edges.iter().enumerate() {
            let [from, to] = pair(edge, "an edge such as [0 1]")?;
            for (end, is_from) in [(from, true), (to, false)] {
                let vertex = match end.kind {
                    ExprKind::Int(id) => known.iter_mut().find(|vertex| vertex.id == id),
                    _ => None,
                };
                let Some(vertex) = vertex else {
                    return Err(Mistake::new(end.span, "expected the number of a vertex"));
                };
                if is_from { vertex.outgoing.push(place) } else { vertex.incoming.push(place) }
            }
        }
        let net = net_of(&known, edges.len(), vertices.span)?;
        self.per_case(Process::Conforms { value, net }, Yield::Of(Type::Int), span)
    }

    fn vertex(&mut self, line: &Expr) -> Checked<Vertex> {
        let expected = || Mistake::new(line.span, "expected a vertex such as [0 BPMN_START] or [1 BPMN_TASK 'Ship']");
        let [Expr { kind: ExprKind::Int(id), .. }, word, rest @ ..] = list(line)? else { return Err(expected()) };
        let ExprKind::Name { name, quoted: false } = &word.kind else { return Err(expected()) };
        let kind = match (&*name.to_ascii_uppercase(), rest) {
            ("BPMN_START", []) => VertexKind::Start,
            ("BPMN_END", []) => VertexKind::End,
            ("BPMN_EXCLUSIVE_CHOICE", []) => VertexKind::Exclusive,
            ("BPMN_PARALLEL", []) => VertexKind::Parallel,
            ("BPMN_TASK", [task]) => VertexKind::Task(self.activity_name(task)?),
            _ => {
                let kinds = ["BPMN_START", "BPMN_END", "BPMN_EXCLUSIVE_CHOICE", "BPMN_PARALLEL", "BPMN_TASK"];
                let Mistake { at, detail } = expected();
                return Err(Mistake::new(at, detail + &hint(name, kinds)));
            }
        };
        Ok(Vertex { id: *id, kind, span: line.span, incoming: Vec::new(), outgoing: Vec::new() })
    }
}

/// Makes a net of a BPMN model: a place per edge, one before the start and one
/// behind the end.
fn net_of(vertices: &[Vertex], edges: usize, span: Span) -> Checked<Net> {
    let (before, behind) = (edges, edges + 1);
    let mut net = Net {
        places: edges + 2,
        transitions: Vec::new(),
        activities: Vec::new(),
        start: vec![before],
        end: vec![behind],
    };
    let count = |is: fn(&VertexKind) -> bool| vertices.iter().filter(|vertex| is(&vertex.kind)).count();
    if count(|kind| matches!(kind, VertexKind::Start)) != 1 || count(|kind| matches!(kind, VertexKind::End)) != 1 {
        return Err(Mistake::new(span, "a model has one BPMN_START and one BPMN_END"));
    }
    for Vertex { id, kind, span, incoming, outgoing } in vertices {
        let has_both = match kind {
            VertexKind::Start => incoming.is_empty() && outgoing.len() == 1,
            VertexKind::End => !incoming.is_empty() && outgoing.is_empty(),
            VertexKind::Task(_) => !incoming.is_empty() && outgoing.len() == 1,
            VertexKind::Exclusive | VertexKind::Parallel => !incoming.is_empty() && !outgoing.is_empty(),
        };
        if !has_both {
            let detail = format!(
                "vertex {id} has {} edges in and {} out: a start has one out, an end at least one in, a task at least \
                 one in and one out, a gateway at least one of each",
                incoming.len(),
                outgoing.len()
            );
            return Err(Mistake::new(*span, detail));
        }
        let mut add = |takes: &[usize], gives: &[usize]| {
            net.transitions.push(Transition { takes: takes.to_vec(), gives: gives.to_vec() });
            net.transitions.len() - 1
        };
        match kind {
            VertexKind::Start => {
                add(&[before], outgoing);
            }
            VertexKind::End => {
                for edge in incoming {
                    add(&[*edge], &[behind]);
                }
            }
            VertexKind::Exclusive => {
                for (one, other) in incoming.iter().flat_map(|one| outgoing.iter().map(move |other| (one, other))) {
                    add(&[*one], &[*other]);
                }
            }
            VertexKind::Parallel => {
                add(incoming, outgoing);
            }
            VertexKind::Task(activity) => {
                let own: Vec<usize> = incoming.iter().map(|edge| add(&[*edge], outgoing)).collect();
                for transition in own {
                    net.map(activity, transition);
                }
            }
        }
    }
    Ok(net)
}

fn list(expr: &Expr) -> Checked<&[Expr]> {
    match &expr.kind {
        ExprKind::Bracket { word, items } if word.is_empty() => Ok(items),
        _ => Err(Mistake::new(expr.span, "expected a list such as [\"a\" \"b\"]")),
    }
}

fn pair<'e>(expr: &'e Expr, expected: &str) -> Checked<[&'e Expr; 2]> {
    match list(expr)? {
        [from, to] => Ok([from, to]),
        _ => Err(Mistake::new(expr.span, format!("expected {expected}"))),
    }
}

fn name(expr: &Expr) -> Checked<&str> {
    match &expr.kind {
        ExprKind::Name { name, .. } | ExprKind::Text(name) => Ok(name),
        _ => Err(Mistake::new(expr.span, "expected a name such as \"P\"")),
    }
}

fn names(expr: &Expr) -> Checked<Vec<String>> {
    let mut known: Vec<String> = Vec::new();
    for item in list(expr)? {
        let name = name(item)?;
        if known.iter().any(|other| other == name) {
            return Err(Mistake::new(item.span, format!("\"{name}\" stands here twice")));
        }
        known.push(name.to_owned());
    }
    Ok(known)
}

fn find<'n>(at: &Expr, name: &str, known: impl IntoIterator<Item = &'n String> + Clone, what: &str) -> Checked<usize> {
    known.clone().into_iter().position(|other| other == name).ok_or_else(|| {
        let hint = hint(name, known.into_iter().map(String::as_str));
        Mistake::new(at.span, format!("there is no {what} \"{name}\"{hint}"))
    })
}
