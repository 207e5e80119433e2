//! Notification destinations: addresses that are told how runs went.
//!
//! Administrators make them, and jobs name them. An address is sealed like a
//! secret, because it often is one: who knows the address of a Slack webhook
//! can write there. No verb gives it back.

use base::{Actor, Chance, Secret, Timestamp};
use serde_json::{Value as Json, json};

use crate::error::Error;
use crate::principal::{administrators_only, draw_uuid};
use crate::settings::JobSettings;
use crate::tables;
use crate::workspace::{Workspace, note};

const NAME_CHARACTERS_MAX: usize = 256;
const DESTINATIONS_MAX: usize = 1_000;

/// What sort of address it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DestinationSort {
    /// Any that takes JSON.
    Webhook,
    /// A channel in Slack.
    Slack,
}

impl DestinationSort {
    /// Returns the word of the API.
    pub fn as_str(self) -> &'static str {
        match self {
            DestinationSort::Webhook => "WEBHOOK",
            DestinationSort::Slack => "SLACK",
        }
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        [DestinationSort::Webhook, DestinationSort::Slack].into_iter().find(|sort| sort.as_str() == text)
    }
}

/// What can be shown of a destination.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Destination {
    /// Names it; not secret.
    pub id: String,
    /// What people read.
    pub display_name: String,
    /// What sort of address it is.
    pub sort: DestinationSort,
    /// When it was made.
    pub created_at: Timestamp,
}

/// A destination, and which parts of its address are set.
#[derive(Clone, Debug, PartialEq)]
pub struct ShownDestination {
    /// The destination.
    pub destination: Destination,
    /// The configuration of the API, with `url_set` in the place of `url`.
    pub config: Json,
}

/// Where a destination is.
pub(crate) enum Address {
    Webhook { url: Secret, username: Option<String>, password: Option<Secret> },
    Slack { url: Secret },
}

impl Address {
    /// Reads the `config` of the API; `before` gives what it leaves out.
    fn read(config: &Json, before: Option<&Address>) -> Result<Self, Error> {
        let refuse = |detail: String| Err(Error::Parameter { detail });
        let sorts: Vec<(&String, &Json)> =
            config.as_object().into_iter().flatten().filter(|(_, value)| value.is_object()).collect();
        let [(sort, fields)] = sorts.as_slice() else {
            return refuse("\"config\" has exactly one of \"generic_webhook\" and \"slack\"".into());
        };
        let known: &[&str] = match sort.as_str() {
            "generic_webhook" => &["url", "username", "password"],
            "slack" => &["url"],
            other => {
                let hint = ": \"config.generic_webhook\" and \"config.slack\" are".to_owned();
                return Err(Error::Unsupported { setting: format!("config.{other}"), hint });
            }
        };
        let mut texts = std::collections::BTreeMap::new();
        for (name, value) in fields.as_object().into_iter().flatten() {
            match value {
                // What is only shown may be sent back.
                Json::Null | Json::Bool(_) => {}
                Json::String(text) if known.contains(&name.as_str()) => drop(texts.insert(name.as_str(), text.clone())),
                _ => return refuse(format!("\"config.{sort}.{name}\" is not a text of {}", known.join(", "))),
            }
        }
        let old_url = match before {
            Some(Address::Webhook { url, .. }) if *sort == "generic_webhook" => Some(url),
            Some(Address::Slack { url }) if *sort == "slack" => Some(url),
            _ => None,
        };
        let url = match (texts.remove("url"), old_url) {
            (Some(url), _) => {
                check_url(sort, &url)?;
                Secret::new(url)
            }
            (None, Some(url)) => url.clone(),
            (None, None) => return refuse(format!("\"config.{sort}.url\" is missing")),
        };
        if *sort == "slack" {
            return Ok(Address::Slack { url });
        }
        let (old_username, old_password) = match before {
            Some(Address::Webhook { username, password, .. }) => (username.clone(), password.clone()),
            _ => (None, None),
        };
        let given = |text: Option<String>| text.filter(|text| !text.is_empty());
        let (username, password) = (texts.remove("username"), texts.remove("password"));
        Ok(Address::Webhook {
            url,
            username: if username.is_some() { given(username) } else { old_username },
            password: if password.is_some() { given(password).map(Secret::new) } else { old_password },
        })
    }

    fn sort(&self) -> DestinationSort {
        match self {
            Address::Webhook { .. } => DestinationSort::Webhook,
            Address::Slack { .. } => DestinationSort::Slack,
        }
    }

    /// The form in which it is sealed: that in which it was sent.
    fn document(&self) -> Secret {
        let document = match self {
            Address::Webhook { url, username, password } => json!({ "generic_webhook": {
                "url": url.expose(),
                "username": username,
                "password": password.as_ref().map(Secret::expose),
            } }),
            Address::Slack { url } => json!({ "slack": { "url": url.expose() } }),
        };
        Secret::new(document.to_string())
    }

    fn shown(&self) -> Json {
        match self {
            Address::Webhook { username, password, .. } => json!({ "generic_webhook": {
                "url_set": true,
                "username_set": username.is_some(),
                "password_set": password.is_some(),
            } }),
            Address::Slack { .. } => json!({ "slack": { "url_set": true } }),
        }
    }
}

/// Refuses what is no address. Where it may lead is judged on the way out.
fn check_url(sort: &str, url: &str) -> Result<(), Error> {
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
    let is_decent = rest.is_some_and(|rest| !rest.is_empty() && !rest.starts_with('/'))
        && url.len() <= 2_048
        && url.chars().all(|letter| letter.is_ascii_graphic());
    if is_decent {
        return Ok(());
    }
    // It may hold a secret, so it is not repeated.
    Err(Error::Parameter {
        detail: format!("\"config.{sort}.url\" is no address that begins with https:// or http://"),
    })
}

fn purpose(id: &str) -> String {
    format!("workspace destination {id}")
}

impl Workspace {
    /// Makes a notification destination. Only administrators may.
    pub async fn create_destination(
        &self,
        actor: &Actor,
        display_name: &str,
        config: &Json,
    ) -> Result<ShownDestination, Error> {
        administrators_only(actor)?;
        check_name(display_name)?;
        let address = Address::read(config, None)?;
        let destination = Destination {
            id: draw_uuid(&*self.chance as &dyn Chance),
            display_name: display_name.to_owned(),
            sort: address.sort(),
            created_at: self.clock.now(),
        };
        self.store_destination(actor, destination, &address, "create").await
    }

    async fn store_destination(
        &self,
        actor: &Actor,
        destination: Destination,
        address: &Address,
        verb: &'static str,
    ) -> Result<ShownDestination, Error> {
        let sealed = self.keys.seal(&purpose(&destination.id), &address.document(), &*self.chance);
        let shown = ShownDestination { destination: destination.clone(), config: address.shown() };
        let (actor, now) = (actor.clone(), self.clock.now());
        self.db
            .write("workspace.store_destination", move |tx| {
                if verb == "create" && tables::destinations(tx)?.len() >= DESTINATIONS_MAX {
                    let detail = format!("there are {DESTINATIONS_MAX} notification destinations, which is the most");
                    return Err(Error::Parameter { detail });
                }
                tables::put_destination(tx, &destination, &sealed)?;
                let after = json!({ "display_name": destination.display_name, "sort": destination.sort.as_str() });
                note(tx, &actor, verb, "workspace-destination", &destination.id, (None, Some(after)), now)
            })
            .await?;
        Ok(shown)
    }

    /// Lists the notification destinations, oldest first.
    pub async fn destinations(&self) -> Result<Vec<Destination>, Error> {
        let all = self.db.read("workspace.destinations", tables::destinations).await?;
        Ok(all.into_iter().map(|(destination, _)| destination).collect())
    }

    /// Finds a notification destination. Only administrators may.
    pub async fn destination(&self, actor: &Actor, id: &str) -> Result<ShownDestination, Error> {
        administrators_only(actor)?;
        let (destination, address) = self.open_destination(id).await?;
        Ok(ShownDestination { destination, config: address.shown() })
    }

    async fn open_destination(&self, id: &str) -> Result<(Destination, Address), Error> {
        let wanted = id.to_owned();
        let found = self.db.read("workspace.destination", move |tx| tables::destination(tx, &wanted)).await?;
        let (destination, sealed) = found.ok_or_else(|| Error::NoDestination(id.to_owned()))?;
        let opened = self.keys.open(&purpose(id), &sealed)?;
        let config = serde_json::from_str(opened.expose()).unwrap_or(Json::Null);
        Ok((destination, Address::read(&config, None)?))
    }

    /// Opens the address of a destination; nothing if it is gone.
    pub(crate) async fn address_of(&self, id: &str) -> Result<Option<Address>, Error> {
        match self.open_destination(id).await {
            Ok((_, address)) => Ok(Some(address)),
            Err(Error::NoDestination(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Changes a notification destination: its name, its address, or both.
    /// Only administrators may.
    pub async fn change_destination(
        &self,
        actor: &Actor,
        id: &str,
        display_name: Option<&str>,
        config: Option<&Json>,
    ) -> Result<ShownDestination, Error> {
        administrators_only(actor)?;
        let (mut destination, mut address) = self.open_destination(id).await?;
        if let Some(name) = display_name {
            check_name(name)?;
            name.clone_into(&mut destination.display_name);
        }
        if let Some(config) = config {
            address = Address::read(config, Some(&address))?;
            destination.sort = address.sort();
        }
        self.store_destination(actor, destination, &address, "update").await
    }

    /// Removes a notification destination. Jobs that name it tell it nothing
    /// more. Only administrators may.
    pub async fn delete_destination(&self, actor: &Actor, id: &str) -> Result<(), Error> {
        administrators_only(actor)?;
        let (actor, id, now) = (actor.clone(), id.to_owned(), self.clock.now());
        self.db
            .write("workspace.delete_destination", move |tx| {
                if !tables::delete_destination(tx, &id)? {
                    return Err(Error::NoDestination(id.clone()));
                }
                note(tx, &actor, "delete", "workspace-destination", &id, (None, None), now)
            })
            .await
    }
}

/// Refuses settings that name a destination which is not there.
pub(crate) fn check_named(tx: &mut dyn base::db::Tx, settings: &JobSettings) -> Result<(), Error> {
    for (event, told) in settings.webhook_notifications.all() {
        for webhook in told {
            if tables::destination(tx, &webhook.id)?.is_none() {
                return Err(Error::Settings {
                    detail: format!(
                        "webhook_notifications.{event}: there is no notification destination \"{}\"; an administrator \
                         makes one with /api/2.0/notification-destinations",
                        webhook.id
                    ),
                });
            }
        }
    }
    Ok(())
}

fn check_name(name: &str) -> Result<(), Error> {
    if name.trim().is_empty() || name.chars().count() > NAME_CHARACTERS_MAX {
        let detail = format!("\"display_name\" has 1 to {NAME_CHARACTERS_MAX} characters");
        return Err(Error::Parameter { detail });
    }
    Ok(())
}
