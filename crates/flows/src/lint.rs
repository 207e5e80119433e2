//! What can be said of a flow's text without running it, beyond what compiling
//! it says: whether the editor of the original would take it, settings that are
//! missing or that nobody knows, ways that nothing takes, and secrets that do
//! not belong into a text.
//!
//! Everything here is a warning. What keeps a flow from running at all is found
//! when it is compiled, and is an error.

mod settings;
mod structure;

use serde::Serialize;
use serde_json::Value as Json;

use crate::blueprint::{self, Place, Placed, Places};
use crate::brought::Brought;
use crate::flow::{Notice, Severity};
use crate::literal::{self, Literal};
use crate::program::Program;

/// Something noteworthy, and where it stands in the text.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Remark {
    /// What it is.
    #[serde(flatten)]
    pub notice: Notice,
    /// Where it stands, if that is known.
    #[serde(flatten)]
    pub place: Option<Place>,
}

/// What is said of a text.
#[derive(Debug)]
pub struct Report {
    /// Name of the flow.
    pub name: String,
    /// How many modules there are.
    pub modules: usize,
    /// Why it cannot be read at all, if it cannot.
    pub problem: Option<String>,
    /// What is noteworthy, in the order of the text.
    pub remarks: Vec<Remark>,
    /// Secrets that stand in it.
    pub literals: Vec<Literal>,
}

impl Report {
    /// Tells whether something keeps the flow from running.
    pub fn is_broken(&self) -> bool {
        self.problem.is_some() || self.remarks.iter().any(|remark| remark.notice.severity == Severity::Error)
    }
}

/// Looks at a text. Without a server nobody knows what its numbers stand for,
/// so all of them are told.
pub fn lint(text: &str) -> Report {
    let document = match blueprint::document(text) {
        Ok(document) => document,
        Err(problem) => return unreadable(problem),
    };
    let modules = blueprint::modules(&document);
    let literals = literal::find(&document);
    let mut notices = structure::identity(&modules);
    let mut problem = None;
    match Program::compile(text) {
        Ok(program) => {
            notices.extend(program.notices.iter().cloned());
            notices.extend(beyond(&document, &program));
            notices.extend(program.brought().iter().map(Brought::notice));
        }
        Err(why) => problem = Some(why),
    }
    let places = Places::of(text);
    let place = |notice: &Notice| places.as_ref()?.place(notice.module, notice.field.as_deref());
    let mut remarks: Vec<Remark> = notices.into_iter().map(|notice| Remark { place: place(&notice), notice }).collect();
    remarks.sort_by_key(|remark| remark.place.map_or((u64::MAX, 0), |place| (place.line, place.column)));
    Report {
        name: document["name"].as_str().unwrap_or_default().to_owned(),
        modules: modules.len(),
        problem,
        remarks,
        literals,
    }
}

/// Says of a program what compiling it did not say.
pub fn beyond(document: &Json, program: &Program) -> Vec<Notice> {
    let modules: Vec<Placed<'_>> =
        blueprint::modules(document).into_iter().filter(|(spot, _)| !spot.is_orphan).collect();
    let mut notices = structure::check(&modules, program);
    notices.extend(settings::check(&modules, program));
    notices.extend(literal::find(document).iter().map(Literal::notice));
    notices
}

fn unreadable(problem: String) -> Report {
    Report { name: String::new(), modules: 0, problem: Some(problem), remarks: Vec::new(), literals: Vec::new() }
}

/// Makes a warning about a module.
fn warning(module: Option<u32>, field: Option<&str>, text: impl Into<String>) -> Notice {
    Notice { severity: Severity::Warning, module, field: field.map(str::to_owned), text: text.into() }
}

/// Returns the id of a module, if it has a proper one.
fn id_of(node: &serde_json::Map<String, Json>) -> Option<u32> {
    node.get("id").and_then(Json::as_u64).and_then(|id| id.try_into().ok())
}

fn name_of(node: &serde_json::Map<String, Json>) -> &str {
    node.get("module").and_then(Json::as_str).unwrap_or_default()
}

#[cfg(test)]
mod tests;
