//! What two texts of a knowledge model differ in: object by object, for people
//! who think in records and triggers, and line by line, for those who write.

use serde_saphyr::Spanned;

use crate::Error;
use crate::knowledge_model::Source;
use crate::tree::Tree;

/// Lists of a model whose objects have ids.
const LISTS: [&str; 9] =
    ["variables", "records", "filters", "kpis", "activities", "eventLogs", "anomalies", "actions", "triggers"];

/// Lines that are shown around a change.
const CONTEXT: usize = 3;
/// Lines of a text beyond which only the objects are compared.
const LINES_MAX: usize = 20_000;

/// Lines that differ beyond which no shortest way is looked for.
const CHANGES_MAX: isize = 2_000;

/// What two texts differ in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelDifference {
    /// Objects that are new, other or gone, in the order of the model's lists.
    /// What is inherited counts.
    pub objects: Vec<ObjectDifference>,
    /// Both texts in one, as `diff -u` writes it; empty if they are equal.
    pub text: String,
}

/// What became of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectDifference {
    /// In which list, such as `kpis`; `model` for what stands in none.
    pub list: String,
    /// Its id.
    pub id: String,
    /// What happened.
    pub change: Change,
    /// What is other in it, for one that was changed.
    pub keys: Vec<KeyDifference>,
    /// For a trigger, whether its logic is another one: whether publishing
    /// would make it start anew. Nothing if one of the texts no longer fits its
    /// data.
    pub logic_changed: Option<bool>,
}

/// What happened to an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// It is new.
    Added,
    /// It is another one.
    Changed,
    /// It is gone.
    Removed,
}

/// A key that has another value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyDifference {
    /// Such as `pql`, or `attributes.CITY.pql`.
    pub key: String,
    /// Nothing if it is new.
    pub before: Option<String>,
    /// Nothing if it is gone.
    pub after: Option<String>,
}

impl ModelDifference {
    /// Adds whether the logic of triggers changed, from id and logic of both.
    pub(crate) fn tell_logic(&mut self, before: &[(String, String)], after: &[(String, String)]) {
        let logic = |of: &[(String, String)], id: &str| {
            of.iter().find(|(known, _)| known == id).map(|(_, logic)| logic.clone())
        };
        for object in self.objects.iter_mut().filter(|object| object.list == "triggers") {
            object.logic_changed = Some(logic(before, &object.id) != logic(after, &object.id));
        }
        // A filter that changed changes triggers that look the same.
        for (id, own) in after {
            let same = logic(before, id).is_none_or(|before| before == *own);
            let told = self.objects.iter().any(|object| object.list == "triggers" && object.id == *id);
            if !same && !told {
                self.objects.push(ObjectDifference {
                    list: "triggers".to_owned(),
                    id: id.clone(),
                    change: Change::Changed,
                    keys: Vec::new(),
                    logic_changed: Some(true),
                });
            }
        }
    }
}

/// Returns what the author of a text calls its version.
pub(crate) fn author_version(text: &str) -> Option<String> {
    let tree = Tree::parse(text).ok()?;
    let metadata = tree.value.get("metadata").or_else(|| tree.value.get("Metadata"))?;
    metadata.value.get("version")?.value.text().map(str::to_owned)
}

/// Compares two texts, each with what it extends.
pub(crate) fn between(from: &Source, to: &Source) -> Result<ModelDifference, Error> {
    let (before, after) = (whole(from)?, whole(to)?);
    let mut objects = Vec::new();
    let mut keys = Vec::new();
    compare_keys(&mut keys, "", &before, &after, &|key| LISTS.contains(&key));
    if !keys.is_empty() {
        let (list, id) = ("model".to_owned(), String::new());
        objects.push(ObjectDifference { list, id, change: Change::Changed, keys, logic_changed: None });
    }
    for list in LISTS {
        compare_list(&mut objects, list, items(&before, list), items(&after, list));
    }
    Ok(ModelDifference { objects, text: unified(&from.text, &to.text) })
}

fn whole(source: &Source) -> Result<Tree, Error> {
    let mut tree = Tree::parse(&source.text)?.value;
    for base in &source.bases {
        tree = Tree::parse(base)?.value.extended_by(tree);
    }
    Ok(tree)
}

fn items<'a>(tree: &'a Tree, list: &str) -> &'a [Spanned<Tree>] {
    match tree.get(list).map(|list| &list.value) {
        Some(Tree::List(items)) => items,
        _ => &[],
    }
}

fn compare_list(into: &mut Vec<ObjectDifference>, list: &str, before: &[Spanned<Tree>], after: &[Spanned<Tree>]) {
    let object = |id: &str, change: Change, keys: Vec<KeyDifference>| ObjectDifference {
        list: list.to_owned(),
        id: id.to_owned(),
        change,
        keys,
        logic_changed: None,
    };
    let find = |of: &[Spanned<Tree>], id: &str| of.iter().find(|item| item.value.id() == Some(id)).cloned();
    for item in before {
        let Some(id) = item.value.id() else { continue };
        match find(after, id) {
            None => into.push(object(id, Change::Removed, Vec::new())),
            Some(other) if !item.value.says_the_same(&other.value) => {
                let mut keys = Vec::new();
                compare_keys(&mut keys, "", &item.value, &other.value, &|_| false);
                into.push(object(id, Change::Changed, keys));
            }
            Some(_) => {}
        }
    }
    for item in after {
        let Some(id) = item.value.id() else { continue };
        if find(before, id).is_none() {
            into.push(object(id, Change::Added, Vec::new()));
        }
    }
}

/// Goes down to what differs: keys of objects, objects of lists by their ids.
fn compare_keys(
    into: &mut Vec<KeyDifference>,
    path: &str,
    before: &Tree,
    after: &Tree,
    passed_over: &dyn Fn(&str) -> bool,
) {
    let below = |key: &str| crate::model_form::join(path, key);
    let mut pair = |key: &str, before: Option<&Tree>, after: Option<&Tree>| match (before, after) {
        (Some(before), Some(after)) if before.says_the_same(after) => {}
        (Some(before @ (Tree::Object(_) | Tree::List(_))), Some(after @ (Tree::Object(_) | Tree::List(_)))) => {
            compare_keys(into, &below(key), before, after, &|_| false);
        }
        (before, after) => {
            let (before, after) = (before.map(Tree::in_words), after.map(Tree::in_words));
            into.push(KeyDifference { key: below(key), before, after });
        }
    };
    match (before, after) {
        (Tree::Object(one), Tree::Object(two)) => {
            for (key, value) in one.iter().filter(|(key, _)| !passed_over(&key.value)) {
                pair(&key.value, Some(&value.value), after.get(&key.value).map(|value| &value.value));
            }
            for (key, value) in two.iter().filter(|(key, _)| !passed_over(&key.value)) {
                if before.get(&key.value).is_none() {
                    pair(&key.value, None, Some(&value.value));
                }
            }
        }
        (Tree::List(one), Tree::List(two)) if one.iter().chain(two).all(|item| item.value.id().is_some()) => {
            let find = |of: &[Spanned<Tree>], id: Option<&str>| of.iter().find(|item| item.value.id() == id).cloned();
            for item in one {
                let other = find(two, item.value.id());
                pair(item.value.id().unwrap_or("?"), Some(&item.value), other.as_ref().map(|other| &other.value));
            }
            for item in two {
                if find(one, item.value.id()).is_none() {
                    pair(item.value.id().unwrap_or("?"), None, Some(&item.value));
                }
            }
        }
        (before, after) => {
            let (before, after) = (Some(before.in_words()), Some(after.in_words()));
            into.push(KeyDifference { key: path.to_owned(), before, after });
        }
    }
}

/// A line of both texts in one.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Line<'a> {
    Same(&'a str),
    Gone(&'a str),
    New(&'a str),
}

/// Writes two texts as one, as `diff -u` does.
fn unified(before: &str, after: &str) -> String {
    let (before, after): (Vec<&str>, Vec<&str>) = (before.lines().collect(), after.lines().collect());
    if before == after || before.len() > LINES_MAX || after.len() > LINES_MAX {
        return String::new();
    }
    let lines = lines(&before, &after);
    let mut text = String::new();
    let mut next = 0;
    while let Some(change) = (next..lines.len()).find(|place| !matches!(lines[*place], Line::Same(_))) {
        let first = change.saturating_sub(CONTEXT).max(next);
        // Changes that are close together are one piece.
        let mut last = change;
        for (place, line) in lines.iter().enumerate().skip(change) {
            if !matches!(line, Line::Same(_)) {
                last = place;
            } else if place > last + 2 * CONTEXT {
                break;
            }
        }
        let end = (last + CONTEXT + 1).min(lines.len());
        let count = |of: &[Line<'_>], without: fn(&Line<'_>) -> bool| of.iter().filter(|line| !without(line)).count();
        let is_new: fn(&Line<'_>) -> bool = |line| matches!(line, Line::New(_));
        let is_gone: fn(&Line<'_>) -> bool = |line| matches!(line, Line::Gone(_));
        let place = |without| {
            let length = count(&lines[first..end], without);
            let start = count(&lines[..first], without) + usize::from(length > 0);
            format!("{start},{length}")
        };
        text.push_str(&format!("@@ -{} +{} @@\n", place(is_new), place(is_gone)));
        for line in &lines[first..end] {
            let (sign, line) = match line {
                Line::Same(line) => (' ', line),
                Line::Gone(line) => ('-', line),
                Line::New(line) => ('+', line),
            };
            text.push(sign);
            text.push_str(line);
            text.push('\n');
        }
        next = end;
    }
    text
}

/// Finds a shortest way from one text to the other (Myers, 1986); two that have
/// next to nothing in common are put one after the other.
fn lines<'a>(before: &[&'a str], after: &[&'a str]) -> Vec<Line<'a>> {
    let (rows, columns) = (before.len() as isize, after.len() as isize);
    let middle = rows + columns + 1;
    let mut reach = vec![0_isize; 2 * middle as usize + 1];
    let at = |diagonal: isize| (middle + diagonal) as usize;
    // Of each step only what it could reach, so that this grows with the
    // difference and not with the texts.
    let mut history: Vec<Vec<isize>> = Vec::new();
    'search: for steps in 0..=rows + columns {
        if steps > CHANGES_MAX {
            let gone = before.iter().map(|line| Line::Gone(line));
            return gone.chain(after.iter().map(|line| Line::New(line))).collect();
        }
        history.push(reach[at(-steps - 1)..=at(steps + 1)].to_vec());
        for diagonal in (-steps..=steps).step_by(2) {
            let down = diagonal == -steps || (diagonal != steps && reach[at(diagonal - 1)] < reach[at(diagonal + 1)]);
            let mut row = if down { reach[at(diagonal + 1)] } else { reach[at(diagonal - 1)] + 1 };
            while row < rows && row - diagonal < columns && before[row as usize] == after[(row - diagonal) as usize] {
                row += 1;
            }
            reach[at(diagonal)] = row;
            if row >= rows && row - diagonal >= columns {
                break 'search;
            }
        }
    }
    let (mut row, mut column) = (rows, columns);
    let mut lines = Vec::new();
    for (steps, reach) in history.iter().enumerate().rev() {
        let (steps, diagonal) = (steps as isize, row - column);
        let reached = |diagonal: isize| reach[(diagonal + steps + 1) as usize];
        let down = diagonal == -steps || (diagonal != steps && reached(diagonal - 1) < reached(diagonal + 1));
        let from = if down { diagonal + 1 } else { diagonal - 1 };
        let (from_row, from_column) = (reached(from), reached(from) - from);
        while row > from_row && column > from_column && row > 0 && column > 0 {
            lines.push(Line::Same(before[row as usize - 1]));
            (row, column) = (row - 1, column - 1);
        }
        if steps == 0 {
            break;
        }
        if down {
            lines.push(Line::New(after[column as usize - 1]));
        } else {
            lines.push(Line::Gone(before[row as usize - 1]));
        }
        (row, column) = (from_row, from_column);
    }
    lines.reverse();
    lines
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};
    use proptest::prelude::*;

    use super::*;

    fn check(before: &str, after: &str, expected: Expect) {
        expected.assert_eq(&unified(before, after));
    }

    #[test]
    #[expect(clippy::needless_raw_string_hashes, reason = "updated snapshots are written with them")]
    fn two_texts_in_one() {
        check("a\nb\n", "a\nb\n", expect![""]);
        check(
            "",
            "a\n",
            expect![[r#"
            @@ -0,0 +1,1 @@
            +a
        "#]],
        );
        check(
            "1\n2\n3\n4\n5\n6\n7\n8\n9\n",
            "1\n2\n3\n4\nfive\n6\n7\n8\n9\n",
            expect![[r#"
            @@ -2,7 +2,7 @@
             2
             3
             4
            -5
            +five
             6
             7
             8
        "#]],
        );
    }

    proptest! {
        #[test]
        fn the_lines_lead_from_one_text_to_the_other(
            before in prop::collection::vec("[ab]", 0..12),
            after in prop::collection::vec("[ab]", 0..12),
        ) {
            let before: Vec<&str> = before.iter().map(String::as_str).collect();
            let after: Vec<&str> = after.iter().map(String::as_str).collect();
            let lines = lines(&before, &after);
            let old: Vec<&str> = lines.iter().filter_map(|line| match line {
                Line::Same(line) | Line::Gone(line) => Some(*line),
                Line::New(_) => None,
            }).collect();
            let new: Vec<&str> = lines.iter().filter_map(|line| match line {
                Line::Same(line) | Line::New(line) => Some(*line),
                Line::Gone(_) => None,
            }).collect();
            prop_assert_eq!(old, before);
            prop_assert_eq!(new, after);
        }
    }
}
