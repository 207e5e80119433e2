//! Rights, and what they are granted on.

use std::fmt;

use serde::{Deserialize, Serialize};

use base::Timestamp;

/// A right. Its text form is kebab-case, e.g. `data-push`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Permission {
    /// See a pool, read its tables, ask it by SQL.
    UsePool,
    /// Everything on a pool: data models, jobs, deleting tables.
    AdminPool,
    /// Push into a pool by data push jobs.
    DataPush,
    /// Push into a pool by continuous push.
    ContinuousDataPush,
    /// See a package, query its knowledge models, see its flows and runs.
    UsePackage,
    /// Change and publish what is in a package.
    EditPackage,
    /// Start published flows by hand, and answer what they ask.
    RunFlows,
    /// Make, change and remove subscriptions to a package's triggers.
    ManageSubscriptions,
    /// Make pools.
    CreatePool,
    /// Make packages.
    CreatePackage,
    /// Make and use connections of flows.
    ManageConnections,
    /// Read the audit trail.
    ReadAudit,
}

impl Permission {
    /// Every permission, in the order in which a table shows them.
    pub const ALL: [Permission; 12] = [
        Permission::UsePool,
        Permission::AdminPool,
        Permission::DataPush,
        Permission::ContinuousDataPush,
        Permission::UsePackage,
        Permission::EditPackage,
        Permission::RunFlows,
        Permission::ManageSubscriptions,
        Permission::CreatePool,
        Permission::CreatePackage,
        Permission::ManageConnections,
        Permission::ReadAudit,
    ];

    /// Returns the text form.
    pub const fn as_str(self) -> &'static str {
        match self {
            Permission::UsePool => "use-pool",
            Permission::AdminPool => "admin-pool",
            Permission::DataPush => "data-push",
            Permission::ContinuousDataPush => "continuous-data-push",
            Permission::UsePackage => "use-package",
            Permission::EditPackage => "edit-package",
            Permission::RunFlows => "run-flows",
            Permission::ManageSubscriptions => "manage-subscriptions",
            Permission::CreatePool => "create-pool",
            Permission::CreatePackage => "create-package",
            Permission::ManageConnections => "manage-connections",
            Permission::ReadAudit => "read-audit",
        }
    }

    /// Reads the text form.
    pub fn parse(text: &str) -> Option<Self> {
        Permission::ALL.into_iter().find(|permission| permission.as_str() == text)
    }

    /// Tells whether the permission can be granted on a scope. On the team it
    /// means: on every pool or package, those to come included.
    pub fn fits(self, scope: &Scope) -> bool {
        match self {
            Permission::UsePool | Permission::AdminPool | Permission::DataPush | Permission::ContinuousDataPush => {
                matches!(scope, Scope::Pool(_) | Scope::Team)
            }
            Permission::UsePackage | Permission::EditPackage | Permission::ManageSubscriptions => {
                matches!(scope, Scope::Package(_) | Scope::Team)
            }
            // Flows of several packages share connections and hooks.
            Permission::RunFlows
            | Permission::CreatePool
            | Permission::CreatePackage
            | Permission::ManageConnections
            | Permission::ReadAudit => matches!(scope, Scope::Team),
        }
    }

    /// Returns the permissions each of which includes this one, itself first.
    pub(crate) fn included_in(self) -> &'static [Permission] {
        match self {
            // To push is not to read: an app key of a connector sees nothing.
            Permission::UsePool => &[Permission::UsePool, Permission::AdminPool],
            Permission::AdminPool => &[Permission::AdminPool],
            Permission::DataPush => &[Permission::DataPush, Permission::AdminPool],
            Permission::ContinuousDataPush => &[Permission::ContinuousDataPush, Permission::AdminPool],
            Permission::UsePackage => &[Permission::UsePackage, Permission::EditPackage],
            Permission::EditPackage => &[Permission::EditPackage],
            Permission::RunFlows => &[Permission::RunFlows, Permission::EditPackage],
            Permission::ManageSubscriptions => &[Permission::ManageSubscriptions, Permission::EditPackage],
            Permission::CreatePool => &[Permission::CreatePool],
            Permission::CreatePackage => &[Permission::CreatePackage],
            Permission::ManageConnections => &[Permission::ManageConnections],
            Permission::ReadAudit => &[Permission::ReadAudit],
        }
    }
}

impl fmt::Display for Permission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What a permission is granted on.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind", content = "id")]
pub enum Scope {
    /// Everything.
    Team,
    /// One data pool, by id.
    Pool(String),
    /// One package, by key.
    Package(String),
}

impl Scope {
    /// Returns the stored form.
    pub(crate) fn parts(&self) -> (&'static str, &str) {
        match self {
            Scope::Team => ("team", ""),
            Scope::Pool(id) => ("pool", id),
            Scope::Package(key) => ("package", key),
        }
    }

    /// Reads the stored form.
    pub(crate) fn from_parts(kind: &str, id: String) -> Option<Self> {
        match kind {
            "team" => Some(Scope::Team),
            "pool" => Some(Scope::Pool(id)),
            "package" => Some(Scope::Package(id)),
            _ => None,
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Scope::Team => f.write_str("the team"),
            Scope::Pool(id) => write!(f, "pool \"{id}\""),
            Scope::Package(key) => write!(f, "package \"{key}\""),
        }
    }
}

/// A permission that somebody has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// Id of the actor who has it.
    pub subject: String,
    /// What they may do.
    pub permission: Permission,
    /// On what.
    pub scope: Scope,
    /// Since when.
    pub granted_at: Timestamp,
    /// Id of the actor who gave it.
    pub granted_by: String,
}

/// Where an actor has a permission, to filter a list by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reach {
    /// On every pool or package.
    Everywhere,
    /// On these scopes only, in order.
    Only(Vec<Scope>),
}

impl Reach {
    /// Tells whether a scope is reached.
    pub fn contains(&self, scope: &Scope) -> bool {
        match self {
            Reach::Everywhere => true,
            Reach::Only(scopes) => scopes.binary_search(scope).is_ok(),
        }
    }
}

/// Decides whether somebody with these grants has a permission on a scope.
pub(crate) fn holds(grants: &[(Permission, Scope)], permission: Permission, scope: &Scope) -> bool {
    grants.iter().any(|(granted, on)| permission.included_in().contains(granted) && (on == scope || *on == Scope::Team))
}

/// Decides where somebody with these grants has a permission.
pub(crate) fn reach(grants: &[(Permission, Scope)], permission: Permission) -> Reach {
    if holds(grants, permission, &Scope::Team) {
        return Reach::Everywhere;
    }
    let including = grants.iter().filter(|(granted, _)| permission.included_in().contains(granted));
    let mut scopes: Vec<Scope> = including.map(|(_, scope)| scope.clone()).collect();
    scopes.sort();
    scopes.dedup();
    Reach::Only(scopes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pool(id: &str) -> Scope {
        Scope::Pool(id.into())
    }

    #[test]
    fn text_forms_agree() {
        for permission in Permission::ALL {
            assert_eq!(Permission::parse(permission.as_str()), Some(permission));
            assert_eq!(serde_json::to_value(permission).unwrap(), permission.as_str());
        }
        assert_eq!(serde_json::to_string(&pool("p-1")).unwrap(), r#"{"kind":"pool","id":"p-1"}"#);
        assert_eq!(serde_json::to_string(&Scope::Team).unwrap(), r#"{"kind":"team"}"#);
    }

    #[test]
    fn who_may_do_what() {
        let grants = [
            (Permission::DataPush, pool("a")),
            (Permission::AdminPool, pool("b")),
            (Permission::UsePackage, Scope::Team),
        ];
        for (permission, scope, expected) in [
            (Permission::DataPush, pool("a"), true),
            (Permission::UsePool, pool("a"), false),
            (Permission::DataPush, pool("b"), true),
            (Permission::UsePool, pool("b"), true),
            (Permission::UsePool, pool("c"), false),
            (Permission::UsePackage, Scope::Package("x".into()), true),
            (Permission::EditPackage, Scope::Package("x".into()), false),
            (Permission::UsePool, Scope::Team, false),
        ] {
            assert_eq!(holds(&grants, permission, &scope), expected, "{permission} on {scope}");
        }
        assert_eq!(reach(&grants, Permission::DataPush), Reach::Only(vec![pool("a"), pool("b")]));
        assert_eq!(reach(&grants, Permission::UsePackage), Reach::Everywhere);
        assert!(reach(&grants, Permission::UsePool).contains(&pool("b")));
        assert!(!reach(&grants, Permission::UsePool).contains(&pool("a")));
    }
}
