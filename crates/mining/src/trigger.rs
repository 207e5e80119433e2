//! A trigger of a published model: checked, classified, ready to be watched.

use std::sync::Arc;

use pools::DataModel;
use serde_json::json;
use serde_saphyr::Spanned;
use sha2::{Digest, Sha256};

use crate::Error;
use crate::detect::Detector;
use crate::knowledge_model::{
    Attribute, Caps, FireOn, KnowledgeModel, MODEL, Occasions, OnLogicChange, Record, TriggerText, WhenFull, line,
    refused,
};
use crate::model_check;
use crate::pql::catalog::Catalog;
use crate::pql::check::{Checker, Vocabulary, type_of};
use crate::pql::deadline::ClockUse;
use crate::pql::operators::hint;
use crate::pql::plan::{Grain, Node, Program, Selection};
use crate::reach::{Reach, over_figures, reach};
use crate::value::Type;
use crate::views::{Class, FieldView, RecordView};

/// A published model: its records and triggers.
#[derive(Debug)]
pub struct Published {
    /// The records, for those who ask.
    pub records: Vec<RecordView>,
    /// The triggers.
    pub triggers: Vec<Arc<Trigger>>,
    /// What makes a case open, if the model has a filter of that name.
    pub open: Option<Arc<OpenCases>>,
}

impl Published {
    /// Returns what is noted of each trigger.
    pub(crate) fn noted(&self) -> Vec<Noted> {
        let note = |trigger: &Arc<Trigger>| Noted {
            id: trigger.id.clone(),
            logic: trigger.logic.clone(),
            fire_existing: trigger.fire_existing,
            fire_changed: trigger.wishes.on_logic_change == OnLogicChange::Fire,
        };
        self.triggers.iter().map(note).collect()
    }
}

/// What is noted of a trigger when it is published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Noted {
    pub(crate) id: String,
    /// A trigger with another logic means something else.
    pub(crate) logic: String,
    /// Whether what matches at the first publication fires.
    pub(crate) fire_existing: bool,
    /// Whether what newly matches because of another logic fires.
    pub(crate) fire_changed: bool,
}

/// What a trigger asks for beyond its conditions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Wishes {
    pub(crate) fire_on: FireOn,
    pub(crate) cooldown_millis: i64,
    pub(crate) on_load: bool,
    pub(crate) on_logic_change: OnLogicChange,
    pub(crate) shadow: bool,
    pub(crate) caps: Caps,
}

/// The condition that makes a case open.
#[derive(Debug)]
pub struct OpenCases {
    pub(crate) program: Arc<Program>,
    pub(crate) selection: Selection,
}

/// A checked trigger.
#[derive(Debug)]
pub struct Trigger {
    /// Its id.
    pub id: String,
    /// What people read.
    pub name: String,
    /// The record's id.
    pub record: String,
    /// Identifier first, then the outputs.
    pub fields: Vec<FieldView>,
    /// How much work it is.
    pub class: Class,
    /// The same in words.
    pub cost: String,
    /// At most so many instances match at once.
    pub item_limit: u64,
    /// What happens beyond that.
    pub when_full: WhenFull,
    /// Whether what matches at the first publication fires.
    pub fire_existing: bool,
    /// Changes when what the trigger means changes.
    pub logic: String,
    pub(crate) program: Arc<Program>,
    /// Where the record's instances stand.
    pub(crate) target: Grain,
    /// In the order of `fields`.
    pub(crate) values: Vec<Node>,
    pub(crate) selection: Selection,
    pub(crate) clock: ClockUse,
    /// Whom a change makes start or stop to match.
    pub(crate) reach: Reach,
    /// Whether a record instance belongs to one case.
    pub(crate) in_case: bool,
    pub(crate) wishes: Wishes,
    /// What finds its instances, in place of conditions.
    pub(crate) detector: Option<Detector>,
}

impl Trigger {
    /// Says when it is evaluated.
    pub fn cadence(&self) -> &'static str {
        match (self.wishes.on_load, self.class, self.clock.is_none() && self.detector.is_none()) {
            (true, ..) => "when rows arrive, never because time passes",
            (_, Class::F, _) => {
                "in the background when something has changed, at most every 5 seconds and a twentieth of the time"
            }
            (_, _, true) => "at each commit",
            (_, _, false) => "at each commit and at the instant at which time alone changes an answer",
        }
    }
}

/// Checks a model against a data model that was loaded, and its catalog.
pub fn check_model(
    id: &str,
    model: &KnowledgeModel,
    data_model: &DataModel,
    catalog: &Arc<Catalog>,
) -> Result<Published, Error> {
    let vocabulary = model.vocabulary();
    let checking = Checking { id, model, data_model, catalog, vocabulary: &vocabulary };
    // What is wrong with the parts comes first: a trigger is made of them.
    let mut mistakes = model_check::mistakes(model, catalog, &vocabulary);
    let mut triggers = Vec::new();
    for trigger in &model.triggers {
        match checking.trigger(trigger) {
            Ok(trigger) => triggers.push(Arc::new(trigger)),
            Err(error) => model_check::add(&mut mistakes, error)?,
        }
    }
    if !mistakes.is_empty() {
        return Err(refused(id, mistakes));
    }
    let mut records = Vec::new();
    for record in &model.records {
        records.push(checking.record(record)?);
    }
    let open = checking.open()?;
    Ok(Published { records, triggers, open })
}

/// What a trigger or an action stands on.
pub(crate) struct Stand<'a> {
    pub(crate) record: String,
    pub(crate) target: Grain,
    fields: Vec<FieldView>,
    /// The identifier, then what is shown.
    pub(crate) values: Vec<Node>,
    /// What says where the instances are and what they are called.
    place: [String; 2],
    /// Conditions that every instance satisfies.
    pub(crate) filter_ids: &'a [Spanned<String>],
}

/// Parts of a model that are held against a data model.
pub(crate) struct Checking<'a> {
    pub(crate) id: &'a str,
    pub(crate) model: &'a KnowledgeModel,
    pub(crate) data_model: &'a DataModel,
    pub(crate) catalog: &'a Arc<Catalog>,
    pub(crate) vocabulary: &'a Vocabulary,
}

impl Checking<'_> {
    fn refused(&self, path: &str, at: &Spanned<String>, detail: &str) -> Error {
        Error::InvalidModel {
            model: self.id.to_owned(),
            path: path.to_owned(),
            line: line(at),
            detail: detail.to_owned(),
        }
    }

    fn record(&self, record: &Record) -> Result<RecordView, Error> {
        let mut checker = Checker::new(self.catalog.clone(), self.vocabulary);
        let path = format!("records.{}", record.id.value);
        let target = self.target(&mut checker, record, &path)?;
        let mut fields = Vec::new();
        for (place, attribute) in record.all_attributes().enumerate() {
            let (field, _) = self.field(&mut checker, target, &path, attribute, place == 0)?;
            fields.push(field);
        }
        let name = record.display_name.clone().unwrap_or_else(|| record.id.value.clone());
        Ok(RecordView { id: record.id.value.clone(), name, fields })
    }

    fn target(&self, checker: &mut Checker<'_>, record: &Record, path: &str) -> Result<Grain, Error> {
        let table = checker.table(&record.pql.value);
        table.map(Grain::Table).map_err(|faults| self.refused(path, &record.pql, &faults.to_string()))
    }

    fn field(
        &self,
        checker: &mut Checker<'_>,
        target: Grain,
        path: &str,
        attribute: &Attribute,
        is_identifier: bool,
    ) -> Result<(FieldView, Node), Error> {
        let path = format!("{path}.{}", attribute.id.value);
        let refused = |detail: &str| self.refused(&path, &attribute.pql, detail);
        let node = checker.value(&attribute.pql.value).map_err(|faults| refused(&faults.to_string()))?;
        if !checker.program().reaches(target, node.grain) {
            let (own, other) = (checker.program().name(target), checker.program().name(node.grain));
            return Err(refused(&format!(
                "it has one value per row of {other}, but the record has one instance per row of {own}; \
                 pull it up with a PU operator"
            )));
        }
        let field = FieldView {
            id: attribute.id.value.clone(),
            name: attribute.display_name.clone().unwrap_or_else(|| attribute.id.value.clone()),
            field_type: type_of(&node),
            unit: attribute.unit.clone(),
            format: attribute.format.clone(),
            is_identifier,
        };
        Ok((field, node))
    }

    fn find_record(&self, path: &str, id: &Spanned<String>) -> Result<&Record, Error> {
        let records = &self.model.records;
        records.iter().find(|record| record.id.value.eq_ignore_ascii_case(&id.value)).ok_or_else(|| {
            let hint = hint(&id.value, records.iter().map(|record| record.id.value.as_str()));
            self.refused(path, id, &format!("there is no record \"{}\"{hint}", id.value))
        })
    }

    /// Checks filters, and those that they refer to, and brings them to a table.
    pub(crate) fn selection(
        &self,
        checker: &mut Checker<'_>,
        target: Grain,
        path: &str,
        ids: Vec<&Spanned<String>>,
    ) -> Result<(Selection, String), Error> {
        let mut selection = Selection { target, conditions: Vec::new() };
        let mut logic = String::new();
        let mut open = ids;
        let mut seen: Vec<String> = Vec::new();
        while let Some(id) = open.pop() {
            let filters = &self.model.filters;
            let found = filters.iter().find(|filter| filter.id.value.eq_ignore_ascii_case(&id.value));
            let filter = found.ok_or_else(|| {
                let hint = hint(&id.value, filters.iter().map(|filter| filter.id.value.as_str()));
                self.refused(path, id, &format!("there is no filter \"{}\"{hint}", id.value))
            })?;
            if seen.contains(&filter.id.value) {
                continue;
            }
            seen.push(filter.id.value.clone());
            open.extend(&filter.filter_ids);
            let own = format!("filters.{}", filter.id.value);
            let refused = |detail: &str| self.refused(&own, &filter.pql, detail);
            let node = checker.condition(&filter.pql.value).map_err(|faults| refused(&faults.to_string()))?;
            let way = checker.way(&node, target).map_err(|detail| self.refused(path, id, &detail))?;
            logic.push_str(&filter.pql.value);
            logic.push('\n');
            selection.conditions.push((node, way));
        }
        Ok((selection, logic))
    }

    /// Stands on a record: its instances, and what is shown of them.
    pub(crate) fn stand(
        &self,
        checker: &mut Checker<'_>,
        record: &Spanned<String>,
        shown: &[Spanned<String>],
        path: &str,
    ) -> Result<Stand<'_>, Error> {
        let record = self.find_record(path, record)?;
        let target = self.target(checker, record, path)?;
        let record_path = format!("records.{}", record.id.value);
        let mut fields = Vec::new();
        let mut values = Vec::new();
        let (field, node) = self.field(checker, target, &record_path, &record.identifier, true)?;
        fields.push(field);
        values.push(node);
        for output in shown {
            let found =
                record.all_attributes().find(|attribute| attribute.id.value.eq_ignore_ascii_case(&output.value));
            let attribute = found.ok_or_else(|| {
                let known = record.all_attributes().map(|attribute| attribute.id.value.as_str());
                let hint = hint(&output.value, known);
                let detail = format!("record \"{}\" has no attribute \"{}\"{hint}", record.id.value, output.value);
                self.refused(path, output, &detail)
            })?;
            let (field, node) = self.field(checker, target, &record_path, attribute, false)?;
            fields.push(field);
            values.push(node);
        }
        Ok(Stand {
            record: record.id.value.clone(),
            target,
            fields,
            values,
            place: [record.pql.value.clone(), record.identifier.pql.value.clone()],
            filter_ids: &record.filter_ids,
        })
    }

    /// Stands a trigger on the model as a whole: there is one instance, named
    /// after the data model, or there are those that a detector finds.
    fn stand_on_model(&self, checker: &mut Checker<'_>, text: &TriggerText) -> Result<Stand<'_>, Error> {
        if let Some(output) = text.outputs.first() {
            let detail = "the record MODEL has no attributes; leave \"outputs\" out";
            return Err(self.refused(&format!("triggers.{}", text.id.value), output, detail));
        }
        let detected = text.detector.as_ref().map(Detector::fields);
        let known = detected.clone().unwrap_or_else(|| vec![("MODEL", Type::String)]);
        let field = |(place, (id, field_type)): (usize, (&str, Type))| FieldView {
            id: id.to_owned(),
            name: id.to_owned(),
            field_type,
            unit: None,
            format: None,
            is_identifier: place == 0,
        };
        // What a detector finds names itself; no row does.
        let name =
            detected.map_or_else(|| format!("'{}'", self.data_model.key.replace('\'', "''")), |_| "NULL".to_owned());
        let name = checker.value(&name).map_err(|faults| self.refused("triggers", &text.id, &faults.to_string()))?;
        Ok(Stand {
            record: MODEL.to_owned(),
            target: Grain::Constant,
            fields: known.into_iter().enumerate().map(field).collect(),
            values: vec![name],
            place: [MODEL.to_owned(), format!("{:?}", text.detector)],
            filter_ids: &[],
        })
    }

    fn trigger(&self, text: &TriggerText) -> Result<Trigger, Error> {
        let path = format!("triggers.{}", text.id.value);
        let mut checker = Checker::new(self.catalog.clone(), self.vocabulary);
        let on_model = text.record.value.eq_ignore_ascii_case(MODEL) && self.model.record(MODEL).is_none();
        let stand = if on_model {
            self.stand_on_model(&mut checker, text)
        } else {
            self.stand(&mut checker, &text.record, &text.outputs, &path)
        };
        let Stand { record, target, fields, values, place, filter_ids } = stand?;
        let ids = filter_ids.iter().chain(&text.filter_ids).collect();
        if text.item_limit == 0 {
            return Err(self.refused(
                &path,
                &text.id,
                "\"itemLimit\" is 0: with no room for one instance it never fires",
            ));
        }
        for (key, cap) in [("perCommit", text.caps.per_commit), ("perMinute", text.caps.per_minute)] {
            if cap == Some(0) {
                let detail =
                    format!("\"caps.{key}\" is 0: with that nothing is ever sent; use shadow: true to only record");
                return Err(self.refused(&path, &text.id, &detail));
            }
        }
        let (selection, conditions) = self.selection(&mut checker, target, &path, ids)?;
        if selection.conditions.is_empty() && text.detector.is_none() {
            return Err(self.refused(&path, &text.id, "it needs at least one filter in \"filterIds\""));
        }
        let selection = over_figures(checker.program(), selection);
        let clock = ClockUse::of(selection.conditions.iter().map(|(condition, _)| condition));
        let mut reach = reach(&checker, &selection, &clock);
        // The model has one instance, which no case and no deadline of its own
        // stands for; what moves it are the figures of all.
        reach.whole |= on_model && (text.detector.is_some() || !clock.is_none());
        let program = Arc::new(checker.finish());
        let in_case = program.is_in_case(target);
        Ok(Trigger {
            id: text.id.value.clone(),
            name: text.display_name.clone().unwrap_or_else(|| text.id.value.clone()),
            record,
            fields,
            class: reach.class(&clock),
            cost: reach.cost(in_case, &clock, text.evaluate == Occasions::OnLoad),
            item_limit: text.item_limit,
            when_full: text.when_full,
            fire_existing: text.fire_existing,
            logic: self.logic(&place, &conditions),
            program,
            target,
            values,
            selection,
            clock,
            reach,
            in_case,
            wishes: Wishes {
                fire_on: text.fire_on,
                cooldown_millis: i64::from(text.rearm.cooldown_minutes) * 60_000,
                on_load: text.evaluate == Occasions::OnLoad,
                on_logic_change: text.on_logic_change,
                shadow: text.shadow,
                caps: text.caps,
            },
            detector: text.detector.clone(),
        })
    }

    /// Digests what decides which instances match: the record's place and
    /// identifier, the filters, all that they may refer to, and how the tables
    /// of the data model hang together.
    fn logic(&self, place: &[String; 2], conditions: &str) -> String {
        let mut hash = Sha256::new();
        let mut words: Vec<String> = Vec::new();
        words.extend(self.vocabulary.variables.iter().map(|(id, value)| format!("{id}={value}")));
        words.extend(self.vocabulary.attributes.iter().map(|((record, id), pql)| format!("{record}.{id}={pql}")));
        words.sort();
        let joins = json!([self.data_model.id, self.data_model.foreign_keys, self.data_model.activity]);
        words.push(joins.to_string());
        for part in [&place[0], &place[1], conditions].into_iter().chain(words.iter().map(String::as_str)) {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part.as_bytes());
        }
        hash.finalize().iter().take(16).fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
    }

    fn open(&self) -> Result<Option<Arc<OpenCases>>, Error> {
        let Some(filter) = self.model.filters.iter().find(|filter| filter.id.value == "OPEN") else { return Ok(None) };
        let mut checker = Checker::new(self.catalog.clone(), self.vocabulary);
        let target = Grain::Table(self.catalog.roles.case_table);
        let (selection, _) = self.selection(&mut checker, target, "filters.OPEN", vec![&filter.id])?;
        Ok(Some(Arc::new(OpenCases { program: Arc::new(checker.finish()), selection })))
    }
}
