//! The assistant: guesses a data model from the tables of a pool.
//!
//! Names say what a column may be, values whether it is. Which table tells the
//! story, and by which columns, is guessed as in an import; a connection of two
//! tables is one whose values on the N side stand, once each, on the 1 side.
//! Every guess comes with its reason, and what is returned can be put as it is.

use std::collections::{HashMap, HashSet};

use base::error::Coded;

use crate::import::{ColumnSeen, GuessedRole, Role, guess_roles};
use crate::port::{CHANGE_DATE_COLUMN, SEQ_COLUMN};
use crate::rows::{Cell, Column, ColumnType};
use crate::schema::text_of;
use crate::{ActivityTable, DataModelSpec, Error, ForeignKey, PoolId, Pools, TableInfo};

/// Rows of a table whose values are looked at; a larger one is judged by its
/// names alone.
const ROWS_MEASURED_MAX: u64 = 1_000_000;
/// Rows of a table in which roles are looked for.
const ROWS_SAMPLED_MAX: usize = 2_000;
/// Columns of a table that may be a key or point to one.
const KEY_COLUMNS_MAX: usize = 12;
/// Share of the values on the N side that must stand on the 1 side.
const INCLUDED_MIN: f64 = 0.9;

/// A guessed data model.
#[derive(Clone, Debug, PartialEq)]
pub struct GuessedDataModel {
    /// What can be put as it is.
    pub spec: DataModelSpec,
    /// Why it is so, in sentences.
    pub reasons: Vec<String>,
    /// What a person should look at, in sentences.
    pub warnings: Vec<String>,
}

/// What is known of the values of a column.
struct Measured {
    name: String,
    values: HashSet<String>,
    /// Rows that have a value.
    filled: u64,
}

impl Measured {
    /// Tells whether each row has another value.
    fn is_key(&self, rows: u64) -> bool {
        rows > 0 && self.filled == rows && self.values.len() as u64 == rows
    }
}

/// A table with what was measured of it.
struct Looked<'a> {
    info: &'a TableInfo,
    roles: Vec<(String, GuessedRole)>,
    measured: Vec<Measured>,
}

impl Looked<'_> {
    fn column(&self, role: Role) -> Option<&(String, GuessedRole)> {
        self.roles.iter().find(|(_, guess)| guess.role == role)
    }

    /// Tells how sure this is a table of activities.
    fn score(&self) -> f64 {
        let sure = |role| self.column(role).map_or(0.0, |(_, guess)| guess.confidence);
        sure(Role::Case).min(sure(Role::Activity)).min(sure(Role::Time))
    }

    fn measured(&self, column: &str) -> Option<&Measured> {
        self.measured.iter().find(|measured| measured.name.eq_ignore_ascii_case(column))
    }
}

impl Pools {
    /// Guesses a data model from the tables of a pool, from all of them or from
    /// those that are named.
    pub async fn guess_data_model(&self, pool: PoolId, only: &[String]) -> Result<GuessedDataModel, Error> {
        let mut tables = self.tables(pool).await?;
        for name in only {
            self.table(pool, name).await?;
        }
        tables.retain(|table| only.is_empty() || only.iter().any(|name| name.eq_ignore_ascii_case(&table.name)));
        let mut warnings = Vec::new();
        let mut looked = Vec::new();
        for info in &tables {
            looked.push(self.look_at_table(pool, info, &mut warnings).await?);
        }
        decide(&looked, warnings)
    }

    async fn look_at_table<'a>(
        &self,
        pool: PoolId,
        info: &'a TableInfo,
        warnings: &mut Vec<String>,
    ) -> Result<Looked<'a>, Error> {
        let ours = |name: &str| name.eq_ignore_ascii_case(SEQ_COLUMN) || name.eq_ignore_ascii_case(CHANGE_DATE_COLUMN);
        let columns: Vec<_> = info.schema.columns.iter().filter(|column| !ours(&column.name)).collect();
        if info.rows > ROWS_MEASURED_MAX {
            warnings.push(format!(
                "table \"{}\" has {} rows: it is judged by the names of its columns alone",
                info.name, info.rows
            ));
            let seen = columns.iter().map(|column| ColumnSeen {
                name: &column.name,
                column_type: column.column_type,
                values: Vec::new(),
                rows: 0,
            });
            let roles = named(
                guess_roles(&seen.collect::<Vec<_>>()),
                &columns.iter().map(|column| column.name.clone()).collect::<Vec<_>>(),
            );
            return Ok(Looked { info, roles, measured: Vec::new() });
        }
        // One column at a time, so that only one is in memory.
        let (mut samples, mut measured) = (Vec::new(), Vec::new());
        for column in &columns {
            let snapshot = match self.rows().scan(pool, &info.name, Some(vec![column.name.clone()])).await {
                Ok(snapshot) => snapshot,
                // Somebody has just replaced the table.
                Err(error) if error.code() == "table-mismatch" => continue,
                Err(error) => return Err(error.into()),
            };
            let Some(values) = snapshot.rows.column(&column.name) else { continue };
            let sample: Vec<String> =
                (0..snapshot.rows.len().min(ROWS_SAMPLED_MAX)).filter_map(|row| shown(values, row)).collect();
            samples.push((column.name.clone(), column.column_type, sample));
            let may_be_key = matches!(column.column_type, ColumnType::Integer | ColumnType::Text);
            if may_be_key && measured.len() < KEY_COLUMNS_MAX {
                measured.push(measure(&column.name, values, snapshot.rows.len()));
            }
        }
        let rows = (info.rows as usize).min(ROWS_SAMPLED_MAX);
        let seen = samples.iter().map(|(name, column_type, values)| ColumnSeen {
            name,
            column_type: *column_type,
            values: values.iter().map(String::as_str).collect(),
            rows,
        });
        let roles = guess_roles(&seen.collect::<Vec<_>>());
        let names: Vec<_> = samples.iter().map(|(name, ..)| name.clone()).collect();
        Ok(Looked { info, roles: named(roles, &names), measured })
    }
}

fn named(roles: Vec<Option<GuessedRole>>, names: &[String]) -> Vec<(String, GuessedRole)> {
    names.iter().cloned().zip(roles).filter_map(|(name, role)| Some((name, role?))).collect()
}

fn shown(column: &Column, row: usize) -> Option<String> {
    match column.cell(row) {
        Cell::Null => None,
        cell => Some(text_of(cell)),
    }
}

fn measure(name: &str, column: &Column, rows: usize) -> Measured {
    let mut measured = Measured { name: name.to_owned(), values: HashSet::new(), filled: 0 };
    for row in 0..rows {
        if let Some(text) = shown(column, row) {
            measured.filled += 1;
            measured.values.insert(text);
        }
    }
    measured
}

/// Puts the model together.
fn decide(tables: &[Looked<'_>], mut warnings: Vec<String>) -> Result<GuessedDataModel, Error> {
    let mut candidates: Vec<&Looked<'_>> = tables.iter().filter(|table| table.score() > 0.0).collect();
    candidates.sort_by(|one, other| other.score().total_cmp(&one.score()).then(other.info.rows.cmp(&one.info.rows)));
    let Some(activities) = candidates.first() else {
        let detail = if tables.is_empty() {
            "the pool has no tables yet: push or import some".to_owned()
        } else {
            let names: Vec<_> = tables.iter().map(|table| table.info.name.as_str()).take(20).collect();
            format!(
                "none of \"{}\" has a column for the case, one for the activity and one for the time",
                names.join("\", \"")
            )
        };
        return Err(Error::BadDataModel { key: "guess".into(), detail });
    };
    let mut reasons = Vec::new();
    for other in &candidates[1..] {
        warnings.push(format!("table \"{}\" could be the one of activities too", other.info.name));
    }
    let mut column = |role: Role, what: &str| {
        let (name, guess) = activities.column(role)?;
        let sure = (guess.confidence * 100.0).round();
        reasons.push(format!("\"{}\".\"{name}\" is the {what} ({sure} %): {}", activities.info.name, guess.reason));
        if guess.confidence < 0.6 {
            warnings.push(format!("\"{name}\" as the {what} is little more than a guess"));
        }
        Some(name.clone())
    };
    let case = column(Role::Case, "case").unwrap_or_default();
    let activity = column(Role::Activity, "activity").unwrap_or_default();
    let time = column(Role::Time, "time").unwrap_or_default();
    let start = column(Role::Start, "beginning");
    let case_table = case_table(tables, activities, &case, &mut reasons);
    let mut foreign_keys = Vec::new();
    if let Some((table, to)) = &case_table {
        foreign_keys.push(key_between(&activities.info.name, &case, table, to));
    }
    let by_values = connections(tables, activities, &mut reasons);
    for key in by_values {
        let known = |other: &ForeignKey| other.from_table == key.from_table && other.to_table == key.to_table;
        if !foreign_keys.iter().any(known) {
            foreign_keys.push(key);
        }
    }
    let connected = reach(&activities.info.name, &foreign_keys);
    foreign_keys.retain(|key| connected.contains(&key.from_table) && connected.contains(&key.to_table));
    let mut names = vec![activities.info.name.clone()];
    for table in tables {
        if connected.contains(&table.info.name) && !names.contains(&table.info.name) {
            names.push(table.info.name.clone());
        } else if !connected.contains(&table.info.name) {
            warnings.push(format!("table \"{}\" is connected to no other and is left out", table.info.name));
        }
    }
    let (timestamp_column, end_timestamp_column) = match start {
        Some(start) => (start, Some(time)),
        None => (time, None),
    };
    let spec = DataModelSpec {
        name: activities.info.name.clone(),
        tables: names,
        foreign_keys,
        activity: ActivityTable {
            table: activities.info.name.clone(),
            case_column: case,
            activity_column: activity,
            timestamp_column,
            end_timestamp_column,
            sorting_column: None,
            case_table: case_table.as_ref().map(|(table, _)| table.clone()),
            case_table_column: case_table.map(|(_, column)| column),
        },
    };
    Ok(GuessedDataModel { spec, reasons, warnings })
}

fn key_between(from_table: &str, from: &str, to_table: &str, to: &str) -> ForeignKey {
    ForeignKey {
        from_table: from_table.to_owned(),
        from_columns: vec![from.to_owned()],
        to_table: to_table.to_owned(),
        to_columns: vec![to.to_owned()],
    }
}

/// Finds the table that has one row per case.
fn case_table(
    tables: &[Looked<'_>],
    activities: &Looked<'_>,
    case: &str,
    reasons: &mut Vec<String>,
) -> Option<(String, String)> {
    let cases = activities.measured(case)?;
    let mut best: Option<(f64, &Looked<'_>, &Measured)> = None;
    for table in tables.iter().filter(|table| table.info.name != activities.info.name) {
        for column in table.measured.iter().filter(|column| column.is_key(table.info.rows)) {
            let share = included(cases, column);
            // A running number holds every other one that is shorter.
            let alike = similar(case, &column.name, &table.info.name);
            let fits = share >= INCLUDED_MIN && (alike || !numbers_only(cases));
            let score = share + if alike { 0.5 } else { 0.0 };
            if fits && best.as_ref().is_none_or(|(best, ..)| score > *best) {
                best = Some((score, table, column));
            }
        }
    }
    let (_, table, column) = best?;
    let share = (included(cases, column) * 100.0).round();
    reasons.push(format!(
        "\"{}\" has one row per case: \"{}\" is different in each row, and {share} % of the cases stand in it",
        table.info.name, column.name
    ));
    Some((table.info.name.clone(), column.name.clone()))
}

/// Finds the other connections.
fn connections(tables: &[Looked<'_>], activities: &Looked<'_>, reasons: &mut Vec<String>) -> Vec<ForeignKey> {
    let mut keys = Vec::new();
    for from in tables {
        for to in tables.iter().filter(|to| to.info.name != from.info.name) {
            // Activities are on the N side of everything.
            if to.info.name == activities.info.name {
                continue;
            }
            let mut best: Option<(f64, &Measured, &Measured)> = None;
            for column in &from.measured {
                for key in to.measured.iter().filter(|key| key.is_key(to.info.rows)) {
                    if column.values.is_empty() || !similar(&column.name, &key.name, &to.info.name) {
                        continue;
                    }
                    let share = included(column, key);
                    if share >= INCLUDED_MIN && best.as_ref().is_none_or(|(best, ..)| share > *best) {
                        best = Some((share, column, key));
                    }
                }
            }
            let Some((share, column, key)) = best else { continue };
            let reverse = keys
                .iter()
                .any(|known: &ForeignKey| known.from_table == to.info.name && known.to_table == from.info.name);
            if reverse {
                continue;
            }
            let share = (share * 100.0).round();
            reasons.push(format!(
                "\"{}\".\"{}\" points to \"{}\".\"{}\": the names are alike, and {share} % of its values stand there",
                from.info.name, column.name, to.info.name, key.name
            ));
            keys.push(key_between(&from.info.name, &column.name, &to.info.name, &key.name));
        }
    }
    keys
}

fn included(from: &Measured, to: &Measured) -> f64 {
    if from.values.is_empty() {
        return 0.0;
    }
    from.values.iter().filter(|value| to.values.contains(*value)).count() as f64 / from.values.len() as f64
}

fn numbers_only(column: &Measured) -> bool {
    column.values.iter().all(|value| value.parse::<i64>().is_ok())
}

/// Tells whether a column seems to name a row of a table: `vendor_id` that of
/// `id` in `Vendors`, `LIFNR` that of `LIFNR`.
fn similar(column: &str, key: &str, table: &str) -> bool {
    let plain = |text: &str| {
        let letters = text.chars().filter(|letter| letter.is_alphanumeric()).flat_map(char::to_lowercase);
        let text: String = letters.collect();
        text.strip_prefix("case").filter(|rest| rest.len() > 2).map_or(text.clone(), str::to_owned)
    };
    let (column, key, table) = (plain(column), plain(key), plain(table));
    let table = table.strip_suffix('s').unwrap_or(&table).to_owned();
    let ends = ["id", "key", "nr", "no", "number", "nummer", "code"];
    let stem = |name: &str| ends.iter().find_map(|end| name.strip_suffix(end)).unwrap_or(name).to_owned();
    column == key
        || (!stem(&column).is_empty() && stem(&column) == stem(&key))
        || (stem(&column) == table && (ends.contains(&key.as_str()) || stem(&key) == table || key == "name"))
}

/// Returns the tables that hang together with one.
fn reach(from: &str, keys: &[ForeignKey]) -> HashSet<String> {
    let mut beside: HashMap<&str, Vec<&str>> = HashMap::new();
    for key in keys {
        beside.entry(&key.from_table).or_default().push(&key.to_table);
        beside.entry(&key.to_table).or_default().push(&key.from_table);
    }
    let mut reached = HashSet::from([from.to_owned()]);
    let mut open = vec![from];
    while let Some(table) = open.pop() {
        for next in beside.get(table).into_iter().flatten() {
            if reached.insert((*next).to_owned()) {
                open.push(next);
            }
        }
    }
    reached
}
