//! Activity names in a knowledge model that no event bears.
//!
//! They keep nobody from publishing: tomorrow's event may bear the name. They
//! are most often slips all the same, and the trigger that waits for one never
//! fires, so that whoever publishes is told.

use std::sync::Arc;

use serde_saphyr::Spanned;

use crate::evaluate::unheard;
use crate::knowledge_model::{KnowledgeModel, line};
use crate::log::EventLog;
use crate::notices::Notice;
use crate::pql::check::{Checker, Vocabulary};
use crate::pql::plan::Node;

/// Says of each expression which names in it no event bears. One that does not
/// fit the data is passed over; checking the model tells of it.
pub(crate) fn in_model(model: &KnowledgeModel, log: &Arc<EventLog>, now: i64) -> Vec<Notice> {
    let vocabulary = model.vocabulary();
    let mut listening = Listening { log, vocabulary: &vocabulary, now, notices: Vec::new() };
    for filter in &model.filters {
        let path = format!("filters.{}", filter.id.value);
        listening.hear(&path, &filter.pql, |checker, text| checker.condition(text).ok());
    }
    for record in &model.records {
        for attribute in record.all_attributes() {
            let path = format!("records.{}.{}", record.id.value, attribute.id.value);
            listening.hear(&path, &attribute.pql, |checker, text| checker.value(text).ok());
        }
    }
    listening.notices
}

struct Listening<'a> {
    log: &'a Arc<EventLog>,
    vocabulary: &'a Vocabulary,
    now: i64,
    notices: Vec<Notice>,
}

impl Listening<'_> {
    fn hear(&mut self, path: &str, text: &Spanned<String>, check: impl FnOnce(&mut Checker<'_>, &str) -> Option<Node>) {
        let mut checker = Checker::new(self.log.catalog().clone(), self.vocabulary);
        let Some(node) = check(&mut checker, &text.value) else { return };
        let told = unheard(self.log, &Arc::new(checker.finish()), [&node], self.now);
        let notice = |detail| Notice { path: path.to_owned(), line: line(text), detail };
        self.notices.extend(told.into_iter().map(notice));
    }
}
