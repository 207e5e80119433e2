//! The verbs of access.

use std::sync::Arc;

use base::audit;
use base::db::{Control, Db, Tx};
use base::{Actor, Chance, Clock, Timestamp};
use serde_json::{Value as Json, json};
use tokio::sync::Semaphore;

use crate::app_key::{self, AppKey, Bootstrap, NewAppKey};
use crate::credential::Credential;
use crate::error::Error;
use crate::memory::{Grants, Memory};
use crate::package::{self, Package};
use crate::permission::{self, Grant, Permission, Reach, Scope};
use crate::tables;
use crate::team::{Team, TeamId};

/// Slow checks of secrets at the same time. Each takes a core for some ten
/// milliseconds and 19 MiB.
const CHECKS_MAX: usize = 2;
/// Slow checks that may wait; beyond that somebody is guessing.
const WAITING_CHECKS_MAX: usize = 64;
/// Rows of the audit trail in one answer.
const AUDIT_ROWS_MAX: usize = 1_000;

base::id! {
    /// The id of an app key that was not given one by the configuration.
    GeneratedKeyId
}

/// Answers who somebody is and what they may do.
pub struct Access {
    db: Db<Control>,
    clock: Arc<dyn Clock>,
    chance: Arc<dyn Chance>,
    memory: Memory,
    checks: Arc<Semaphore>,
    waiting: Semaphore,
}

impl Access {
    /// Makes the facade over the control file.
    pub fn new(db: Db<Control>, clock: Arc<dyn Clock>, chance: Arc<dyn Chance>) -> Self {
        Access {
            db,
            clock,
            chance,
            memory: Memory::default(),
            checks: Arc::new(Semaphore::new(CHECKS_MAX)),
            waiting: Semaphore::new(WAITING_CHECKS_MAX),
        }
    }

    /// Returns the team; the first question makes it.
    pub async fn team(&self) -> Result<Team, Error> {
        if let Some(team) = self.db.read("access.team", tables::team).await? {
            return Ok(team);
        }
        let now = self.clock.now();
        let new = Team { id: TeamId::new(now, &*self.chance), name: "Loopwright".into(), created_at: now };
        let make = move |tx: &mut dyn Tx| match tables::team(tx)? {
            Some(team) => Ok(team),
            None => tables::insert_team(tx, &new).map(|()| new.clone()),
        };
        Ok(self.db.write("access.make_team", make).await?)
    }

    /// Makes sure that the administrator's key that the configuration names is
    /// there, `id:secret`. It may be called at every start.
    ///
    /// Whoever sets the configuration owns the house, so a changed secret
    /// counts; but a key that was revoked stays revoked.
    pub async fn bootstrap_app_key(&self, text: &str) -> Result<Bootstrap, Error> {
        let credential = Credential::parse(text)?;
        self.team().await?;
        let id = credential.id().to_owned();
        let stored = self.db.read("access.find_key", move |tx| tables::app_key(tx, &id)).await?;
        if let Some(stored) = &stored {
            if stored.app_key.revoked_at.is_some() {
                tracing::warn!(app_key.id = %stored.app_key.id, "the bootstrap app key was revoked and stays so");
                return Ok(Bootstrap::StaysRevoked);
            }
            if self.check(&credential, &stored.secret_hash).await? {
                return Ok(Bootstrap::Unchanged);
            }
        }
        let hash = self.hash(&credential).await?;
        let (actor, now) = (Actor::system("bootstrap"), self.clock.now());
        let key = AppKey {
            id: credential.id().to_owned(),
            name: format!("bootstrap ({})", credential.id()),
            administrator: true,
            created_at: now,
            created_by: actor.id.clone(),
            revoked_at: None,
        };
        let done = self
            .db
            .write("access.bootstrap", move |tx| {
                if let Some(stored) = tables::app_key(tx, &key.id)? {
                    if stored.app_key.revoked_at.is_some() {
                        return Ok(Bootstrap::StaysRevoked);
                    }
                    tables::set_secret_hash(tx, &key.id, &hash)?;
                    audit::record(tx, &actor, "replace-secret", "app-key", &key.id, None, None, now)?;
                    return Ok::<_, Error>(Bootstrap::SecretReplaced);
                }
                tables::insert_app_key(tx, &key, &hash)?;
                audit::record(tx, &actor, "create", "app-key", &key.id, None, Some(&shown_key(&key)), now)?;
                Ok(Bootstrap::Created)
            })
            .await?;
        self.memory.forget();
        Ok(done)
    }

    /// Turns the value of an `Authorization` header into an actor.
    pub async fn authenticate(&self, authorization: Option<&str>) -> Result<Actor, Error> {
        let credential = Credential::from_header(authorization.ok_or(Error::NoCredentials)?)?;
        let fingerprint = credential.fingerprint();
        if let Some(actor) = self.memory.actor(&fingerprint) {
            return Ok(actor);
        }
        let generation = self.memory.generation();
        let id = credential.id().to_owned();
        let stored = self.db.read("access.find_key", move |tx| tables::app_key(tx, &id)).await?;
        let stored = stored.filter(|stored| stored.app_key.revoked_at.is_none()).ok_or(Error::UnknownKey)?;
        if !self.check(&credential, &stored.secret_hash).await? {
            return Err(Error::WrongSecret);
        }
        let actor = stored.app_key.actor();
        self.memory.keep_actor(generation, fingerprint, actor.clone());
        Ok(actor)
    }

    /// Returns the actor for whom a flow acts, `author` being the id of whoever
    /// stands behind the flow. It may do what the author may now, and is
    /// nobody any more when that one's key is revoked. The caller has made
    /// sure that it is the flow that asks.
    pub async fn acting_for(&self, author: &str, flow: &str) -> Result<Actor, Error> {
        let id = author.to_owned();
        let stored = self.db.read("access.find_key", move |tx| tables::app_key(tx, &id)).await?;
        let stored = stored.filter(|stored| stored.app_key.revoked_at.is_none()).ok_or(Error::UnknownKey)?;
        let actor = stored.app_key.actor();
        let name = if flow.is_empty() { actor.name } else { format!("{} (by flow \"{flow}\")", actor.name) };
        Ok(Actor { name, ..actor })
    }

    /// Makes an app key; the answer is the only time that its secret is seen.
    pub async fn create_app_key(&self, actor: &Actor, name: &str, administrator: bool) -> Result<NewAppKey, Error> {
        require_administrator(actor)?;
        app_key::check_name(name)?;
        let now = self.clock.now();
        let id = GeneratedKeyId::new(now, &*self.chance).to_string();
        let credential = Credential::generate(id.clone(), &*self.chance);
        let hash = self.hash(&credential).await?;
        let app_key = AppKey {
            id,
            name: name.trim().to_owned(),
            administrator,
            created_at: now,
            created_by: actor.id.clone(),
            revoked_at: None,
        };
        let (key, actor) = (app_key.clone(), actor.clone());
        self.db
            .write("access.create_key", move |tx| {
                tables::insert_app_key(tx, &key, &hash)?;
                audit::record(tx, &actor, "create", "app-key", &key.id, None, Some(&shown_key(&key)), now)
            })
            .await?;
        Ok(NewAppKey { app_key, credential })
    }

    /// Lists the app keys, the revoked ones included.
    pub async fn app_keys(&self, actor: &Actor) -> Result<Vec<AppKey>, Error> {
        require_administrator(actor)?;
        Ok(self.db.read("access.list_keys", tables::app_keys).await?)
    }

    /// Takes an app key back: from the answer on it is refused. To revoke it
    /// again changes nothing.
    pub async fn revoke_app_key(&self, actor: &Actor, id: &str) -> Result<(), Error> {
        require_administrator(actor)?;
        let (actor, id, now) = (actor.clone(), id.to_owned(), self.clock.now());
        self.db
            .write("access.revoke_key", move |tx| {
                let stored = tables::app_key(tx, &id)?.ok_or_else(|| Error::NoSuchAppKey { id: id.clone() })?;
                if stored.app_key.revoked_at.is_some() {
                    return Ok(());
                }
                tables::set_revoked(tx, &id, now)?;
                let before = shown_key(&stored.app_key);
                let after = shown_key(&AppKey { revoked_at: Some(now), ..stored.app_key });
                audit::record(tx, &actor, "revoke", "app-key", &id, Some(&before), Some(&after), now)?;
                Ok::<_, Error>(())
            })
            .await?;
        self.memory.forget();
        Ok(())
    }

    /// Asks whether an actor may do something; the error says what is lacking.
    pub async fn require(&self, actor: &Actor, permission: Permission, scope: &Scope) -> Result<(), Error> {
        if self.may(actor, permission, scope).await? { Ok(()) } else { Err(denied(actor, permission, scope)) }
    }

    /// Tells where an actor has a permission, to filter a list by.
    pub async fn reach(&self, actor: &Actor, permission: Permission) -> Result<Reach, Error> {
        if actor.administrator {
            return Ok(Reach::Everywhere);
        }
        Ok(permission::reach(&self.grants(actor).await?, permission))
    }

    /// Gives an app key a permission. The giver must be an administrator, or
    /// hold the scope: `AdminPool` on the pool, `EditPackage` on the package.
    /// To grant again changes nothing.
    pub async fn grant(
        &self,
        actor: &Actor,
        subject: &str,
        permission: Permission,
        scope: &Scope,
    ) -> Result<Grant, Error> {
        self.require_holder(actor, scope).await?;
        if !permission.fits(scope) {
            return Err(Error::WrongScope { permission, scope: scope.clone() });
        }
        self.write_grant(actor, subject, permission, scope).await
    }

    /// Gives the maker of a pool or package what belongs to its maker. For the
    /// verb that has just made it; it asks for no permission.
    pub async fn entrust(&self, maker: &Actor, scope: &Scope) -> Result<(), Error> {
        let Some(permission) = holder_permission(scope) else { return Ok(()) };
        // An administrator needs no grant, and Loopwright itself has no row.
        if !maker.administrator {
            self.write_grant(maker, &maker.id, permission, scope).await?;
        }
        Ok(())
    }

    /// Takes a permission back; whoever may grant may revoke. Tells whether
    /// there was one.
    pub async fn revoke(
        &self,
        actor: &Actor,
        subject: &str,
        permission: Permission,
        scope: &Scope,
    ) -> Result<bool, Error> {
        self.require_holder(actor, scope).await?;
        let (actor, subject, scope, now) = (actor.clone(), subject.to_owned(), scope.clone(), self.clock.now());
        let gone = self
            .db
            .write("access.revoke", move |tx| {
                let gone = tables::delete_grant(tx, &subject, permission, &scope)?;
                if gone {
                    let shown = shown_grant(permission, &scope);
                    audit::record(tx, &actor, "revoke", "permission", &subject, Some(&shown), None, now)?;
                }
                Ok::<_, Error>(gone)
            })
            .await?;
        self.memory.forget();
        Ok(gone)
    }

    /// Lists who has been granted what on a scope.
    pub async fn grants_on(&self, actor: &Actor, scope: &Scope) -> Result<Vec<Grant>, Error> {
        self.require_holder(actor, scope).await?;
        let scope = scope.clone();
        Ok(self.db.read("access.grants_on", move |tx| tables::grants_on(tx, &scope)).await?)
    }

    /// Lists what somebody has been granted: oneself, or anyone for an
    /// administrator.
    pub async fn grants_of(&self, actor: &Actor, subject: &str) -> Result<Vec<Grant>, Error> {
        if actor.id != subject {
            require_administrator(actor)?;
        }
        let subject = subject.to_owned();
        Ok(self.db.read("access.grants_of", move |tx| tables::grants_of(tx, &subject)).await?)
    }

    /// Makes a package, or gives it another name. Its maker holds it.
    pub async fn put_package(&self, actor: &Actor, key: &str, name: &str) -> Result<Package, Error> {
        package::check_key(key)?;
        app_key::check_name(name)?;
        let scope = Scope::Package(key.to_owned());
        let may_edit = self.may(actor, Permission::EditPackage, &scope).await?;
        let may_create = self.may(actor, Permission::CreatePackage, &Scope::Team).await?;
        let now = self.clock.now();
        let new = Package { key: key.to_owned(), name: name.trim().to_owned(), created_at: now };
        let by = actor.clone();
        let package = self
            .db
            .write("access.put_package", move |tx| {
                // Which of the two permissions counts is only known in here:
                // somebody else may be making the same package.
                let before = tables::package(tx, &new.key)?;
                match &before {
                    Some(_) if !may_edit => return Err(denied(&by, Permission::EditPackage, &scope)),
                    None if !may_create => return Err(denied(&by, Permission::CreatePackage, &Scope::Team)),
                    _ => {}
                }
                let after = match &before {
                    Some(package) if package.name == new.name => return Ok(package.clone()),
                    Some(package) => Package { name: new.name.clone(), ..package.clone() },
                    None => new.clone(),
                };
                tables::put_package(tx, &after)?;
                let verb = if before.is_some() { "rename" } else { "create" };
                let shown = before.as_ref().map(shown_package);
                audit::record(tx, &by, verb, "package", &new.key, shown.as_ref(), Some(&shown_package(&after)), now)?;
                if before.is_none() && !by.administrator {
                    grant_in(tx, &by, &grant_of(&by.id, Permission::EditPackage, &scope, &by, now))?;
                }
                Ok::<_, Error>(after)
            })
            .await?;
        self.memory.forget();
        Ok(package)
    }

    /// Returns a package that the actor may use.
    pub async fn package(&self, actor: &Actor, key: &str) -> Result<Package, Error> {
        self.require(actor, Permission::UsePackage, &Scope::Package(key.to_owned())).await?;
        self.find_package(key).await?.ok_or_else(|| Error::NoSuchPackage { key: key.to_owned() })
    }

    /// Lists the packages that the actor may use, by key.
    pub async fn packages(&self, actor: &Actor) -> Result<Vec<Package>, Error> {
        let reach = self.reach(actor, Permission::UsePackage).await?;
        let mut packages = self.db.read("access.list_packages", tables::packages).await?;
        packages.retain(|package| reach.contains(&Scope::Package(package.key.clone())));
        Ok(packages)
    }

    /// Reads at most `limit` rows of the audit trail before a sequence number
    /// (the newest if there is none), newest first.
    pub async fn audit(
        &self,
        actor: &Actor,
        before_sequence: Option<u64>,
        limit: usize,
    ) -> Result<Vec<audit::Entry>, Error> {
        self.require(actor, Permission::ReadAudit, &Scope::Team).await?;
        let limit = limit.min(AUDIT_ROWS_MAX);
        Ok(self.db.read("access.audit", move |tx| audit::page(tx, before_sequence, limit)).await?)
    }

    /// Tells whether the audit trail is whole.
    pub async fn verify_audit(&self, actor: &Actor) -> Result<audit::Chain, Error> {
        self.require(actor, Permission::ReadAudit, &Scope::Team).await?;
        Ok(self.db.read("access.verify_audit", audit::verify).await?)
    }

    /// Tells whether an actor may do something.
    pub async fn may(&self, actor: &Actor, permission: Permission, scope: &Scope) -> Result<bool, Error> {
        Ok(actor.administrator || permission::holds(&self.grants(actor).await?, permission, scope))
    }

    async fn find_package(&self, key: &str) -> Result<Option<Package>, Error> {
        let key = key.to_owned();
        Ok(self.db.read("access.find_package", move |tx| tables::package(tx, &key)).await?)
    }

    async fn grants(&self, actor: &Actor) -> Result<Grants, Error> {
        if let Some(grants) = self.memory.grants(&actor.id) {
            return Ok(grants);
        }
        let generation = self.memory.generation();
        let subject = actor.id.clone();
        let rows = self.db.read("access.grants_of", move |tx| tables::grants_of(tx, &subject)).await?;
        let grants: Grants = rows.into_iter().map(|grant| (grant.permission, grant.scope)).collect();
        self.memory.keep_grants(generation, &actor.id, grants.clone());
        Ok(grants)
    }

    async fn require_holder(&self, actor: &Actor, scope: &Scope) -> Result<(), Error> {
        match holder_permission(scope) {
            Some(permission) => self.require(actor, permission, scope).await,
            None => require_administrator(actor),
        }
    }

    async fn write_grant(
        &self,
        actor: &Actor,
        subject: &str,
        permission: Permission,
        scope: &Scope,
    ) -> Result<Grant, Error> {
        let grant = grant_of(subject, permission, scope, actor, self.clock.now());
        let (new, by) = (grant.clone(), actor.clone());
        self.db.write("access.grant", move |tx| grant_in(tx, &by, &new)).await?;
        self.memory.forget();
        Ok(grant)
    }

    async fn check(&self, credential: &Credential, hash: &str) -> Result<bool, Error> {
        let (credential, hash) = (credential.clone(), hash.to_owned());
        self.slowly(move || credential.matches(&hash)).await
    }

    async fn hash(&self, credential: &Credential) -> Result<String, Error> {
        let (credential, chance) = (credential.clone(), self.chance.clone());
        self.slowly(move || credential.hash(&*chance)).await
    }

    /// Computes on a blocking thread, a few at a time, so that a burst of
    /// guesses cannot take all cores and memory.
    async fn slowly<T: Send + 'static>(&self, compute: impl FnOnce() -> T + Send + 'static) -> Result<T, Error> {
        let _place = self.waiting.try_acquire().map_err(|_| Error::Busy)?;
        let turn = self.checks.clone().acquire_owned().await.expect("the semaphore is never closed");
        let computing = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            compute()
        });
        // It ends early only when the runtime does.
        computing.await.map_err(|_| Error::Busy)
    }
}

fn grant_of(subject: &str, permission: Permission, scope: &Scope, by: &Actor, now: Timestamp) -> Grant {
    let scope = scope.clone();
    Grant { subject: subject.to_owned(), permission, scope, granted_at: now, granted_by: by.id.clone() }
}

/// Writes a grant and its audit row, in the caller's transaction.
fn grant_in(tx: &mut dyn Tx, by: &Actor, grant: &Grant) -> Result<(), Error> {
    let subject = tables::app_key(tx, &grant.subject)?.filter(|stored| stored.app_key.revoked_at.is_none());
    if subject.is_none() {
        return Err(Error::NoSuchAppKey { id: grant.subject.clone() });
    }
    if tables::insert_grant(tx, grant)? {
        let shown = shown_grant(grant.permission, &grant.scope);
        audit::record(tx, by, "grant", "permission", &grant.subject, None, Some(&shown), grant.granted_at)?;
    }
    Ok(())
}

/// The permission that makes its holder the one who grants on a scope.
fn holder_permission(scope: &Scope) -> Option<Permission> {
    match scope {
        Scope::Team => None,
        Scope::Pool(_) => Some(Permission::AdminPool),
        Scope::Package(_) => Some(Permission::EditPackage),
    }
}

fn denied(actor: &Actor, permission: Permission, scope: &Scope) -> Error {
    Error::Denied { actor: actor.name.clone(), permission, scope: scope.clone() }
}

fn require_administrator(actor: &Actor) -> Result<(), Error> {
    if actor.administrator { Ok(()) } else { Err(Error::NotAdministrator { actor: actor.name.clone() }) }
}

/// How an app key appears in the audit trail.
fn shown_key(key: &AppKey) -> Json {
    json!({ "name": key.name, "administrator": key.administrator, "revokedAt": key.revoked_at })
}

fn shown_grant(permission: Permission, scope: &Scope) -> Json {
    json!({ "permission": permission, "scope": scope })
}

fn shown_package(package: &Package) -> Json {
    json!({ "name": package.name })
}

#[cfg(test)]
mod tests;
