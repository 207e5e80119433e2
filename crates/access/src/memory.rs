//! What was found right a moment ago.
//!
//! Each request is authenticated and asks for permissions; both answers are
//! remembered so that they cost microseconds. The memory is emptied by every
//! change of keys and grants: changes are rare, and what is simple cannot
//! forget to forget. A *generation* keeps a slow reader from putting back what
//! a change has just made wrong.

use std::collections::HashMap;
use std::sync::Arc;

use base::Actor;
use parking_lot::RwLock;

use crate::permission::{Permission, Scope};

/// Somebody's grants.
pub(crate) type Grants = Arc<[(Permission, Scope)]>;

#[derive(Default)]
struct Known {
    generation: u64,
    /// By the fingerprint of a credential that was right.
    actors: HashMap<[u8; 32], Actor>,
    /// By the actor's id.
    grants: HashMap<String, Grants>,
}

/// Remembers actors and their grants. Only what is stored gets in, so it is no
/// larger than the tables.
#[derive(Default)]
pub(crate) struct Memory(RwLock<Known>);

/// The state of the tables that a reader is about to see, at the oldest.
#[derive(Clone, Copy)]
pub(crate) struct Generation(u64);

impl Memory {
    /// Returns the present generation; to be asked for before reading.
    pub(crate) fn generation(&self) -> Generation {
        Generation(self.0.read().generation)
    }

    /// Forgets everything; to be called after a change is durable.
    pub(crate) fn forget(&self) {
        let mut known = self.0.write();
        let generation = known.generation + 1;
        *known = Known { generation, ..Known::default() };
    }

    pub(crate) fn actor(&self, fingerprint: &[u8; 32]) -> Option<Actor> {
        self.0.read().actors.get(fingerprint).cloned()
    }

    pub(crate) fn keep_actor(&self, read_at: Generation, fingerprint: [u8; 32], actor: Actor) {
        let mut known = self.0.write();
        if known.generation == read_at.0 {
            known.actors.insert(fingerprint, actor);
        }
    }

    pub(crate) fn grants(&self, subject: &str) -> Option<Grants> {
        self.0.read().grants.get(subject).cloned()
    }

    pub(crate) fn keep_grants(&self, read_at: Generation, subject: &str, grants: Grants) {
        let mut known = self.0.write();
        if known.generation == read_at.0 {
            known.grants.insert(subject.to_owned(), grants);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_read_before_a_change_is_not_remembered_after_it() {
        let memory = Memory::default();
        let before = memory.generation();
        memory.forget();
        memory.keep_actor(before, [1; 32], Actor::system("test"));
        memory.keep_grants(before, "k", Arc::new([]));
        assert!(memory.actor(&[1; 32]).is_none() && memory.grants("k").is_none());
        memory.keep_actor(memory.generation(), [1; 32], Actor::system("test"));
        assert!(memory.actor(&[1; 32]).is_some());
        memory.forget();
        assert!(memory.actor(&[1; 32]).is_none());
    }
}
