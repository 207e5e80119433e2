//! The verbs about connections.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use base::error::chain;
use base::{Actor, Timestamp, audit};
use serde_json::{Value as Json, json};

use super::{Flows, check_name};
use crate::connection::built_in::{self, BuiltIn, FlowCaller};
use crate::connection::standing::{self, ConnectionUse};
use crate::connection::{ConnectionInfo, ConnectionSpec, Credentials, Unsealed};
use crate::error::Error;
use crate::feedback::{FlowNotice, NoticeKind};
use crate::flow::{Notice, Severity};
use crate::modules::http::named;
use crate::modules::{Class, ModuleError};
use crate::program::{Program, Step};
use crate::tables;

/// Who stands behind what is done with a connection.
#[derive(Clone, Copy)]
pub(crate) enum Behind<'a> {
    /// The author of the text that runs.
    Flow {
        /// Key of the flow.
        flow: &'a str,
        /// Hash of the text.
        version: &'a str,
    },
    /// A person who tries it.
    Person(&'a Actor),
}

impl Flows {
    /// Stores a connection, its secret sealed; replaces one of the same name.
    pub async fn put_connection(&self, actor: &Actor, name: &str, spec: ConnectionSpec) -> Result<(), Error> {
        check_name(name)?;
        let bad = |detail| Error::BadConnection { name: name.to_owned(), detail };
        let spec = spec.completed(self.clock.now()).map_err(bad)?;
        spec.check().map_err(|detail| Error::BadConnection { name: name.to_owned(), detail })?;
        let now = self.clock.now();
        let sealed = self.keys.seal(&purpose_of(name), &spec.sealable(), &*self.chance);
        let info = ConnectionInfo {
            name: name.to_owned(),
            kind: spec.kind,
            origin: spec.origin,
            expires_at: spec.expires_at,
            imported_ids: spec.imported_ids,
            updated_at: now,
            built_in: false,
            warning: None,
        };
        let actor = actor.clone();
        self.db
            .write("flows.put_connection", move |tx| {
                let before = tables::connection(tx, &info.name)?.map(|(info, _)| shown(&info));
                tables::put_connection(tx, &info, &sealed)?;
                let verb = if before.is_some() { "update" } else { "create" };
                let after = shown(&info);
                audit::record(tx, &actor, verb, "connection", &info.name, before.as_ref(), Some(&after), now)?;
                Ok(())
            })
            .await
    }

    /// Returns all connections by name, without secrets: those that somebody
    /// put, and those that are always there.
    pub async fn connections(&self) -> Result<Vec<ConnectionInfo>, Error> {
        let mut connections = self.db.read("flows.connections", all).await?;
        let now = self.clock.now();
        for connection in &mut connections {
            connection.warning =
                standing::warning(&connection.name, connection.expires_at, now, self.options.connection_warning)
                    .or_else(|| connection.unusual_host());
        }
        Ok(connections)
    }

    /// Returns a connection, without its secret.
    pub async fn connection(&self, name: &str) -> Result<ConnectionInfo, Error> {
        let unknown = || Error::UnknownConnection { name: name.to_owned() };
        let asked = name.to_owned();
        let name = self.db.read("flows.stands_for", move |tx| tables::stands_for(tx, &asked)).await?;
        let built_in = BuiltIn::named(&name).map(BuiltIn::name);
        let connections = self.connections().await?;
        let found = |name: &str| connections.iter().find(|known| known.name == name).cloned();
        found(&name).or_else(|| found(built_in?)).ok_or_else(unknown)
    }

    /// Removes a connection that no flow names any more.
    pub async fn delete_connection(&self, actor: &Actor, name: &str) -> Result<(), Error> {
        let is_stored = self.db.read("flows.connections", tables::connections).await?;
        if is_stored.iter().any(|known| known.name == name) {
            let uses = self.connection_uses(name).await?;
            // What is always there would take its place, with other rights.
            if !uses.is_empty() {
                let flows: BTreeSet<String> = uses.into_iter().map(|place| place.flow).collect();
                return Err(Error::ConnectionInUse { name: name.to_owned(), flows: flows.into_iter().collect() });
            }
        } else if BuiltIn::named(name).is_some() {
            return Err(Error::ConnectionBuiltIn { name: name.to_owned() });
        }
        let (actor, name, now) = (actor.clone(), name.to_owned(), self.clock.now());
        self.db
            .write("flows.delete_connection", move |tx| {
                let Some((info, _)) = tables::connection(tx, &name)? else {
                    return Err(Error::UnknownConnection { name: name.clone() });
                };
                tables::delete_connection(tx, &info.name)?;
                let name = &info.name;
                audit::record(tx, &actor, "delete", "connection", name, Some(&shown(&info)), None, now)?;
                Ok(())
            })
            .await
    }

    /// Returns the places in flows that name a connection, by its name or by a
    /// number that stands for it: in published versions, and in drafts.
    pub async fn connection_uses(&self, name: &str) -> Result<Vec<ConnectionUse>, Error> {
        let stands: BTreeMap<String, String> = self.imports().await?;
        let mut uses = BTreeSet::new();
        for flow in self.db.read("flows.list", tables::flows).await? {
            let texts = [(flow.published.as_ref(), true), (Some(&flow.draft), false)];
            for (hash, published) in texts.into_iter().filter_map(|(hash, published)| Some((hash?, published))) {
                // What can no longer be read names nothing any more.
                let Ok(program) = self.program(hash).await else { continue };
                for (module, named) in named_in(&program) {
                    let stood_for = stands.get(&named).unwrap_or(&named);
                    let is_meant = stood_for == name || BuiltIn::named(stood_for).is_some_and(|one| one.name() == name);
                    let place = |published| ConnectionUse { flow: flow.key.clone(), module, published };
                    if is_meant && !uses.contains(&place(true)) {
                        uses.insert(place(published));
                    }
                }
            }
        }
        Ok(uses.into_iter().collect())
    }

    /// Returns what there is to say about the connections that a program
    /// names: those that have ended or soon will.
    pub(super) async fn connection_notices(&self, program: &Program) -> Result<Vec<Notice>, Error> {
        let named = named_in(program);
        if named.is_empty() {
            return Ok(Vec::new());
        }
        let connections = self.connections().await?;
        let told = |(module, name): (u32, String)| {
            let meant = |known: &&ConnectionInfo| known.name == name || known.imported_ids.contains(&name);
            let text = connections.iter().find(meant)?.warning.clone()?;
            Some(Notice { severity: Severity::Warning, module: Some(module), field: None, text })
        };
        Ok(named.into_iter().filter_map(told).collect())
    }

    /// Tells people of connections that have ended or soon will, once each.
    pub(crate) async fn tell_of_ends(&self) -> Result<(), Error> {
        let now = self.clock.now();
        let by = now.plus(self.options.connection_warning);
        for (name, expires_at) in self.db.read("flows.ending", move |tx| tables::ending_untold(tx, by)).await? {
            let Some(text) = standing::warning(&name, Some(expires_at), now, self.options.connection_warning) else {
                continue;
            };
            let uses = self.connection_uses(&name).await?;
            let flows: BTreeSet<String> = uses.into_iter().map(|place| place.flow).collect();
            let named = match flows.len() {
                0 => "No flow names it.".to_owned(),
                _ => format!("Flows that name it: {}.", flows.into_iter().collect::<Vec<_>>().join(", ")),
            };
            let text = format!("{text}. {named}");
            tracing::warn!(connection = name, text, "a connection ends");
            let kind = NoticeKind::ConnectionEnds;
            if let Some(notices) = self.notices.get()
                && !notices.tell(FlowNotice { kind, flow: name.clone(), at: now, text }).await
            {
                continue;
            }
            self.db.write("flows.told_of_end", move |tx| tables::set_told_of(tx, &name, expires_at)).await?;
        }
        Ok(())
    }

    /// Opens a connection for the moment in which it is used.
    pub(crate) async fn unseal(&self, name: &str, behind: &Behind<'_>) -> Result<Unsealed, ModuleError> {
        let refused = |message: String| ModuleError::new(Class::InvalidConfigurationError, message);
        let flow = match behind {
            Behind::Flow { flow, version } => Some(((*flow).to_owned(), (*version).to_owned())),
            Behind::Person(_) => None,
        };
        let (stored, stood_for, author) = loop {
            let (asked, flow) = (name.to_owned(), flow.clone());
            let read = self.db.read("flows.connection", move |tx| {
                let author = match flow {
                    Some((flow, version)) => tables::author(tx, &flow, &version)?,
                    None => None,
                };
                Ok::<_, Error>((tables::connection(tx, &asked)?, tables::stands_for(tx, &asked)?, author))
            });
            match read.await {
                Ok(read) => break read,
                // Nothing was sent, and the run has no part in it.
                Err(error) => {
                    tracing::warn!(connection = name, error = %chain(&error), "a connection cannot be read yet");
                    self.pause().await;
                }
            }
        };
        let tokens = Arc::clone(&self.tokens);
        if let Some((info, sealed)) = stored {
            let opened =
                self.keys.open(&purpose_of(&info.name), &sealed).map_err(|error| refused(error.to_string()))?;
            let damaged = || refused(format!("connection \"{name}\" is damaged: put it again"));
            return Unsealed::new(info, &opened, tokens).ok_or_else(damaged);
        }
        let built_in = BuiltIn::named(&stood_for).ok_or_else(|| refused(missing(name)))?;
        let caller = match behind {
            Behind::Person(actor) => FlowCaller { flow: String::new(), author: actor.id.clone() },
            Behind::Flow { flow, .. } => {
                let nobody = || refused(format!("nobody stands behind this text of flow \"{flow}\": publish it"));
                FlowCaller { flow: (*flow).to_owned(), author: author.ok_or_else(nobody)? }
            }
        };
        let now = self.clock.now();
        let seal = built_in::sealed(caller, &self.keys, &*self.chance, now);
        Ok(Unsealed::ourselves(built_in, seal, now, tokens))
    }

    /// Tells which flow calls us, and who stands behind it: reads the value of
    /// an `Authorization` header. Nothing if it is not that of a flow of ours.
    pub fn caller_of(&self, authorization: &str) -> Option<FlowCaller> {
        built_in::opened(authorization, &self.keys, self.clock.now())
    }
}

/// Returns all connections, those that are always there included.
fn all(tx: &mut dyn base::db::Tx) -> Result<Vec<ConnectionInfo>, Error> {
    let mut connections = tables::connections(tx)?;
    for built_in in BuiltIn::ALL {
        // One's own of the same name goes before.
        if !connections.iter().any(|known| known.name == built_in.name()) {
            connections.push(ConnectionInfo {
                name: built_in.name().to_owned(),
                kind: "built-in".to_owned(),
                origin: Some(built_in.origin().to_owned()),
                expires_at: None,
                imported_ids: tables::imported_ids(tx, built_in.name())?,
                updated_at: Timestamp::EPOCH,
                built_in: true,
                warning: None,
            });
        }
    }
    connections.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(connections)
}

/// Returns the connections that a program names, with their modules.
fn named_in(program: &Program) -> Vec<(u32, String)> {
    let of = |step: &Step| {
        let names = [named::connection(&step.parameters), named::certificate(&step.parameters)];
        let is_meant = named::are_connections(&step.module_name);
        names.into_iter().flatten().filter(move |_| is_meant).map(|name| (step.id, name)).collect::<Vec<_>>()
    };
    program.steps.iter().flat_map(of).collect()
}

impl Unsealed {
    fn ourselves(
        built_in: BuiltIn,
        seal: base::Secret,
        now: Timestamp,
        tokens: Arc<crate::connection::Tokens>,
    ) -> Self {
        let (name, origin) = (built_in.name().to_owned(), Some(built_in.origin().to_owned()));
        Unsealed::put_together(name, "built-in".into(), now, tokens, Credentials::Ourselves(seal), origin)
    }
}

/// What a connection's secret is sealed for.
pub(crate) fn purpose_of(name: &str) -> String {
    format!("connection {name}")
}

/// Says that a connection is not here, and what to do about one that a flow
/// brought along.
fn missing(name: &str) -> String {
    match name.contains(':') {
        true => format!("no connection stands for \"{name}\": put one that has it among its \"importedIds\""),
        false => format!("connection \"{name}\" does not exist"),
    }
}

fn shown(info: &ConnectionInfo) -> Json {
    json!({"kind": info.kind, "origin": info.origin, "expiresAt": info.expires_at, "importedIds": info.imported_ids})
}
