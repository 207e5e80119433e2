//! The verbs of an editor: reading a draft as a document, and storing one over
//! the draft that its author has seen.
//!
//! A draft's revision is the hash of its text. Comparing and storing are one
//! transaction, so of two people who store over the same draft one is told that
//! it was changed, and nothing is lost.

use base::{Actor, Timestamp};
use serde_json::Value as Json;

use super::{Flows, Reading};
use crate::blueprint::{self, Format};
use crate::error::Error;
use crate::flow::Notice;
use crate::tables::{self, FlowRow};

/// What an author has seen before storing a draft.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen {
    /// The draft of this revision.
    Revision(String),
    /// That there is no flow of this key.
    Nothing,
}

impl Seen {
    pub(super) fn is(&self, flow: Option<&FlowRow>) -> bool {
        match (self, flow) {
            (Seen::Revision(revision), Some(flow)) => flow.draft == *revision,
            (Seen::Nothing, None) => true,
            _ => false,
        }
    }
}

/// A text of a flow as an editor works on it.
#[derive(Clone, Debug, PartialEq)]
pub struct Document {
    /// Names this text among all of the flow.
    pub revision: String,
    /// What stands in it.
    pub document: Json,
    /// What it is stored in.
    pub format: Format,
    /// When the flow's draft was last stored.
    pub changed_at: Timestamp,
    /// Id of who stored this text; nothing for texts of an older program.
    pub changed_by: Option<String>,
}

impl Flows {
    /// Reads a text of a flow as a document.
    pub async fn document(&self, key: &str, reading: Reading) -> Result<Document, Error> {
        let flow = self.flow(key).await?;
        let revision = self.hash_of(&flow, reading).await?;
        let text = self.text_of(&revision).await?;
        let (asked, hash) = (key.to_owned(), revision.clone());
        let changed_by = self.db.read("flows.author", move |tx| tables::author(tx, &asked, &hash)).await?;
        let bad = |detail| Error::BadDocument { key: key.to_owned(), detail };
        let format = if blueprint::is_json(&text) { Format::Json } else { Format::Yaml };
        let document = blueprint::document(&text).map_err(bad)?;
        Ok(Document { revision, document, format, changed_at: flow.updated_at, changed_by })
    }

    /// Stores a document as the draft of a flow, over the draft that its author
    /// has seen; returns the new revision, and what is noteworthy. It is
    /// written as the draft was: a blueprint in JSON, or YAML, of which the
    /// comment at the head stays and those inside are lost.
    pub async fn put_document(
        &self,
        actor: &Actor,
        key: &str,
        document: &Json,
        seen: Seen,
    ) -> Result<(String, Vec<Notice>), Error> {
        let before = match &seen {
            Seen::Nothing => None,
            Seen::Revision(_) => Some(self.text(key, Reading::Draft).await?),
        };
        let text = written(document, before.as_deref())
            .map_err(|detail| Error::BadDocument { key: key.to_owned(), detail })?;
        self.put_over(actor, key, &text, Some(seen)).await
    }
}

/// Writes a document as a text was written before.
fn written(document: &Json, before: Option<&str>) -> Result<String, String> {
    match before {
        Some(text) if blueprint::is_json(text) => blueprint::write(document, Format::Json),
        Some(text) => Ok(head_of(text) + &blueprint::write(document, Format::Yaml)?),
        None => blueprint::write(document, Format::Yaml),
    }
}

/// Returns the comment with which a text begins, to its end.
fn head_of(text: &str) -> String {
    let is_head = |line: &&str| line.trim().is_empty() || line.starts_with('#');
    text.split_inclusive('\n').take_while(is_head).collect()
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};
    use serde_json::json;

    use super::*;

    fn check(before: Option<&str>, expected: Expect) {
        let document = json!({ "name": "Orders", "flow": [{ "id": 1, "module": "loopwright:Manual" }] });
        expected.assert_eq(&written(&document, before).expect("a text"));
    }

    #[test]
    fn a_document_is_written_as_its_text_was() {
        check(
            Some("# What happens to orders.\n\nname: Order # inside\nflow: []\n"),
            expect![[r"
                # What happens to orders.

                name: Orders
                flow:
                - id: 1
                  module: loopwright:Manual
            "]],
        );
        check(
            Some(r#"{"name": "Order", "flow": []}"#),
            expect![[r#"
                {
                  "name": "Orders",
                  "flow": [
                    {
                      "id": 1,
                      "module": "loopwright:Manual"
                    }
                  ]
                }
            "#]],
        );
    }
}
