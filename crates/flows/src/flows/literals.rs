//! The verbs about secrets that stand in the text of a flow.

use base::Actor;
use serde::Serialize;
use utoipa::ToSchema;

use super::{Flows, Reading};
use crate::blueprint::{self, Format};
use crate::error::Error;
use crate::literal::{self, Literal};
use crate::tables;

/// What became of the secrets in a draft.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct MovedSecrets {
    /// The connections that were made, with what went into each.
    pub connections: Vec<MovedSecret>,
    /// What stays where it is, and why.
    pub left: Vec<Literal>,
    /// The old text is still kept: a version or a run needs it. Whoever may
    /// read those can read the secret, so it should be replaced.
    pub kept_in_history: bool,
}

/// A connection that was made of secrets in a text.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct MovedSecret {
    /// Its name.
    pub connection: String,
    /// Its kind.
    pub kind: String,
    /// Where the secret stood.
    pub secrets: Vec<Literal>,
}

impl Flows {
    /// Finds the secrets in a draft.
    pub async fn literals(&self, key: &str) -> Result<Vec<Literal>, Error> {
        let text = self.text(key, Reading::Draft).await?;
        let document = blueprint::document(&text);
        let document = document.map_err(|detail| Error::BadDocument { key: key.to_owned(), detail })?;
        Ok(literal::find(&document))
    }

    /// Moves the secrets in a draft into connections, the first of them called
    /// `name`. A connection of that name must not be there yet: it may be
    /// another one's.
    pub async fn move_literals(&self, actor: &Actor, key: &str, name: &str) -> Result<MovedSecrets, Error> {
        let before = self.flow(key).await?.draft;
        let text = self.text(key, Reading::Draft).await?;
        let unreadable = |detail| Error::BadDocument { key: key.to_owned(), detail };
        let moved = literal::move_into_connections(&blueprint::document(&text).map_err(unreadable)?, name);
        let known = self.connections().await?;
        if let Some((name, ..)) = moved.connections.iter().find(|(name, ..)| known.iter().any(|it| it.name == *name)) {
            return Err(Error::ConnectionExists { name: name.clone() });
        }
        let mut connections = Vec::new();
        for (name, spec, secrets) in moved.connections {
            let kind = spec.kind.clone();
            self.put_connection(actor, &name, spec).await?;
            connections.push(MovedSecret { connection: name, kind, secrets });
        }
        let mut kept_in_history = false;
        if !connections.is_empty() {
            let format = if blueprint::is_json(&text) { Format::Json } else { Format::Yaml };
            let text = blueprint::write(&moved.document, format).map_err(unreadable)?;
            self.put(actor, key, &text).await?;
            let gone = self.db.write("flows.forget_text", move |tx| Ok::<_, Error>(tables::forget_text(tx, &before)?));
            kept_in_history = !gone.await?;
        }
        Ok(MovedSecrets { connections, left: moved.left, kept_in_history })
    }
}
