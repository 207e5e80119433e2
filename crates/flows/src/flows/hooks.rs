//! The verbs about webhooks, and the way of a request: it knocks, is read, and
//! is brought to its hook.
//!
//! What was refused leaves nothing behind but a count. What was accepted is
//! durable, and waits until a flow takes it: also while the flow is switched
//! off, and while there is none yet.

use std::net::IpAddr;
use std::sync::Arc;

use base::db::Tx;
use base::http::HeaderMap;
use base::{Actor, Causes, Secret, audit};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use serde_json::{Value as Json, json};
use sha2::{Digest, Sha256};

use super::imports::free_number;
use super::{Flows, check_name, hook_of};
use crate::error::Error;
use crate::feedback;
use crate::hook::webhook::is_open_to;
use crate::hook::{
    Accepted, Arrival, Brought, Expected, HookSettings, Learning, OnMismatch, Webhook, WebhookDetails, WebhookInfo,
    queue_of,
};
use crate::program::{Program, Start};
use crate::structure::Structure;
use crate::tables::{self, StoredToken, WebhookRow};

/// Bytes of chance in an address: 192 bits, which nobody guesses.
const TOKEN_BYTES: usize = 24;
/// Letters of them.
const TOKEN_LETTERS: usize = TOKEN_BYTES / 3 * 4;
/// Letters that an address may have.
const TOKEN_LETTERS_MAX: usize = 100;
/// Bytes of a caller's key; a longer one is replaced by its hash.
const CALLERS_KEY_BYTES_MAX: usize = 200;
/// Bytes of chance in the key of an item whose bringer named none.
const KEY_BYTES: usize = 16;

impl Flows {
    /// Makes a webhook, or sets the one of this name anew.
    pub async fn put_hook(&self, actor: &Actor, name: &str, settings: HookSettings) -> Result<WebhookDetails, Error> {
        check_name(name)?;
        let token = self.new_token(name);
        let (actor, key, now) = (actor.clone(), name.to_owned(), self.clock.now());
        self.db
            .write("flows.put_hook", move |tx| {
                if let Some(name) = settings.structure.as_ref().and_then(Expected::name)
                    && tables::structure(tx, name)?.is_none()
                {
                    return Err(Error::HookWithoutStructure { hook: key.clone(), structure: name.to_owned() });
                }
                for number in &settings.imported_ids {
                    free_number(tx, *number, &key, now)?;
                }
                let before = tables::webhook(tx, &key)?.map(|row| shown(&row.info.settings));
                match &before {
                    None => tables::add_webhook(tx, &key, &settings, &token, now)?,
                    Some(_) => tables::set_webhook(tx, &key, &settings, now)?,
                }
                let verb = if before.is_some() { "update" } else { "create" };
                let after = shown(&settings);
                if before.as_ref() != Some(&after) {
                    audit::record(tx, &actor, verb, "hook", &key, before.as_ref(), Some(&after), now)?;
                }
                Ok::<_, Error>(())
            })
            .await?;
        self.gate.forget();
        self.hook(name).await
    }

    /// Returns all webhooks by name.
    pub async fn hooks(&self) -> Result<Vec<WebhookInfo>, Error> {
        let rows = self.db.read("flows.hooks", tables::webhooks).await?;
        Ok(rows.into_iter().map(|row| row.info).collect())
    }

    /// Returns a webhook with its address.
    pub async fn hook(&self, name: &str) -> Result<WebhookDetails, Error> {
        let asked = name.to_owned();
        let row = self.db.read("flows.hook", move |tx| known_hook(tx, &asked)).await?;
        let token = self.keys.open(&purpose_of(name), &row.sealed_token)?;
        Ok(WebhookDetails { info: row.info, token })
    }

    /// Gives a webhook another address; the old one is forgotten at once.
    pub async fn renew_hook(&self, actor: &Actor, name: &str) -> Result<WebhookDetails, Error> {
        let token = self.new_token(name);
        let (actor, key, now) = (actor.clone(), name.to_owned(), self.clock.now());
        self.db
            .write("flows.renew_hook", move |tx| {
                known_hook(tx, &key)?;
                tables::set_token(tx, &key, &token, now)?;
                audit::record(tx, &actor, "renew", "hook", &key, None, None, now)?;
                Ok::<_, Error>(())
            })
            .await?;
        self.gate.forget();
        self.hook(name).await
    }

    /// Removes a webhook with everything that waits on it.
    pub async fn delete_hook(&self, actor: &Actor, name: &str) -> Result<(), Error> {
        let (actor, key, now) = (actor.clone(), name.to_owned(), self.clock.now());
        self.db
            .write("flows.delete_hook", move |tx| {
                let info = known_hook(tx, &key)?.info;
                if let Some(flow) = &info.flow
                    && tables::flow(tx, flow)?.is_some_and(|flow| flow.active)
                {
                    return Err(Error::HookInUse { hook: key.clone(), flow: flow.clone() });
                }
                tables::delete_webhook(tx, &key)?;
                let before = json!({"settings": shown(&info.settings), "waiting": info.waiting});
                audit::record(tx, &actor, "delete", "hook", &key, Some(&before), None, now)?;
                Ok(())
            })
            .await?;
        self.gate.forget();
        Ok(())
    }

    /// Lets the next request to a webhook tell what its data is made of, or
    /// stops that. A request that comes while no active flow takes from the
    /// hook is only looked at; any other one is processed too.
    pub async fn listen_on_hook(&self, actor: &Actor, name: &str, is_on: bool) -> Result<WebhookInfo, Error> {
        let (actor, key, now) = (actor.clone(), name.to_owned(), self.clock.now());
        self.db
            .write("flows.listen_on_hook", move |tx| {
                let was_on = matches!(known_hook(tx, &key)?.info.learning, Learning::Listening { .. });
                if was_on != is_on {
                    tables::set_listening(tx, &key, is_on.then_some(now))?;
                    let verb = if is_on { "listen" } else { "stop-listening" };
                    audit::record(tx, &actor, verb, "hook", &key, None, None, now)?;
                }
                Ok::<_, Error>(())
            })
            .await?;
        self.gate.forget();
        Ok(self.hook(name).await?.info)
    }

    /// Finds the webhook at an address and asks whether a request from there
    /// may come in; the request has not been read yet. Whoever does not know
    /// an address learns nothing.
    pub async fn knock(&self, token: &str, from: Option<IpAddr>) -> Result<Arc<Webhook>, Error> {
        let webhook = self.webhook_at(token).await?;
        if !webhook.settings.enabled {
            return Err(Error::HookDisabled);
        }
        if !is_open_to(&webhook.settings.addresses, from) {
            return Err(Error::HookClosed { from });
        }
        let requests_max = self.options.hook_requests_per_10s_max;
        let counted = self.gate.count(&webhook.name, requests_max, self.clock.now());
        counted.map_err(|retry_after_s| Error::HookRate { requests_max, retry_after_s })?;
        Ok(webhook)
    }

    /// Returns what led to a request, as far as it shows that we sent it.
    pub fn causes_of(&self, headers: &HeaderMap) -> Causes {
        feedback::believed(headers, &self.keys)
    }

    /// Tells whether an address is that of a webhook, under whatever name this
    /// server is reached: nobody else knows that part of it.
    pub(crate) async fn is_own_hook(&self, url: &str) -> bool {
        let path = url.split(['?', '#']).next().unwrap_or_default();
        match path.rsplit_once("/hooks/") {
            Some((_, token)) if token.len() == TOKEN_LETTERS => self.webhook_at(token).await.is_ok(),
            _ => false,
        }
    }

    /// Brings a request to its webhook. Returns when it is durable.
    pub async fn bring(&self, webhook: &Webhook, arrival: Arrival) -> Result<Brought, Error> {
        let Webhook { name, settings, structure, .. } = webhook;
        let sent = arrival.bundle(arrival.data.clone(), &HookSettings::default());
        if webhook.is_listening {
            let seen = Structure::learn(&arrival.bundle(sent.clone(), settings));
            if self.learn(name, seen).await? && !webhook.is_taken {
                return Ok(Brought::Accepted);
            }
        }
        if let Some(flow) = &webhook.hints {
            self.take_hint(flow, &sent.to_json()).await?;
            return Ok(Brought::Accepted);
        }
        let data = match structure {
            None => sent,
            Some(structure) => match structure.fit(&sent) {
                Ok(data) => data,
                Err(mismatch) => {
                    let is_refused = settings.on_mismatch == OnMismatch::Refuse;
                    let key = name.clone();
                    let count =
                        self.db.write("flows.count_mismatch", move |tx| tables::count_mismatch(tx, &key, is_refused));
                    count.await?;
                    return if is_refused { Err(Error::Mismatch { mismatch }) } else { Ok(Brought::Accepted) };
                }
            },
        };
        let payload = arrival.bundle(data, settings).to_stored();
        // The keys of callers must not meet our own.
        let key = match &arrival.key {
            Some(key) if key.len() > CALLERS_KEY_BYTES_MAX => format!("caller-hash:{}", hash_of(key)),
            Some(key) => format!("caller:{key}"),
            None => format!("own:{}", self.chance_text(KEY_BYTES)),
        };
        let causes = feedback::arriving(arrival.causes, name);
        let queue = queue_of(name);
        let ticket =
            if webhook.responds { self.callers.wait(&queue, &key, self.options.hook_answer_max) } else { None };
        let accepted = self.accept_keyed(&queue, &key, arrival.key.is_some(), payload, causes).await?;
        match (accepted, ticket) {
            (Accepted::Stored, Some(ticket)) => Ok(Brought::Waits(ticket)),
            _ => Ok(Brought::Accepted),
        }
    }

    /// Remembers what data of a webhook is made of, if it still listens.
    async fn learn(&self, name: &str, learned: Structure) -> Result<bool, Error> {
        let (name, now) = (name.to_owned(), self.clock.now());
        let was_listening =
            self.db.write("flows.learn_hook", move |tx| tables::set_learned(tx, &name, &learned, now)).await?;
        self.gate.forget();
        Ok(was_listening)
    }

    async fn webhook_at(&self, token: &str) -> Result<Arc<Webhook>, Error> {
        if token.is_empty() || token.len() > TOKEN_LETTERS_MAX {
            return Err(Error::UnknownAddress);
        }
        let (hash, now) = (hash_of(token), self.clock.now());
        let generation = match self.gate.find(&hash, now) {
            Ok(webhook) => return Ok(webhook),
            Err(generation) => generation,
        };
        let asked = hash.clone();
        let found = self
            .db
            .read("flows.webhook_at", move |tx| {
                let Some(row) = tables::webhook_by_token(tx, &asked)? else { return Ok(None) };
                let flow = row.info.flow.as_ref().map(|flow| tables::flow(tx, flow)).transpose()?.flatten();
                let structure = match &row.info.settings.structure {
                    None => None,
                    Some(Expected::Written(structure)) => Some(structure.clone()),
                    Some(Expected::Named(name)) => match tables::structure(tx, name)? {
                        Some(stored) => Some(stored.structure),
                        None => return Err(Error::UnknownStructure { name: name.clone() }),
                    },
                };
                Ok(Some((row, structure, flow)))
            })
            .await?;
        let Some((row, structure, flow)) = found else { return Err(Error::UnknownAddress) };
        let (mut is_taken, mut responds, mut hints) = (false, false, None);
        if let Some(flow) = flow.filter(tables::FlowRow::takes_items)
            && let Some(program) = self.published(&flow).await?
        {
            is_taken = hook_of(&flow.key, &program) == Some(queue_of(&row.info.name));
            responds = is_taken && program.takes_at_once() && program.responds();
            hints = matches!(program.start, Start::RunEnded { .. }).then(|| flow.key.clone());
        }
        let webhook = Arc::new(Webhook {
            name: row.info.name,
            settings: row.info.settings,
            structure,
            is_listening: matches!(row.info.learning, Learning::Listening { .. }),
            is_taken,
            responds,
            hints,
        });
        self.gate.remember(hash, webhook.clone(), generation, now);
        Ok(webhook)
    }

    /// Prepares a program's claim to its webhook, before the transaction that
    /// publishes or activates it.
    pub(super) fn claim_of(&self, flow: &str, program: &Program) -> Claim {
        let name = match &program.start {
            Start::Webhook { hook, .. } => hook.clone().unwrap_or_else(|| flow.to_owned()),
            // There a workspace may say that a run has ended.
            Start::RunEnded { .. } => flow.to_owned(),
            Start::Signal { .. } | Start::Nothing => return Claim(None),
        };
        let token = self.new_token(&name);
        Claim(Some((name, token)))
    }

    fn new_token(&self, name: &str) -> StoredToken {
        let token = self.chance_text(TOKEN_BYTES);
        let hash = hash_of(&token);
        StoredToken { hash, sealed: self.keys.seal(&purpose_of(name), &Secret::new(token), &*self.chance) }
    }

    pub(super) fn chance_text(&self, bytes: usize) -> String {
        let mut chance = vec![0; bytes];
        self.chance.fill(&mut chance);
        BASE64.encode(chance)
    }
}

/// What a flow that starts on a webhook needs: the name of the hook, and an
/// address for it in case there is none yet.
pub(super) struct Claim(Option<(String, StoredToken)>);

impl Claim {
    /// Gives the flow its webhook, makes it if there is none, and lets go of
    /// others that it had before.
    pub(super) fn make(&self, tx: &mut dyn Tx, actor: &Actor, flow: &str, now: base::Timestamp) -> Result<(), Error> {
        let Some((name, token)) = &self.0 else { return Ok(tables::release_webhooks(tx, flow, None)?) };
        if tables::webhook(tx, name)?.is_none() {
            let settings = HookSettings::default();
            tables::add_webhook(tx, name, &settings, token, now)?;
            audit::record(tx, actor, "create", "hook", name, None, Some(&shown(&settings)), now)?;
        }
        match tables::claim_webhook(tx, name, flow)? {
            None => Ok(()),
            Some(owner) => Err(Error::HookTaken { hook: name.clone(), flow: owner }),
        }
    }
}

fn known_hook(tx: &mut dyn Tx, name: &str) -> Result<WebhookRow, Error> {
    tables::webhook(tx, name)?.ok_or_else(|| Error::UnknownHook { hook: name.to_owned() })
}

/// What the address of a webhook is sealed for.
fn purpose_of(name: &str) -> String {
    format!("hook {name}")
}

/// What the address of a webhook is found by.
pub(super) fn hash_of(token: &str) -> String {
    hex::encode(Sha256::digest(token.as_bytes()))
}

fn shown(settings: &HookSettings) -> Json {
    serde_json::to_value(settings).expect("settings have text keys and JSON")
}
