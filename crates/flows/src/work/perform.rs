//! Performing an effect: what an intent plans is done, and what came of it is
//! data.

use base::Causes;
use base::http::HeaderMap;

use crate::engine::Intent;
use crate::feedback;
use crate::flows::{Behind, Flows};
use crate::modules::http::HttpCall;
use crate::modules::{Class, ModuleError, Plan, Settled, http};
use crate::value::Value;

/// For whom an effect is performed.
pub(crate) struct For<'a> {
    /// What led to it.
    pub(crate) causes: &'a Causes,
    /// The flow and the text that runs.
    pub(crate) behind: Behind<'a>,
}

impl Flows {
    /// Performs an effect within the time and size that one operation may
    /// take. The second part tells that trying again may help.
    pub(super) async fn perform_in_time(&self, intent: &Intent, whom: &For<'_>) -> (Settled, bool) {
        let limits = &self.options.limits;
        let performed = tokio::time::timeout(limits.operation_time_max, self.perform(intent, whom)).await;
        let Ok((settled, may_help)) = performed else {
            let message = format!("it took longer than {} seconds", limits.operation_time_max.as_secs());
            return (Settled::new(Err(ModuleError::new(Class::ModuleTimeoutError, message))), true);
        };
        let size: usize = settled.result.iter().flatten().map(Value::size).sum();
        if size <= limits.bundle_bytes_max {
            return (settled, may_help);
        }
        let message = format!("it gave {size} bytes, and at most {} are allowed", limits.bundle_bytes_max);
        let result = Err(ModuleError::new(Class::DataSizeLimitExceededError, message));
        (Settled { result, ..settled }, false)
    }

    /// Performs an effect. The second part tells that trying again may help.
    async fn perform(&self, intent: &Intent, whom: &For<'_>) -> (Settled, bool) {
        let done = |result| (Settled::new(result), false);
        match &intent.plan {
            Plan::Nothing(bundles) => done(Ok(bundles.clone())),
            Plan::Wait(_) | Plan::Flow(_) | Plan::Count | Plan::Store(_) | Plan::Ask(_) | Plan::Databricks(_) => {
                done(Ok(vec![Value::collection::<String>([])]))
            }
            Plan::Http(call) => self.call(call, &intent.key, whom).await,
            Plan::Mail(mail) => self.mail(mail, &intent.key, whom).await,
            Plan::Push(push) => self.push(push, &intent.key, whom).await,
        }
    }

    /// Sends a request, with the connections that it names opened.
    pub(super) async fn call(&self, call: &HttpCall, key: &str, whom: &For<'_>) -> (Settled, bool) {
        let mut opened = Vec::new();
        for name in call.connection.iter().chain(&call.certificate) {
            match self.unseal(name, &whom.behind).await {
                Ok(connection) => opened.push(connection),
                Err(error) => return (Settled::new(Err(error)), false),
            }
        }
        let moved = opened.iter().find_map(|connection| connection.moved(call));
        let target = moved.as_deref().unwrap_or(&call.url);
        let mut why = HeaderMap::new();
        let is_ours = self.http.own_address(target).is_some() || self.is_own_hook(target).await;
        if is_ours {
            feedback::tell(whom.causes, &mut why, &self.keys, &*self.chance);
        }
        http::send(call, &*self.http, &opened, key, is_ours.then_some(&why), self.clock.now()).await
    }
}
