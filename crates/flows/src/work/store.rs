//! What modules do in data stores: an effect, because it outlives the run,
//! whose outcome is written in the transaction in which it happens.

use crate::engine::Intent;
use crate::error::Error;
use crate::flows::Flows;
use crate::modules::Settled;
use crate::program::Program;
use crate::run::RunId;
use crate::store::{Act, Asker, StoreCall};
use crate::tables::{self, SeenBy};

impl Flows {
    /// Does in a store what a module asks for.
    pub(super) async fn use_store(
        &self,
        run: RunId,
        program: &Program,
        intent: &Intent,
        call: &StoreCall,
    ) -> Result<Settled, Error> {
        let limits = self.limits().stores.clone();
        let name = call.store.clone();
        if let Act::Change(change) = &call.act {
            let change = change.clone().with_key(&intent.key);
            let (at_once, now) = (program.rules.commits_at_once, self.clock.now());
            let effect = (run, intent.number);
            let made = self.db.write("flows.change_store", move |tx| {
                tables::expect_live(tx, run)?;
                Ok::<_, Error>(tables::change_store(tx, &name, &change, effect, at_once, &limits, now)?)
            });
            return Ok(made.await?.unwrap_or_else(|error| Settled::new(Err(error))));
        }
        let (act, semantics) = (call.act.clone(), program.rules.semantics.clone());
        let (zone, bytes_max) = (program.zone.clone(), self.limits().bundle_bytes_max);
        // Without changes of its own that wait, it sees what everybody sees.
        let seen_by = (!program.rules.commits_at_once).then_some(run);
        let read = self.db.read("flows.read_store", move |tx| {
            let Some(store) = tables::store(tx, &name)? else { return Ok(Err(tables::no_store(&name))) };
            let asker = Asker { semantics: &semantics, zone: &zone, bytes_max };
            act.read(&mut SeenBy::new(tx, &store, seen_by, &limits)?, &asker)
        });
        Ok(Settled::new(read.await?))
    }
}
