//! When two figures are the same.

use super::kept::has_pairs;
use crate::pql::plan::{CalendarPlan, Edges, Node, Op, Program};

/// Returns a text that equal nodes share, whatever their program calls them.
///
/// It is the tree as it is, without the numbers of nodes and places in the
/// text, and with the keys of DOMAIN_TABLEs in place of theirs. Taken from the
/// tree and not from the words, because words may name other words.
pub(super) fn text_of(program: &Program, node: &Node) -> String {
    let mut text = match &node.op {
        // Whoever looks something up, it is the same that is found.
        Op::Lookup(lookup) => {
            let theirs: Vec<&Node> = lookup.keys.iter().map(|(_, key)| key).collect();
            alike(&format!("Lookup({:?}, {theirs:?})", lookup.value))
        }
        _ => alike(&format!("{node:?}")),
    };
    // The operators over pairs do not say which pairs these are.
    if let Some(edges) = program.edges.as_ref().filter(|_| has_pairs(program, node)) {
        let Edges { pairing, filter, with_start, with_end, .. } = edges;
        text.push_str(&alike(&format!("Edges({pairing:?}, {filter:?}, {with_start}, {with_end})")));
    }
    let mut named = String::new();
    let mut rest = text.as_str();
    while let Some((before, after)) = rest.split_once("Domain(") {
        named.push_str(before);
        let (number, after) = after.split_once(')').unwrap_or((after, ""));
        match number.parse::<usize>().ok().and_then(|number| program.domains.get(number)) {
            Some(domain) => {
                let keys = alike(&format!("{:?}", domain.keys));
                named.push_str(&format!("DomainOf({:?}, {keys})", domain.source));
            }
            None => named.push_str(&format!("Domain({number})")),
        }
        rest = after;
    }
    named + rest
}

/// Returns a text that calendars share which are read from the same rows.
pub(super) fn text_of_calendar(plan: &CalendarPlan) -> String {
    alike(&format!("{plan:?}"))
}

fn alike(text: &str) -> String {
    anonymous(&spelt(text))
}

/// Spells out what stands in quotes as numbers, so that a text of the user's
/// cannot look like a part of the tree.
fn spelt(text: &str) -> String {
    let mut found = String::new();
    let mut inside = false;
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '"' => {
                inside = !inside;
                found.push('"');
            }
            '\\' if inside => {
                let escaped = letters.next().map_or(0, u32::from);
                found.push_str(&format!("\\{escaped} "));
            }
            letter if inside => found.push_str(&format!("{} ", u32::from(letter))),
            letter => found.push(letter),
        }
    }
    found
}

/// Takes numbers of nodes and places in the text out of a tree's description.
fn anonymous(text: &str) -> String {
    let mut found = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("Node { id: ") {
        found.push_str(before);
        found.push_str("Node {");
        rest = after.trim_start_matches(|c: char| c.is_ascii_digit());
    }
    found.push_str(rest);
    let mut cleared = String::new();
    let mut rest = found.as_str();
    while let Some((before, after)) = rest.split_once("span: Span {") {
        cleared.push_str(before);
        rest = after.split_once('}').map_or("", |(_, after)| after);
    }
    cleared + rest
}

#[cfg(test)]
mod tests {
    use super::{anonymous, spelt};

    #[test]
    fn equal_trees_have_equal_texts_and_words_do_not_look_like_trees() {
        let text = |text: &str| anonymous(&spelt(text));
        let one = text(
            "Node { id: 3, op: X(Node { id: 4, span: Span { start: 1, end: 2 } }), span: Span { start: 0, end: 9 } }",
        );
        let other = text(
            "Node { id: 8, op: X(Node { id: 2, span: Span { start: 5, end: 6 } }), span: Span { start: 7, end: 9 } }",
        );
        assert_eq!(one, other);
        assert_ne!(text(r#"Text("Node { id: 1")"#), text(r#"Text("Node { id: 2")"#));
        assert_ne!(text(r#"Text("a\"b")"#), text(r#"Text("a", "b")"#));
    }
}
