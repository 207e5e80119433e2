//! From where the workspace may be called: lists of addresses.
//!
//! Nothing is narrowed until an administrator switches the lists on. Then a
//! caller on a BLOCK list is refused, always; and where there is an ALLOW list,
//! so is a caller who is on none. A caller on this machine is refused only by a
//! BLOCK list, because it is the one who could mend a mistake.

use std::net::IpAddr;
use std::sync::Arc;

use base::{Actor, AddressRange, Timestamp};
use serde_json::json;

use crate::error::Error;
use crate::principal::administrators_only;
use crate::tables;
use crate::workspace::{Workspace, note};

/// The switch, as the API names it.
pub const ADDRESS_LISTS_SWITCH: &str = "enableIpAccessLists";
/// Entries of all lists together.
const ENTRIES_MAX: usize = 1_000;

/// What a list does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AddressListSort {
    /// Who is on one may call.
    Allow,
    /// Who is on one may not.
    Block,
}

impl AddressListSort {
    /// Returns the word of the API.
    pub fn as_str(self) -> &'static str {
        match self {
            AddressListSort::Allow => "ALLOW",
            AddressListSort::Block => "BLOCK",
        }
    }

    /// Reads the word of the API.
    pub fn parse(text: &str) -> Option<Self> {
        [AddressListSort::Allow, AddressListSort::Block].into_iter().find(|sort| sort.as_str() == text)
    }
}

/// Some addresses, and what they mean.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddressList {
    /// Names it.
    pub id: String,
    /// What people read.
    pub label: String,
    /// What it does.
    pub sort: AddressListSort,
    /// The addresses and ranges.
    pub addresses: Vec<AddressRange>,
    /// Whether it counts.
    pub enabled: bool,
    /// Name of whoever made it.
    pub created_by: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was changed.
    pub updated_at: Timestamp,
}

/// What is set of a list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AddressListChange {
    /// What people read.
    pub label: Option<String>,
    /// What it does.
    pub sort: Option<AddressListSort>,
    /// The addresses and ranges.
    pub addresses: Option<Vec<AddressRange>>,
    /// Whether it counts.
    pub enabled: Option<bool>,
}

/// What counts right now.
#[derive(Debug, Default)]
pub(crate) struct AddressRules {
    is_on: bool,
    lists: Vec<AddressList>,
}

impl AddressRules {
    fn allows(&self, address: IpAddr) -> bool {
        if !self.is_on {
            return true;
        }
        let is_on = |sort| {
            let lists = self.lists.iter().filter(move |list| list.enabled && list.sort == sort);
            lists.flat_map(|list| &list.addresses)
        };
        if is_on(AddressListSort::Block).any(|range| range.contains(address)) {
            return false;
        }
        let mut allowed = is_on(AddressListSort::Allow).peekable();
        address.to_canonical().is_loopback() || allowed.peek().is_none() || allowed.any(|range| range.contains(address))
    }
}

impl Workspace {
    /// Refuses a caller whose address the lists shut out.
    pub async fn check_address(&self, address: IpAddr) -> Result<(), Error> {
        let known = self.address_rules.lock().clone();
        let rules = match known {
            Some(rules) => rules,
            None => {
                let read = self.db.read("workspace.address_rules", |tx| {
                    let is_on = tables::switch(tx, ADDRESS_LISTS_SWITCH)?.as_deref() == Some("true");
                    Ok::<_, Error>(AddressRules { is_on, lists: tables::address_lists(tx)? })
                });
                let rules = Arc::new(read.await?);
                *self.address_rules.lock() = Some(rules.clone());
                rules
            }
        };
        match rules.allows(address) {
            true => Ok(()),
            false => Err(Error::AddressBlocked { address }),
        }
    }

    /// Lists the lists. Only administrators may.
    pub async fn address_lists(&self, actor: &Actor) -> Result<Vec<AddressList>, Error> {
        administrators_only(actor)?;
        self.db.read("workspace.address_lists", tables::address_lists).await
    }

    /// Makes a list. Only administrators may.
    pub async fn create_address_list(&self, actor: &Actor, change: AddressListChange) -> Result<AddressList, Error> {
        administrators_only(actor)?;
        let mut id = [0; 16];
        self.chance.fill(&mut id);
        let now = self.clock.now();
        let missing = |what: &str| Error::Parameter { detail: format!("\"{what}\" is missing") };
        let list = AddressList {
            id: hex::encode(id),
            label: change.label.ok_or_else(|| missing("label"))?,
            sort: change.sort.ok_or_else(|| missing("list_type"))?,
            addresses: change.addresses.ok_or_else(|| missing("ip_addresses"))?,
            enabled: change.enabled.unwrap_or(true),
            created_by: actor.name.clone(),
            created_at: now,
            updated_at: now,
        };
        self.save_address_list(actor, list, "create").await
    }

    /// Changes a list. Only administrators may.
    pub async fn change_address_list(
        &self,
        actor: &Actor,
        id: &str,
        change: AddressListChange,
    ) -> Result<AddressList, Error> {
        let before = self.address_list(actor, id).await?;
        let list = AddressList {
            label: change.label.unwrap_or(before.label),
            sort: change.sort.unwrap_or(before.sort),
            addresses: change.addresses.unwrap_or(before.addresses),
            enabled: change.enabled.unwrap_or(before.enabled),
            updated_at: self.clock.now(),
            ..before
        };
        self.save_address_list(actor, list, "update").await
    }

    /// Finds a list. Only administrators may.
    pub async fn address_list(&self, actor: &Actor, id: &str) -> Result<AddressList, Error> {
        let found = self.address_lists(actor).await?.into_iter().find(|list| list.id == id);
        found.ok_or_else(|| Error::NoAddressList(id.to_owned()))
    }

    /// Removes a list. Only administrators may.
    pub async fn delete_address_list(&self, actor: &Actor, id: &str) -> Result<(), Error> {
        administrators_only(actor)?;
        let (id, now, actor) = (id.to_owned(), self.clock.now(), actor.clone());
        self.db
            .write("workspace.delete_address_list", move |tx| {
                if !tables::delete_address_list(tx, &id)? {
                    return Err(Error::NoAddressList(id.clone()));
                }
                note(tx, &actor, "delete", "workspace-ip-list", &id, (None, None), now)
            })
            .await?;
        *self.address_rules.lock() = None;
        Ok(())
    }

    async fn save_address_list(
        &self,
        actor: &Actor,
        list: AddressList,
        verb: &'static str,
    ) -> Result<AddressList, Error> {
        if list.addresses.len() > ENTRIES_MAX {
            return Err(Error::Parameter { detail: format!("a list has at most {ENTRIES_MAX} entries") });
        }
        let (saved, actor) = (list.clone(), actor.clone());
        self.db
            .write("workspace.save_address_list", move |tx| {
                tables::save_address_list(tx, &list)?;
                let after = json!({
                    "label": list.label,
                    "list_type": list.sort.as_str(),
                    "addresses": list.addresses,
                    "enabled": list.enabled,
                });
                note(tx, &actor, verb, "workspace-ip-list", &list.id, (None, Some(after)), list.updated_at)
            })
            .await?;
        *self.address_rules.lock() = None;
        Ok(saved)
    }

    /// Tells whether the lists count. Only administrators may ask.
    pub async fn address_lists_enabled(&self, actor: &Actor) -> Result<bool, Error> {
        administrators_only(actor)?;
        let value = self.db.read("workspace.switch", |tx| tables::switch(tx, ADDRESS_LISTS_SWITCH)).await?;
        Ok(value.as_deref() == Some("true"))
    }

    /// Says whether the lists count. Only administrators may.
    pub async fn enable_address_lists(&self, actor: &Actor, enabled: bool) -> Result<(), Error> {
        administrators_only(actor)?;
        let (actor, now) = (actor.clone(), self.clock.now());
        self.db
            .write("workspace.enable_address_lists", move |tx| {
                tables::set_switch(tx, ADDRESS_LISTS_SWITCH, if enabled { "true" } else { "false" })?;
                let after = json!({ "enabled": enabled });
                note(tx, &actor, "switch", "workspace-conf", ADDRESS_LISTS_SWITCH, (None, Some(after)), now)
            })
            .await?;
        *self.address_rules.lock() = None;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn block_lists_win_and_this_machine_is_not_locked_out() {
        let list = |sort, text: &str, enabled| AddressList {
            id: text.into(),
            label: text.into(),
            sort,
            addresses: AddressRange::list(text).expect("addresses"),
            enabled,
            created_by: "ada".into(),
            created_at: Timestamp::from_millis(0),
            updated_at: Timestamp::from_millis(0),
        };
        let (allow, block) = (AddressListSort::Allow, AddressListSort::Block);
        let office = || list(allow, "203.0.113.0/24", true);
        let printer = || list(block, "203.0.113.9", true);
        for (is_on, lists, address, expected) in [
            (false, vec![printer()], "203.0.113.9", true),
            (true, vec![], "198.51.100.1", true),
            (true, vec![office()], "203.0.113.9", true),
            (true, vec![office()], "198.51.100.1", false),
            (true, vec![office(), printer()], "203.0.113.9", false),
            (true, vec![printer()], "198.51.100.1", true),
            (true, vec![list(block, "203.0.113.9", false)], "203.0.113.9", true),
            (true, vec![office()], "127.0.0.1", true),
            (true, vec![office()], "::1", true),
            (true, vec![office()], "::ffff:127.0.0.1", true),
            (true, vec![list(block, "127.0.0.0/8", true)], "127.0.0.1", false),
        ] {
            let rules = AddressRules { is_on, lists };
            let address = address.parse().expect("an address");
            assert_eq!(rules.allows(address), expected, "{address} {rules:?}");
        }
    }
}
