//! Holding a knowledge model against its data: every expression, every
//! reference, all mistakes at once.
//!
//! Triggers are checked where they are made (`trigger`); this is about what
//! they are made of, and about everything else that a model names.

use std::collections::HashSet;
use std::sync::Arc;

use serde_saphyr::Spanned;

use crate::Error;
use crate::error::ModelMistake;
use crate::knowledge_model::{Attribute, ColumnType, Filter, KnowledgeModel, Kpi, MODEL, Record, TriggerText};
use crate::pql::catalog::Catalog;
use crate::pql::check::{Checker, Vocabulary, type_of};
use crate::pql::operators::hint;
use crate::pql::plan::{Grain, Node, Yield};
use crate::value::Type;

/// Lists what does not hold together.
pub(crate) fn mistakes(model: &KnowledgeModel, catalog: &Arc<Catalog>, vocabulary: &Vocabulary) -> Vec<ModelMistake> {
    let mut checking = Checking { model, catalog, vocabulary, mistakes: Vec::new() };
    for filter in &model.filters {
        checking.filter(filter);
    }
    for record in &model.records {
        checking.record(record);
    }
    for kpi in &model.kpis {
        checking.kpi(kpi);
    }
    checking.event_logs();
    checking.actions();
    for trigger in &model.triggers {
        let path = format!("triggers.{}", trigger.id.value);
        checking.filters_exist(&path, &trigger.filter_ids);
        checking.trigger(&path, trigger);
    }
    checking.mistakes
}

/// Adds a mistake that was found elsewhere, unless the same place is told
/// already; an error of another kind is returned.
pub(crate) fn add(mistakes: &mut Vec<ModelMistake>, error: Error) -> Result<(), Error> {
    let more = error.model_mistakes();
    if more.is_empty() {
        return Err(error);
    }
    for mistake in more {
        if !mistakes.iter().any(|known| known.path == mistake.path) {
            mistakes.push(mistake);
        }
    }
    Ok(())
}

struct Checking<'a> {
    model: &'a KnowledgeModel,
    catalog: &'a Arc<Catalog>,
    vocabulary: &'a Vocabulary,
    mistakes: Vec<ModelMistake>,
}

impl<'a> Checking<'a> {
    fn mistake<T>(&mut self, path: &str, at: &Spanned<T>, detail: impl Into<String>) {
        let line = at.referenced.line();
        self.mistakes.push(ModelMistake { path: path.to_owned(), line, detail: detail.into() });
    }

    fn checker(&self) -> Checker<'a> {
        Checker::new(self.catalog.clone(), self.vocabulary)
    }

    /// Says that there is no object of a name; one that is switched off is
    /// called so.
    fn missing<'b>(
        &mut self,
        path: &str,
        kind: &'static str,
        id: &Spanned<String>,
        known: impl IntoIterator<Item = &'b str>,
    ) {
        let name = id.value.as_str();
        let detail = if self.model.switched_off.contains(&(kind, name.to_uppercase())) {
            format!("{kind} \"{name}\" is switched off; take scope: DISABLED away there, or the reference here")
        } else {
            format!("there is no {kind} \"{name}\"{}", hint(name, known))
        };
        self.mistake(path, id, detail);
    }

    fn filters_exist(&mut self, path: &str, ids: &[Spanned<String>]) {
        let model = self.model;
        for id in ids {
            if model.filter(&id.value).is_none() {
                self.missing(path, "filter", id, model.filters.iter().map(|filter| filter.id.value.as_str()));
            }
        }
    }

    fn record_exists(&mut self, path: &str, id: &Spanned<String>) -> Option<&'a Record> {
        let model = self.model;
        let record = model.record(&id.value);
        if record.is_none() {
            self.missing(path, "record", id, model.records.iter().map(|record| record.id.value.as_str()));
        }
        record
    }

    fn trigger(&mut self, path: &str, trigger: &TriggerText) {
        let on_model = trigger.record.value.eq_ignore_ascii_case(MODEL) && self.model.record(MODEL).is_none();
        match &trigger.detector {
            None if on_model => {}
            None => drop(self.record_exists(path, &trigger.record)),
            Some(_) if !on_model => {
                let detail = "a detector stands on the record MODEL and on no other; write record: MODEL";
                self.mistake(path, &trigger.record, detail);
            }
            Some(detector) => {
                if let Some(filter) = trigger.filter_ids.first() {
                    self.mistake(path, filter, "a detector has parameters and takes no \"filterIds\"; leave them out");
                } else if let Err(detail) = detector.check(self.catalog) {
                    self.mistake(path, &trigger.record, detail);
                }
            }
        }
    }

    fn filter(&mut self, filter: &Filter) {
        let path = format!("filters.{}", filter.id.value);
        self.filters_exist(&path, &filter.filter_ids);
        if let Some(circle) = self.circle(filter) {
            let detail = format!("it refers to itself: {circle}; leave one reference out");
            self.mistake(&path, &filter.id, detail);
        }
        if let Err(faults) = self.checker().condition(&filter.pql.value) {
            self.mistake(&path, &filter.pql, faults.to_string());
        }
    }

    /// Goes from filter to filter and comes back to the first, if it can.
    fn circle(&self, first: &Filter) -> Option<String> {
        let mut seen = HashSet::new();
        let mut open = vec![(first, first.id.value.clone())];
        while let Some((filter, way)) = open.pop() {
            for id in &filter.filter_ids {
                let way = format!("{way} > {}", id.value);
                let Some(next) = self.model.filter(&id.value) else { continue };
                if std::ptr::eq(next, first) {
                    return Some(way);
                }
                if seen.insert(&next.id.value) {
                    open.push((next, way));
                }
            }
        }
        None
    }

    fn record(&mut self, record: &Record) {
        let path = format!("records.{}", record.id.value);
        self.filters_exist(&path, &record.filter_ids);
        let target = match self.checker().table(&record.pql.value) {
            Ok(table) => Some(Grain::Table(table)),
            Err(faults) => {
                self.mistake(&path, &record.pql, faults.to_string());
                None
            }
        };
        for attribute in record.all_attributes() {
            self.attribute(&path, target, attribute);
        }
    }

    fn attribute(&mut self, path: &str, target: Option<Grain>, attribute: &Attribute) {
        let path = format!("{path}.{}", attribute.id.value);
        self.filters_exist(&path, &attribute.filter_ids);
        let mut checker = self.checker();
        let node = match checker.value(&attribute.written.value) {
            Ok(node) => node,
            Err(faults) => return self.mistake(&path, &attribute.written, faults.to_string()),
        };
        if let Some(wanted) = &attribute.column_type
            && let Some(detail) = misfit(wanted.value, &node)
        {
            self.mistake(&path, wanted, detail);
        }
        if let Some(target) = target
            && !checker.program().reaches(target, node.grain)
        {
            let (own, other) = (checker.program().name(target), checker.program().name(node.grain));
            let detail = format!(
                "it has one value per row of {other}, but the record has one instance per row of {own}; \
                 pull it up with a PU operator"
            );
            return self.mistake(&path, &attribute.written, detail);
        }
        // With its filters it is another expression.
        if attribute.pql.value == attribute.written.value {
            return;
        }
        let mut checker = self.checker();
        match checker.value(&attribute.pql.value) {
            Ok(node) if target.is_none_or(|target| checker.program().reaches(target, node.grain)) => {}
            Ok(node) => {
                let detail = format!(
                    "its filters look at {}, of which an instance has several rows; pull up with a PU operator there",
                    checker.program().name(node.grain)
                );
                self.mistake(&path, &attribute.filter_ids[0], detail);
            }
            // The filter itself is told where it stands.
            Err(_) if self.filters_are_wrong(&attribute.filter_ids) => {}
            Err(faults) => self.mistake(&path, &attribute.filter_ids[0], format!("with its filters: {faults}")),
        }
    }

    fn filters_are_wrong(&self, ids: &[Spanned<String>]) -> bool {
        ids.iter()
            .filter_map(|id| self.model.filter(&id.value))
            .any(|filter| self.checker().condition(&filter.pql.value).is_err() || self.filters_are_wrong_below(filter))
    }

    fn filters_are_wrong_below(&self, filter: &Filter) -> bool {
        self.circle(filter).is_some() || self.filters_are_wrong(&filter.filter_ids)
    }

    fn kpi(&mut self, kpi: &Kpi) {
        let path = format!("kpis.{}", kpi.id.value);
        self.filters_exist(&path, &kpi.filter_ids);
        for (place, parameter) in kpi.parameters.iter().enumerate() {
            let name = format!("{{p{}}}", place + 1);
            if parameter.default_value.is_none() && kpi.written.value.contains(&name) {
                let detail =
                    format!("\"{}\" stands for {name} and has no \"defaultValue\"; write one", parameter.id.value);
                self.mistake(&format!("{path}.parameters.{}", parameter.id.value), &parameter.id, detail);
                return;
            }
        }
        if let Err(faults) = self.checker().query(&kpi.pql.value) {
            if !self.filters_are_wrong(&kpi.filter_ids) {
                self.mistake(&path, &kpi.written, faults.to_string());
            }
            return;
        }
        // Nothing was narrowed: there is a COUNT_TABLE, or no aggregate.
        let has_filters = kpi.filter_ids.iter().any(|id| self.model.filter(&id.value).is_some());
        if has_filters && !kpi.pql.value.contains("CASE WHEN") {
            let detail = "its \"filterIds\" cannot be brought into its expression; count with COUNT(\"TABLE\".\"KEY\") \
                          instead of COUNT_TABLE, and aggregate all that is filtered";
            self.mistake(&path, &kpi.filter_ids[0], detail);
        }
    }

    fn event_logs(&mut self) {
        let model = self.model;
        for log in &model.event_logs {
            let path = format!("eventLogs.{}", log.id.value);
            if let Some(record) = &log.record_id {
                self.record_exists(&path, record);
            }
            if let Err(faults) = self.checker().value(&log.pql.value) {
                self.mistake(&path, &log.pql, faults.to_string());
            }
        }
        for id in &model.event_log_references {
            if !model.event_logs.iter().any(|log| log.id.value == id.value) {
                let known = model.event_logs.iter().map(|log| log.id.value.as_str());
                self.missing("eventLogsMetadata", "event log", id, known);
            }
        }
    }

    fn actions(&mut self) {
        let model = self.model;
        for anomaly in &model.anomalies {
            let path = format!("anomalies.{}", anomaly.id.value);
            for id in &anomaly.kpi_ids {
                if !model.kpis.iter().any(|kpi| kpi.id.value.eq_ignore_ascii_case(&id.value)) {
                    self.missing(&path, "KPI", id, model.kpis.iter().map(|kpi| kpi.id.value.as_str()));
                }
            }
        }
        for action in &model.actions {
            let path = format!("actions.{}", action.id.value);
            self.filters_exist(&path, &action.filters);
            let records: Vec<&Record> = action.records.iter().filter_map(|id| self.record_exists(&path, id)).collect();
            for (name, attribute) in &action.inputs {
                let wanted = attribute.value.rsplit_once('.').map_or(attribute.value.as_str(), |(_, id)| id);
                for record in &records {
                    if record.all_attributes().any(|known| known.id.value.eq_ignore_ascii_case(wanted)) {
                        continue;
                    }
                    let hint = hint(wanted, record.all_attributes().map(|known| known.id.value.as_str()));
                    let record = &record.id.value;
                    let detail = format!("record \"{record}\" has no attribute \"{wanted}\"{hint}");
                    self.mistake(&format!("{path}.inputs.{}", name.value), attribute, detail);
                }
            }
        }
    }
}

/// Says how a column type does not fit what an expression yields.
fn misfit(wanted: ColumnType, node: &Node) -> Option<String> {
    if node.yields == Yield::Nothing {
        return None;
    }
    let own = type_of(node);
    let (fits, word) = match own {
        Type::String => (wanted == ColumnType::String, "string"),
        Type::Int => (
            matches!(wanted, ColumnType::Integer | ColumnType::Boolean | ColumnType::Number | ColumnType::Float),
            "integer",
        ),
        Type::Float => (matches!(wanted, ColumnType::Float | ColumnType::Number), "float"),
        Type::Date => (
            matches!(wanted, ColumnType::Date | ColumnType::Time | ColumnType::Datetime | ColumnType::Timestamp),
            "datetime",
        ),
    };
    (!fits).then(|| format!("the expression yields {own}, which is no such type; write columnType: {word}"))
}
