//! Looking: which instances satisfy the trigger, and what there is to say of
//! those that start or stop to.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use base::Timestamp;

use super::{News, Watch, Which};
use crate::detect::Finding;
use crate::evaluate::InScope;
use crate::figures::Figures;
use crate::knowledge_model::FireOn;
use crate::log::NO_ROW;
use crate::matched_set::{Enter, kind};
use crate::ports::{Field, Reason};
use crate::pql::plan::Grain;
use crate::trigger::Trigger;
use crate::value::{Type, Value};

impl Watch {
    /// Evaluates over some units.
    pub(super) fn in_scope<T>(
        &self,
        units: &[u32],
        now: i64,
        figures: &Figures,
        run: impl FnOnce(&InScope<'_>) -> T,
    ) -> T {
        let given = figures.seen(&self.links);
        match self.trigger.target {
            Grain::Table(table) if !self.trigger.in_case => {
                let own = self.evaluator.log().table(table);
                let lives = |row: &u32| (*row as usize) < own.capacity() && own.is_alive(*row);
                let rows: Vec<u32> = units.iter().copied().filter(lives).collect();
                self.evaluator.rows(table, &rows, now, Some(&given), run)
            }
            _ => self.evaluator.cases(units, now, Some(&given), run),
        }
    }

    /// Lists the instances that satisfy the trigger, with their unit.
    pub(super) fn find(&mut self, which: &Which, now: i64, figures: &Figures) -> Vec<(Arc<str>, u32)> {
        let trigger = self.trigger.clone();
        if let Some(detector) = &trigger.detector {
            self.detected = detector.look(self.evaluator.log(), now);
            return self.detected.found.iter().map(|finding| (finding.identifier.clone(), NO_ROW)).collect();
        }
        let look = |scope: &InScope<'_>| {
            let selected = scope.selected(trigger.target, &trigger.selection.conditions);
            let mut found = Vec::new();
            if selected.contains(&true) {
                let identifier = scope.operand(&trigger.values[0], trigger.target);
                let units = units_of(scope, &trigger);
                for row in (0..selected.len()).filter(|row| selected[*row]) {
                    let value = identifier.value(row);
                    if value != Value::Null {
                        found.push((Arc::from(value.to_string()), units[row]));
                    }
                }
            }
            found
        };
        #[cfg(test)]
        {
            self.looked_at += match which {
                Which::Units(units) => units.len() as u64,
                Which::All if trigger.target == Grain::Constant => 1,
                Which::All => u64::from(self.evaluator.log().case_count()),
            };
        }
        match which {
            Which::Units(units) => self.in_scope(units, now, figures, look),
            Which::All if trigger.reach.whole => self.evaluator.everything(look),
            Which::All => self.evaluator.everything_given(&figures.seen(&self.links), look),
        }
    }

    /// Says what there is to say of instances that stop to match: their outputs
    /// as they are now, nothing of those that are gone.
    pub(super) fn farewells(
        &self,
        leaving: &[Arc<str>],
        left: &HashMap<Arc<str>, u32>,
        now: i64,
        figures: &Figures,
        news: &News,
    ) -> Vec<Enter> {
        if leaving.is_empty() {
            return Vec::new();
        }
        let trigger = &self.trigger;
        let look = |scope: &InScope<'_>| {
            let operands: Vec<_> = trigger.values.iter().map(|value| scope.operand(value, trigger.target)).collect();
            let mut rows: HashMap<String, Vec<Value>> = HashMap::new();
            for row in 0..scope.length(trigger.target) {
                let identifier = operands[0].value(row).to_string();
                rows.entry(identifier).or_insert_with(|| operands.iter().map(|operand| operand.value(row)).collect());
            }
            rows
        };
        let units: Option<BTreeSet<u32>> =
            leaving.iter().map(|identifier| left.get(identifier).copied().filter(|unit| *unit != NO_ROW)).collect();
        let rows = match units {
            Some(units) if !trigger.reach.whole => {
                self.in_scope(&units.into_iter().collect::<Vec<_>>(), now, figures, look)
            }
            _ => self.evaluator.everything_given(&figures.seen(&self.links), look),
        };
        let farewell = |identifier: &Arc<str>| {
            let own_type = trigger.fields[0].field_type;
            let mut gone = vec![Value::Null; trigger.values.len()];
            gone[0] = identified(identifier, own_type);
            let values = rows.get(&**identifier).unwrap_or(&gone);
            let stored = self.members.stored(identifier);
            let late = left.get(identifier).is_some_and(|unit| news.late.contains(unit));
            self.told(identifier, values, stored.map_or(1, |stored| stored.episode), false, news.reason_of(late))
        };
        leaving.iter().map(farewell).collect()
    }

    /// Evaluates the outputs of instances that start to match.
    pub(super) fn describe(
        &self,
        entering: &[(Arc<str>, u32)],
        now: i64,
        figures: &Figures,
        news: &News,
    ) -> Vec<Enter> {
        if entering.is_empty() {
            return Vec::new();
        }
        let trigger = &self.trigger;
        let look = |scope: &InScope<'_>| {
            let selected = scope.selected(trigger.target, &trigger.selection.conditions);
            let operands: Vec<_> = trigger.values.iter().map(|value| scope.operand(value, trigger.target)).collect();
            let mut rows: HashMap<String, Vec<Value>> = HashMap::new();
            for row in (0..selected.len()).filter(|row| selected[*row]) {
                let identifier = operands[0].value(row).to_string();
                rows.entry(identifier).or_insert_with(|| operands.iter().map(|operand| operand.value(row)).collect());
            }
            rows
        };
        let mut units: Vec<u32> = entering.iter().map(|(_, unit)| *unit).collect();
        units.sort_unstable();
        units.dedup();
        // An instance without a case is found only among all.
        let rows = if trigger.detector.is_some() {
            let values = |finding: &Finding| {
                let identifier = std::iter::once(Value::Text(finding.identifier.clone()));
                (finding.identifier.to_string(), identifier.chain(finding.values.iter().cloned()).collect())
            };
            self.detected.found.iter().map(values).collect()
        } else if trigger.reach.whole {
            self.evaluator.everything(look)
        } else if units.contains(&NO_ROW) {
            self.evaluator.everything_given(&figures.seen(&self.links), look)
        } else {
            self.in_scope(&units, now, figures, look)
        };
        let enter = |(identifier, unit): &(Arc<str>, u32)| {
            let values = rows.get(&**identifier)?;
            let stored = self.members.stored(identifier);
            let before = stored.map_or(0, |stored| stored.episode);
            let fired_at = stored.and_then(|stored| stored.fired_at);
            // A clock that was set back has not come to that signal yet.
            let cools = 0..trigger.wishes.cooldown_millis;
            let quiet = fired_at.is_some_and(|at| cools.contains(&(now - at.as_millis())));
            let quiet = quiet || trigger.wishes.fire_on == FireOn::Leave;
            Some(self.told(identifier, values, before + 1, quiet, news.reason_of(news.late.contains(unit))))
        };
        entering.iter().filter_map(enter).collect()
    }

    fn told(&self, identifier: &Arc<str>, values: &[Value], episode: u64, quiet: bool, reason: Reason) -> Enter {
        let fields = self.trigger.fields.iter().zip(values).map(|(field, value)| Field {
            id: field.id.clone(),
            value: value.to_json(),
            kind: kind(field.field_type),
            is_identifier: field.is_identifier,
        });
        Enter {
            identifier: identifier.clone(),
            episode,
            typed: values[0].to_json(),
            fields: fields.collect(),
            quiet,
            reason,
        }
    }
}

/// Reads an identifier back from its text.
fn identified(text: &str, own: Type) -> Value {
    let number = match own {
        Type::Int => text.parse().ok().map(Value::Int),
        Type::Float => text.parse().ok().map(Value::Float),
        Type::Date => text.parse::<Timestamp>().ok().map(|at| Value::Date(at.as_millis())),
        Type::String => None,
    };
    number.unwrap_or_else(|| Value::Text(text.into()))
}

/// Returns the unit of each row of the target.
pub(super) fn units_of(scope: &InScope<'_>, trigger: &Trigger) -> Vec<u32> {
    match trigger.target {
        Grain::Table(table) if !trigger.in_case => scope.frame(table).rows.iter().collect(),
        target => scope.cases_of(target, scope.log().catalog().roles.case_table),
    }
}

/// Lists the units with an instance that passes the gates: no figure and no
/// clock makes another one match.
pub(super) fn passing(scope: &InScope<'_>, trigger: &Trigger) -> HashSet<u32> {
    let passes = scope.selected(trigger.target, &trigger.reach.gates);
    units_of(scope, trigger)
        .into_iter()
        .zip(passes)
        .filter(|(unit, passes)| *passes && *unit != NO_ROW)
        .map(|(unit, _)| unit)
        .collect()
}
