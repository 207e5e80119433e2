//! Packages: what is published together.
//!
//! Knowledge models and flows lie in packages. Publishing a package makes a
//! *version* of it: which version of each of its parts it is made of. All of a
//! package is published or none of it: everything is checked first; then the
//! knowledge models are published, because flows listen to their triggers; then
//! all flows and the version itself in one transaction. What equals its
//! published version stays as it is. Publishing switches nothing on:
//! activating is another act.

use base::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

/// A publication of a package.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PackageVersion {
    /// Counted from 1.
    pub version: u64,
    /// What its publisher said about it.
    #[schema(required = true)]
    pub note: Option<String>,
    /// The version that was published again, if it was a rollback.
    #[schema(required = true)]
    pub of_version: Option<u64>,
    /// When it was published.
    #[schema(value_type = String, format = DateTime)]
    pub published_at: Timestamp,
    /// By whom.
    pub published_by: String,
    /// What it is made of.
    pub parts: Vec<Part>,
}

/// A part of a package, in a version of its own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = PackagePart)]
pub struct Part {
    /// What it is.
    pub kind: PartKind,
    /// Its key; of a knowledge model `package.key`.
    pub key: String,
    /// Its version.
    pub version: u64,
}

/// What a part of a package is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum PartKind {
    /// A knowledge model.
    KnowledgeModel,
    /// A flow.
    Flow,
}

impl PartKind {
    /// Returns what it is called in tables and answers.
    pub fn word(self) -> &'static str {
        match self {
            PartKind::KnowledgeModel => "knowledge-model",
            PartKind::Flow => "flow",
        }
    }

    /// Finds the kind that a word stands for.
    pub(crate) fn named(word: &str) -> Option<Self> {
        [PartKind::KnowledgeModel, PartKind::Flow].into_iter().find(|kind| kind.word() == word)
    }
}
