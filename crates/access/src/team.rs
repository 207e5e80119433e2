//! The tenant: owner of everything else.

use base::Timestamp;

base::id! {
    /// Names the team.
    pub TeamId
}

/// The tenant. There is exactly one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Team {
    /// Made with the first start.
    pub id: TeamId,
    /// What people read.
    pub name: String,
    /// When it was made.
    pub created_at: Timestamp,
}
