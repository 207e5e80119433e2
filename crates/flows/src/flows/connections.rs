//! The verbs about connections.

use base::{Actor, audit};
use serde_json::{Value as Json, json};

use super::{Flows, check_name};
use crate::connection::{ConnectionInfo, ConnectionSpec};
use crate::error::Error;
use crate::tables;

impl Flows {
    /// Stores a connection, its secret sealed; replaces one of the same name.
    pub async fn put_connection(&self, actor: &Actor, name: &str, spec: ConnectionSpec) -> Result<(), Error> {
        check_name(name)?;
        spec.check().map_err(|detail| Error::BadConnection { name: name.to_owned(), detail })?;
        let now = self.clock.now();
        let sealed = self.keys.seal(&purpose_of(name), &spec.sealable(), &*self.chance);
        let info = ConnectionInfo {
            name: name.to_owned(),
            kind: spec.kind,
            origin: spec.origin,
            expires_at: spec.expires_at,
            updated_at: now,
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

    /// Returns all connections by name, without secrets.
    pub async fn connections(&self) -> Result<Vec<ConnectionInfo>, Error> {
        Ok(self.db.read("flows.connections", tables::connections).await?)
    }

    /// Removes a connection. Flows that name it fail from now on.
    pub async fn delete_connection(&self, actor: &Actor, name: &str) -> Result<(), Error> {
        let (actor, name, now) = (actor.clone(), name.to_owned(), self.clock.now());
        self.db
            .write("flows.delete_connection", move |tx| {
                let Some((info, _)) = tables::connection(tx, &name)? else {
                    return Err(Error::UnknownConnection { name: name.clone() });
                };
                tables::delete_connection(tx, &name)?;
                audit::record(tx, &actor, "delete", "connection", &name, Some(&shown(&info)), None, now)?;
                Ok(())
            })
            .await
    }
}

/// What a connection's secret is sealed for.
pub(crate) fn purpose_of(name: &str) -> String {
    format!("connection {name}")
}

fn shown(info: &ConnectionInfo) -> Json {
    json!({"kind": info.kind, "origin": info.origin, "expiresAt": info.expires_at})
}
