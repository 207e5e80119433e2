//! A second evaluator, as plain as can be: row by row, without columns, codes
//! or frames. Whatever is asked of random tables, both answer the same.
//!
//! The tables hang together as a tree: events and items belong to orders,
//! orders to vendors. Any of them may lack its partner, and any value may be
//! missing.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::sync::Arc;

use proptest::prelude::*;
use proptest::strategy::ValueTree;

use super::{model, rows};
use crate::evaluate::answer;
use crate::log::EventLog;
use crate::pql::check::{Checker, Vocabulary};
use crate::value::Value;

const TABLES: [&str; 4] = ["EV", "ORDERS", "VENDOR", "ITEMS"];
const COLUMNS: [&[(&str, bool)]; 4] = [
    &[("CASE", false), ("ACT", false), ("H", true)],
    &[("CASE", false), ("VENDOR", false), ("V", true)],
    &[("ID", false), ("R", true)],
    &[("CASE", false), ("Q", true)],
];

/// The table on the 1-side, with the key on either side.
fn parent(table: usize) -> Option<(usize, usize, usize)> {
    [Some((1, 0, 0)), Some((2, 1, 0)), None, Some((1, 0, 0))][table]
}

fn chain(table: usize) -> Vec<usize> {
    std::iter::successors(Some(table), |table| parent(*table).map(|(one, _, _)| one)).collect()
}

fn reaches(many: usize, one: usize) -> bool {
    chain(many).contains(&one)
}

#[derive(Clone, Debug)]
pub(super) struct World([Vec<Vec<Value>>; 4]);

impl World {
    fn up(&self, table: usize, row: usize, to: usize) -> Option<usize> {
        if table == to {
            return Some(row);
        }
        let (one, key, other) = parent(table)?;
        let key = &self.0[table][row][key];
        let partner = self.0[one].iter().position(|row| *key != Value::Null && row[other] == *key)?;
        self.up(one, partner, to)
    }

    fn rows(&self, table: usize) -> std::ops::Range<usize> {
        0..self.0[table].len()
    }

    /// The value of a term for a row of its own table.
    fn value(&self, term: &Term, row: usize) -> Value {
        match term {
            Term::Column(table, column) => self.0[*table][row][*column].clone(),
            Term::Pull { how, target, table, column, filter } => {
                let counts = |source: &usize| {
                    self.up(*table, *source, *target) == Some(row)
                        && filter.as_ref().is_none_or(|filter| self.holds_at(filter, *table, *source) == Some(true))
                };
                let values = self.rows(*table).filter(counts).map(|row| self.0[*table][row][*column].clone());
                how.of(values.collect())
            }
            Term::Shared { how, table, column, keys } => {
                let key = |row: usize| keys.iter().map(|key| self.0[*table][row][*key].clone()).collect::<Vec<_>>();
                let own = key(row);
                // A combination with a missing part is none.
                if own.contains(&Value::Null) {
                    return Value::Null;
                }
                let values = self.rows(*table).filter(|other| key(*other) == own);
                how.of(values.map(|row| self.0[*table][row][*column].clone()).collect())
            }
        }
    }

    /// The value for a row of another table; none without a partner.
    fn value_at(&self, term: &Term, table: usize, row: usize) -> Value {
        self.up(table, row, term.table()).map_or(Value::Null, |row| self.value(term, row))
    }

    fn holds(&self, condition: &Condition, row: usize) -> Option<bool> {
        let value = self.value(&condition.term, row);
        if condition.sign == "IS NULL" {
            return Some(value == Value::Null);
        }
        let order = match (&value, condition.constant) {
            (Value::Text(text), constant) => (**text).cmp(LETTERS[constant]),
            (Value::Int(number), constant) => number.cmp(&(constant as i64)),
            (Value::Float(number), constant) => number.total_cmp(&(constant as f64)),
            _ => return None,
        };
        Some(match condition.sign {
            "=" => order.is_eq(),
            "<" => order.is_lt(),
            _ => order.is_gt(),
        })
    }

    fn holds_at(&self, condition: &Condition, table: usize, row: usize) -> Option<bool> {
        self.up(table, row, condition.term.table()).and_then(|row| self.holds(condition, row))
    }

    /// Whether a row stays under all conditions that stand on one table.
    fn stays(&self, together: &[&Condition], home: usize, table: usize, row: usize) -> bool {
        let all = |row: usize| together.iter().all(|condition| self.holds(condition, row) == Some(true));
        if reaches(table, home) {
            return self.up(table, row, home).is_some_and(all);
        }
        // Where both ways meet: the table itself, or one on the 1-side of both.
        let meeting = chain(home).into_iter().find(|meeting| reaches(table, *meeting)).expect("it is a tree");
        let own = self.up(table, row, meeting);
        own.is_some() && self.rows(home).any(|below| self.up(home, below, meeting) == own && all(below))
    }
}

const LETTERS: [&str; 4] = ["a", "b", "c", "d"];

#[derive(Clone, Copy, Debug, PartialEq)]
enum How {
    Count,
    Distinct,
    Min,
    Max,
    Mode,
    Sum,
    Avg,
    Median,
    Product,
}

impl How {
    fn for_text(self) -> How {
        if matches!(self, How::Sum | How::Avg | How::Median | How::Product) { How::Distinct } else { self }
    }

    fn of(self, mut values: Vec<Value>) -> Value {
        values.retain(|value| *value != Value::Null);
        values.sort_by(|one, other| match (one, other) {
            (Value::Text(one), Value::Text(other)) => one.cmp(other),
            (one, other) => number(one).total_cmp(&number(other)),
        });
        let distinct = values.iter().map(ToString::to_string).collect::<BTreeSet<_>>().len();
        let count = values.len();
        let times = |value: &Value| values.iter().filter(|other| *other == value).count();
        match self {
            How::Count => Value::Int(count as i64),
            How::Distinct => Value::Int(distinct as i64),
            _ if count == 0 => Value::Null,
            How::Min => values[0].clone(),
            How::Max => values[count - 1].clone(),
            How::Mode => {
                let most = values.iter().map(times).max().expect("there are values");
                values.iter().find(|value| times(value) == most).expect("one has the most").clone()
            }
            How::Median => values[(count / 2).min(count - 1)].clone(),
            How::Avg => Value::Float(values.iter().map(number).sum::<f64>() / count as f64),
            How::Sum | How::Product => {
                let whole = |value: &Value| if let Value::Int(value) = value { *value } else { 0 };
                let whole = values.iter().map(whole);
                Value::Int(if self == How::Sum { whole.sum() } else { whole.product() })
            }
        }
    }

    fn pull_up(self) -> &'static str {
        match self {
            How::Count => "PU_COUNT",
            How::Distinct => "PU_COUNT_DISTINCT",
            How::Min => "PU_MIN",
            How::Max => "PU_MAX",
            How::Mode => "PU_MODE",
            How::Sum => "PU_SUM",
            How::Avg => "PU_AVG",
            How::Median => "PU_MEDIAN",
            How::Product => "PU_PRODUCT",
        }
    }

    fn call(self, value: &str) -> String {
        match self {
            How::Distinct => format!("COUNT(DISTINCT {value})"),
            other => format!("{}({value})", &other.pull_up()[3..]),
        }
    }
}

fn number(value: &Value) -> f64 {
    match value {
        Value::Int(value) => *value as f64,
        Value::Float(value) => *value,
        _ => 0.0,
    }
}

#[derive(Clone, Debug)]
enum Term {
    Column(usize, usize),
    Pull {
        how: How,
        target: usize,
        table: usize,
        column: usize,
        filter: Option<Box<Condition>>,
    },
    /// Pulled up to a combination of columns of the table, or to one value of
    /// all, and brought back to the table.
    Shared {
        how: How,
        table: usize,
        column: usize,
        keys: Vec<usize>,
    },
}

impl Term {
    fn table(&self) -> usize {
        match self {
            Term::Column(table, _) | Term::Shared { table, .. } => *table,
            Term::Pull { target, .. } => *target,
        }
    }

    fn is_text(&self) -> bool {
        match self {
            Term::Column(table, column) => !COLUMNS[*table][*column].1,
            Term::Pull { how, table, column, .. } | Term::Shared { how, table, column, .. } => {
                matches!(how, How::Min | How::Max | How::Mode) && !COLUMNS[*table][*column].1
            }
        }
    }

    fn is_float(&self) -> bool {
        matches!(self, Term::Pull { how: How::Avg, .. } | Term::Shared { how: How::Avg, .. })
    }

    fn text(&self) -> String {
        let column = |table: usize, column: usize| format!("\"{}\".\"{}\"", TABLES[table], COLUMNS[table][column].0);
        match self {
            Term::Column(table, place) => column(*table, *place),
            Term::Pull { how, target, table, column: place, filter } => {
                let filter = filter.as_ref().map(|filter| format!(", {}", filter.text())).unwrap_or_default();
                format!("{}(\"{}\", {}{filter})", how.pull_up(), TABLES[*target], column(*table, *place))
            }
            Term::Shared { how, table, column: place, keys } => {
                let keys: Vec<String> = keys.iter().map(|key| column(*table, *key)).collect();
                let target =
                    if keys.is_empty() { "CONSTANT()".into() } else { format!("DOMAIN_TABLE({})", keys.join(", ")) };
                format!("BIND(\"{}\", {}({target}, {}))", TABLES[*table], how.pull_up(), column(*table, *place))
            }
        }
    }
}

#[derive(Clone, Debug)]
struct Condition {
    term: Term,
    sign: &'static str,
    constant: usize,
}

impl Condition {
    fn text(&self) -> String {
        if self.sign == "IS NULL" {
            return format!("{} IS NULL", self.term.text());
        }
        let constant =
            if self.term.is_text() { format!("'{}'", LETTERS[self.constant]) } else { self.constant.to_string() };
        format!("{} {} {constant}", self.term.text(), self.sign)
    }
}

#[derive(Clone, Debug)]
struct Question {
    filters: Vec<Condition>,
    keys: Vec<Term>,
    aggregates: Vec<(How, Term)>,
}

impl Question {
    fn text(&self) -> String {
        let mut text = String::new();
        for filter in &self.filters {
            write!(text, "FILTER {}; ", filter.text()).expect("a string takes it");
        }
        let keys = self.keys.iter().map(Term::text);
        let aggregates = self.aggregates.iter().map(|(how, term)| how.call(&term.text()));
        text + &keys.chain(aggregates).collect::<Vec<_>>().join(", ")
    }

    /// The answer's lines, sorted; nothing if there is no common table.
    fn answer(&self, world: &World) -> Option<Vec<String>> {
        let terms = || self.keys.iter().chain(self.aggregates.iter().map(|(_, term)| term));
        let common = terms().map(Term::table).max_by_key(|table| chain(*table).len())?;
        if !terms().all(|term| reaches(common, term.table())) {
            return None;
        }
        let mut kept: Vec<usize> = world.rows(common).collect();
        for home in 0..TABLES.len() {
            let together: Vec<&Condition> = self.filters.iter().filter(|filter| filter.term.table() == home).collect();
            if !together.is_empty() {
                kept.retain(|row| world.stays(&together, home, common, *row));
            }
        }
        let line = |values: Vec<Value>| values.iter().map(ToString::to_string).collect::<Vec<_>>().join(" | ");
        let key = |row: usize| line(self.keys.iter().map(|term| world.value_at(term, common, row)).collect());
        if self.aggregates.is_empty() {
            let mut lines: Vec<String> = kept.into_iter().map(key).collect();
            lines.sort();
            return Some(lines);
        }
        let mut groups: BTreeSet<String> = kept.iter().map(|row| key(*row)).collect();
        if self.keys.is_empty() {
            groups.insert(String::new());
        }
        let aggregated = |group: String| {
            let members: Vec<usize> = kept.iter().copied().filter(|row| key(*row) == group).collect();
            let one = |(how, term): &(How, Term)| {
                how.of(members.iter().map(|row| world.value_at(term, common, *row)).collect())
            };
            let values = line(self.aggregates.iter().map(one).collect());
            if self.keys.is_empty() { values } else { format!("{group} | {values}") }
        };
        let mut lines: Vec<String> = groups.into_iter().map(aggregated).collect();
        lines.sort();
        Some(lines)
    }
}

pub(super) fn load(world: &World) -> Arc<EventLog> {
    let headers = ["CASE | ACT | H:int | TS:time", "CASE | VENDOR | V:int", "ID | R:int", "CASE | Q:int"];
    let loaded = std::array::from_fn::<_, 4, _>(|table| {
        let mut text = headers[table].to_owned();
        for (number, row) in world.0[table].iter().enumerate() {
            let cell = |value: &Value| if *value == Value::Null { "-".to_owned() } else { value.to_string() };
            let time = if table == 0 { vec![format!("2026-03-01 {:02}:00", number % 5)] } else { Vec::new() };
            let cells: Vec<String> = row.iter().map(cell).chain(time).collect();
            write!(text, "\n{}", cells.join(" | ")).expect("a string takes it");
        }
        (rows(&text), Vec::new())
    });
    let joins = [("ORDERS", "VENDOR", "VENDOR", "ID"), ("ITEMS", "CASE", "ORDERS", "CASE")];
    Arc::new(EventLog::new(&model(&TABLES, Some("ORDERS"), &joins), &loaded, 1).expect("it loads"))
}

pub(super) fn worlds() -> impl Strategy<Value = World> {
    use prop::collection::vec;
    let text = |prefix: &'static str, number: Option<u8>| {
        number.map_or(Value::Null, |number| Value::Text(format!("{prefix}{number}").into()))
    };
    let letter = |place: usize| Value::Text(LETTERS[place].into());
    let int = |number: Option<i64>| number.map_or(Value::Null, Value::Int);
    let number = || prop::option::weighted(0.8, -1..4_i64);
    let reference = || prop::option::weighted(0.9, 0..5_u8);
    let events = vec((0..5_u8, 0..3_usize, number()), 1..9);
    // Order 4 and vendor 3 are spoken of and not there.
    let orders = vec((reference(), number()), 4);
    let vendors = vec(number(), 3);
    let items = vec((reference(), number()), 0..7);
    (events, orders, vendors, items, 0..=4_usize, any::<bool>()).prop_map(
        move |(events, orders, vendors, items, known, nameless)| {
            let events = events.into_iter().map(|(case, act, h)| vec![text("c", Some(case)), letter(act), int(h)]);
            let orders = orders.into_iter().take(known).enumerate();
            let orders = orders.map(|(case, (vendor, v))| {
                vec![text("c", Some(case as u8)), text("v", vendor.map(|vendor| vendor % 4)), int(v)]
            });
            let vendors = vendors.into_iter().enumerate().map(|(id, r)| {
                let id = if nameless && id == 2 { None } else { Some(id as u8) };
                vec![text("v", id), int(r)]
            });
            let items = items.into_iter().map(|(case, q)| vec![text("c", case), int(q)]);
            World([events.collect(), orders.collect(), vendors.collect(), items.collect()])
        },
    )
}

fn column() -> impl Strategy<Value = (usize, usize)> {
    (0..TABLES.len()).prop_flat_map(|table| (Just(table), 0..COLUMNS[table].len()))
}

fn how() -> impl Strategy<Value = How> {
    prop::sample::select(vec![
        How::Count,
        How::Distinct,
        How::Min,
        How::Max,
        How::Mode,
        How::Sum,
        How::Avg,
        How::Median,
        How::Product,
    ])
}

fn fitting(how: How, is_text: bool) -> How {
    if is_text { how.for_text() } else { how }
}

fn condition_on(term: impl Strategy<Value = Term>) -> impl Strategy<Value = Condition> {
    let sign = prop::sample::select(vec!["=", "<", ">", ">", "IS NULL"]);
    (term, sign, 0..3_usize).prop_map(|(term, sign, constant)| Condition { term, sign, constant })
}

fn term() -> impl Strategy<Value = Term> {
    let plain = column().prop_map(|(table, column)| Term::Column(table, column));
    let filter = prop::option::of((0..3_usize, 0..2_usize, prop::sample::select(vec!["=", "<", ">"])));
    let pull = (how(), column(), 0..3_usize, filter).prop_map(|(how, (table, column), target, filter)| {
        let above = chain(table);
        let target = above[target % above.len()];
        let filter = filter.map(|(place, column, sign)| {
            let home = above[place % above.len()];
            Box::new(Condition { term: Term::Column(home, column), sign, constant: place })
        });
        Term::Pull { how: fitting(how, !COLUMNS[table][column].1), target, table, column, filter }
    });
    let shared = (how(), column(), prop::collection::vec(0..2_usize, 0..3)).prop_map(|(how, (table, column), keys)| {
        Term::Shared { how: fitting(how, !COLUMNS[table][column].1), table, column, keys }
    });
    prop_oneof![4 => plain, 2 => pull, 1 => shared]
}

fn questions() -> impl Strategy<Value = Question> {
    use prop::collection::vec;
    let aggregates = vec((how(), term()), 0..3).prop_map(|aggregates| {
        let fit = |(how, term): (How, Term)| {
            let how = if term.is_float() { How::Count } else { fitting(how, term.is_text()) };
            (how, term)
        };
        aggregates.into_iter().map(fit).collect()
    });
    (vec(condition_on(term()), 0..3), vec(term(), 0..3), aggregates)
        .prop_map(|(filters, keys, aggregates)| Question { filters, keys, aggregates })
        .prop_filter("it shows something", |question| !question.keys.is_empty() || !question.aggregates.is_empty())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn answers_are_those_of_going_row_by_row(world in worlds(), questions in prop::collection::vec(questions(), 1..4)) {
        let log = load(&world);
        let words = Vocabulary::default();
        for question in questions {
            let text = question.text();
            let plan = Checker::new(log.catalog().clone(), &words).query(&text);
            let Some(expected) = question.answer(&world) else {
                let told = plan.map(|_| ()).expect_err("there is no common table").to_string();
                prop_assert!(told.contains("have no common table; pull one up"), "{}: {}", text, told);
                continue;
            };
            let plan = plan.map_err(|faults| TestCaseError::fail(format!("{text}: {faults}")))?;
            let line = |row: &Vec<Value>| row.iter().map(ToString::to_string).collect::<Vec<_>>().join(" | ");
            let mut found: Vec<String> = answer(log.clone(), &plan, 0).rows.iter().map(line).collect();
            found.sort();
            prop_assert_eq!(found, expected, "{}", text);
        }
    }
}

/// Most of what is asked has a common table, and rows to show under filters.
#[test]
fn the_questions_are_worth_asking() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let both = (worlds(), questions());
    let (mut refused, mut shown, mut filtered, mut grouped) = (0, 0, 0, 0);
    for _ in 0..500 {
        let (world, question) = both.new_tree(&mut runner).expect("there is always one").current();
        match question.answer(&world) {
            None => refused += 1,
            Some(lines) if lines.is_empty() => {}
            Some(lines) => {
                shown += 1;
                filtered += i32::from(!question.filters.is_empty());
                grouped += i32::from(!question.keys.is_empty() && !question.aggregates.is_empty() && lines.len() > 1);
            }
        }
    }
    assert!(refused < 150, "{refused} have no common table");
    assert!(shown > 250, "{shown} have an answer");
    assert!(filtered > 100, "{filtered} have one under filters");
    assert!(grouped > 25, "{grouped} have several groups");
}
