//! The verbs about what flows have done about signals.

use base::Timestamp;

use super::{Flows, known};
use crate::error::Error;
use crate::outcomes::{Acts, Listening};
use crate::tables;

impl Flows {
    /// Lists the flows that listen or have listened to a trigger, the first one
    /// first.
    pub async fn listening_to(&self, knowledge_model: &str, trigger: &str) -> Result<Vec<Listening>, Error> {
        let (model, trigger) = (knowledge_model.to_owned(), trigger.to_owned());
        let read = self.db.read("flows.listening_to", move |tx| tables::listening_to(tx, &model, &trigger));
        Ok(read.await?)
    }

    /// Lists the triggers to which a flow listens or has listened, the first one
    /// first.
    pub async fn listening_of(&self, key: &str) -> Result<Vec<Listening>, Error> {
        let key = key.to_owned();
        self.db
            .read("flows.listening_of", move |tx| {
                known(tx, &key)?;
                Ok(tables::listening_of(tx, &key)?)
            })
            .await
    }

    /// Lists the runs that began with a signal of a trigger and started at a
    /// time or later.
    pub async fn acted_on(&self, knowledge_model: &str, trigger: &str, since: Timestamp) -> Result<Acts, Error> {
        let (model, trigger) = (knowledge_model.to_owned(), trigger.to_owned());
        let read =
            self.db.read("flows.acted_on", move |tx| Ok::<_, Error>(tables::acted_on(tx, (&model, &trigger), since)?));
        let (runs, forgotten) = read.await?;
        let complete_from = forgotten.map(|at| Timestamp::from_micros(at.as_micros().saturating_add(1)));
        Ok(Acts { runs, complete_from })
    }
}
