//! What is put into a text, or cut out of it, before it is checked.
//!
//! A KPI names its arguments `{p1}`, `{p2}` and so on. An argument is bound as
//! a whole: it is an expression of its own wherever it stands, as if it stood
//! in parentheses, and inside quotes it can be a plain value only. So no
//! argument can break out of its place.
//!
//! A guard, `<% if(NAME != "") { %> … <% } %>`, keeps or leaves out a piece of
//! text by the value of a variable. What is left out becomes blanks, so that
//! every place in the text stays what it was.

use super::Mistake;
use super::syntax::{Expr, ExprKind, Span};
use super::token::{TokenKind, parameter};

/// Returns the largest number of a parameter in an expression, 0 if it has
/// none.
pub(crate) fn parameters(expr: &Expr) -> u32 {
    let mut largest = 0;
    let mut expr = expr.clone();
    visit(&mut expr, &mut |expr| {
        if let ExprKind::Parameter(number) = &expr.kind {
            largest = largest.max(*number);
        }
        each_text(&mut expr.kind, |text| {
            for (number, _, _) in parameters_in(text) {
                largest = largest.max(number);
            }
        });
    });
    largest
}

/// Puts arguments in the place of parameters.
pub(crate) fn substitute(expr: &mut Expr, arguments: &[Expr]) -> Result<(), Mistake> {
    let mut mistake = None;
    visit(expr, &mut |expr| {
        let span = expr.span;
        let missing = |number: u32| Mistake::new(span, format!("there is no argument {{p{number}}}"));
        if let ExprKind::Parameter(number) = expr.kind {
            match arguments.get(number as usize - 1) {
                // The place in the KPI's text is the one that its reader can find.
                Some(argument) => *expr = at(argument, span),
                None => mistake = Some(missing(number)),
            }
            return;
        }
        each_text(&mut expr.kind, |text| {
            let mut filled = String::new();
            let mut done = 0;
            for (number, start, end) in parameters_in(text) {
                filled.push_str(&text[done..start]);
                match arguments.get(number as usize - 1).map(plain) {
                    Some(Some(value)) => filled.push_str(&value),
                    Some(None) => {
                        let detail = format!("the argument {{p{number}}} stands in quotes here and must be a value");
                        mistake = Some(Mistake::new(span, detail));
                    }
                    None => mistake = Some(missing(number)),
                }
                done = end;
            }
            filled.push_str(&text[done..]);
            *text = filled;
        });
    });
    mistake.map_or(Ok(()), Err)
}

/// Finds `{p1}` and the like in a text: number, start and end.
fn parameters_in(text: &str) -> Vec<(u32, usize, usize)> {
    let mut found = Vec::new();
    for (start, _) in text.match_indices("{p") {
        if let Some((TokenKind::Parameter(number), length)) = parameter(&text[start..]) {
            found.push((number, start, start + length));
        }
    }
    found
}

/// Moves an expression to a place.
pub(crate) fn at(expr: &Expr, span: Span) -> Expr {
    let mut moved = expr.clone();
    visit(&mut moved, &mut |expr| {
        expr.span = span;
        if let ExprKind::Call(call) = &mut expr.kind {
            call.name_span = span;
        }
    });
    moved
}

/// Returns what an argument says, if it is a plain value or a name.
fn plain(expr: &Expr) -> Option<String> {
    match &expr.kind {
        ExprKind::Text(text) => Some(text.clone()),
        ExprKind::Name { name, .. } => Some(name.clone()),
        ExprKind::Int(_) | ExprKind::Float(_) => Some(expr.to_string()),
        ExprKind::Negate(value) if matches!(value.kind, ExprKind::Int(_) | ExprKind::Float(_)) => {
            Some(format!("-{value}"))
        }
        _ => None,
    }
}

fn each_text(kind: &mut ExprKind, mut visit: impl FnMut(&mut String)) {
    match kind {
        ExprKind::Text(text) | ExprKind::Name { name: text, quoted: true } => visit(text),
        ExprKind::Column { table, column } => {
            visit(table);
            visit(column);
        }
        _ => {}
    }
}

/// Lists the expressions right below, keys of an order included.
pub(crate) fn children(expr: &Expr) -> Vec<&Expr> {
    match &expr.kind {
        ExprKind::Column { .. }
        | ExprKind::Name { .. }
        | ExprKind::Variable(_)
        | ExprKind::Int(_)
        | ExprKind::Float(_)
        | ExprKind::Text(_)
        | ExprKind::Null
        | ExprKind::Date(_)
        | ExprKind::Shift(_)
        | ExprKind::Parameter(_) => Vec::new(),
        ExprKind::Negate(value) | ExprKind::Not(value) | ExprKind::IsNull { value, .. } => vec![value],
        ExprKind::Arithmetic(_, left, right)
        | ExprKind::Compare(_, left, right)
        | ExprKind::And(left, right)
        | ExprKind::Or(left, right)
        | ExprKind::Like { value: left, pattern: right, .. }
        | ExprKind::Range(left, right) => vec![left, right],
        ExprKind::Between { value, low, high, .. } => vec![value, low, high],
        ExprKind::In { value, list, .. } | ExprKind::InLike { value, list, .. } => {
            std::iter::once(&**value).chain(list).collect()
        }
        ExprKind::Case { branches, otherwise } | ExprKind::StaticCase { branches, otherwise } => {
            let branches = branches.iter().flat_map(|(condition, value)| [condition, value]);
            branches.chain(otherwise.as_deref()).collect()
        }
        ExprKind::Call(call) => call.arguments.iter().chain(call.order_by.iter().map(|by| &by.key)).collect(),
        ExprKind::Bracket { items, .. } | ExprKind::PartitionBy(items) | ExprKind::Tuple(items) => {
            items.iter().collect()
        }
        ExprKind::Edges { path, start, end } => {
            path.as_deref().into_iter().chain(start.iter().flatten()).chain(end.iter().flatten()).collect()
        }
        ExprKind::Process(process) => process.parts(),
        ExprKind::MatchProcess(pattern) => pattern.parts(),
        ExprKind::MatchRegex(pattern) => pattern.parts(),
    }
}

/// Visits all below, then the expression itself.
fn visit(expr: &mut Expr, f: &mut impl FnMut(&mut Expr)) {
    match &mut expr.kind {
        ExprKind::Column { .. }
        | ExprKind::Name { .. }
        | ExprKind::Variable(_)
        | ExprKind::Int(_)
        | ExprKind::Float(_)
        | ExprKind::Text(_)
        | ExprKind::Null
        | ExprKind::Date(_)
        | ExprKind::Shift(_)
        | ExprKind::Parameter(_) => {}
        ExprKind::Negate(value) | ExprKind::Not(value) | ExprKind::IsNull { value, .. } => visit(value, f),
        ExprKind::Arithmetic(_, left, right)
        | ExprKind::Compare(_, left, right)
        | ExprKind::And(left, right)
        | ExprKind::Or(left, right)
        | ExprKind::Like { value: left, pattern: right, .. }
        | ExprKind::Range(left, right) => {
            visit(left, f);
            visit(right, f);
        }
        ExprKind::Between { value, low, high, .. } => {
            for part in [value, low, high] {
                visit(part, f);
            }
        }
        ExprKind::In { value, list, .. } | ExprKind::InLike { value, list, .. } => {
            visit(value, f);
            for item in list {
                visit(item, f);
            }
        }
        ExprKind::Case { branches, otherwise } | ExprKind::StaticCase { branches, otherwise } => {
            for (condition, value) in branches {
                visit(condition, f);
                visit(value, f);
            }
            if let Some(otherwise) = otherwise {
                visit(otherwise, f);
            }
        }
        ExprKind::Call(call) => {
            call.arguments.iter_mut().for_each(|argument| visit(argument, f));
            call.order_by.iter_mut().for_each(|by| visit(&mut by.key, f));
        }
        ExprKind::Bracket { items, .. } | ExprKind::PartitionBy(items) | ExprKind::Tuple(items) => {
            for item in items {
                visit(item, f);
            }
        }
        ExprKind::Edges { path, start, end } => {
            let ends = start.iter_mut().flatten().chain(end.iter_mut().flatten());
            path.as_deref_mut().into_iter().chain(ends).for_each(|part| visit(part, f));
        }
        ExprKind::Process(process) => process.parts_mut().into_iter().for_each(|part| visit(part, f)),
        ExprKind::MatchProcess(pattern) => pattern.parts_mut().into_iter().for_each(|part| visit(part, f)),
        ExprKind::MatchRegex(pattern) => pattern.parts_mut().into_iter().for_each(|part| visit(part, f)),
    }
    f(expr);
}

/// Cuts out what guards leave out. `value` tells the value of a variable.
pub(crate) fn without_guards(
    text: &str,
    value: impl Fn(&str, Span) -> Result<String, Mistake>,
) -> Result<String, Mistake> {
    let mut kept = String::with_capacity(text.len());
    let mut open: Vec<Guard> = Vec::new();
    let mut done = 0;
    while let Some(start) = text[done..].find("<%").map(|found| found + done) {
        let end = text[start + 2..].find("%>").map_or(text.len(), |found| start + found + 4);
        let span = Span { start: start as u32, end: end as u32 };
        let inner = text[start..end].trim_start_matches("<%").trim_end_matches("%>").trim();
        let shown = open.iter().all(|guard| guard.holds);
        copy(&mut kept, &text[done..start], shown);
        // A variable is no guard, nor is a pattern such as '<%'; what is not
        // closed is told by the parser.
        let is_guard = inner.starts_with("if") || inner.starts_with('}');
        if !is_guard || !text[start..end].ends_with("%>") {
            copy(&mut kept, &text[start..end], shown);
            done = end;
            continue;
        }
        copy(&mut kept, &text[start..end], false);
        done = end;
        if inner == "}" {
            open.pop().ok_or_else(|| Mistake::new(span, "no <% if … { %> is open here"))?;
        } else if is_else(inner) {
            let guard = open.last_mut().ok_or_else(|| Mistake::new(span, "no <% if … { %> is open here"))?;
            guard.holds = !guard.holds;
        } else {
            let (name, expected, equal) = comparison(inner).ok_or_else(|| {
                Mistake::new(
                    span,
                    "only <% if(NAME != \"\") { %>, <% if(NAME == \"…\") { %>, <% } else { %> and <% } %> are understood",
                )
            })?;
            let holds = (value(name, span)? == expected) == equal;
            open.push(Guard { holds, span });
        }
    }
    copy(&mut kept, &text[done..], open.iter().all(|guard| guard.holds));
    match open.pop() {
        Some(guard) => Err(Mistake::new(guard.span, "this guard is not closed; write <% } %> behind what it guards")),
        None => Ok(kept),
    }
}

struct Guard {
    holds: bool,
    span: Span,
}

/// Copies a piece, or as many blanks; lines stay lines.
fn copy(kept: &mut String, piece: &str, shown: bool) {
    if shown {
        kept.push_str(piece);
        return;
    }
    for character in piece.chars() {
        match character {
            '\n' => kept.push('\n'),
            other => kept.extend(std::iter::repeat_n(' ', other.len_utf8())),
        }
    }
}

fn is_else(inner: &str) -> bool {
    let words: String = inner.chars().filter(|c| !c.is_whitespace()).collect();
    words == "}else{"
}

/// Reads `if (NAME != "text") {`.
fn comparison(inner: &str) -> Option<(&str, &str, bool)> {
    let inside = inner.strip_prefix("if")?.trim_end().strip_suffix('{')?.trim();
    let inside = inside.strip_prefix('(')?.strip_suffix(')')?.trim();
    let at = inside.find(['!', '='])?;
    let (name, rest) = inside.split_at(at);
    let signs = rest.len() - rest.trim_start_matches(['!', '=']).len();
    let equal = match &rest[..signs] {
        "==" | "===" => true,
        "!=" | "!==" => false,
        _ => return None,
    };
    let literal = rest[signs..].trim();
    let quoted = |quote: char| literal.strip_prefix(quote).and_then(|text| text.strip_suffix(quote));
    let number = || literal.parse::<f64>().ok().map(|_| literal);
    Some((name.trim(), quoted('"').or_else(|| quoted('\'')).or_else(number)?, equal))
}
