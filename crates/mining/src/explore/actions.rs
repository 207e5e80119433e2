//! What can be done about a case: the actions of its model, each filled with
//! what is known of the case.

use std::sync::Arc;

use pools::DataModel;
use serde_saphyr::Spanned;

use super::verbs::Ground;
use crate::Error;
use crate::evaluate::Evaluator;
use crate::knowledge_model::Action;
use crate::pql::check::Checker;
use crate::pql::plan::{Grain, Node, Program, Selection};
use crate::trigger::Checking;
use crate::value::Value;

/// Instances of a record that an action is shown for, at most.
const INSTANCES_SHOWN: usize = 50;

/// An action on a record instance of a case.
#[derive(Clone, Debug, PartialEq)]
pub struct CaseAction {
    /// The action's id.
    pub id: String,
    /// What people read.
    pub name: String,
    /// The same in sentences.
    pub description: Option<String>,
    /// The key of the action flow that does it, if one is named.
    pub flow: Option<String>,
    /// The record's id.
    pub record: String,
    /// The record instance as text.
    pub identifier: String,
    /// What the flow is given, by the names of its inputs.
    pub inputs: Vec<(String, Value)>,
    /// Whether its conditions hold now.
    pub applies: bool,
}

/// Fills the actions of a model for a case, in the order of the model.
pub(crate) fn list(id: &str, ground: &Ground, data_model: &DataModel, case: u32) -> Result<Vec<CaseAction>, Error> {
    let Ground { log, model, vocabulary, now } = ground;
    let checking = Checking { id, model, data_model, catalog: log.catalog(), vocabulary };
    let mut found = Vec::new();
    for action in &model.actions {
        for record in &action.records {
            let Some(standing) = stand(&checking, action, record)? else { continue };
            let evaluator = Evaluator::new(log.clone(), standing.program.clone(), *now);
            found.extend(evaluator.cases(&[case], *now, None, |scope| standing.filled(scope, action)));
        }
    }
    Ok(found)
}

/// An action on a record, ready to be evaluated.
struct Standing {
    record: String,
    target: Grain,
    /// The identifier, then the inputs.
    values: Vec<Node>,
    selection: Selection,
    program: Arc<Program>,
}

/// Stands an action on a record; nothing if its instances are not of one case.
fn stand(checking: &Checking<'_>, action: &Action, record: &Spanned<String>) -> Result<Option<Standing>, Error> {
    let path = format!("actions.{}", action.id.value);
    let mut checker = Checker::new(checking.catalog.clone(), checking.vocabulary);
    let shown: Vec<Spanned<String>> = action.inputs.iter().map(|(_, attribute)| attribute_of(attribute)).collect();
    let stand = checking.stand(&mut checker, record, &shown, &path)?;
    let ids = stand.filter_ids.iter().chain(&action.filters).collect();
    let (selection, _) = checking.selection(&mut checker, stand.target, &path, ids)?;
    let program = Arc::new(checker.finish());
    let standing = Standing { record: stand.record, target: stand.target, values: stand.values, selection, program };
    Ok(standing.program.is_in_case(standing.target).then_some(standing))
}

/// Returns the attribute's own id of `RECORD.ATTRIBUTE`.
fn attribute_of(written: &Spanned<String>) -> Spanned<String> {
    let mut own = written.clone();
    if let Some((_, id)) = written.value.rsplit_once('.') {
        id.clone_into(&mut own.value);
    }
    own
}

impl Standing {
    fn filled(&self, scope: &crate::evaluate::InScope<'_>, action: &Action) -> Vec<CaseAction> {
        let kept = (!self.selection.conditions.is_empty())
            .then(|| scope.selected(self.selection.target, &self.selection.conditions));
        let operands: Vec<_> = self.values.iter().map(|value| scope.operand(value, self.target)).collect();
        let mut found: Vec<CaseAction> = Vec::new();
        for row in 0..scope.length(self.target) {
            let identifier = operands[0].value(row);
            let applies = kept.as_ref().is_none_or(|kept| kept[row]);
            if identifier == Value::Null {
                continue;
            }
            let identifier = identifier.to_string();
            // Rows of one instance: one of them that holds is enough.
            if let Some(known) = found.iter_mut().find(|known| known.identifier == identifier) {
                known.applies |= applies;
                continue;
            }
            if found.len() == INSTANCES_SHOWN {
                break;
            }
            let inputs = action.inputs.iter().zip(&operands[1..]);
            found.push(CaseAction {
                id: action.id.value.clone(),
                name: action.about.display_name.clone().unwrap_or_else(|| action.id.value.clone()),
                description: action.about.description.clone(),
                flow: action.flow.clone(),
                record: self.record.clone(),
                identifier,
                inputs: inputs.map(|((name, _), operand)| (name.value.clone(), operand.value(row))).collect(),
                applies,
            });
        }
        found
    }
}
