//! Counting from run to run: an effect, because the number lies outside of the
//! run, and one that can be repeated, because it is counted once for each.

use crate::engine::Intent;
use crate::error::Error;
use crate::flows::Flows;
use crate::modules::Settled;
use crate::modules::util::increment::counted;
use crate::run::RunId;
use crate::tables;

impl Flows {
    /// Takes the next number of a counter of a flow.
    pub(super) async fn count(&self, run: RunId, flow: &str, intent: &Intent) -> Result<Settled, Error> {
        let (flow, module, effect) = (flow.to_owned(), intent.module, intent.number);
        let counted_once = self.db.write("flows.count", move |tx| {
            tables::expect_live(tx, run)?;
            Ok::<_, Error>(tables::count(tx, &flow, module, run, effect)?)
        });
        let number = counted_once.await?;
        Ok(Settled::new(Ok(vec![counted(number)])))
    }
}
