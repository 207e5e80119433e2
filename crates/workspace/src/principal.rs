//! Service principals: programs that sign in with an id and a secret.
//!
//! A *secret* of a service principal buys *access tokens*, which last an hour
//! unless the settings say otherwise. Of both only the SHA-256 is kept: 32
//! random bytes leave nothing to guess. What ends a secret, or the principal,
//! ends its access tokens too, at once.

use std::time::Duration;

use base::actor::ActorKind;
use base::{Actor, Causes, Chance, Secret, Timestamp};
use serde_json::json;

use crate::error::Error;
use crate::id::RunId;
use crate::tables;
use crate::token::digest;
use crate::workspace::{Workspace, note};

/// Secrets that a service principal may have at once.
pub const PRINCIPAL_SECRETS_MAX: usize = 5;
/// How long a secret lasts, at most and unless something else is asked for.
pub const PRINCIPAL_SECRET_LIFE_MAX: Duration = Duration::from_hours(2 * 365 * 24);
const NAME_CHARACTERS_MAX: usize = 256;

/// A program that signs in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServicePrincipal {
    /// Its number.
    pub id: i64,
    /// What it signs in as.
    pub application_id: String,
    /// What people read.
    pub display_name: String,
    /// Whether it may sign in.
    pub active: bool,
    /// Whether it may do everything.
    pub administrator: bool,
    /// When it was made.
    pub created_at: Timestamp,
}

impl ServicePrincipal {
    /// Returns who it is when it calls.
    pub fn actor(&self) -> Actor {
        Actor {
            id: format!("service-principal:{}", self.application_id),
            name: self.application_id.clone(),
            kind: ActorKind::ServicePrincipal,
            administrator: self.administrator,
            causes: Causes::NONE,
        }
    }
}

/// What is set of a service principal.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PrincipalChange {
    /// What people read.
    pub display_name: Option<String>,
    /// Whether it may sign in.
    pub active: Option<bool>,
    /// Whether it may do everything.
    pub administrator: Option<bool>,
}

/// What can be shown of a secret after it was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PrincipalSecret {
    /// Names it; not secret.
    pub id: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ends.
    pub expires_at: Timestamp,
}

/// An access token, as it is handed out.
pub struct AccessToken {
    /// The token.
    pub text: Secret,
    /// How long it lasts.
    pub life: Duration,
}

impl Workspace {
    /// Makes a service principal. Only administrators may.
    pub async fn create_principal(
        &self,
        actor: &Actor,
        application_id: Option<String>,
        change: PrincipalChange,
    ) -> Result<ServicePrincipal, Error> {
        administrators_only(actor)?;
        let application_id = match application_id {
            Some(given) => {
                let is_decent = (1..=64).contains(&given.len())
                    && given.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_');
                if !is_decent {
                    let detail = format!("\"{given}\" is not an application id: 1 to 64 letters, digits, - and _");
                    return Err(Error::Parameter { detail });
                }
                given
            }
            None => draw_uuid(&*self.chance),
        };
        let display_name = change.display_name.unwrap_or_else(|| application_id.clone());
        check_name(&display_name)?;
        let principal = ServicePrincipal {
            id: RunId::new(&*self.chance).0,
            application_id,
            display_name,
            active: change.active.unwrap_or(true),
            administrator: change.administrator.unwrap_or(false),
            created_at: self.clock.now(),
        };
        let (made, actor) = (principal.clone(), actor.clone());
        self.db
            .write("workspace.create_principal", move |tx| {
                if !tables::insert_principal(tx, &principal)? {
                    return Err(Error::PrincipalExists(principal.application_id.clone()));
                }
                let id = principal.id.to_string();
                let states = (None, Some(shown(&principal)));
                note(tx, &actor, "create", "workspace-principal", &id, states, principal.created_at)
            })
            .await?;
        Ok(made)
    }

    /// Lists the service principals; whoever is no administrator sees itself.
    pub async fn principals(&self, actor: &Actor) -> Result<Vec<ServicePrincipal>, Error> {
        let all = self.db.read("workspace.principals", tables::principals).await?;
        Ok(all.into_iter().filter(|one| actor.administrator || one.actor().id == actor.id).collect())
    }

    /// Finds a service principal by number. Only administrators may.
    pub async fn principal(&self, actor: &Actor, id: i64) -> Result<ServicePrincipal, Error> {
        administrators_only(actor)?;
        self.db.read("workspace.principal", move |tx| tables::principal(tx, id)).await
    }

    /// Changes a service principal. Only administrators may.
    pub async fn change_principal(
        &self,
        actor: &Actor,
        id: i64,
        change: PrincipalChange,
    ) -> Result<ServicePrincipal, Error> {
        administrators_only(actor)?;
        if let Some(name) = &change.display_name {
            check_name(name)?;
        }
        let (actor, now) = (actor.clone(), self.clock.now());
        self.db
            .write("workspace.change_principal", move |tx| {
                let before = tables::principal(tx, id)?;
                let after = ServicePrincipal {
                    display_name: change.display_name.clone().unwrap_or_else(|| before.display_name.clone()),
                    active: change.active.unwrap_or(before.active),
                    administrator: change.administrator.unwrap_or(before.administrator),
                    ..before.clone()
                };
                tables::set_principal(tx, &after)?;
                let states = (Some(shown(&before)), Some(shown(&after)));
                note(tx, &actor, "update", "workspace-principal", &id.to_string(), states, now)?;
                Ok(after)
            })
            .await
    }

    /// Removes a service principal with its secrets and tokens. Only
    /// administrators may.
    pub async fn delete_principal(&self, actor: &Actor, id: i64) -> Result<(), Error> {
        administrators_only(actor)?;
        let (actor, now) = (actor.clone(), self.clock.now());
        self.db
            .write("workspace.delete_principal", move |tx| {
                let before = tables::principal(tx, id)?;
                tables::delete_principal(tx, id)?;
                let states = (Some(shown(&before)), None);
                note(tx, &actor, "delete", "workspace-principal", &id.to_string(), states, now)
            })
            .await
    }

    /// Makes a secret of a service principal and returns its text, which cannot
    /// be read again. Only administrators may.
    pub async fn create_principal_secret(
        &self,
        actor: &Actor,
        principal: i64,
        life: Option<Duration>,
    ) -> Result<(PrincipalSecret, Secret), Error> {
        administrators_only(actor)?;
        let life = life.unwrap_or(PRINCIPAL_SECRET_LIFE_MAX);
        if life.is_zero() || life > PRINCIPAL_SECRET_LIFE_MAX {
            let days = PRINCIPAL_SECRET_LIFE_MAX.as_secs() / 86_400;
            return Err(Error::Parameter { detail: format!("a secret lasts from a second to {days} days") });
        }
        let text = draw("dose", &*self.chance);
        let mut id = [0; 16];
        self.chance.fill(&mut id);
        let now = self.clock.now();
        let secret = PrincipalSecret { id: hex::encode(id), created_at: now, expires_at: now.plus(life) };
        let (made, digest, actor) = (secret.clone(), digest(text.expose()), actor.clone());
        self.db
            .write("workspace.create_principal_secret", move |tx| {
                tables::principal(tx, principal)?;
                tables::drop_ended_credentials(tx, now)?;
                if tables::principal_secrets(tx, principal)?.len() >= PRINCIPAL_SECRETS_MAX {
                    let detail = format!(
                        "service principal {principal} has {PRINCIPAL_SECRETS_MAX} secrets, which is the most: \
                         delete one first"
                    );
                    return Err(Error::Parameter { detail });
                }
                tables::insert_principal_secret(tx, principal, &secret, &digest)?;
                let after = json!({ "secret": secret.id, "expires_at": secret.expires_at });
                let states = (None, Some(after));
                note(tx, &actor, "create-secret", "workspace-principal", &principal.to_string(), states, now)
            })
            .await?;
        Ok((made, text))
    }

    /// Lists the secrets of a service principal. Only administrators may.
    pub async fn principal_secrets(&self, actor: &Actor, principal: i64) -> Result<Vec<PrincipalSecret>, Error> {
        administrators_only(actor)?;
        self.db
            .read("workspace.principal_secrets", move |tx| {
                tables::principal(tx, principal)?;
                tables::principal_secrets(tx, principal)
            })
            .await
    }

    /// Removes a secret, and ends the tokens that it bought. Only
    /// administrators may.
    pub async fn delete_principal_secret(&self, actor: &Actor, principal: i64, id: &str) -> Result<(), Error> {
        administrators_only(actor)?;
        let (actor, id, now) = (actor.clone(), id.to_owned(), self.clock.now());
        self.db
            .write("workspace.delete_principal_secret", move |tx| {
                tables::principal(tx, principal)?;
                if !tables::delete_principal_secret(tx, principal, &id)? {
                    return Err(Error::NoPrincipal(format!("secret \"{id}\"")));
                }
                let before = json!({ "secret": id });
                let states = (Some(before), None);
                note(tx, &actor, "delete-secret", "workspace-principal", &principal.to_string(), states, now)
            })
            .await
    }

    /// Sells an access token for an application id and a secret.
    pub async fn sign_in_principal(&self, application_id: &str, secret: &Secret) -> Result<AccessToken, Error> {
        let life = self.options.access_token_life;
        let text = draw("oauth-", &*self.chance);
        let (now, given, bought) = (self.clock.now(), digest(secret.expose()), digest(text.expose()));
        let application_id = application_id.to_owned();
        self.db
            .write("workspace.sign_in_principal", move |tx| {
                tables::drop_ended_credentials(tx, now)?;
                let Some((principal, secret)) = tables::principal_by_secret(tx, &application_id, &given, now)? else {
                    return Err(Error::Unauthenticated);
                };
                tables::insert_access_token(tx, &bought, principal, &secret, now, now.plus(life))
            })
            .await?;
        Ok(AccessToken { text, life })
    }

    /// Makes a token on behalf of a service principal. Only administrators may.
    pub async fn create_token_for(
        &self,
        actor: &Actor,
        application_id: &str,
        comment: &str,
        life: Option<Duration>,
    ) -> Result<(crate::TokenInfo, Secret), Error> {
        administrators_only(actor)?;
        let wanted = application_id.to_owned();
        let all = self.db.read("workspace.principals", tables::principals).await?;
        let principal = all.into_iter().find(|one| one.application_id == wanted);
        let principal = principal.ok_or_else(|| Error::NoPrincipal(format!("\"{application_id}\"")))?;
        self.create_token(&principal.actor(), comment, life).await
    }
}

/// Refuses whoever is no administrator.
pub(crate) fn administrators_only(actor: &Actor) -> Result<(), Error> {
    match actor.administrator {
        true => Ok(()),
        false => Err(Error::AdministratorsOnly { user: actor.name.clone() }),
    }
}

fn check_name(name: &str) -> Result<(), Error> {
    if name.trim().is_empty() || name.chars().count() > NAME_CHARACTERS_MAX {
        let detail = format!("a display name has 1 to {NAME_CHARACTERS_MAX} characters");
        return Err(Error::Parameter { detail });
    }
    Ok(())
}

fn draw(prefix: &str, chance: &dyn Chance) -> Secret {
    let mut bytes = [0; 32];
    chance.fill(&mut bytes);
    Secret::new(format!("{prefix}{}", hex::encode(bytes)))
}

/// Draws a UUID of version 4, which is what application ids look like.
pub(crate) fn draw_uuid(chance: &dyn Chance) -> String {
    let mut bytes = [0; 16];
    chance.fill(&mut bytes);
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let text = hex::encode(bytes);
    format!("{}-{}-{}-{}-{}", &text[..8], &text[8..12], &text[12..16], &text[16..20], &text[20..])
}

fn shown(principal: &ServicePrincipal) -> serde_json::Value {
    json!({
        "application_id": principal.application_id,
        "display_name": principal.display_name,
        "active": principal.active,
        "administrator": principal.administrator,
    })
}
