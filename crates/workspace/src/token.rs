//! Access tokens of the workspace.
//!
//! A token is 32 random bytes behind the prefix that secret scanners know. It
//! is shown once; at rest there is its SHA-256, which suffices because there
//! is nothing to guess. (A bootstrap token is chosen by a person; it is as good
//! as that person's choice.)

use std::time::Duration;

use base::actor::ActorKind;
use base::{Actor, Causes, Chance, Secret, Timestamp};
use serde_json::{Value as Json, json};
use sha2::{Digest, Sha256};

use crate::RunId;
use crate::error::Error;
use crate::principal::administrators_only;
use crate::tables;
use crate::workspace::{Workspace, note};

/// What can be shown of a token after it was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenInfo {
    /// Names it; not secret.
    pub id: String,
    /// What it is for.
    pub comment: String,
    /// On whose behalf calls are that present it.
    pub owner: Actor,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ends, if ever.
    pub expires_at: Option<Timestamp>,
}

impl Workspace {
    /// Makes the first token, unless it is known already; its owner is the
    /// workspace's administrator. A revoked one stays revoked.
    pub async fn bootstrap_token(&self, token: &Secret) -> Result<(), Error> {
        if token.expose().trim().is_empty() {
            return Err(Error::Parameter { detail: "the bootstrap token is empty".into() });
        }
        let owner = Actor {
            id: "workspace:admin".into(),
            name: "admin".into(),
            kind: ActorKind::ServicePrincipal,
            administrator: true,
            causes: Causes::NONE,
        };
        let (token, _) = self.new_token(&owner, "bootstrap", None, Some(token));
        self.db
            .write("workspace.bootstrap_token", move |tx| {
                let (info, digest) = &token;
                if tables::insert_token(tx, info, digest)? {
                    let system = Actor::system("workspace");
                    note(
                        tx,
                        &system,
                        "create",
                        "workspace-token",
                        &info.id,
                        (None, Some(token_note(info))),
                        info.created_at,
                    )?;
                }
                Ok(())
            })
            .await
    }

    /// Makes a token on behalf of `owner` and returns its text, which cannot
    /// be read again.
    pub async fn create_token(
        &self,
        owner: &Actor,
        comment: &str,
        lifetime: Option<Duration>,
    ) -> Result<(TokenInfo, Secret), Error> {
        let lifetime = self.allowed_life(lifetime)?;
        let (token, text) = self.new_token(owner, comment, lifetime, None);
        let info = token.0.clone();
        self.db
            .write("workspace.create_token", move |tx| {
                let (info, digest) = &token;
                tables::insert_token(tx, info, digest)?;
                note(
                    tx,
                    &info.owner,
                    "create",
                    "workspace-token",
                    &info.id,
                    (None, Some(token_note(info))),
                    info.created_at,
                )
            })
            .await?;
        Ok((info, text))
    }

    /// Makes a token with which a task calls the workspace. It is good until
    /// the task ends, and no longer than `lifetime`.
    pub(crate) async fn create_task_token(
        &self,
        owner: &Actor,
        task_run: RunId,
        lifetime: Duration,
    ) -> Result<Secret, Error> {
        let comment = format!("task run {task_run}");
        let (token, text) = self.new_token(owner, &comment, Some(lifetime), None);
        self.db
            .write("workspace.create_task_token", move |tx| {
                let (info, digest) = &token;
                tables::insert_token(tx, info, digest)?;
                tables::bind_token(tx, &info.id, task_run)
            })
            .await?;
        Ok(text)
    }

    /// Limits how long a token lasts; one that asks for nothing gets the most.
    fn allowed_life(&self, lifetime: Option<Duration>) -> Result<Option<Duration>, Error> {
        match (lifetime, self.options.token_life_max) {
            (Some(Duration::ZERO), _) => Err(Error::Parameter { detail: "a token lasts at least a second".into() }),
            (Some(asked), Some(most)) if asked > most => {
                let (asked, most) = (asked.as_secs(), most.as_secs());
                let detail = format!("lifetime_seconds {asked} is above {most}, the most that this workspace allows");
                Err(Error::Parameter { detail })
            }
            (None, most) => Ok(most),
            (asked, _) => Ok(asked),
        }
    }

    fn new_token(
        &self,
        owner: &Actor,
        comment: &str,
        lifetime: Option<Duration>,
        given: Option<&Secret>,
    ) -> ((TokenInfo, Vec<u8>), Secret) {
        let text = given.cloned().unwrap_or_else(|| draw(&*self.chance));
        let mut id = [0; 16];
        self.chance.fill(&mut id);
        let created_at = self.clock.now();
        let info = TokenInfo {
            id: hex::encode(id),
            comment: comment.to_owned(),
            owner: owner.clone(),
            created_at,
            expires_at: lifetime.map(|lifetime| created_at.plus(lifetime)),
        };
        let digest = digest(text.expose());
        ((info, digest), text)
    }

    /// Lists the tokens of `owner`, or all of them for an administrator.
    pub async fn tokens(&self, owner: &Actor) -> Result<Vec<TokenInfo>, Error> {
        let owner = owner.clone();
        self.db.read("workspace.tokens", move |tx| tables::tokens(tx, whose(&owner))).await
    }

    /// Lists everybody's tokens. Only administrators may.
    pub async fn all_tokens(&self, actor: &Actor) -> Result<Vec<TokenInfo>, Error> {
        administrators_only(actor)?;
        self.db.read("workspace.all_tokens", |tx| tables::tokens(tx, None)).await
    }

    /// Ends a token at once. A token of somebody else is not there, except for
    /// an administrator.
    pub async fn revoke_token(&self, actor: &Actor, id: &str) -> Result<(), Error> {
        let (actor, id, now) = (actor.clone(), id.to_owned(), self.clock.now());
        self.db
            .write("workspace.revoke_token", move |tx| {
                if !tables::revoke_token(tx, &id, whose(&actor), now)? {
                    return Err(Error::NoToken(id.clone()));
                }
                note(tx, &actor, "revoke", "workspace-token", &id, (None, None), now)
            })
            .await
    }

    /// Tells who presents an `Authorization` header (`Bearer`, in any case).
    pub async fn authenticate(&self, authorization: Option<&str>) -> Result<Actor, Error> {
        let presented = authorization.and_then(bearer).ok_or(Error::Unauthenticated)?;
        let (digest, now) = (digest(presented), self.clock.now());
        let found = self
            .db
            .read("workspace.authenticate", move |tx| {
                let Some(token) = tables::token_by_digest(tx, &digest)? else {
                    let principal = tables::principal_by_access_token(tx, &digest, now)?;
                    return Ok::<_, Error>(principal.map(|principal| principal.actor()));
                };
                if token.expires_at.is_some_and(|expires_at| expires_at <= now) {
                    return Ok(None);
                }
                // What a service principal may, and whether it may anything, is
                // asked each time; the bootstrap token's owner has no row.
                match token.owner.id.strip_prefix("service-principal:") {
                    Some(id) => Ok(tables::active_principal(tx, id)?.map(|principal| principal.actor())),
                    None => Ok(Some(token.owner)),
                }
            })
            .await?;
        found.ok_or(Error::Unauthenticated)
    }
}

/// Draws a new token.
pub(crate) fn draw(chance: &dyn Chance) -> Secret {
    let mut bytes = [0; 32];
    chance.fill(&mut bytes);
    Secret::new(format!("dapi{}", hex::encode(bytes)))
}

/// Returns what is kept of a token.
pub(crate) fn digest(token: &str) -> Vec<u8> {
    Sha256::digest(token.as_bytes()).to_vec()
}

/// Takes the token out of an `Authorization` header: `Bearer` in any case.
pub(crate) fn bearer(authorization: &str) -> Option<&str> {
    let (scheme, token) = authorization.trim().split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}

/// What the audit trail says of a token: everything but the token.
fn token_note(token: &TokenInfo) -> Json {
    json!({ "comment": token.comment, "owner": token.owner.name, "expires_at": token.expires_at })
}

/// Whose tokens an actor sees: its own, or everybody's.
fn whose(actor: &Actor) -> Option<&str> {
    (!actor.administrator).then_some(actor.id.as_str())
}
