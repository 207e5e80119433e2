//! The verbs about packages, as far as flows are concerned. Whoever publishes a
//! package publishes its knowledge models first and tells here which versions
//! these have.

use std::sync::Arc;

use base::{Actor, audit};
use serde_json::json;

use super::publishing::Ready;
use super::{Flows, known};
use crate::error::Error;
use crate::flow::FlowInfo;
use crate::package::{PackageVersion, Part, PartKind};
use crate::tables;

impl Flows {
    /// Puts a flow into a package, or takes it out of the one in which it lies.
    /// Whether the package is there is not known here.
    pub async fn put_in_package(&self, actor: &Actor, key: &str, package: Option<&str>) -> Result<(), Error> {
        let (actor, key, now) = (actor.clone(), key.to_owned(), self.clock.now());
        let package = package.map(str::to_owned);
        self.db
            .write("flows.put_in_package", move |tx| {
                let before = known(tx, &key)?.package;
                if before == package {
                    return Ok(());
                }
                tables::put_in_package(tx, &key, package.as_deref())?;
                let (before, after) = (json!({"package": before}), json!({"package": package}));
                audit::record(tx, &actor, "move", "flow", &key, Some(&before), Some(&after), now)?;
                Ok(())
            })
            .await
    }

    /// Returns the flows of a package by key.
    pub async fn in_package(&self, package: &str) -> Result<Vec<FlowInfo>, Error> {
        Ok(self.list().await?.into_iter().filter(|flow| flow.package.as_deref() == Some(package)).collect())
    }

    /// Checks every draft of a package as it would be published; the first
    /// mistake is the error.
    pub async fn check_package(&self, actor: &Actor, package: &str) -> Result<(), Error> {
        self.ready_package(actor, package).await.map(drop)
    }

    /// Publishes all flows of a package, and writes down that they and these
    /// versions of knowledge models are a version of it: one transaction.
    /// Nothing at all is written if it would equal the last version.
    pub async fn publish_package(
        &self,
        actor: &Actor,
        package: &str,
        note: Option<String>,
        models: Vec<Part>,
    ) -> Result<PackageVersion, Error> {
        let ready = self.ready_package(actor, package).await?;
        self.write_package(actor, package, ready, (note, None), models).await
    }

    /// Publishes the flows of an older version of a package again, as a new
    /// version of it. Flows that came later stay as they are.
    pub async fn roll_back_package(
        &self,
        actor: &Actor,
        package: &str,
        number: u64,
        note: Option<String>,
        models: Vec<Part>,
    ) -> Result<PackageVersion, Error> {
        let version = self.package_version(package, number).await?;
        let mut ready = Vec::new();
        for part in version.parts.iter().filter(|part| part.kind == PartKind::Flow) {
            ready.push(self.ready_version(&part.key, part.version).await?);
        }
        self.write_package(actor, package, ready, (note, Some(number)), models).await
    }

    /// Lists the versions of a package, the newest first.
    pub async fn package_versions(&self, package: &str) -> Result<Vec<PackageVersion>, Error> {
        let package = package.to_owned();
        Ok(self.db.read("flows.package_versions", move |tx| tables::package_versions(tx, &package)).await?)
    }

    /// Returns a version of a package.
    pub async fn package_version(&self, package: &str, number: u64) -> Result<PackageVersion, Error> {
        let (asked, of) = (package.to_owned(), format!("package \"{package}\""));
        let version =
            self.db.read("flows.package_version", move |tx| tables::package_version(tx, &asked, number)).await?;
        version.ok_or(Error::UnknownVersion { of, number })
    }

    async fn ready_package(&self, actor: &Actor, package: &str) -> Result<Vec<Ready>, Error> {
        let mut ready = Vec::new();
        for flow in self.in_package(package).await? {
            ready.push(self.ready_draft(actor, &flow.key).await?);
        }
        Ok(ready)
    }

    async fn write_package(
        &self,
        actor: &Actor,
        package: &str,
        ready: Vec<Ready>,
        (note, of_version): (Option<String>, Option<u64>),
        models: Vec<Part>,
    ) -> Result<PackageVersion, Error> {
        let (actor, package, now) = (actor.clone(), package.to_owned(), self.clock.now());
        let ready = Arc::new(ready);
        let written = ready.clone();
        let version = self
            .db
            .write("flows.publish_package", move |tx| {
                let mut parts = models.clone();
                for flow in written.iter() {
                    let number = flow.write(tx, &actor, note.as_deref(), now)?;
                    parts.push(Part { kind: PartKind::Flow, key: flow.flow.key.clone(), version: number });
                }
                parts.sort_by(|one, two| (one.kind, &one.key).cmp(&(two.kind, &two.key)));
                let last = tables::package_versions(tx, &package)?.into_iter().next();
                if let Some(last) = last.as_ref().filter(|last| last.parts == parts) {
                    return Ok(last.clone());
                }
                let version = PackageVersion {
                    version: last.map_or(1, |last| last.version + 1),
                    note: note.clone(),
                    of_version,
                    published_at: now,
                    published_by: actor.id.clone(),
                    parts,
                };
                tables::add_package_version(tx, &package, &version)?;
                let after = json!({"version": version.version, "parts": version.parts, "note": version.note});
                audit::record(tx, &actor, "publish", "package", &package, None, Some(&after), now)?;
                Ok::<_, Error>(version)
            })
            .await?;
        for flow in ready.iter() {
            self.settle(flow).await?;
        }
        Ok(version)
    }
}
